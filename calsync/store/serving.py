"""Who has a store open: a shared lock that every process holds meanwhile, so that a restore takes it from nobody."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Final

from calsync.store.errors import Busy

_PAUSE: Final = 0.05


class Presence:
    """`flock(2)` on `calsync.db-serving`: shared by whoever has the store open, exclusive for who replaces it.

    Where the file cannot be made (a read-only disk) the store is open without it: nobody can replace it there either.
    """

    __slots__ = ("_descriptor", "path")

    def __init__(self, store: Path) -> None:
        self.path = store.with_name(store.name + "-serving")
        self._descriptor: int | None = None

    def come(self, patience: float) -> None:
        """Be there, with others. Raises `Busy` where the store is being replaced for longer than `patience` seconds."""
        end = time.monotonic() + patience
        while self._open() and not self._flock(fcntl.LOCK_SH):
            if time.monotonic() >= end:
                raise Busy(f"store: {self.path}: a restore goes on here (try again when it is done)")
            time.sleep(_PAUSE)

    def alone(self) -> bool:
        """Be there and nobody else; False where others are. Raises `OSError`."""
        return self._open(must=True) and self._flock(fcntl.LOCK_EX)

    def leave(self) -> None:
        """Close the file. In a child after a fork this leaves the parent's lock alone."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self, *, must: bool = False) -> bool:
        if self._descriptor is not None:
            return True
        try:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if os.geteuid() == 0:
                above = self.path.parent.stat()
                os.fchown(self._descriptor, above.st_uid, above.st_gid)
        except OSError:
            if must:
                raise
            return False
        return True

    def _flock(self, how: int) -> bool:
        assert self._descriptor is not None
        try:
            fcntl.flock(self._descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
