"""The store and its transactions, the same for every back end.

    with store.read() as tx:     # a short snapshot
        item = items.get(tx, collection, "a.ics")
    with store.write() as tx:    # the one writer; committed at the end, rolled back by an exception
        items.put(tx, collection, "a.ics", obj)

Inside `write()`, a `read()` or another `write()` of the same thread joins the transaction that is open: the read sees
what was written, the inner write is a savepoint. A `read()` inside a `read()` is a snapshot of its own, and so is one
of another thread. A `write()` inside a `read()` is a transaction of its own, which the read does not see.
"""

from __future__ import annotations

import logging
import os
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, TypeVar

from calsync import counters
from calsync.counters import families
from calsync.store import account_changes, meta, moved, principals
from calsync.store.errors import Again, StoreError
from calsync.store.occurrences import Window
from calsync.store.replicas import Replicas, Seen
from calsync.store.shared import Shared, Thread
from calsync.store.transaction import Backend, Transaction
from calsync.store.urls import is_postgresql, opening, without_login

logger = logging.getLogger("calsync.store")

Result = TypeVar("Result")

# How often a piece of work is begun anew because of other writers.
_ATTEMPTS: Final = 8


class Store:
    """A database of calsync's. Safe to use from any thread, and after a fork."""

    def __init__(self, name: str, shared: Shared) -> None:
        self._name = name
        self._shared = shared
        self._secrets: dict[str, bytes] = {}
        self._closed = False

    @classmethod
    def open(cls, url: str, *, create: bool = True, partitions: int = 0) -> Store:
        """The store at `url` (`sqlite:////srv/calsync/calsync.db`), made or brought up to date where that is needed.

        `partitions`: of the tables of a new PostgreSQL database (`calsync.store.partitions`). Raises `StoreError`
        with a message for people, `NewerSchema` where a newer calsync has written it.
        """
        name, opened = opening(url, partitions)
        with _guard:
            shared = _attached.get(name)
            if shared is None:
                shared = Shared(opened(create))
                store = cls(name, shared)
                try:
                    store._settle()
                except BaseException:
                    shared.backend.close()
                    raise
                _attached[name] = shared
            shared.users += 1
        return cls(name, shared)

    @classmethod
    def itself(cls, url: str, *, create: bool = False, partitions: int = 0) -> Store:
        """The store at `url`, whatever is written in it of moves, and alone: for who moves it. Raises `StoreError`."""
        name, opened = opening(url, partitions)
        shared = Shared(opened(create))
        shared.fresh = float("inf")
        shared.users = 1
        store = cls(name, shared)
        try:
            store._settle()
        except BaseException:
            shared.backend.close()
            raise
        return store

    @classmethod
    def look(cls, path: Path) -> Store:
        """A copy of a store that nobody writes, to be read where it lies. Raises `StoreError`."""
        from calsync.store import prepare, sqlite

        prepare.check(path)
        shared = Shared(sqlite.Still(path))
        store = cls(os.path.realpath(path), shared)
        with store.read() as tx:
            shared.window = Window.read(tx) or shared.window
        shared.users = 1
        return store

    def _settle(self) -> None:
        with self.read() as tx:
            if self._shared.fresh != float("inf"):
                moved.check(tx, without_login(self._name))
            found = Window.read(tx)
        self._shared.window = self.attempt(self._first_window) if found is None else found

    def _first_window(self) -> Window:
        with self.write() as tx:
            # Another process may have been faster.
            return Window.read(tx) or Window.around(int(time.time())).write(tx)

    @property
    def window(self) -> tuple[int, int]:
        """The stretch of time, as instants, in which the occurrences of recurring items are kept."""
        return self._shared.window.start, self._shared.window.end

    @contextmanager
    def read(self, *, one: bool = False) -> Iterator[Transaction]:
        """A snapshot. Keep it short: it holds a connection, and the log cannot shrink meanwhile.

        `one`: for a single statement, which PostgreSQL answers without being told of a beginning and an end.
        """
        shared = self._shared
        writing = shared.thread.writing
        if writing is not None:
            yield writing
            return
        if time.monotonic() >= shared.fresh:
            _look(shared)
        backend = shared.backend
        with backend.snapshot(one=one) as connection:
            yield Transaction(backend, connection, shared.window, writes=False)

    def use_replicas(self, urls: Sequence[str]) -> None:
        """Let replicas at these URLs answer what they can (`read_since`), for all stores of this process on it.

        They may be down. Raises `StoreError` for what is no such URL.
        """
        if not urls or self._shared.replicas is not None:
            return
        for url in (self._name, *urls):
            if not is_postgresql(url):
                raise StoreError(
                    f"store: {without_login(url)}: only a PostgreSQL database has replicas ([storage] replica_urls)"
                )
        from calsync.store import postgresql

        databases = [postgresql.replica(f"postgresql://{url.partition('://')[2]}") for url in urls]
        self._shared.replicas = Replicas((one, one.place) for one in databases)

    def read_since(self, seen: Seen, work: Callable[[Transaction], Result]) -> Result:
        """What `work` gives in a snapshot that has all that was `seen`: of a replica, if one is so far, else our own.

        `seen` was read from this database, not from a replica. `work` only reads, and what belongs to that owner and
        moves its counter; it is done again where a replica fails.
        """
        shared = self._shared
        if shared.replicas is not None and shared.thread.writing is None:
            found = shared.replicas.read(seen, shared.of_replica, work)
            if found is not None:
                return found[0]
        with self.read() as tx:
            return work(tx)

    @contextmanager
    def write(self, *, alone: bool = True, still: bool = False) -> Iterator[Transaction]:
        """The writing transaction; waits for its turn, raises `Busy` where it does not come.

        SQLite has one writer at a time. In PostgreSQL one writer at a time is `alone`; beside it go all that are not.
        Such a one writes nothing but what belongs to principals, and holds each of them before it reads of them
        (`principals.find` and `get` see to that). `attempt` repeats it where that fails. `still`: beside this one goes
        nobody, and who waited for it sees all that it has changed.
        """
        shared = self._shared
        thread = shared.thread
        outer = thread.writing
        if outer is not None:
            with outer.savepoint():
                yield outer
            return
        with ExitStack() as stack:
            asked = time.perf_counter()
            tx = self._begun(stack, alone, still)
            counters.observe(families.WRITER_WAIT, time.perf_counter() - asked)
            thread.writing = tx
            try:
                yield tx
            finally:
                thread.writing = None
            actions = tx._end()
            shared.append(tx)
        thread.committed += 1
        _commits[0] += 1
        counters.add(families.WRITES)
        for action in actions:
            action()
        if tx.loaded:
            tx._backend.grown(tx.loaded)

    def _begun(self, stack: ExitStack, alone: bool, still: bool) -> Transaction:
        """A writing transaction that `stack` ends, of the store that counts once its turn has come."""
        shared = self._shared
        while True:
            backend = shared.backend
            with ExitStack() as attempt:
                connection = attempt.enter_context(backend.exclusive(alone=alone, still=still))
                tx = Transaction(backend, connection, shared.window, writes=True)
                known = meta.for_writing(tx)
                for owner in sorted(shared.thread.owners):
                    principals.lock_owner(tx, owner)
                mark = known.get(moved.MOVED)
                if not mark or shared.fresh == float("inf"):
                    # Another process may have moved the window.
                    tx.window = shared.window = Window.stored(known.get("window")) or shared.window
                    tx.journal = known.get("journal")
                    tx.quota = known.get("quota")
                    stack.push(attempt.pop_all())
                    return tx
            _follow(shared, backend, mark)

    def attempt(self, work: Callable[[], Result]) -> Result:
        """What `work` gives. It is done once more where another writer came between, which has undone all it wrote.

        Only PostgreSQL lets writers meet; then `work` must be such that it can be done from its beginning. What has
        committed something is not done again.
        """
        thread = self._shared.thread
        if thread.writing is not None:
            return work()
        before, owners = thread.committed, thread.owners
        try:
            for tries in range(1, _ATTEMPTS + 1):
                try:
                    return work()
                except Again as error:
                    if tries == _ATTEMPTS or thread.committed != before:
                        raise
                    counters.add(families.RETRIES)
                    thread.owners |= error.owners
                    time.sleep(random.random() * 0.01 * 2**tries)
            raise AssertionError("unreachable")
        finally:
            thread.owners = owners

    def owns(self, tx: Transaction) -> bool:
        """Whether a transaction is one of this database, begun by whatever store of this process."""
        return tx._backend is self._shared.backend

    def secret(self, name: str) -> bytes:
        """32 random octets, made at the first asking and the same ever since."""
        found = self._secrets.get(name)
        if found is None:
            key = f"secret:{name}"
            with self.read() as tx:
                found = meta.get(tx, key)
            if found is None:
                with self.write() as tx:
                    found = meta.get(tx, key)
                    if found is None:
                        found = secrets.token_bytes(32)
                        meta.put(tx, key, found)
                        account_changes.secret_made(tx, key)
            self._secrets[name] = found
        return found

    def backup(self, target: Path) -> None:
        """A consistent copy, made while everybody goes on."""
        self._shared.backend.backup(target)

    def wipe(self) -> bool:
        """Leave nothing of what was removed in the database's files; False where a reader that goes on keeps it."""
        return self._shared.backend.wipe()

    def problems(self) -> list[str]:
        """What the database's own check finds; reads everything."""
        return self._shared.backend.problems()

    def describe(self) -> Mapping[str, str]:
        """What an administrator wants to know: back end, version, place, and which cautions apply."""
        return self._shared.backend.describe()

    def close(self) -> None:
        """Let go of it; the last store of this process on the database closes its connections. May be called twice."""
        with _guard:
            if self._closed:
                return
            self._closed = True
            self._shared.users -= 1
            if self._shared.users != 0:
                return
            if _attached.get(self._name) is self._shared:
                del _attached[self._name]
        self._shared.leave_journal()
        for backend in self._shared.backends:
            backend.close()


