"""A lock between processes, on a file of its own beside the store."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

# From the first look after failing to the longest pause: writers hold the lock for milliseconds.
_FIRST_PAUSE = 0.0005
_LONGEST_PAUSE = 0.02


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
        end = time.monotonic() + timeout
        pause = _FIRST_PAUSE
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= end:
                    return False
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                return True

    def give(self) -> None:
        """Let the next process have it."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file. In a child after a fork this leaves the parent's lock alone."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
