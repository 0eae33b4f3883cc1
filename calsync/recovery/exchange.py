"""A finished file takes the place of the store that is there."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path

from calsync.store import sqlite, still
from calsync.store.errors import StoreError


def put_in_place(working: Path, target: Path) -> Path | None:
    """Put the new store in place of the old one, which keeps a name: that. At no moment is there none."""
    stamp = datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H%M%SZ")
    above = target if target.exists() else target.parent
    _whole(working)
    if os.geteuid() == 0:
        os.chown(working, above.stat().st_uid, above.stat().st_gid)
    fsync(working)
    replaced = _kept(target, stamp)
    kept = replaced if replaced.exists() else None
    working.rename(target)
    fsync(target.parent)
    return kept


def _whole(working: Path) -> None:
    """See to it that all is in the file itself: a log that a full disk has left beside it would stay behind."""
    if not still.has_log(working):
        return
    try:
        with contextlib.closing(sqlite.connect(working)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise sqlite.failure(error, working) from error
    if still.has_log(working):
        raise StoreError(f"store: {working}: its log cannot be brought into it (is the disk full?)")


def _kept(target: Path, stamp: str) -> Path:
    number, replaced = 1, target.with_name(f"{target.name}.replaced-{stamp}")
    while replaced.exists():
        number += 1
        replaced = target.with_name(f"{target.name}.replaced-{stamp}-{number}")
    if target.exists():
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(target)) as connection:
            # What is in the log goes into the file, if that is still possible.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        try:
            os.link(target, replaced)
        except OSError:
            shutil.copyfile(target, replaced)
            replaced.chmod(0o600)
    # A log that is left belongs to the old file, which may be gone; beside the new one it would be taken for its own.
    log = target.with_name(target.name + "-wal")
    if log.exists():
        log.rename(replaced.with_name(replaced.name + "-wal"))
    target.with_name(target.name + "-shm").unlink(missing_ok=True)
    return replaced


def fsync(path: Path) -> None:
    """Have what was written to a file, or the names in a folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
