"""One store a process, and the transaction that a thread is in.

Radicale locks the whole storage for a request, builds two Storage objects a process (its sharing has one of its own)
and nests their locks in one thread. Here a lock is a transaction of the one store, found again through the thread.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from calsync.store.engine import Store
from calsync.store.transaction import Transaction


class Session:
    """A store with the transactions that the threads of this process have open on it."""

    def __init__(self, url: str, partitions: int = 0) -> None:
        self.url = url
        self.store = Store.open(url, partitions=partitions)
        self._local = threading.local()

    @contextmanager
    def lock(self, mode: str) -> Iterator[None]:
        """Radicale's lock: `r` is a snapshot, `w` a writing transaction that is committed unless the block raises.

        Inside a lock of the same thread it joins that one; only a write inside a read is a transaction of its own.
        """
        if mode not in ("r", "w"):
            raise ValueError(f"unknown mode of lock: {mode!r}")
        with self.write() if mode == "w" else self.read():
            yield

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """The transaction that the thread is in, or a short snapshot. To be left before a caller gets control."""
        opened = self._opened()
        if opened:
            yield opened[-1]
            return
        with self.store.read() as tx, _within(opened, tx):
            yield tx

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A writing transaction; in one of the thread already, a savepoint of it.

        That is what every change needs: Radicale catches errors inside its lock, and then commits.
        """
        with self.store.write(alone=False) as tx, _within(self._opened(), tx):
            yield tx

    @property
    def writing(self) -> bool:
        """Whether the thread is in a writing transaction."""
        opened = self._opened()
        return bool(opened) and opened[-1].writes

    def close(self) -> None:
        """Let go of the store."""
        with _opening:
            if _sessions.get(self.url) is self:
                del _sessions[self.url]
        self.store.close()

    def _opened(self) -> list[Transaction]:
        opened: list[Transaction] = self._local.__dict__.setdefault("opened", [])
        return opened


@contextmanager
def _within(opened: list[Transaction], tx: Transaction) -> Iterator[None]:
    opened.append(tx)
    try:
        yield
    finally:
        opened.pop()


_sessions: Final[dict[str, Session]] = {}
_opening: Final = threading.Lock()


def session(url: str, partitions: int = 0) -> Session:
    """The session of the store at `url`, one for all that ask in this process; opened at the first asking.

    Where there is no store it is made, in PostgreSQL with so many `partitions`. It lives until it is closed: Radicale
    tells a storage nothing of the end. Raises `StoreError`, for people.
    """
    with _opening:
        found = _sessions.get(url)
        if found is None:
            found = _sessions[url] = Session(url, partitions)
        return found
