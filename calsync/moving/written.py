"""What a mirror has written: a small database in its folder, so that it removes nothing that is not its own."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from calsync.store.errors import StoreError

#: Radicale and `import` pass over names that begin with a dot.
FILE: Final = ".calsync-mirror"

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS principal (epoch TEXT PRIMARY KEY, name TEXT NOT NULL, folder TEXT NOT NULL, seq INTEGER);
CREATE TABLE IF NOT EXISTS place (
    epoch TEXT, collection INTEGER, folder TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (epoch, collection)
);
CREATE TABLE IF NOT EXISTS file (
    epoch TEXT, collection INTEGER, href TEXT, name TEXT NOT NULL, etag TEXT NOT NULL,
    PRIMARY KEY (epoch, collection, href)
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS file_name ON file (epoch, collection, name);
CREATE TABLE IF NOT EXISTS damaged (
    epoch TEXT, collection INTEGER, href TEXT, text TEXT NOT NULL, PRIMARY KEY (epoch, collection, href)
);
"""


class User(NamedTuple):
    """A principal. `folder`: its name below the root. `seq`: up to which all is written."""

    epoch: str
    name: str
    folder: str
    seq: int


class Place(NamedTuple):
    """A collection. `folder`: its path below the root."""

    collection: int
    folder: str
    seq: int


class Written:
    """The notes; one mirror at a time has them."""

    def __init__(self, folder: Path) -> None:
        path = folder / FILE
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=0.0, check_same_thread=False)
        try:
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.executescript(f"BEGIN EXCLUSIVE;{_TABLES}COMMIT;")
        except sqlite3.Error as error:
            self._connection.close()
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_BUSY:
                raise StoreError(f"{folder}: another mirror writes here right now") from error
            raise StoreError(f"{path}: {error} (empty the folder, the mirror writes it anew)") from error

    def close(self) -> None:
        self._connection.close()

    def begin(self) -> None:
        self._connection.execute("BEGIN")

    def commit(self) -> None:
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    # principals

    def users(self) -> dict[str, User]:
        """By epoch."""
        rows = self._connection.execute("SELECT epoch, name, folder, seq FROM principal").fetchall()
        return {row[0]: User._make(row) for row in rows}

    def put_user(self, user: User) -> None:
        self._connection.execute("INSERT OR REPLACE INTO principal VALUES (?, ?, ?, ?)", user)

    def remove_user(self, epoch: str) -> None:
        for table in ("principal", "place", "file", "damaged"):
            self._connection.execute(f"DELETE FROM {table} WHERE epoch = ?", (epoch,))

    # collections

    def places(self, epoch: str) -> dict[int, Place]:
        """By id."""
        rows = self._connection.execute("SELECT collection, folder, seq FROM place WHERE epoch = ?", (epoch,))
        return {row[0]: Place._make(row) for row in rows}

    def put_place(self, epoch: str, place: Place) -> None:
        self._connection.execute("INSERT OR REPLACE INTO place VALUES (?, ?, ?, ?)", (epoch, *place))

    def remove_place(self, epoch: str, collection: int) -> None:
        for table in ("place", "file", "damaged"):
            self._connection.execute(f"DELETE FROM {table} WHERE epoch = ? AND collection = ?", (epoch, collection))

    # items

    def files(self, epoch: str, collection: int) -> list[tuple[str, str]]:
        """Name in the store and name of the file of each."""
        return self._connection.execute(
            "SELECT href, name FROM file WHERE epoch = ? AND collection = ?", (epoch, collection)
        ).fetchall()

    def file(self, epoch: str, collection: int, href: str) -> tuple[str, str] | None:
        """The name of an item's file, and the ETag of what is in it, empty where that is not certain."""
        row: tuple[str, str] | None = self._connection.execute(
            "SELECT name, etag FROM file WHERE epoch = ? AND collection = ? AND href = ?", (epoch, collection, href)
        ).fetchone()
        return row

    def holder(self, epoch: str, collection: int, name: str) -> str | None:
        """Which item a file belongs to."""
        row = self._connection.execute(
            "SELECT href FROM file WHERE epoch = ? AND collection = ? AND name = ?", (epoch, collection, name)
        ).fetchone()
        return None if row is None else str(row[0])

    def put_files(self, epoch: str, collection: int, files: Iterable[tuple[str, str, str]]) -> None:
        """Item, file, ETag of each."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?)", ((epoch, collection, *file) for file in files)
        )

    def remove_file(self, epoch: str, collection: int, href: str) -> None:
        for table in ("file", "damaged"):
            self._connection.execute(
                f"DELETE FROM {table} WHERE epoch = ? AND collection = ? AND href = ?", (epoch, collection, href)
            )

    # what could not be written

    def damaged(self, epoch: str | None = None) -> list[tuple[int, str, str]]:
        """Collection, item and reason of each, of one principal or of all."""
        if epoch is None:
            return self._connection.execute("SELECT collection, href, text FROM damaged").fetchall()
        return self._connection.execute(
            "SELECT collection, href, text FROM damaged WHERE epoch = ?", (epoch,)
        ).fetchall()

    def put_damaged(self, epoch: str, collection: int, href: str, text: str) -> None:
        self._connection.execute("INSERT OR REPLACE INTO damaged VALUES (?, ?, ?, ?)", (epoch, collection, href, text))

    def mended(self, epoch: str, collection: int, href: str) -> None:
        self._connection.execute(
            "DELETE FROM damaged WHERE epoch = ? AND collection = ? AND href = ?", (epoch, collection, href)
        )
