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
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, runtime_checkable

from sqlalchemy import Table

from calsync import tally
from calsync.store import meta, moved, principals, since
from calsync.store.entries import Entry
from calsync.store.errors import Again, StoreError
from calsync.store.journal import Journal
from calsync.store.occurrences import Window
from calsync.store.replicas import Replicas, Seen
from calsync.store.serving import Presence
from calsync.store.statement import Prepared
from calsync.tally import families

logger = logging.getLogger("calsync.store")

Row = tuple[Any, ...]
Result = TypeVar("Result")

# From so many rows on a stream of them is quicker than one after the other.
_MANY: Final = 8

# How often a piece of work is begun anew because of other writers.
_ATTEMPTS: Final = 8


class Cursor(Protocol):
    """As PEP 249 has it, of the driver."""

    @property
    def rowcount(self) -> int: ...
    @property
    def description(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def fetchone(self) -> Any: ...


class Connection(Protocol):
    """Of the driver: what a transaction needs of it."""

    def execute(self, sql: str, parameters: Any = ..., /) -> Cursor: ...
    def executemany(self, sql: str, parameters: Any, /) -> Cursor: ...


@runtime_checkable
class Loading(Protocol):
    """A connection that takes rows as a stream (PostgreSQL's COPY)."""

    def load(self, table: Table, rows: Sequence[Row], /) -> None: ...


class Backend(Protocol):
    """One database, shared by all stores that this process opens on it."""

    @property
    def dialect(self) -> str: ...
    @property
    def failures(self) -> tuple[type[Exception], ...]: ...
    def failure(self, error: Exception) -> StoreError: ...
    def lost(self, connection: Any) -> bool: ...
    def snapshot(self, *, one: bool = False) -> AbstractContextManager[Connection]: ...
    def exclusive(self, *, alone: bool, still: bool) -> AbstractContextManager[Connection]: ...
    def grown(self, rows: int) -> None: ...
    def backup(self, target: Path) -> None: ...
    def problems(self) -> list[str]: ...
    def describe(self) -> dict[str, str]: ...
    def forsake(self) -> None: ...
    def close(self) -> None: ...


class Transaction:
    """Statements run in it, and what is done when it is committed.

    `window`: which stretch of time the occurrences written here cover. `dialect`: `sqlite` or `postgresql`. `actor`:
    who writes, for the history (`anna`, `anna by Phone`, `calsync import`). `touched`: owner → the seq that its counter
    had, and the collections in which something changed; `removed`: epoch and name of principals that went; `notes`:
    what else the journal shall say; `journal`: its folder as the store has it, None for none;
    `quota`: what `calsync.store.quota` keeps there where somebody has one, None where what is written has no bounds.
    `loaded`: how many rows came in by `load`.
    `seen`: owner → its counter when something of the owner was first read here; `locked`: owners whose rows are held.
    `replica`: whether it is one of a copy that follows the database (`calsync.store.replicas`).
    Every method raises `StoreError` or one of its kin where the database fails.
    """

    __slots__ = (
        "_actions",
        "_backend",
        "_connection",
        "_depth",
        "_fault",
        "actor",
        "dialect",
        "journal",
        "loaded",
        "locked",
        "notes",
        "quota",
        "removed",
        "replica",
        "seen",
        "touched",
        "window",
        "writes",
    )

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
        self.touched: dict[int, tuple[int, set[int]]] = {}
        self.removed: list[tuple[str, str]] = []
        self.notes: list[Entry] = []
        self.seen: dict[int, int] = {}
        self.locked: set[int] = set()
        self.journal: bytes | None = None
        self.quota: bytes | None = None
        self.replica = False
        self.loaded = 0

    def saw(self, owner: int, seq: int) -> None:
        """The owner's counter was read, and with it perhaps more of the owner."""
        self.seen.setdefault(owner, seq)

    def advanced(self, owner: int, seq: int) -> None:
        """The owner's counter leaves `seq`."""
        if owner not in self.touched:
            self.touched[owner] = seq, set()

    def changed(self, owner: int, collection: int) -> None:
        """Something has changed in a collection, or of it; 0 is the home. To be said after the counter was raised."""
        if owner in self.touched:
            self.touched[owner][1].add(collection)

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

    def load(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert whole rows, their values in the order of the table's columns: the fastest way in."""
        if not rows:
            return
        connection = self._alive()
        self.loaded += len(rows)
        try:
            if isinstance(connection, Loading):
                connection.load(table, rows)
            else:
                names = ", ".join(f'"{column.name}"' for column in table.columns)
                places = ", ".join("?" * len(table.columns))
                connection.executemany(f'INSERT INTO "{table.name}" ({names}) VALUES ({places})', rows)
        except self._backend.failures as error:
            raise self._failed(error) from error

    def insert(self, statement: Prepared, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows that have a value for each column. `statement`: what inserts one of them."""
        if len(rows) < _MANY:
            self.run_many(statement, rows)
        else:
            pick = itemgetter(*(column.name for column in table.columns))
            self.load(table, list(map(pick, rows)))

    def define(self, sql: str) -> list[Row]:
        """Run what SQLAlchemy has no words for: a trigger, the sizes of tables; `sql` is the dialect's own."""
        try:
            cursor = self._alive().execute(sql)
            return cursor.fetchall() if cursor.description else []
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
        kept, locked = len(self._actions), set(self.locked)
        self._plain(f"SAVEPOINT {name}")
        try:
            yield
        except BaseException:
            del self._actions[kept:]
            # PostgreSQL lets go of the rows that were locked inside.
            self.locked = locked
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


class _Thread(threading.local):
    """What a thread is doing: the writing transaction that it is in, how many it has committed, and which owners its
    next one begins with."""

    writing: Transaction | None = None
    committed: int = 0
    owners: frozenset[int] = frozenset()


class _Shared:
    """What all stores of this process on one database have in common."""

    __slots__ = (
        "_following",
        "_opening",
        "backend",
        "fresh",
        "journal",
        "left",
        "replicas",
        "thread",
        "users",
        "window",
    )

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.users = 0
        self.window = Window(0, 0, 0)
        self.thread = _Thread()
        self.journal: Journal | None = None
        #: When it is to be asked again whether the store was moved (`time.monotonic`); infinite for who moves it.
        self.fresh = 0.0
        self.replicas: Replicas | None = None
        #: The back ends of stores that were moved away from under us, and of their replicas.
        self.left: list[Backend] = []
        self._following = threading.Lock()
        self._opening = threading.Lock()

    def look(self) -> None:
        """Follow the store where it was moved. Raises `StoreError` where that cannot be."""
        while True:
            backend = self.backend
            with backend.snapshot(one=True) as connection:
                mark = meta.get(Transaction(backend, connection, self.window, writes=False), moved.MOVED)
            if not mark:
                self.fresh = time.monotonic() + (moved.FRESH if mark is None else 0.0)
                return
            self.follow(backend, mark)

    def follow(self, left: Backend, mark: bytes) -> None:
        """Go on with the store that `moved-to` in another one names, in all threads at once."""
        move = moved.Move.decoded(mark)
        assert move is not None
        with self._following:
            if self.backend is not left:
                return
            store = Store.itself(move.to)
            try:
                with store.write() as tx:
                    whole = moved.arrive(tx, move)
                if not whole:
                    raise StoreError(
                        f"store: {_shown(move.to)}: everything was moved there, but it is another store now"
                    )
            except BaseException:
                store._shared.backend.close()
                raise
            logger.warning(
                "the store was moved to %s: it is used from now on; let [storage] url say so", _shown(move.to)
            )
            self.left.append(left)
            if self.replicas is not None:
                self.left += self.replicas.databases
                self.replicas = None
            self.window = store._shared.window
            self.backend = store._shared.backend

    @property
    def backends(self) -> list[Backend]:
        """All that have connections."""
        return [self.backend, *self.left, *(self.replicas.databases if self.replicas is not None else ())]

    def of_replica(self, backend: Backend, connection: Connection) -> Transaction:
        tx = Transaction(backend, connection, self.window, writes=False)
        tx.replica = True
        return tx

    def append(self, tx: Transaction) -> None:
        """Write to the journal, if one is kept, what the transaction has changed. Where it cannot, nothing changes."""
        if not (tx.touched or tx.removed or tx.notes):
            return
        if tx.journal is None:
            return
        folder = Path(os.fsdecode(tx.journal))
        entries = chain(tx.notes, since.changed(tx))
        first = next(entries, None)
        if first is None:
            return
        with self._opening:
            if self.journal is None or self.journal.folder != folder:
                self.leave_journal()
                self.journal = Journal(folder)
            opened = self.journal
        opened.append(tx.actor, chain((first,), entries))

    def leave_journal(self) -> None:
        if self.journal is not None:
            self.journal.close()
            self.journal = None


class Store:
    """A database of calsync's. Safe to use from any thread, and after a fork."""

    def __init__(self, name: str, shared: _Shared) -> None:
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
        name, opened = _place(url, partitions)
        with _guard:
            shared = _attached.get(name)
            if shared is None:
                shared = _Shared(opened(create))
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
        name, opened = _place(url, partitions)
        shared = _Shared(opened(create))
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
        shared = _Shared(sqlite.Still(path))
        store = cls(os.path.realpath(path), shared)
        with store.read() as tx:
            shared.window = Window.read(tx) or shared.window
        shared.users = 1
        return store

    def _settle(self) -> None:
        with self.read() as tx:
            if self._shared.fresh != float("inf"):
                moved.check(tx, _shown(self._name))
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
            shared.look()
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
                    f"store: {_shown(url)}: only a PostgreSQL database has replicas ([storage] replica_urls)"
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
            tally.observe(families.WRITER_WAIT, time.perf_counter() - asked)
            thread.writing = tx
            try:
                yield tx
            finally:
                thread.writing = None
            actions = tx._end()
            shared.append(tx)
        thread.committed += 1
        _commits[0] += 1
        tally.add(families.WRITES)
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
            shared.follow(backend, mark)

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
                    tally.add(families.RETRIES)
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


_attached: Final[dict[str, _Shared]] = {}
_commits: Final = [0]


def commits() -> int:
    """A number that is another one once this process has committed something, in whatever store."""
    return _commits[0]


_guard = threading.Lock()


def path_of(url: str) -> Path:
    """The file that an SQLite store's URL names. Raises `StoreError` for another URL."""
    scheme, separator, rest = url.partition("://")
    if scheme != "sqlite" or not separator or not rest.startswith("/") or len(rest) < 2:
        shown = f"{scheme}://…" if separator else url
        raise StoreError(
            f"store: {shown}: not a store that calsync knows "
            "(write sqlite:////folder/calsync.db or postgresql://user@host/database)"
        )
    return Path(rest[1:]).absolute()


def is_current(url: str) -> bool:
    """Whether the store that is there needs no migration; it is not changed. Raises `StoreError`, `NewerSchema`."""
    if is_postgresql(url):
        try:
            from calsync.store import postgresql
        except ImportError as error:
            raise StoreError(f"store: PostgreSQL needs more: pip install 'calsync[postgres]' ({error})") from error
        return postgresql.is_current(f"postgresql://{url.partition('://')[2]}")
    from calsync.store import prepare

    return prepare.is_current(path_of(url))


def is_postgresql(url: str) -> bool:
    """Whether a store's URL names a PostgreSQL database."""
    return url.startswith(("postgresql://", "postgres://"))


def _shown(url: str) -> str:
    """A URL for messages, without a password."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if separator else url


def _place(url: str, partitions: int = 0) -> tuple[str, Callable[[bool], Backend]]:
    """The name under which all that open this store meet, and how it is opened."""
    if is_postgresql(url):
        return url, partial(_postgresql, f"postgresql://{url.partition('://')[2]}", partitions)
    name = os.path.realpath(path_of(url))
    return name, partial(_sqlite, Path(name))


def _sqlite(path: Path, create: bool) -> Backend:
    from calsync.store import prepare, sqlite

    presence = Presence(path)
    if path.exists():
        presence.come(sqlite.PATIENCE)  # what a restore is about to replace is neither looked at nor migrated
    try:
        prepare.prepare(path, create=create)
        return sqlite.Database(path)
    finally:
        presence.leave()


def _postgresql(url: str, partitions: int, create: bool) -> Backend:
    try:
        from calsync.store import postgresql
    except ImportError as error:
        raise StoreError(f"store: PostgreSQL needs more: pip install 'calsync[postgres]' ({error})") from error
    postgresql.prepare(url, create=create, partitions=partitions)
    return postgresql.Database(url)


def _after_fork() -> None:
    global _guard
    _guard = threading.Lock()
    for shared in _attached.values():
        shared.thread = _Thread()
        shared._following = threading.Lock()
        shared.leave_journal()
        for backend in shared.backends:
            backend.forsake()


os.register_at_fork(after_in_child=_after_fork)