_attached: Final[dict[str, Shared]] = {}
_commits: Final = [0]


def commits() -> int:
    """A number that is another one once this process has committed something, in whatever store."""
    return _commits[0]


_guard = threading.Lock()


def _look(shared: Shared) -> None:
    """Follow the store where it was moved. Raises `StoreError` where that cannot be."""
    while True:
        backend, asked = shared.backend, time.monotonic()
        with backend.snapshot(one=True) as connection:
            mark = meta.get(Transaction(backend, connection, shared.window, writes=False), moved.MOVED)
        if not mark:
            # Since it was asked: who moves the store waits no longer, and this process may have slept since.
            shared.fresh = asked + (moved.FRESH if mark is None else 0.0)
            return
        _follow(shared, backend, mark)


def _follow(shared: Shared, left: Backend, mark: bytes) -> None:
    """Go on with the store that `moved-to` in another one names, in all threads at once."""
    move = moved.Move.decoded(mark)
    assert move is not None
    with shared.following:
        if shared.backend is not left:
            return
        store = Store.itself(move.to)
        try:
            with store.write() as tx:
                whole = moved.arrive(tx, move)
            if not whole:
                raise StoreError(
                    f"store: {without_login(move.to)}: everything was moved there, but it is another store now"
                )
        except BaseException:
            store._shared.backend.close()
            raise
        logger.warning(
            "the store was moved to %s: it is used from now on; let [storage] url say so", without_login(move.to)
        )
        shared.left.append(left)
        if shared.replicas is not None:
            shared.left += shared.replicas.databases
            shared.replicas = None
        shared.window = store._shared.window
        shared.backend = store._shared.backend


def _after_fork() -> None:
    global _guard
    _guard = threading.Lock()
    for shared in _attached.values():
        shared.thread = Thread()
        shared.following = threading.Lock()
        shared.leave_journal()
        for backend in shared.backends:
            backend.forsake()


os.register_at_fork(after_in_child=_after_fork)
