"""The back end for many users and several machines: a PostgreSQL database, reached through psycopg.

A read is one snapshot, short, in a connection that is given back at once. Writers of different owners never wait for
each other: a writing transaction holds the row of each principal that it writes for (`principals.lock_owner`), taken
before anything of that owner is read, so in READ COMMITTED all it sees of the owner is final. Nothing here needs what
a distributed engine that speaks PostgreSQL's protocol lacks: no advisory locks, no LISTEN, no sequence in a hot path.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
from psycopg import pq

from calsync.store import across, clock, sqlite
from calsync.store.connections import Connections
from calsync.store.errors import Again, Busy, Damaged, Full, ReadOnly, StoreError
from calsync.store.wire import Connection, Session

#: Seconds that anybody waits for a connection that others use, or for a row that somebody else writes.
PATIENCE: Final = 15.0
#: Connections of a process, unless the URL says `connections=…`: one for each worker thread, and some.
_CONNECTIONS: Final = 12
#: Seconds that a statement may take of a server that answers others, unless the URL says `longest=…` (`watch`).
_LONGEST: Final = 300
#: The parameters of the URL that are ours: the least and the most that they may be.
_OURS: Final = {"connections": (1, 1000), "longest": (0, 86400)}

_POOLER: Final = "its sessions change hands between transactions: a pooler before it needs pool_mode = session"

# https://www.postgresql.org/docs/current/errcodes-appendix.html: SQLSTATE, or its class of two letters.
_KINDS: Final[dict[str, tuple[type[StoreError], str]]] = {
    "40001": (Again, "another writer was faster"),
    "40P01": (Again, "two writers waited for each other"),
    "23505": (Again, "another writer made the same"),
    "55P03": (Busy, "another writer holds what is to be written"),
    "25006": (ReadOnly, "the database cannot be written"),
    "42501": (ReadOnly, "the database's user may not do this"),
    "53100": (Full, "no space left for the database"),
    "57014": (Busy, "a statement took too long, or somebody cancelled it"),
    "53": (Busy, "the database has no room for more at the moment"),
    "57": (Busy, "the database is being stopped or started"),
    "08": (Busy, "the database cannot be reached"),
    "26000": (Busy, _POOLER),
    "42P05": (Busy, _POOLER),
    "XX": (Damaged, "the database is damaged"),
}

_SNAPSHOT: Final = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
#: Rows that come in before it is asked which tables have doubled, and which have: those of less than 64 MiB.
_GROWN: Final = 2000
_DOUBLED: Final = """
    SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
    AND pg_relation_size(oid) BETWEEN 2 * relpages::bigint * current_setting('block_size')::bigint + 65536 AND 67108864
