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

import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from calsync.store import meta
from calsync.store.errors import StoreError
from calsync.store.occurrences import Window
from calsync.store.statement import Prepared

Row = tuple[Any, ...]


class Cursor(Protocol):
    """As PEP 249 has it, of the driver."""

    @property
    def rowcount(self) -> int: ...
    def fetchall(self) -> list[Any]: ...
    def fetchone(self) -> Any: ...


class Connection(Protocol):
    """Of the driver: what a transaction needs of it."""

    def execute(self, sql: str, parameters: Any = ..., /) -> Cursor: ...
    def executemany(self, sql: str, parameters: Any, /) -> Cursor: ...


class Backend(Protocol):
    """One database, shared by all stores that this process opens on it."""

    @property
    def dialect(self) -> str: ...
    @property
    def failures(self) -> tuple[type[Exception], ...]: ...
    def failure(self, error: Exception) -> StoreError: ...
    def lost(self, connection: Any) -> bool: ...
    def snapshot(self) -> AbstractContextManager[Connection]: ...
    def exclusive(self) -> AbstractContextManager[Connection]: ...
    def backup(self, target: Path) -> None: ...
    def problems(self) -> list[str]: ...
    def describe(self) -> dict[str, str]: ...
    def forsake(self) -> None: ...
    def close(self) -> None: ...


