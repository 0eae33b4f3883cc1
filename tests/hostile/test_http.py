"""HTTP that is none: refused, and nothing is done."""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dav.conftest import PASSWORD, event
from tests.hostile import wire
from tests.server_process import ServerProcess

TOKEN = base64.b64encode(f"anna:{PASSWORD}".encode())
AUTH = b"Host: x\r\nAuthorization: Basic " + TOKEN + b"\r\n"
BODY = event("wire")
PUT = b"PUT /anna/calendar/wire.ics HTTP/1.1\r\n" + AUTH


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("wire")
    config = "[server]\ntimeout = 300\n[logging]\nlevel = debug\n[auth]\ndelay = 0\nthrottle = False\n"
    with ServerProcess(folder, config_text=config) as server:
        server.add_user("anna", PASSWORD)
        server.add_user("bert", PASSWORD)
        yield server


def talk(server: ServerProcess, *parts: bytes) -> bytes:
    return wire.talk(server.address, *parts)


CHUNKED = b"Transfer-Encoding: chunked\r\n"
WIRE = {
    "both lengths": PUT + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
    "both, the other way": PUT
    + CHUNKED
    + b"Content-Length: %d\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), len(BODY), BODY),
    "two lengths": PUT + b"Content-Length: %d\r\nContent-Length: 5\r\n\r\n" % len(BODY) + BODY,
    "a list of lengths": PUT + b"Content-Length: %d, %d\r\n\r\n" % (len(BODY), len(BODY)) + BODY,
    "a signed length": PUT + b"Content-Length: +%d\r\n\r\n" % len(BODY) + BODY,
    "a hexadecimal length": PUT + b"Content-Length: 0x5\r\n\r\n" + BODY,
    "a length beyond": PUT + b"Content-Length: " + b"9" * 50 + b"\r\n\r\n" + BODY,
    "a length too long": PUT + b"Content-Length: %d\r\n\r\n" % (len(BODY) + 1) + BODY,
    "a chunk size of rubbish": PUT + CHUNKED + b"\r\nzz\r\n" + BODY,
    "a chunk size beyond": PUT + CHUNKED + b"\r\n" + b"f" * 40 + b"\r\n" + BODY,
    "a negative chunk size": PUT + CHUNKED + b"\r\n-1\r\n" + BODY,
    "a chunk without its end": PUT + CHUNKED + b"\r\n%x\r\n%s0\r\n\r\n" % (len(BODY), BODY),
    "another coding": PUT + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "a coding in disguise": PUT + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a tab before the coding": PUT + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": PUT + b"Content-Length : %d\r\n\r\n" % len(BODY) + BODY,
    "a folded header": b"PUT /anna/calendar/wire.ics HTTP/1.1\r\nX: a\r\n b\r\n" + AUTH + b"Content-Length : 1\r\n\r\n",
    "a folded length": PUT + b"Content-Length:\r\n %d\r\n\r\n" % 5 + BODY,
    "NUL in a header": PUT + b"X: a\x00b\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "a bare carriage return": PUT + b"X: a\rY: b\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "a bare line feed": PUT.replace(b"\r\n", b"\n") + b"Content-Length: %d\n\n" % len(BODY) + BODY,
    "a long header": PUT + b"X: " + b"a" * 70_000 + b"\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "many headers": PUT + b"X: a\r\n" * 3000 + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "a lower-case method": PUT.replace(b"PUT", b"put") + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "a space in the target": PUT.replace(b"wire.ics", b"wi re.ics") + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "two hosts": PUT + b"Host: y\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "an encoded line end": PUT.replace(b"wire.ics", b"wire%0d%0a.ics")
    + b"Content-Length: %d\r\n\r\n" % len(BODY)
    + BODY,
    "two logins": PUT + b"Authorization: Basic YTpi\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "a login that is none": PUT.replace(TOKEN, b"!!!!") + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "rubbish": b"\x00\xff" * 5000,
    "a tunnel": b"CONNECT anna:443 HTTP/1.1\r\n" + AUTH + b"\r\n",
    "another's words": b"GET http://x@/anna/calendar/wire.ics HTTP/1.1\r\n" + AUTH + b"\r\n",
}


@pytest.mark.parametrize("what", WIRE)
def test_what_is_no_request_is_refused_and_nothing_is_done(server: ServerProcess, what: str) -> None:
    answer = talk(server, WIRE[what])
    assert answer == b"" or re.match(rb"HTTP/1\.1 (4\d\d|501|505) ", answer), answer[:200]
    assert talk(server, b"GET /anna/calendar/wire.ics HTTP/1.1\r\nConnection: close\r\n" + AUTH + b"\r\n").startswith(
        b"HTTP/1.1 404 "
    )


def test_a_target_in_absolute_form_is_its_path(server: ServerProcess) -> None:
    for target in (b"http://x/anna/", b"http://elsewhere:1/anna/", b"HTTPS://x/anna/"):
        answer = talk(
            server, b"PROPFIND " + target + b" HTTP/1.1\r\nDepth: 0\r\nConnection: close\r\n" + AUTH + b"\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 207 "), answer[:100]


def test_a_second_request_hides_in_no_body(server: ServerProcess) -> None:
    hidden = b"GET /anna/hidden HTTP/1.1\r\n" + AUTH + b"\r\n"
    for lengths in (
        b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    ):
        answer = talk(server, b"POST /anna/ HTTP/1.1\r\n" + AUTH + lengths + b"\r\n0\r\n\r\n" + hidden)
        assert answer.count(b"HTTP/1.1 ") == 1, (lengths, answer)


def test_who_is_no_proxy_speaks_for_nobody(tmp_path: Path) -> None:
    """Through an address of this machine that is not its own loopback, where there is one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            address = str(probe.getsockname()[0])
        except OSError:
            pytest.skip("no network")
    if address.startswith("127."):
        pytest.skip("no address but loopback")
    config = f"[server]\nhosts = {address}:0\n[auth]\ntype = http_x_remote_user\n"
    with ServerProcess(tmp_path, config_text=config) as server:
        for header in (b"X-Remote-User: anna", b"X_Remote_User: anna", b"Remote-User: anna", b"X-REMOTE-USER: anna"):
            answer = talk(
                server,
                b"PROPFIND /anna/ HTTP/1.1\r\nHost: x\r\nDepth: 0\r\nConnection: close\r\n" + header + b"\r\n\r\n",
            )
            assert answer.startswith(b"HTTP/1.1 401 "), answer[:100]
        for header in (
            b"X-Script-Name: /evil",
            b"X_Script_Name: /evil",
            b"X-Forwarded-Host: evil",
            b"Forwarded: host=evil",
            b"X-Forwarded-Prefix: /evil",
            b"X-Forwarded-Proto: evil",
        ):
            answer = talk(
                server, b"GET /.well-known/caldav HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + header + b"\r\n\r\n"
            )
            assert answer.startswith(b"HTTP/1.1 301 ")
            assert b"evil" not in answer
