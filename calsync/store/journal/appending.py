"""Writing: a transaction is on the journal's disk before it is committed."""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Final

from calsync.store.entries import Census, Entry, encoded
from calsync.store.journal.frames import END, PART, TITLE, frame
from calsync.store.journal.segments import SUFFIX, check_begun, failure, segments, sync_folder

_DAY: Final = 86_400
_PART_SIZE: Final = 1 << 20
_SEGMENT_SIZE: Final = 64 << 20
_AHEAD: Final = 2_000_000_000  # nanoseconds by which the times of files are uncertain


class Journal:
    """This process's end of a journal. A transaction is appended before it is committed: its locks still hold."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._descriptor: int | None = None
        self._length = 0
        self._day = 0
        self._stamp = 0
        self._one = threading.Lock()  # writers of different owners need not wait for each other elsewhere

    def append(self, actor: str, entries: Iterable[Entry]) -> None:
        """Write a transaction, and return when it is on the disk. Raises `Full` or `StoreError`: nothing is kept."""
        try:
            with self._one:
                self._append(actor, entries)
        except OSError as error:
            raise failure(self.folder, error) from error

    def _append(self, actor: str, entries: Iterable[Entry]) -> None:
        rest = iter(entries)
        begin = [entry for entry in (next(rest, None),) if entry is not None]
        descriptor = self._opened(begins=any(isinstance(entry, Census) for entry in begin))
        start = self._length
        try:
            self._length += self._write(descriptor, actor, chain(begin, rest))
            os.fsync(descriptor)
        except BaseException:
            self._shorten(descriptor, start)
            raise

    def _opened(self, *, begins: bool) -> int:
        now = int(time.time())
        if self._descriptor is not None:
            gone = not os.fstat(self._descriptor).st_nlink  # another process has removed or rewritten it
            if not gone and self._length < _SEGMENT_SIZE and now // _DAY == self._day:
                return self._descriptor
            self.close()
        if not begins:
            check_begun(self.folder)
        latest = max((path.stat().st_mtime_ns for path in segments(self.folder)), default=0)
        if latest > time.time_ns() + _AHEAD:
            # The clock was set back. What is written from now on is nevertheless the later.
            self._stamp = max(self._stamp, latest + _AHEAD)
        name = f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}{SUFFIX}"
        descriptor = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if os.geteuid() == 0:
                # A command run by the administrator must not leave a file that the server's user cannot read.
                above = self.folder.stat()
                os.fchown(descriptor, above.st_uid, above.st_gid)
            _write_all(descriptor, TITLE)
            sync_folder(self.folder)
        except BaseException:
            os.close(descriptor)
            (self.folder / name).unlink(missing_ok=True)
            raise
        self._descriptor, self._length, self._day = descriptor, len(TITLE), now // _DAY
        return descriptor

    def _write(self, descriptor: int, actor: str, entries: Iterable[Entry]) -> int:
        written = parts = 0
        waiting: list[bytes] = []
        size = 0
        for entry in entries:
            waiting.append(encoded(entry))
            size += len(waiting[-1])
            if size >= _PART_SIZE:
                written += _write_all(descriptor, frame(PART, parts, b"".join(waiting)))
                parts, size = parts + 1, 0
                waiting.clear()
        last = b""
        if waiting:
            last = frame(PART, parts, b"".join(waiting))
            parts += 1
        self._stamp = max(time.time_ns(), self._stamp + 1)
        end = json.dumps({"stamp": self._stamp, "actor": actor, "parts": parts}).encode()
        return written + _write_all(descriptor, last + frame(END, parts, end))

    def _shorten(self, descriptor: int, length: int) -> None:
        """Take back what was begun; where even that fails, the next transaction goes to a new segment."""
        self._length = length
        try:
            os.ftruncate(descriptor, length)
            os.lseek(descriptor, length, os.SEEK_SET)
        except OSError:
            self.close()

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _write_all(descriptor: int, octets: bytes) -> int:
    rest = memoryview(octets)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    return len(octets)