"""

# What a writing transaction begins with, sent as one. All take the weak lock of a table whose rows are locked, so that
# one can keep all the others waiting. The row that those hold who are alone is never missing.
_NOTHING: Final = b""
_BEGIN: Final = b"BEGIN ISOLATION LEVEL READ COMMITTED;"
_BESIDE: Final = _BEGIN + b" SELECT 1 FROM meta WHERE key = '' FOR KEY SHARE"
_ALONE: Final = _BEGIN + b" SELECT 1 FROM meta WHERE key = 'window' FOR UPDATE"
_STILL: Final = _BEGIN + b" LOCK TABLE meta IN EXCLUSIVE MODE"


_HINTS: Final = (
    (re.compile(r'database "([^"]+)" does not exist'), "make it: createdb --owner USER {0}"),
    (re.compile("password authentication failed|no password supplied"), "look at [storage] url, or at ~/.pgpass"),
    (re.compile(r'role "([^"]+)" does not exist'), "make it: createuser --pwprompt {0}"),
    (re.compile("permission denied for schema"), "let the user own the database: ALTER DATABASE … OWNER TO …"),
)


def shown(url: str) -> str:
    """The URL without its password, for messages."""
    parts = urlsplit(url)
    netloc = parts.netloc
    if parts.password is not None:
        netloc = f"{parts.username}@{netloc.rpartition('@')[2]}"
    query = "&".join(part for part in parts.query.split("&") if "password" not in part.partition("=")[0])
    # urlunsplit would drop the two slashes before an empty host.
    return f"{parts.scheme}://{netloc}{parts.path}{f'?{query}' if query else ''}"


def limited(url: str) -> tuple[str, int, int]:
    """The URL as libpq takes it, and the numbers in its `connections=…` and `longest=…`. Raises `StoreError`."""
    parts = urlsplit(url)
    found, rest = {"connections": _CONNECTIONS, "longest": _LONGEST}, []
    for part in filter(None, parts.query.split("&")):
        name, _, value = part.partition("=")
        least, most = _OURS.get(name, (0, 0))
        if not most:
            rest.append(part)
        elif value.isascii() and value.isdigit() and least <= int(value) <= most:
            found[name] = int(value)
        else:
            raise StoreError(f"store: {shown(url)}: {name}={value} is no number from {least} to {most}")
    query = "&".join(rest)
    plain = f"{parts.scheme}://{parts.netloc}{parts.path}{f'?{query}' if query else ''}"
    return plain, found["connections"], found["longest"]


def failure(error: Exception, place: str) -> StoreError:
    """What an error of the driver means."""
    state = getattr(error, "sqlstate", None) or ""
    text = " ".join(str(error).split())
    kind, message = _KINDS.get(state) or _KINDS.get(state[:2]) or (StoreError, "the database failed")
    if not state and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        kind, message = Busy, "the database cannot be reached"
    found = ((pattern.search(text), hint) for pattern, hint in _HINTS)
    hint = next((f"; {hint.format(*match.groups())}" for match, hint in found if match), "")
    return kind(f"store: {place}: {message} ({text}){hint}")


class Database:
    """The connections of this process to one database. `engine` shares one among all that open the same URL."""

    dialect: Final = "postgresql"
    failures: Final[tuple[type[Exception], ...]] = (psycopg.Error,)

    def __init__(
        self, url: str, patience: float = PATIENCE, configure: Callable[[Session], None] | None = None
    ) -> None:
        self.url, most, longest = limited(url)
        self.place = shown(url)
        try:
            self._pool = Connections(self.url, most, patience, configure or _configured, longest)
        except psycopg.Error as error:
            raise self.failure(error) from error
        self._grown = 0
        #: Pools that came over a fork: not to be touched.
        self._forsaken: list[Connections] = []

    def failure(self, error: Exception) -> StoreError:
        return failure(error, self.place)

    def lost(self, connection: Any) -> bool:
        """Whether the transaction can only be rolled back, outside of a savepoint: the connection broke."""
        return bool(connection.real.pgconn.status == pq.ConnStatus.BAD)

    # --- transactions -------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def snapshot(self, *, one: bool = False) -> Iterator[Connection]:
        """A connection inside a read transaction; `one`: for a single statement, which is a snapshot in itself."""
        with self._transaction(_NOTHING if one else _SNAPSHOT) as connection:
            yield connection

    @contextlib.contextmanager
    def exclusive(self, *, alone: bool, still: bool) -> Iterator[Connection]:
        """A connection inside a writing transaction: committed at the end, rolled back by an exception."""
        with self._transaction(_STILL if still else _ALONE if alone else _BESIDE) as connection:
            yield connection

    @contextlib.contextmanager
    def _transaction(self, begin: bytes) -> Iterator[Connection]:
        real = self._begun(begin)
        try:
            yield Connection(real)
            if begin == _SNAPSHOT:
                real.plain(b"COMMIT")
            elif begin:
                real.commit_whole()
        except self.failures as error:
            raise self.failure(error) from error
        finally:
            self._give_back(real)

    def _begun(self, begin: bytes) -> Session:
        """A connection with its transaction begun. One that died while it was idle is replaced."""
        while True:
            try:
                real = self._pool.take()
            except psycopg.Error as error:
                raise self.failure(error) from error
            except Busy as error:
                raise Busy(f"store: {self.place}: {error}") from error
            new = not real.used
            try:
                if begin:
                    real.plain(begin)
            except psycopg.Error as error:
                self._give_back(real)
                if new or not (real.closed or real.broken):
                    raise self.failure(error) from error
            else:
                return real

    def _give_back(self, real: Session) -> None:
        try:
            if real.pgconn.transaction_status in (pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR):
                real.plain(b"ROLLBACK")
        except psycopg.Error:
            real.close()
        self._pool.give(real)

    # --- what the planner knows --------------------------------------------------------------------------------------

    def grown(self, rows: int) -> None:
        """So many rows came in at once: where tables have doubled, the planner is told, before autovacuum comes.

        Without it plans are made for empty tables, and look-ups read all that an owner has. Tables that are large have
        been looked at often enough while they grew.
        """
        self._grown += rows
        if self._grown < _GROWN:
            return
        self._grown = 0
        # All this is committed: nobody is to hear that something went wrong here.
        with contextlib.suppress(psycopg.Error, StoreError), self.snapshot(one=True) as connection:
            for (name,) in connection.execute(_DOUBLED).fetchall():
                connection.real.plain(f'ANALYZE (SKIP_LOCKED) "{name}"'.encode())

    # --- the rest -----------------------------------------------------------------------------------------------------

    def backup(self, target: Path) -> None:
        """All rows of one instant as an SQLite store at `target`, mode 0600, while everybody goes on."""
        try:
            with self.snapshot() as connection:
                across.write_file(connection.real, target)
        except sqlite3.Error as error:
            raise sqlite.failure(error, target) from error

    def wipe(self) -> bool:
        """PostgreSQL's own: dead rows until it vacuums, its log and archives for as long as they are kept."""
        return True

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
        self._forsaken.append(self._pool)
        self._pool = self._pool.again()

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


