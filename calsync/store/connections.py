"""The connections of a process to a PostgreSQL server: so many at most, lent to one thread at a time.

They are made by the thread that needs one, so that it hears at once why there is none. Another thread, begun with the
first connection after a start or a fork, only looks whether the server still answers those that are lent (`watch`).
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import psycopg
from psycopg import pq

from calsync.store.across import NAME
from calsync.store.errors import Busy
from calsync.store.watch import Watch
from calsync.store.wire import Session

#: Seconds after which an idle connection is closed rather than used.
_STALE: Final = 300.0

#: Seconds after a failure that took as long for which nobody else tries to connect: not all threads are to hang.
_DOWN: Final = 0.5

#: What a connection is made with where the URL does not say otherwise. A server that is gone without a word (a cable, a
#: machine that lost power) is noticed by that: seconds to connect, milliseconds until what was sent is there, and
#: seconds between signs of life of one that says nothing.
_DEFAULTS: Final = {
    "application_name": NAME,
    "connect_timeout": "5",
    "tcp_user_timeout": "5000",
    "keepalives_idle": "10",
    "keepalives_interval": "3",
    "keepalives_count": "3",
}


class Connections:
    """A pool. `configure` is called with each new connection. `longest`: seconds a statement may take, 0 for any."""

    def __init__(
        self, url: str, most: int, patience: float, configure: Callable[[Session], None], longest: float
    ) -> None:
        given = psycopg.conninfo.conninfo_to_dict(url)
        self._options: dict[str, Any] = {**_DEFAULTS, **given}
        self._most = most
        self._patience = patience
        self._configure = configure
        self._longest = longest
        self._idle: list[Session] = []
        self._lent: set[Session] = set()
        self._watch: Watch | None = None
        self._watching = threading.Lock()
        self._free = threading.BoundedSemaphore(most)
        self._closed = False
        self._down: tuple[float, psycopg.Error] | None = None

    def take(self) -> Session:
        """A connection, which is given back. Raises `psycopg.Error`, and `Busy` where none comes free."""
        if not self._free.acquire(timeout=self._patience):
            raise Busy(
                f"all {self._most} connections are in use since {self._patience:.0f} s (connections=… in the URL)"
            )
        try:
            session = self._ready()
            self._lent.add(session)
            return session
        except BaseException:
            self._free.release()
            raise

    def _ready(self) -> Session:
        oldest = time.monotonic() - _STALE
        while True:
            try:
                idle = self._idle.pop()  # a list's pop and append are atomic
            except IndexError:
                return self._made()
            # A server that stops or restarts has closed it; nothing else is ever said to an idle connection.
            silent = not _said(idle)
            if silent and idle.used > oldest:
                return idle
            idle.close()

    def _made(self) -> Session:
        down = self._down
        if down is not None and time.monotonic() < down[0]:
            raise psycopg.OperationalError(str(down[1]))
        began = time.monotonic()
        try:
            made = Session.connect(**self._options, autocommit=True)
            try:
                made.watched()
                self._look()
                made.since = time.monotonic()
                self._lent.add(made)
                self._configure(made)
                made.since = 0.0
            except BaseException:
                self._lent.discard(made)
                made.close()
                raise
        except psycopg.Error as error:
            ended = time.monotonic()
            if ended - began > _DOWN:
                self._down = ended + _DOWN, error
            raise
        self._down = None
        return made

    def _look(self) -> None:
        if self._watch is None:
            with self._watching:
                if self._watch is None and not self._closed:
                    self._watch = Watch(self._options, self._longest, lambda: tuple(self._lent), self._hung)

    def _hung(self, error: psycopg.Error) -> None:
        """The server is silent: nobody is to wait at what is idle."""
        self._down = time.monotonic() + _DOWN, error
        idle, self._idle = self._idle, []
        for session in idle:
            session.close()

    def give(self, session: Session) -> None:
        """Take it back; one in which something is open, or that broke, is closed."""
        self._lent.discard(session)
        session.since = 0.0
        if not self._closed and session.pgconn.transaction_status == pq.TransactionStatus.IDLE:
            session.used = time.monotonic()
            self._idle.append(session)
        else:
            session.close()
        self._free.release()

    def close(self) -> None:
        """Close what is idle, and what is lent when it comes back."""
        self._closed = True
        if self._watch is not None:
            self._watch.end()
        while self._idle:
            self._idle.pop().close()

    def again(self) -> Connections:
        """The same with no connection yet."""
        made = Connections.__new__(Connections)
        made.__dict__.update(self.__dict__)
        made._idle, made._free, made._down = [], threading.BoundedSemaphore(self._most), None
        made._lent, made._watch, made._watching = set(), None, threading.Lock()
        return made


def _said(session: Session) -> bool:
    """Whether something, or an end, has come from the server since the last answer."""
    watched = select.poll()
    watched.register(session.pgconn.socket, select.POLLIN)
    return bool(watched.poll(0))
