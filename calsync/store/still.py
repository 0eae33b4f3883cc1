"""A store that cannot be written: a read-only disk or folder, or files that belong to somebody else.

SQLite reads a file in WAL mode that it may not write as long as the index of the log (`-shm`) is there or can be made.
In a folder where nothing can be made it refuses, although a store that was closed well has no log: then it may be read
as a file that does not change (`immutable`), for whoever could change it would have to make a log first, and is noticed
by that or by the file's new time. Where a log is left without its index, only somebody who may write can read it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

_REFUSED: Final = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})

Connect = Callable[[Path, str], sqlite3.Connection]


class Mark(NamedTuple):
    """By what a changed file is told."""

    modified: int
    size: int


def mark_of(path: Path) -> Mark | None:
    """The mark of a file without a log; None where there is a log, or no file."""
    try:
        if has_log(path):
            return None
        found = path.stat()
    except OSError:
        return None
    return Mark(found.st_mtime_ns, found.st_size)


def has_log(path: Path) -> bool:
    """Whether a log lies beside it in which something is."""
    log = path.with_name(path.name + "-wal")
    return log.exists() and log.stat().st_size > 0


def reader(path: Path, connect: Connect) -> tuple[sqlite3.Connection, Mark | None]:
    """A connection that reads, and the mark of the file if it may only be used while that holds."""
    try:
        connection = connect(path, "mode=rw")
        try:
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        refused = getattr(error, "sqlite_errorcode", 0) & 0xFF in _REFUSED and not os.access(path.parent, os.W_OK)
        mark = mark_of(path) if refused else None
        if mark is None:
            raise
        return connect(path, "mode=ro&immutable=1"), mark
    return connection, None
