"""Why a file cannot be written or opened, and what that means for who asked."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import Final

from calsync.store.errors import Busy, Full, ReadOnly, StoreError

#: Errors of the system that mean something; with any other the disk is simply broken.
MEANINGS: Final[dict[int, type[StoreError]]] = {
    errno.ENOSPC: Full,
    errno.EDQUOT: Full,
    errno.EROFS: ReadOnly,
    errno.EACCES: ReadOnly,
    errno.EPERM: ReadOnly,
    errno.EMFILE: Busy,
    errno.ENFILE: Busy,
    errno.ENOMEM: Busy,
}

_PAGE: Final = 4096


def trouble(folder: Path) -> OSError | None:
    """What a new file in `folder` meets, or None. It has no name, and is gone at once.

    SQLite tells that reading, writing or opening failed, but not that a quota is used up, that the file system became
    read-only, or that the process has no file left.
    """
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            file.write(bytes(_PAGE))
            os.fsync(file.fileno())
    except OSError as error:
        return error
    return None
