"""Whose failures are counted together under stock Radicale, which hands on any X-Remote-Addr that comes in."""

from __future__ import annotations

from pathlib import Path

import pytest
from radicale.auth import AuthContext

from calsync.accounts.accounts import Accounts
from calsync.accounts.throttle import FREE
from calsync_auth import Auth
from tests.plugins.stock import configuration


@pytest.mark.parametrize(
    ("peer", "waits"),
    [
        ("203.0.113.9", True),  # it calls itself anew with each guess
        ("127.0.0.1", False),  # a proxy, and everybody behind it
        ("", False),  # the same over a unix socket
    ],
)
def test_whom_a_stranger_slows_down(folder: Path, accounts: Accounts, peer: str, waits: bool) -> None:
    auth = Auth(configuration(folder))

    def came_in(password: str, told: str) -> bool:
        context = AuthContext()  # type: ignore[no-untyped-call]
        context.remote_addr, context.x_remote_addr = peer, told
        return auth._login_ext_with_groups("anna", password, context)[0] == "anna"

    assert not any(came_in(f"wrong {number}", f"192.0.2.{number}") for number in range(FREE["pair"] + 2))
    assert came_in("secret", "198.51.100.7") is not waits
    auth.accounts.flush()
