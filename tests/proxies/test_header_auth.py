"""A proxy that asks for names and passwords itself: calsync believes it, and nobody in its place."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proxies.proxy import Proxy
from tests.proxies.test_calsync import WHO, Device
from tests.proxies.test_wire import connected
from tests.server.conftest import read_all
from tests.server_process import ServerProcess

#: Ways of writing a header that one program takes for another one than the next does.
LIES = (
    b"\r\nX_Remote_User: anna",
    b"\r\nX-Remote-User : anna",
    b"\r\nX-Remote-User: anna\r\nX-Remote-User: anna",
    b"\r\nAccept: a\nX-Remote-User: anna",
    b"\r\nAccept: a\rX-Remote-User: anna",
    b"\r\nAccept: a\r\n X-Remote-User: anna",
    b", X-Remote-User\r\nX-Remote-User: anna",
    b"\r\nX-Remote-User\0: anna",
    b"\r\nTransfer-Encoding: chunked\r\nTrailer: X-Remote-User\r\n\r\n0\r\nX-Remote-User: anna\r\n\r\n",
)

CONFIGURATION = """
[auth]
type = calsync_auth
backend = http_x_remote_user
"""


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with tempfile.TemporaryDirectory(prefix="calsync-behind-") as name:
        server = ServerProcess(Path(name) / "s", config_text=CONFIGURATION)
        with server:
            yield server


def test_the_proxy_says_who_it_is(kind: type[Proxy], server: ServerProcess, trusting: ssl.SSLContext) -> None:
    host, port = server.address
    with kind(f"{host}:{port}", {"anna": "secret"}) as proxy:
        anna = Device(proxy, "", trusting, "anna:secret")
        for headers in ({}, {"X_Remote_User": "bert"}):
            answer = anna.ask("PROPFIND", "/", WHO, Depth="0", **headers)
            assert b"href>/anna/</" in answer.body, (answer.status, answer.body)
        for login in ("anna:wrong", "bert:secret", ""):
            stranger = Device(proxy, "", trusting, login)
            assert stranger.ask("PROPFIND", "/anna/", Depth="0", X_Remote_User="anna").status == 401
        # The other host of the same file asks for nothing itself, and says of nobody who it is.
        below = Device(proxy, "/dav", trusting, "")
        assert below.ask("PROPFIND", "/anna/", Depth="0", X_Remote_User="anna").status == 401
        host = proxy.site.removeprefix("https://").encode()
        for lie in LIES:
            with connected(proxy, "/dav", trusting) as sock:
                head = b"PROPFIND /dav/anna/ HTTP/1.1\r\nHost: %s\r\nDepth: 0\r\nConnection: close" % host
                sock.sendall(head + lie + (b"" if lie.endswith(b"\r\n\r\n") else b"\r\n\r\n"))
                assert read_all(sock).split(b" ")[1] in (b"400", b"401"), lie