def _configured(connection: psycopg.Connection[Any]) -> None:
    began = time.time()
    row = connection.execute("SELECT extract(epoch FROM clock_timestamp())").fetchone()
    assert row is not None
    clock.compare(float(row[0]), began, time.time())
    connection.execute(f"SET lock_timeout = '{PATIENCE:.0f}s'")
    connection.execute("SET idle_in_transaction_session_timeout = '120s'")
    # Plans for the values at hand cost more than they save: every statement names its owner.
    connection.execute("SET plan_cache_mode = force_generic_plan")


#: Seconds for a replica: to connect, and for a statement. Whoever waits could be served by the database itself.
_QUICK: Final = 2


def replica(url: str) -> Database:
    """A database that follows another one, to be read only (`calsync.store.replicas`). Raises `StoreError`."""
    if "connect_timeout=" not in url:
        url = f"{url}{'&' if urlsplit(url).query else '?'}connect_timeout={_QUICK}"
    if "longest=" not in url:
        url += f"&longest={2 * _QUICK}"
    return Database(url, 0.1, _configured_replica)


def _configured_replica(connection: psycopg.Connection[Any]) -> None:
    connection.execute(f"SET statement_timeout = '{_QUICK}s'")
    connection.execute("SET idle_in_transaction_session_timeout = '120s'")
    connection.execute("SET plan_cache_mode = force_generic_plan")


def is_current(url: str) -> bool:
    """Whether the database has the tables of this version, or none; nothing is changed. Raises `StoreError`."""
    from sqlalchemy.exc import DBAPIError

    from calsync.store.prepare import is_current_postgresql

    place = shown(url)
    url, *_ = limited(url)
    if "connect_timeout=" not in url:
        url = f"{url}{'&' if urlsplit(url).query else '?'}connect_timeout=5"
    try:
        return is_current_postgresql(url, place)
    except DBAPIError as error:
        cause = error.orig
        raise failure(cause if isinstance(cause, psycopg.Error) else error, place) from error


def prepare(url: str, *, create: bool = True, partitions: int = 0) -> None:
    """Make sure that the database has the tables of this version. Raises `StoreError`, `NewerSchema`.

    `partitions`: of a new one.
    """
    from sqlalchemy.exc import DBAPIError

    from calsync.store.prepare import prepare_postgresql

    place = shown(url)
    url, *_ = limited(url)
    for last in (False, True):
        try:
            prepare_postgresql(url, place, create=create, partitioned=partitions)
            return
        except DBAPIError as error:
            cause = error.orig
            # Two processes that make the first table at the same instant: one of them fails, once.
            if last or not isinstance(cause, psycopg.errors.UniqueViolation | psycopg.errors.DuplicateTable):
                raise failure(cause if isinstance(cause, psycopg.Error) else error, place) from error
