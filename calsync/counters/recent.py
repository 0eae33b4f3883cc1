"""The last requests of one process and those that it is at, in shared memory: what `calsync top` looks at.

A ring of records of one size: nothing grows, whoever asks, and what is old is written over. Names stand in it, so the
file is for its owner alone.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from calsync.counters.page import mapped, octets_of

#: Requests that are kept, and those under way that are shown.
RECORDS: Final = 1024
AT_WORK: Final = 256

SUFFIX: Final = ".recent"

_MARK: Final = b"calsyncR"
_HEAD: Final = struct.Struct("<8sqQ")  # mark, process, requests so far
_COUNT: Final = struct.Struct("<Q")
_COUNT_AT: Final = 16
#: What is known at the end, and what was known at the beginning.
_NUMBERS: Final = struct.Struct("<dfHxxIQQ24s")
_RECORD: Final = struct.Struct("<dfHxxIQQ24s16s48s16s24s48s40s64s")
_START: Final = 64
_AT_WORK_AT: Final = _START + _RECORD.size * RECORDS
SIZE: Final = _AT_WORK_AT + _RECORD.size * AT_WORK
_NOBODY: Final = bytes(8)


class Record(NamedTuple):
    """A request: `began` in seconds since 1970, `status` 0 while it goes on, octets of the bodies."""

    began: float
    seconds: float
    status: int
    items: int
    octets_in: int
    octets_out: int
    report: str
    id: str
    user: str
    client: str
    method: str
    device: str
    address: str
    path: str


class Recent:
    """`path`: a new file."""

    def __init__(self, path: Path) -> None:
        descriptor, self._map = mapped(path, SIZE)
        os.close(descriptor)
        self._guard = threading.Lock()
        self._count = 0
        self._free = list(range(AT_WORK))
        _HEAD.pack_into(self._map, 0, _MARK, os.getpid(), 0)

    def begin(
        self, began: float, octets_in: int, id: str, user: str, client: str, method: str, device: str, address: str,
        path: str,
    ) -> int:  # fmt: skip
        """A request is under way; -1 where too many are, and this one is not shown."""
        try:
            place = self._free.pop()
        except IndexError:
            return -1
        texts = id.encode(), user.encode(), client.encode(), method.encode(), device.encode(), address.encode()
        at = _AT_WORK_AT + place * _RECORD.size
        _RECORD.pack_into(self._map, at, began, 0.0, 0, 0, octets_in, 0, b"", *texts, path.encode())
        return place

    def end(
        self, place: int, began: float, seconds: float, status: int, items: int, octets_in: int, octets_out: int,
        report: str,
    ) -> None:  # fmt: skip
        """It is over; `place` is what `begin` gave."""
        if place < 0:
            return
        mapped = self._map
        slot = _AT_WORK_AT + place * _RECORD.size
        with self._guard:
            at = _START + (self._count % RECORDS) * _RECORD.size
            mapped[at : at + _RECORD.size] = mapped[slot : slot + _RECORD.size]
            _NUMBERS.pack_into(mapped, at, began, seconds, status, items, octets_in, octets_out, report.encode())
            self._count += 1
            _COUNT.pack_into(mapped, _COUNT_AT, self._count)
        mapped[slot : slot + 8] = _NOBODY
        self._free.append(place)


@dataclass(frozen=True, slots=True)
class View:
    """What a file holds: how many requests there were, the last of them (the newest last), and those under way."""

    process: int
    count: int
    ended: list[Record]
    at_work: list[Record]


def look(path: Path, since: int = 0) -> View | None:
    """The requests after the first `since`; None where there is no such file."""
    try:
        octets = octets_of(path, SIZE)
    except OSError:
        return None
    if len(octets) != SIZE:
        return None
    mark, process, count = _HEAD.unpack_from(octets)
    if mark != _MARK:
        return None
    numbers = range(max(since, count - RECORDS, 0), count)
    ended = [_record(octets, _START + (number % RECORDS) * _RECORD.size) for number in numbers]
    at_work = [_record(octets, _AT_WORK_AT + place * _RECORD.size) for place in range(AT_WORK)]
    return View(process, count, [one for one in ended if one.began], [one for one in at_work if one.began])


def _record(octets: bytes, at: int) -> Record:
    began, seconds, status, items, octets_in, octets_out, *texts = _RECORD.unpack_from(octets, at)
    return Record(began, seconds, status, items, octets_in, octets_out, *_texts(texts))


def _texts(fields: list[bytes]) -> Iterator[str]:
    for field in fields:
        yield field.rstrip(b"\0").decode(errors="ignore")  # cut at its end, perhaps within a letter
