"""A transaction: statements run in it, what they have changed, and what is done when it is committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from sqlalchemy import Table

from calsync.store.entries import Entry
from calsync.store.errors import StoreError
from calsync.store.occurrences import Window
from calsync.store.statement import Prepared

Row = tuple[Any, ...]

# From so many rows on a stream of them is quicker than one after the other.
_MANY: Final = 8


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
    def wipe(self) -> bool: ...
    def describe(self) -> dict[str, str]: ...
    def forsake(self) -> None: ...
    def close(self) -> None: ...


class Transaction:
    """Statements run in it, and what is done when it is committed.

    `window`: which stretch of time the occurrences written here cover. `dialect`: `sqlite` or `postgresql`. `actor`:
    who writes, for the history (`anna`, `anna by Phone`, `calsync import`). `touched`: owner → the seq that its counter
    had, and the collections in which something changed; `removed`: epoch and name of principals that went; `notes`:
    what else the journal shall say; `accounts`: whose rows changed (`calsync.store.account_changes`); `journal`: its
    folder as the store has it, None for none;
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
        "accounts",
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
        self.accounts: dict[tuple[str, int, str], str] = {}
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
        if statement.marks is not None:
            statement.marks(self, values)
        compiled = statement.compiled(self.dialect)
        try:
            return self._alive().execute(compiled.sql, compiled.bind(values)).rowcount
        except self._backend.failures as error:
            raise self._failed(error) from error

    def run_many(self, statement: Prepared, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run the statement once for each row."""
        if not rows:
            return
        if statement.marks is not None:
            for row in rows:
                statement.marks(self, row)
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
