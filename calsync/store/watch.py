"""A server that has stopped answering, though its connections stand: frozen, or on a disk that has stopped.

The operating system keeps such a connection for good, and libpq waits as long. So one thread of a pool looks every
second who has been waiting. After a few seconds it asks the server itself, in a connection of its own; where that is
silent too, all that wait are cut off and hear that the database cannot be reached. Where the server is well, somebody's
work takes long, or one of its processes hangs: there is more time, then it is cancelled, and cut off if that is not
heard either.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import psycopg

if TYPE_CHECKING:
    from calsync.store.wire import Session

#: Seconds between looks; after which the server is asked; which it has for an answer; which a cancelled statement has.
LOOK: float = 1.0
SLOW: float = 5.0
ANSWER: Final = 5
HEARD: Final = 2.0


class Watch:
    """Of the sessions that `lent` gives. `options`: what makes a connection; `longest`: seconds that a statement may
    take of a server that is well, 0 for any; `hung` is called once the server is found to be silent."""

    def __init__(
        self,
        options: Mapping[str, Any],
        longest: float,
        lent: Callable[[], Iterable[Session]],
        hung: Callable[[psycopg.Error], None],
    ) -> None:
        self._options = options
        self._longest = longest
        self._lent = lent
        self._hung = hung
        self._ended = threading.Event()
        threading.Thread(target=self._run, name="calsync-postgresql", daemon=True).start()

    def end(self) -> None:
        """Look no more."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(LOOK):
            now = time.monotonic()
            waiting = [(one, since) for one in self._lent() if (since := one.since) and now - since > SLOW]
            if not waiting:
                continue
            silent = self._silence()
            if silent is not None:
                self._hung(silent)
            for session, since in waiting:
                if silent is not None:
                    session.cut(since)
                elif self._longest and session.bounded and time.monotonic() - since > self._longest:
                    _cancel(session)
                    if time.monotonic() - since > self._longest + HEARD:
                        session.cut(since)

    def _silence(self) -> psycopg.Error | None:
        """None where the server answers, be it with a refusal or a closed port: then all others hear of it, too."""
        try:
            made = psycopg.connect(**{**self._options, "connect_timeout": ANSWER}, autocommit=True)
        except psycopg.errors.ConnectionTimeout as error:
            return error
        except psycopg.Error:
            return None
        with contextlib.closing(made), contextlib.suppress(psycopg.Error):
            made.pgconn.send_query(b"SELECT 1")
            watched = select.poll()
            watched.register(made.pgconn.socket, select.POLLIN)
            if not watched.poll(1000 * ANSWER):
                return psycopg.errors.ConnectionTimeout(f"no answer within {ANSWER} s")
        return None


def _cancel(session: Session) -> None:
    with contextlib.suppress(psycopg.Error):
        session.cancel_safe(timeout=HEARD)


class Line:
    """A connection's socket, held a second time: to be cut by another thread than the one that waits at it."""

    __slots__ = ("_file", "_lock")

    def __init__(self, file: int) -> None:
        self._file: int | None = os.dup(file)
        self._lock = threading.Lock()

    def cut(self) -> None:
        """Whoever waits at it hears that it ended."""
        with self._lock:
            if self._file is None:
                return
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._file)) as held:
                held.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of it."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None
