"""Bring a store to what this version of calsync needs: make it, check it, or migrate it.

Either migrates in one transaction, which leaves it as it was where it fails. An SQLite store is copied before, for who
wants to go back afterwards.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calsync.store import partitions, plans, sqlite, still
from calsync.store.errors import NewerSchema, StoreError
from calsync.store.migrations import CHAIN, Chain
from calsync.store.schema import METADATA

if TYPE_CHECKING:
    from sqlalchemy import Connection

# While one process makes or migrates the store, the others wait so many seconds.
_PATIENCE: Final = 600.0


def prepare(path: Path, *, create: bool = True, chain: Chain = CHAIN) -> None:
    """Make sure that `path` is a store of this version.

    A new one gets the mode 0600, and its folder 0700 where that is made too. Before an existing one is migrated, a copy
    is put beside it. Raises `StoreError`; `NewerSchema` where a newer calsync has written it.
    """
    if sqlite3.sqlite_version_info < sqlite.OLDEST:
        needed = ".".join(map(str, sqlite.OLDEST))
        raise StoreError(f"store: SQLite is {sqlite3.sqlite_version}, calsync needs {needed} or newer")
    try:
        _touch(path, create=create)
        with _reading(path) as connection:
            if _revision(connection, path, chain) == chain.head:
                return
        with _alone(path), _connection(path) as connection:
            _upgrade(connection, path, chain)
    except sqlite3.Error as error:
        raise sqlite.failure(error, path) from error
    except OSError as error:
        hint = " (run it as the user who may write there, or chown the folder)" if error.errno == errno.EACCES else ""
        raise StoreError(f"store: {error.filename or path}: {error.strerror}{hint}") from error


def check(path: Path, chain: Chain = CHAIN) -> None:
    """Whether `path` is a store of this version, without touching it. Raises `StoreError`."""
    try:
        with contextlib.closing(sqlite.connect(path, reader=True, mode="mode=ro&immutable=1")) as connection:
            found = _revision(connection, path, chain)
    except sqlite3.Error as error:
        raise sqlite.failure(error, path) from error
    if found != chain.head:
        raise StoreError(f"store: {path}: of an older calsync (schema {found or 'none'}, this one has {chain.head})")


def is_current(path: Path, chain: Chain = CHAIN) -> bool:
    """Whether the store that lies at `path` is of this version; it is read, not changed. Raises `StoreError`."""
    try:
        with _reading(path) as connection:
            return _revision(connection, path, chain) in (chain.head, None)
    except sqlite3.Error as error:
        raise sqlite.failure(error, path) from error


def is_new(path: Path) -> bool:
    """Whether no store is at `path`, and none was. Raises `StoreError` for one that was there and is gone."""
    # A store is made before its lock, and the lock stays; asked in this order, for another may be making both.
    left = sqlite.lock_of(path).path.exists()
    if path.exists():
        if path.is_dir():
            raise StoreError(f"store: {path}: is a folder; name a file in it")
        return False
    if left:
        # Phones that are shown an empty calendar delete theirs.
        raise StoreError(
            f"store: {path}: is gone, and was there, for {path.name}-lock is (put the file back, or calsync restore a "
            f"backup; to begin anew with nothing in it, remove {path.name}-lock)"
        )
    return True


def _touch(path: Path, *, create: bool) -> None:
    if not is_new(path):
        return
    if not create:
        raise StoreError(f"store: {path}: there is no store (calsync serve makes one)")
    if not path.parent.exists():
        path.parent.parent.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
    # SQLite gives -wal and -shm the mode of the file itself.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Also of a store that cannot be written."""
    connection, _ = still.reader(path, lambda place, mode: sqlite.connect(place, mode=mode))
    with contextlib.closing(connection):
        yield connection


@contextlib.contextmanager
def _connection(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite.connect(path)) as connection:
        yield connection


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    lock = sqlite.lock_of(path)
    try:
        if not lock.take(_PATIENCE):
            raise StoreError(f"store: {path}: another process prepares it since {_PATIENCE / 60:.0f} minutes")
        try:
            yield
        finally:
            lock.give()
    finally:
        lock.close()


