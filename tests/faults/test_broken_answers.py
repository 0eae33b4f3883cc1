"""What breaks off, on its way in or out, never looks complete to the other side (decision D2)."""

from __future__ import annotations

import errno
import http.client
import socket
import struct
from base64 import b64encode
from collections.abc import Iterator

import pytest

from tests.dav.conftest import PASSWORD, event
from tests.faults.shim import Calls, Faults
from tests.faults.site import Site
from tests.soak.wire import whole

HOME = "/anna/large/"
AUTHORIZATION = "Basic " + b64encode(f"anna:{PASSWORD}".encode()).decode()
LISTING = '<propfind xmlns="DAV:"><prop><getetag/><displayname/><C:calendar-data xmlns:C="urn:ietf:params:xml:ns:caldav"/></prop></propfind>'  # noqa: E501
QUERY = (
    '<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/><C:calendar-data/></prop>'
    '<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
)

#: A request line for each way an answer is sent: in pieces, with its length, until the connection's end.
ASKS = [("REPORT", QUERY, "1.1"), ("PROPFIND", LISTING, "1.1"), ("GET", "", "1.1"), ("REPORT", QUERY, "1.0")]


@pytest.fixture
def large(site: Site) -> Iterator[Site]:
    """With a calendar of some megabytes."""
    if site.ask("PROPFIND", HOME, Depth="0").status == 404:
        many = whole(*(event(f"u{number}", "DESCRIPTION:" + "x" * 5000) for number in range(1500)))
        assert site.ask("PUT", HOME, many).status == 201
    yield site


def begun(site: Site, method: str, body: str, version: str) -> tuple[socket.socket, bytes]:
    """The first octets of an answer, of which little is taken; the rest is still to be made."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(30)
    sock.connect(site.address)
    head = f"{method} {HOME} HTTP/{version}\r\nHost: x\r\nConnection: close\r\nDepth: 1\r\n"
    head += f"Authorization: {AUTHORIZATION}\r\n"
    sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    return sock, sock.recv(2000)


def taken(sock: socket.socket, first: bytes) -> tuple[bytes, bool]:
    """The rest, and whether the connection ended in order."""
    data = first
    try:
        while part := sock.recv(1 << 16):
            data += part
    except ConnectionResetError:
        return data, False
    return data, True


def looks_whole(data: bytes, in_order: bool) -> bool:
    """As a client judges it (RFC 9112 §8)."""
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    if b"transfer-encoding: chunked" in lines:
        return body.endswith(b"\r\n0\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), None)
    return len(body) >= length if length is not None else in_order


@pytest.mark.parametrize(("method", "body", "version"), ASKS)
def test_an_answer_that_nothing_stops_looks_whole(large: Site, method: str, body: str, version: str) -> None:
    sock, first = begun(large, method, body, version)
    with sock:
        assert looks_whole(*taken(sock, first))


@pytest.mark.parametrize(("method", "body", "version"), ASKS)
def test_a_server_that_dies_midway(large: Site, method: str, body: str, version: str) -> None:
    sock, first = begun(large, method, body, version)
    with sock:
        large.kill()
        data, in_order = taken(sock, first)
        if version == "1.1":  # the kernel ends what a process leaves; HTTP/1.0 cannot tell that from the end
            assert not looks_whole(data, in_order)
        assert b"</D:multistatus>" not in data
        assert not data.endswith(b"END:VCALENDAR\r\n")


@pytest.mark.parametrize(("method", "body", "version"), [ask for ask in ASKS if ask[0] == "REPORT"])
def test_a_disk_that_cannot_be_read_any_more(large: Site, faults: Faults, method: str, body: str, version: str) -> None:
    large.stop()  # nothing of it may be in the process's memory
    large.start()
    sock, first = begun(large, method, body, version)
    with sock:
        faults.arm(errno.EIO, Calls.READ, all=True)
        data, in_order = taken(sock, first)
        assert faults.hit
        faults.disarm()
        assert not looks_whole(data, in_order)
    assert large.ask(method, HOME, body, Depth="1").status == 207


@pytest.mark.parametrize("how", ["end", "reset"])
@pytest.mark.parametrize("coding", ["length", "chunked"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_an_upload_that_breaks_off_was_never_sent(site: Site, how: str, coding: str, share: float) -> None:
    path = "/anna/calendar/broken.ics"
    octets = event("broken", *["DESCRIPTION:" + "x" * 900] * 100)
    sent = octets[: int(len(octets) * share)]
    if coding == "chunked":
        framing, sent = "Transfer-Encoding: chunked", b"%x\r\n%s\r\n" % (len(sent), sent) if sent else b""
    else:
        framing = f"Content-Length: {len(octets)}"
    with socket.create_connection(site.address, timeout=30) as sock:
        head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/calendar\r\nAuthorization: {AUTHORIZATION}\r\n"
        sock.sendall(f"{head}{framing}\r\n\r\n".encode() + sent)
        if how == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            sock.shutdown(socket.SHUT_WR)
            answer = http.client.HTTPResponse(sock)
            answer.begin()
            assert answer.status == 400
    assert site.ask("GET", path).status == 404
    assert site.ask("PUT", path, octets).status == 201
    assert site.ask("DELETE", path).status == 204
