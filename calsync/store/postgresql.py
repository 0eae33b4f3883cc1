"""The back end for many users and several machines: a PostgreSQL database, reached through psycopg's pool.

A read is one snapshot, short, in a connection that is given back at once. Writers of different owners never wait for
each other: a writing transaction holds the row of each principal that it writes for (`principals.lock_owner`), taken
before anything of that owner is read, so in READ COMMITTED all it sees of the owner is final. Nothing here needs what
a distributed engine that speaks PostgreSQL's protocol lacks: no advisory locks, no LISTEN, no sequence in a hot path.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, LiteralString
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import pq
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from calsync.store import across, sqlite
from calsync.store.errors import Again, Busy, Damaged, Full, ReadOnly, StoreError

#: Seconds that anybody waits for a connection, or for a row that somebody else writes.
PATIENCE: Final = 15.0
#: Connections of a process: one for each worker thread, and some.
_CONNECTIONS: Final = 12

# https://www.postgresql.org/docs/current/errcodes-appendix.html: SQLSTATE, or its class of two letters.
_KINDS: Final[dict[str, tuple[type[StoreError], str]]] = {
    "40001": (Again, "another writer was faster"),
    "40P01": (Again, "two writers waited for each other"),
    "23505": (Again, "another writer made the same"),
    "55P03": (Busy, "another writer holds what is to be written"),
    "25006": (ReadOnly, "the database cannot be written"),
    "42501": (ReadOnly, "the database's user may not do this"),
    "53100": (Full, "no space left for the database"),
    "53": (Busy, "the database has no room for more at the moment"),
    "57": (Busy, "the database is being stopped or started"),
    "08": (Busy, "the database cannot be reached"),
    "XX": (Damaged, "the database is damaged"),
}

_SNAPSHOT: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# What a writing transaction begins with, sent as one. All take the weak lock of a table whose rows are locked, so that
# one can keep all the others waiting. The row that those hold who are alone is never missing.
_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED;"
_BESIDE: Final = f"{_BEGIN} SELECT 1 FROM meta WHERE key = '' FOR KEY SHARE"
_ALONE: Final = f"{_BEGIN} SELECT 1 FROM meta WHERE key = 'window' FOR UPDATE"
_STILL: Final = f"{_BEGIN} LOCK TABLE meta IN EXCLUSIVE MODE"


def shown(url: str) -> str:
    """The URL without its password, for messages."""
    parts = urlsplit(url)
    netloc = parts.netloc
    if parts.password is not None:
        netloc = f"{parts.username}@{netloc.rpartition('@')[2]}"
    return urlunsplit((parts.scheme, netloc, parts.path, "", ""))


def failure(error: Exception, place: str) -> StoreError:
    """What an error of the driver or of its pool means."""
    if isinstance(error, PoolTimeout | PoolClosed | TooManyRequests):
        return Busy(f"store: {place}: no connection to the database is free or can be made ({error})")
    state = getattr(error, "sqlstate", None) or ""
    kind, message = _KINDS.get(state) or _KINDS.get(state[:2]) or (StoreError, "the database failed")
    if not state and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        kind, message = Busy, "the database cannot be reached"
    return kind(f"store: {place}: {message} ({' '.join(str(error).split())})")


class Connection:
    """A connection of psycopg's as a transaction needs it: `executemany` is a cursor's there."""

    __slots__ = ("real",)

    def __init__(self, real: psycopg.Connection[Any]) -> None:
        self.real = real

    def execute(self, sql: str, parameters: Any = None, /) -> psycopg.Cursor[Any]:
        return self.real.execute(sql, parameters or None)

    def executemany(self, sql: str, parameters: Any, /) -> psycopg.Cursor[Any]:
        cursor = self.real.cursor()
        cursor.executemany(sql, list(parameters))
        return cursor

    def load(self, sql: str, rows: Any, /) -> None:
        """`COPY … FROM STDIN`: rows go as a stream, none waits for an answer."""
        with self.real.cursor() as cursor, cursor.copy(sql) as copy:
            for row in rows:
                copy.write_row(row)


class Database:
    """The connections of this process to one database. `engine` shares one among all that open the same URL."""

    dialect: Final = "postgresql"
    failures: Final[tuple[type[Exception], ...]] = (psycopg.Error, PoolTimeout, PoolClosed, TooManyRequests)

    def __init__(self, url: str) -> None:
        self.url = url
        self.place = shown(url)
        self._pool = self._made()

    def _made(self) -> ConnectionPool[psycopg.Connection[Any]]:
        return ConnectionPool(
            self.url,
            min_size=1,
            max_size=_CONNECTIONS,
            timeout=PATIENCE,
            max_idle=300.0,
            open=True,
            check=None,
            kwargs={"autocommit": True, "application_name": across.NAME, "connect_timeout": 10},
            configure=_configured,
            name="calsync",
        )

    def failure(self, error: Exception) -> StoreError:
        return failure(error, self.place)

    def lost(self, connection: Any) -> bool:
        """Whether the transaction can only be rolled back, outside of a savepoint: the connection broke."""
        return bool(connection.real.closed or connection.real.broken)

    # --- transactions -------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection inside a read transaction."""
        with self._transaction(_SNAPSHOT) as connection:
            yield connection

    @contextlib.contextmanager
    def exclusive(self, *, alone: bool, still: bool) -> Iterator[Connection]:
        """A connection inside a writing transaction: committed at the end, rolled back by an exception."""
        with self._transaction(_STILL if still else _ALONE if alone else _BESIDE) as connection:
            yield connection

    @contextlib.contextmanager
    def _transaction(self, begin: LiteralString) -> Iterator[Connection]:
        real = self._begun(begin)
        try:
            try:
                yield Connection(real)
                real.execute("COMMIT")
            except self.failures as error:
                raise self.failure(error) from error
        finally:
            self._give_back(real)

    def _begun(self, begin: LiteralString) -> psycopg.Connection[Any]:
        """A connection with its transaction begun. One that died while it was idle is replaced, once."""
        for last in (False, True):
            try:
                real = self._pool.getconn()
            except self.failures as error:
                raise self.failure(error) from error
            try:
                real.execute(begin)
                return real
            except psycopg.Error as error:
                self._pool.putconn(real)
                if last or not real.broken:
                    raise self.failure(error) from error
        raise AssertionError("unreachable")

    def _give_back(self, real: psycopg.Connection[Any]) -> None:
        try:
            if not real.closed and real.info.transaction_status != pq.TransactionStatus.IDLE:
                real.execute("ROLLBACK")
        except psycopg.Error:
            real.close()
        self._pool.putconn(real)

    # --- the rest -----------------------------------------------------------------------------------------------------

    def backup(self, target: Path) -> None:
        """All rows of one instant as an SQLite store at `target`, mode 0600, while everybody goes on."""
        try:
            with self.snapshot() as connection:
                across.write_file(connection.real, target)
        except sqlite3.Error as error:
            raise sqlite.failure(error, target) from error

    def problems(self) -> list[str]:
        """Indexes that a failed rebuild left invalid; PostgreSQL checks its pages itself where checksums are on."""
        with self.snapshot() as connection:
            rows = connection.execute(
                "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE NOT i.indisvalid"
            ).fetchall()
        return [f"index {name} is not valid (REINDEX INDEX {name})" for (name,) in rows]

    def describe(self) -> dict[str, str]:
        """What an administrator wants to know of the back end."""
        with self.snapshot() as connection:
            row = connection.execute(
                "SELECT current_setting('server_version'), current_setting('data_checksums', true)"
            ).fetchone()
        version, checksums = row if row else ("unknown", None)
        return {
            "back end": "PostgreSQL",
            "version": str(version),
            "database": self.place,
            "page checksums": str(checksums or "unknown"),
        }

    def forsake(self) -> None:
        """In a child after a fork: begin anew without touching what belongs to the parent."""
        self._pool = self._made()

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


def _configured(connection: psycopg.Connection[Any]) -> None:
    connection.execute(f"SET lock_timeout = '{PATIENCE:.0f}s'")
    connection.execute("SET idle_in_transaction_session_timeout = '120s'")
    # Plans for the values at hand cost more than they save: every statement names its owner.
    connection.execute("SET plan_cache_mode = force_generic_plan")


def prepare(url: str, *, create: bool = True) -> None:
    """Make sure that the database has the tables of this version. Raises `StoreError`, `NewerSchema`."""
    from sqlalchemy.exc import DBAPIError

    from calsync.store.prepare import prepare_postgresql

    place = shown(url)
    for last in (False, True):
        try:
            prepare_postgresql(url, place, create=create)
            return
        except DBAPIError as error:
            cause = error.orig
            # Two processes that make the first table at the same instant: one of them fails, once.
            if last or not isinstance(cause, psycopg.errors.UniqueViolation | psycopg.errors.DuplicateTable):
                raise failure(cause if isinstance(cause, psycopg.Error) else error, place) from error