def _revision(connection: sqlite3.Connection, path: Path, chain: Chain) -> str | None:
    """The revision of the file, None for an empty one."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise StoreError(f"store: {path}: an SQLite database, but not one of calsync's")
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return _known(str(row[0]) if row else "", str(path), chain)


def _known(revision: str, place: str, chain: Chain) -> str:
    if revision not in chain.revisions:
        raise NewerSchema(
            f"store: {place}: written by a newer calsync (schema {revision}, this one knows up to {chain.head}); "
            "install that version, or go back to what was kept before (docs/upgrading.md)"
        )
    return revision


def _upgrade(connection: sqlite3.Connection, path: Path, chain: Chain) -> None:
    # Another process may have done it meanwhile.
    revision = _revision(connection, path, chain)
    if revision == chain.head:
        return
    if revision is None:
        connection.execute("PRAGMA journal_mode = WAL")
        with _transaction(connection) as core:
            METADATA.create_all(core)
            _stamp(core, chain.head)
            plans.advise(connection)
        return
    kept = path.with_name(f"{path.name}.before-{chain.head}")
    # One name until it is done: a start that fails again and again does not fill the disk with copies.
    kept.unlink(missing_ok=True)
    sqlite.copy(path, kept)
    try:
        with _transaction(connection) as core:
            chain.upgrade(core)
            plans.advise(connection)
    except BaseException:
        kept.unlink(missing_ok=True)
        raise
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    kept.rename(kept.with_name(f"{kept.name}-{now}"))


def _stamp(core: Connection, revision: str) -> None:
    """Write the revision as Alembic does."""
    core.exec_driver_sql(
        "CREATE TABLE alembic_version (\n"
        "\tversion_num VARCHAR(32) NOT NULL, \n"
        "\tCONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)\n"
        ")"
    )
    core.exec_driver_sql(f"INSERT INTO alembic_version (version_num) VALUES ('{revision}')")


def prepare_postgresql(
    url: str, place: str, *, create: bool = True, partitioned: int = 0, chain: Chain = CHAIN
) -> None:
    """The same for a PostgreSQL database, which exists. `place`: how messages name it. Raises `psycopg.Error` too.

    `partitioned`: how many partitions the owners' tables of a new one get (`calsync.store.partitions`).
    """
    from sqlalchemy import create_engine, inspect, text
    from sqlalchemy.pool import NullPool

    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=NullPool)
    with engine.connect() as core:
        if inspect(core).has_table("alembic_version"):
            found = core.execute(text("SELECT version_num FROM alembic_version")).scalar()
            if _known(str(found or ""), place, chain) == chain.head:
                return
        elif not create:
            raise StoreError(f"store: {place}: there is no store (calsync serve makes one)")
    with engine.begin() as core:
        # Several processes may start at once: the one that makes this table first keeps the others waiting.
        core.execute(text("CREATE TABLE IF NOT EXISTS calsync_preparing (one BIGINT PRIMARY KEY)"))
        core.execute(text("LOCK TABLE calsync_preparing IN ACCESS EXCLUSIVE MODE"))
        if not inspect(core).has_table("alembic_version"):
            partitions.create(core, partitioned)
            plans.advise_postgresql(core)
            _stamp(core, chain.head)
            return
        found = core.execute(text("SELECT version_num FROM alembic_version")).scalar()
        if _known(str(found or ""), place, chain) != chain.head:
            chain.upgrade(core)
            plans.advise_postgresql(core)


def is_current_postgresql(url: str, place: str, chain: Chain = CHAIN) -> bool:
    """The same of a PostgreSQL database; an empty one will be. Raises what SQLAlchemy raises, and `NewerSchema`."""
    from sqlalchemy import create_engine, inspect, text
    from sqlalchemy.pool import NullPool

    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=NullPool)
    with engine.connect() as core:
        if not inspect(core).has_table("alembic_version"):
            return True
        found = core.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return _known(str(found or ""), place, chain) == chain.head


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[Connection]:
    """SQLAlchemy's view of a connection, inside a transaction that is committed at the end."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import StaticPool

    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    try:
        with engine.connect() as core, core.begin():
            connection.execute("BEGIN IMMEDIATE")
            yield core
    except DBAPIError as error:
        raise error.orig or error from error
