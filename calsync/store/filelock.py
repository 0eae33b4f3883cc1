"""A lock between processes, on a file of its own beside the store."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

# Writers hold the lock for a millisecond or two, so it is looked at often, and seldom only after so many seconds.
_SHORT_PAUSE = 0.0004
_OFTEN = 0.2
_LONG_PAUSE = 0.02


class FileLock:
    """`flock(2)` on `path`, which is made with mode 0600 at the first taking. Held by the process, not by a thread."""

    __slots__ = ("_descriptor", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def take(self, timeout: float) -> bool:
        """Wait for the lock, at most `timeout` seconds; False where it did not come. Raises `OSError`."""
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        began = time.monotonic()
        if not _wait(self._stand_first, began, timeout):
            return False
        try:
            return _wait(self._lock, began, timeout)
        finally:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1)

    def _stand_first(self) -> None:
        # Who waits for the lock holds the file's first octet, and who has just given the lock back must wait for that:
        # so a process with many writers does not go before another again and again.
        assert self._descriptor is not None
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)

    def _lock(self) -> None:
        assert self._descriptor is not None
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def give(self) -> None:
        """Let the next process have it."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file. In a child after a fork this leaves the parent's lock alone."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _wait(take: Callable[[], None], began: float, timeout: float) -> bool:
    while True:
        try:
            take()
        except BlockingIOError:
            waited = time.monotonic() - began
            if waited >= timeout:
                return False
            time.sleep(_SHORT_PAUSE if waited < _OFTEN else _LONG_PAUSE)
        else:
            return True
