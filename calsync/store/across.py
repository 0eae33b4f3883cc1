"""A PostgreSQL store as an SQLite file and back: what a backup is made of, whichever database the store is in.

So a backup is read, checked and mended from with the same code, without a server, and may be restored into either.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql
from sqlalchemy import Table

from calsync.store import prepare, sqlite
from calsync.store.errors import StoreError
from calsync.store.schema import METADATA

#: How sessions of calsync's are called in `pg_stat_activity`.
NAME: Final = "calsync"

_PAGE: Final = 1000
#: Seconds for which sessions of a process that has just ended may still be there.
_LEAVING: Final = 3.0
_OTHERS: Final = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = %s AND pid <> pg_backend_pid()"
)


def write_file(connection: psycopg.Connection[Any], target: Path) -> None:
    """Write all rows that `connection`, in a snapshot, sees to a new file. Raises what the drivers raise."""
    if target.exists():
        raise StoreError(f"store: {target}: is there already")
    prepare.prepare(target)
    with contextlib.closing(sqlite.connect(target)) as copied:
        copied.execute("PRAGMA synchronous = OFF")  # who makes a backup puts it on the disk when it is whole
        copied.execute("BEGIN")
        for table in METADATA.sorted_tables:
            with connection.cursor(name="calsync_backup", binary=True) as cursor:
                cursor.itersize = _PAGE
                cursor.execute(_select(table))
                places = ", ".join("?" * len(table.columns))
                copied.executemany(f'INSERT INTO "{table.name}" ({_names(table)}) VALUES ({places})', cursor)
        copied.execute("COMMIT")
    sqlite.lock_of(target).path.unlink(missing_ok=True)


def read_file(connection: psycopg.Connection[Any], source: Path) -> None:
    """Put the rows of a file in place of all that the database holds, in one transaction."""
    tables = METADATA.sorted_tables
    with contextlib.closing(sqlite.connect(source, reader=True)) as copy, connection.transaction():
        every = sql.SQL(", ").join(sql.Identifier(table.name) for table in tables)
        connection.execute(sql.SQL("TRUNCATE {}").format(every))
        for table in tables:
            _load(connection, copy, table)
        connection.execute("SELECT setval(pg_get_serial_sequence('audit', 'id'), coalesce(max(id), 0) + 1) FROM audit")
    connection.execute("ANALYZE")


def _load(connection: psycopg.Connection[Any], copy: sqlite3.Connection, table: Table) -> None:
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), names)
    with connection.cursor() as cursor, cursor.copy(statement) as rows:
        for row in copy.execute(f'SELECT {_names(table)} FROM "{table.name}"'):
            rows.write_row(row)


@contextlib.contextmanager
def alone(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a database that no other calsync has open. Raises `StoreError` where one has."""
    with psycopg.connect(url, autocommit=True, application_name="calsync restore", connect_timeout=10) as connection:
        until = time.monotonic() + _LEAVING
        while (row := connection.execute(_OTHERS, (NAME,)).fetchone()) and row[0] and time.monotonic() < until:
            time.sleep(0.05)
        if row is not None and row[0]:
            name = connection.info.dbname
            raise StoreError(
                f"store: database {name}: {row[0]} sessions of calsync are connected "
                "(stop calsync on all machines first, and what uses it)"
            )
        yield connection


def _names(table: Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.columns)


def _select(table: Table) -> sql.Composed:
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
    keys = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.primary_key.columns)
    return sql.SQL("SELECT {} FROM {} ORDER BY {}").format(names, sql.Identifier(table.name), keys)
