"""Whose turn a check is: what may take long is not done where others wait for their answers.

A password costs argon2, a back end may hang; the threads that answer devices with known credentials are for neither.
A server that has other threads for such logins says so (`place`), and hears of each in time (`Elsewhere`): it has the
request come again where it may take long. Everybody else (stock Radicale, commands) checks where they are.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

from calsync.accounts.passwords import TooManyChecks

#: What a server says of the thread that a request is answered by; nothing: any check may be made.
LATER: Final = "later"
CROWDED: Final = "crowded"

_where: Final[ContextVar[str]] = ContextVar("calsync_checks", default="")


class Elsewhere(Exception):
    """The login has to be checked, which this thread is not for; nothing was done or counted yet."""


def place(where: str) -> None:
    """Say what checks the request of this thread may make: any (empty), none here (`LATER`), none (`CROWDED`)."""
    _where.set(where)


def take() -> None:
    """Called before whatever may take long. Raises `Elsewhere`, or `TooManyChecks` where no room is left to wait in."""
    where = _where.get()
    if where == LATER:
        raise Elsewhere
    if where == CROWDED:
        raise TooManyChecks("too many logins at once")