class Transaction:
    """Statements run in it, and what is done when it is committed.

    `window`: which stretch of time the occurrences written here cover. `dialect`: `sqlite` or `postgresql`. `actor`:
    who writes, for the history (`anna`, `anna by Phone`, `calsync import`).
    Every method raises `StoreError` or one of its kin where the database fails.
    """

    __slots__ = ("_actions", "_backend", "_connection", "_depth", "_fault", "actor", "dialect", "window", "writes")

    def __init__(self, backend: Backend, connection: Connection, window: Window, *, writes: bool) -> None:
        self.actor = ""
        self.dialect = backend.dialect
        self.window = window
        self.writes = writes
        self._backend = backend
        self._connection = connection
        self._actions: list[Callable[[], None]] = []
        self._depth = 0
        self._fault: StoreError | None = None

    def all(self, statement: Prepared, /, **values: Any) -> list[Row]:
        """All rows."""
        compiled = statement.compiled(self.dialect)
        try:
            return self._alive().execute(compiled.sql, compiled.bind(values)).fetchall()
        except self._backend.failures as error:
            raise self._failed(error) from error

    def first(self, statement: Prepared, /, **values: Any) -> Row | None:
        """The first row, or None. For statements that give one row: the rest is not read."""
        compiled = statement.compiled(self.dialect)
        try:
            row: Row | None = self._alive().execute(compiled.sql, compiled.bind(values)).fetchone()
        except self._backend.failures as error:
            raise self._failed(error) from error
        return row

    def run(self, statement: Prepared, /, **values: Any) -> int:
        """Run what gives no rows; how many rows it touched."""
        compiled = statement.compiled(self.dialect)
        try:
            return self._alive().execute(compiled.sql, compiled.bind(values)).rowcount
        except self._backend.failures as error:
            raise self._failed(error) from error

    def run_many(self, statement: Prepared, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run the statement once for each row."""
        if not rows:
            return
        compiled = statement.compiled(self.dialect)
        try:
            self._alive().executemany(compiled.sql, map(compiled.bind, rows))
        except self._backend.failures as error:
            raise self._failed(error) from error

    def _alive(self) -> Connection:
        # A lost transaction would let each further statement commit itself.
        if self._fault is not None:
            raise self._fault
        return self._connection

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What is written inside is undone alone where the block raises; `after_commit` inside it, too."""
        self._depth += 1
        name = f"calsync_{self._depth}"
        kept = len(self._actions)
        self._plain(f"SAVEPOINT {name}")
        try:
            yield
        except BaseException:
            del self._actions[kept:]
            if self._fault is None:
                self._plain(f"ROLLBACK TO SAVEPOINT {name}")
                self._plain(f"RELEASE SAVEPOINT {name}")
            raise
        else:
            self._plain(f"RELEASE SAVEPOINT {name}")
        finally:
            self._depth -= 1

    def after_commit(self, action: Callable[[], None]) -> None:
        """Call `action` once the transaction is on disk and its locks are given back; never after a rollback."""
        if not self.writes:
            raise ValueError("a read is not committed")
        self._actions.append(action)

    def _plain(self, sql: str) -> None:
        try:
            self._alive().execute(sql)
        except self._backend.failures as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> StoreError:
        failed = self._backend.failure(error)
        if self.writes and self._fault is None and self._backend.lost(self._connection):
            self._fault = failed
        return failed

    def _end(self) -> list[Callable[[], None]]:
        """Called before the commit: raises where the transaction is already lost."""
        if self._fault is not None:
            raise self._fault
        return self._actions


class _Shared:
    """What all stores of this process on one database have in common."""

    __slots__ = ("backend", "users", "window", "writing")

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.users = 0
        self.window = Window(0, 0, 0)
        # The thread that writes, and its transaction.
        self.writing: tuple[int, Transaction] | None = None


class Store:
    """A database of calsync's. Safe to use from any thread, and after a fork."""

    def __init__(self, name: str, shared: _Shared) -> None:
        self._name = name
        self._shared = shared
        self._secrets: dict[str, bytes] = {}

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> Store:
        """The store at `url` (`sqlite:////srv/calsync/calsync.db`), made or brought up to date where that is needed.

        Raises `StoreError` with a message for people, `NewerSchema` where a newer calsync has written it.
        """
        path = _path(url)
        name = os.path.realpath(path)
        with _guard:
            shared = _attached.get(name)
            if shared is None:
                shared = _Shared(_sqlite(Path(name), create=create))
                store = cls(name, shared)
                try:
                    store._settle()
                except BaseException:
                    shared.backend.close()
                    raise
                _attached[name] = shared
            shared.users += 1
        return cls(name, shared)

    def _settle(self) -> None:
        with self.read() as tx:
            found = Window.read(tx)
        if found is None:
            with self.write() as tx:
                # Another process may have been faster.
                found = Window.read(tx) or Window.around(int(time.time())).write(tx)
        self._shared.window = found

    @property
    def window(self) -> tuple[int, int]:
        """The stretch of time, as instants, in which the occurrences of recurring items are kept."""
        return self._shared.window.start, self._shared.window.end

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A snapshot. Keep it short: it holds a connection, and the log cannot shrink meanwhile."""
        shared = self._shared
        writing = shared.writing
        if writing is not None and writing[0] == threading.get_ident():
            yield writing[1]
            return
        with shared.backend.snapshot() as connection:
            yield Transaction(shared.backend, connection, shared.window, writes=False)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """The writing transaction; waits for its turn, raises `Busy` where it does not come."""
        shared = self._shared
        thread = threading.get_ident()
        if shared.writing is not None and shared.writing[0] == thread:
            outer = shared.writing[1]
            with outer.savepoint():
                yield outer
            return
        with shared.backend.exclusive() as connection:
            tx = Transaction(shared.backend, connection, shared.window, writes=True)
            # Another process may have moved it.
            tx.window = shared.window = Window.read(tx) or shared.window
            shared.writing = (thread, tx)
            try:
                yield tx
            finally:
                shared.writing = None
            actions = tx._end()
        for action in actions:
            action()

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
            self._secrets[name] = found
        return found

    def backup(self, target: Path) -> None:
        """A consistent copy, made while everybody goes on."""
        self._shared.backend.backup(target)

    def problems(self) -> list[str]:
        """What the database's own check finds; reads everything."""
        return self._shared.backend.problems()

    def describe(self) -> Mapping[str, str]:
        """What an administrator wants to know: back end, version, place, and which cautions apply."""
        return self._shared.backend.describe()

    def close(self) -> None:
        """Let go of it; the last store of this process on the database closes its connections. May be called twice."""
        with _guard:
            if self._name not in _attached or _attached[self._name] is not self._shared:
                return
            self._shared.users -= 1
            if self._shared.users > 0:
                return
            del _attached[self._name]
        self._shared.backend.close()


_attached: Final[dict[str, _Shared]] = {}
_guard = threading.Lock()


def _path(url: str) -> Path:
    scheme, separator, rest = url.partition("://")
    if scheme != "sqlite" or not separator or not rest.startswith("/") or len(rest) < 2:
        raise StoreError(f"store: {url}: not a store that calsync knows (write sqlite:////folder/calsync.db)")
    return Path(rest[1:]).absolute()


def _sqlite(path: Path, *, create: bool) -> Backend:
    from calsync.store import prepare, sqlite

    prepare.prepare(path, create=create)
    return sqlite.Database(path)


def _after_fork() -> None:
    global _guard
    _guard = threading.Lock()
    for shared in _attached.values():
        shared.writing = None
        shared.backend.forsake()


os.register_at_fork(after_in_child=_after_fork)
