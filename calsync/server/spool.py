"""Where a request body waits until it is whole."""

from __future__ import annotations

import errno
import io
import tempfile
from http import HTTPStatus
from typing import IO


class SpoolFull(Exception):
    """All bodies together would take more than they may."""


def refusal_of(error: OSError) -> HTTPStatus:
    """What a client is told when its body cannot be kept: 507 on a full disk, 503 where it may pass (no file left)."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return HTTPStatus.INSUFFICIENT_STORAGE if full else HTTPStatus.SERVICE_UNAVAILABLE


class Budget:
    """Octets that all spools together may hold. Used by the event loop only."""

    __slots__ = ("limit", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0


class Spool:
    """A body: in memory up to `memory` octets, then in a file without a name."""

    __slots__ = ("_budget", "_file", "_held", "_memory", "size")

    def __init__(self, memory: int, budget: Budget) -> None:
        self.size = 0
        self._memory = memory
        self._budget = budget
        self._held = bytearray()
        self._file: IO[bytes] | None = None

    def write(self, data: bytes) -> None:
        """Append. Raises `SpoolFull`, or OSError where the disk is full."""
        if self._budget.used + len(data) > self._budget.limit:
            raise SpoolFull
        self._budget.used += len(data)
        self.size += len(data)
        if self._file is None and self.size <= self._memory:
            self._held += data
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="calsync-body-")  # noqa: SIM115 - closed in `close`
            self._file.write(self._held)
            self._held = bytearray()
        self._file.write(data)

    def reader(self) -> IO[bytes]:
        """The whole body, from its first octet; stays open until `close`."""
        if self._file is None:
            self._file = io.BytesIO(self._held)
            self._held = bytearray()
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Give everything back; may be called twice."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._held = bytearray()
        self._budget.used -= self.size
        self.size = 0
