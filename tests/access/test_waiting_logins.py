"""Logins that have to be checked wait by themselves: whoever is known is answered while nobody can say who they are."""

from __future__ import annotations

import base64
import io
import logging
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import requests

from calsync.accounts.accounts import Accounts
from calsync.server.call import Call
from calsync.server.environ import Head, Peer, environ_of
from tests.dav.conftest import PASSWORD, event, make_application
from tests.server.conftest import until
from tests.server_process import ServerProcess

#: More than there are threads of any kind.
FLOOD = 24


class Silent:
    """A mail server that takes connections and says nothing."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.taken: list[socket.socket] = []

    def asked(self) -> bool:
        """Whether it has been asked one thing more."""
        if select.select([self.listening], [], [], 0)[0]:
            self.taken.append(self.listening.accept()[0])
            return True
        return False

    def close(self) -> None:
        for sock in (self.listening, *self.taken):
            sock.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    with closing(Silent()) as made:
        yield made


def head(method: str, path: str, user: str, password: str, more: str = "") -> bytes:
    credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {credentials}\r\n{more}\r\n".encode()


def test_a_request_that_waited_is_done_once_and_took_as_long(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its body is read from the beginning, and whoever looks for what is slow finds the wait."""
    application = make_application(tmp_path, logging={"level": "info"})
    assert application.store is not None
    Accounts(application.store).create("anna", PASSWORD)
    body = io.BytesIO(event("a"))
    credentials = b"Basic " + base64.b64encode(f"anna:{PASSWORD}".encode())
    asked = Head("PUT", b"/anna/calendar/a.ics", "HTTP/1.1", ((b"authorization", credentials),))
    environ = environ_of(asked, Peer("127.0.0.1", 1, True), body, len(body.getvalue()))
    call = Call(application, environ | {"calsync.checks": "later"}, 65536)
    with caplog.at_level(logging.INFO, logger="radicale"):
        assert call.begin() is None and call.unchecked == ""
        body.read()  # as a page has done by then
        time.sleep(0.1)
        call.again("")
        assert call.begin() is not None and call.status == 201
    ended = [record.calsync[0] for record in caplog.records if hasattr(record, "calsync")]
    assert [(one.method, one.status) for one in ended] == [("PUT", 201)] and ended[0].seconds >= 0.1
    application.close()


def test_a_known_device_is_answered_while_no_login_can_be_checked(tmp_path: Path, silent: Silent) -> None:
    config = f"""
[auth]
type = calsync_auth
backend = imap
imap_host = 127.0.0.1:{silent.port}
imap_security = none
backend_timeout = 1000
[limits]
threads = 4
"""
    with ServerProcess(tmp_path, config_text=config) as server, ExitStack() as open_ones:
        server.command("user", "add", "anna", "--no-password").check_returncode()
        phone = server.command("token", "add", "anna", "--label", "phone").stdout.strip()

        def sent(request: bytes) -> socket.socket:
            sock = open_ones.enter_context(socket.create_connection(server.address, timeout=60))
            sock.sendall(request)
            return sock

        waiting = [sent(head("PROPFIND", "/", f"nobody{number}", "wrong")) for number in range(FLOOD)]
        # Writing ones, and people at the sign-in page, have fewer threads for themselves.
        waiting += [
            sent(head("PUT", "/anna/x/y", f"none{number}", "wrong", "Content-Length: 0\r\n")) for number in range(4)
        ]
        until(silent.asked)
        with requests.Session() as device:
            device.auth = ("anna", phone)
            for _ in range(10):
                assert device.request("PROPFIND", f"{server.url}anna/", timeout=60).status_code == 207
            made = device.request("MKCALENDAR", f"{server.url}anna/new/", timeout=60)
            assert made.status_code == 201
        assert not select.select(waiting, [], [], 0)[0], "somebody was told something that nobody can know"
        for sock in waiting:
            sock.close()
        server.kill()
