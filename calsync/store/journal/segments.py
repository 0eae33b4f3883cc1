"""The files of a journal, and the folder that they are in."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from calsync.store.errors import Full, StoreError

SUFFIX: Final = ".journal"
_FULL: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


def segments(folder: Path) -> list[Path]:
    """The files of a journal, the oldest first. Raises `OSError`."""
    return sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIX) and path.is_file())


def position(folder: Path) -> dict[str, int]:
    """How long each segment is; asked while nobody writes, all before it is in the store."""
    return {path.name: path.stat().st_size for path in segments(folder)}


def prune(folder: Path, before: int) -> list[str]:
    """Remove the segments to which nothing was written since an instant, but for the newest, for a journal is never
    empty; their names. Raises `OSError`."""
    removed = []
    written = sorted((path.stat().st_mtime_ns, path) for path in segments(folder))
    for modified, path in written[:-1]:
        if modified < before * 1_000_000_000:
            path.unlink()
            removed.append(path.name)
    if removed:
        sync_folder(folder)
    return removed


def check(folder: Path, *, begun: bool = False) -> None:
    """Whether a journal can be written there, and where it was `begun`, whether it is there. Raises `StoreError`."""
    try:
        if not begun:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            code = errno.EACCES if folder.is_dir() else errno.ENOENT
            raise OSError(code, os.strerror(code))
        if begun:
            check_begun(folder)
    except OSError as error:
        raise failure(folder, error) from error


def check_begun(folder: Path) -> None:
    """A journal that was begun is never empty: what is, is the place of a disk that is not there. Raises `StoreError`,
    for what went there would be hidden once the disk is back."""
    if not segments(folder):
        raise StoreError(
            f"journal: {folder}: is empty, though the store has its journal there: is its disk mounted? Nothing is "
            "written that the journal cannot take (where it is lost for good, name another folder: [history] journal)"
        )


def check_free(folder: Path) -> None:
    """A store that nobody is in yet, beside the journal of another: that one is not there. Raises `StoreError`, for
    clients take an empty store for the whole truth and delete what they hold."""
    if segments(folder):
        raise StoreError(
            f"journal: {folder}: is that of another store, and this one is new: is the disk with the store mounted? "
            "Where it is lost: calsync restore BACKUP. To begin anew, name another folder: [history] journal"
        )


def failure(folder: Path, error: OSError) -> StoreError:
    """What the system said, for people."""
    reason = (error.strerror or str(error)).lower()
    kind = Full if error.errno in _FULL else StoreError
    return kind(f"journal: {folder}: {reason}: nothing is written that the journal cannot take ([history] journal)")


def sync_folder(folder: Path) -> None:
    """Have the names in it on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
