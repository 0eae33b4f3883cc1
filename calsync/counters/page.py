"""The figures of one process, in a file that is mapped into memory: whoever adds up reads it while it is written.

A process that is killed leaves its figures behind, so a sum over all never goes down. The file: a head, so many numbers
(float64), and the keys that say which number is what, in the order in which they came. One process writes it, with one
lock; numbers are eight aligned octets, so no reader sees half of one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import stat
import struct
import threading
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from calsync.counters.families import Family

#: Numbers that a page holds; what does not fit any more is not counted. All labels have bounds, which fit well.
NUMBERS: Final = 8192
_KEYS: Final = 1 << 18  # octets
_HEAD: Final = struct.Struct("<8sqqq")  # mark, process, numbers used, octets of keys used
_MARK: Final = b"calsync1"
_START: Final = 64
_KEYS_AT: Final = _START + 8 * NUMBERS
SIZE: Final = _KEYS_AT + _KEYS
_KEY: Final = struct.Struct("<HH")  # octets of the text, numbers that belong to it

SUFFIX: Final = ".page"


class Page:
    """`path`: None keeps it in memory, for a process that nobody else asks about."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._descriptor = -1
        if path is None:
            self._map = mmap.mmap(-1, SIZE)
        else:
            self._descriptor, self._map = mapped(path, SIZE)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._numbers = memoryview(self._map)[_START:_KEYS_AT].cast("d")
        self._guard = threading.Lock()
        self._places: dict[tuple[str, tuple[str, ...]], int] = {}
        self._used = self._written = 0
        self._say()

    def add(self, family: Family, labels: tuple[str, ...] = (), amount: float = 1.0) -> None:
        with self._guard:
            at = self._places.get((family.name, labels))
            if at is None:
                at = self._place(family, labels)
            self._numbers[at] += amount

    def put(self, family: Family, value: float, labels: tuple[str, ...] = ()) -> None:
        with self._guard:
            at = self._places.get((family.name, labels))
            if at is None:
                at = self._place(family, labels)
            self._numbers[at] = value

    def observe(self, family: Family, value: float, labels: tuple[str, ...] = ()) -> None:
        """A histogram's numbers: one a bucket, each value in one of them, and the sum."""
        with self._guard:
            at = self._places.get((family.name, labels))
            if at is None:
                at = self._place(family, labels)
            self._numbers[at + bisect_left(family.buckets, value)] += 1.0
            self._numbers[at + len(family.buckets) + 1] += value

    def place(self, family: Family, labels: tuple[str, ...]) -> int:
        """Where its first number stands, for who counts the same again and again (`add_at`)."""
        with self._guard:
            at = self._places.get((family.name, labels))
            return self._place(family, labels) if at is None else at

    def add_at(self, *amounts: tuple[int, float]) -> None:
        """So much more at these places, under one lock."""
        numbers = self._numbers
        with self._guard:
            for at, amount in amounts:
                numbers[at] += amount

    def _place(self, family: Family, labels: tuple[str, ...]) -> int:
        count = len(family.buckets) + 2 if family.kind == "histogram" else 1
        text = "\x1f".join((family.name, *labels)).encode()
        wanted = _KEY.size + len(text)
        # The last numbers are nobody's: there goes what is too much.
        if self._used + count > NUMBERS - 64 or self._written + wanted > _KEYS:
            return NUMBERS - 64
        at = self._used
        where = _KEYS_AT + self._written
        _KEY.pack_into(self._map, where, len(text), count)
        self._map[where + _KEY.size : where + wanted] = text
        self._used += count
        self._written += wanted
        self._say()
        self._places[family.name, labels] = at
        return at

    def _say(self) -> None:
        _HEAD.pack_into(self._map, 0, _MARK, os.getpid(), self._used, self._written)

    def read(self) -> Iterator[tuple[str, tuple[str, ...], list[float]]]:
        """What stands on it."""
        return _entries(bytes(self._map))

    def close(self) -> None:
        """Count no more; the file stays."""
        with self._guard:
            self._numbers.release()
            self._map.close()
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1


def mapped(path: Path, size: int) -> tuple[int, mmap.mmap]:
    """A new file of so many octets, open, and in memory. Raises OSError, and then there is none.

    Its room is taken at once: where a disk is full later, the write to memory would end the process.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size)
        return descriptor, mmap.mmap(descriptor, size)
    except BaseException:
        os.close(descriptor)
        path.unlink(missing_ok=True)
        raise


def opened(path: Path) -> int:
    """A file to be read, and nothing but a file: root looks into folders of others, who could have put a link or a pipe
    there. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "no file", str(path))
    return descriptor


def octets_of(path: Path, most: int) -> bytes:
    """What stands in a file; of a larger one, one octet more than `most`. Raises OSError."""
    with os.fdopen(opened(path), "rb") as file:
        return file.read(most + 1)


def is_alive(path: Path) -> bool:
    """Whether the process that writes a page is there: it holds a lock on it as long as it lives."""
    try:
        descriptor = opened(path)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def entries(path: Path) -> Iterator[tuple[str, tuple[str, ...], list[float]]]:
    """(metric, labels, numbers) of a page of whatever process; nothing of what is no page."""
    with contextlib.suppress(OSError):
        yield from _entries(octets_of(path, SIZE))


def _entries(octets: bytes) -> Iterator[tuple[str, tuple[str, ...], list[float]]]:
    if len(octets) != SIZE:
        return
    mark, _, used, written = _HEAD.unpack_from(octets)
    if mark != _MARK:
        return
    numbers = memoryview(octets)[_START:_KEYS_AT].cast("d")
    at, where, end = 0, _KEYS_AT, _KEYS_AT + written
    while where < end and at < used:
        length, count = _KEY.unpack_from(octets, where)
        where += _KEY.size
        name, *labels = octets[where : where + length].decode().split("\x1f")
        where += length
        yield name, tuple(labels), list(numbers[at : at + count])
        at += count
