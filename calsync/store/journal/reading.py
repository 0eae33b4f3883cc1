"""Reading: what was acknowledged, and which octets are not what was written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from calsync.store.entries import Entry, decoded
from calsync.store.journal.frames import HEAD, MARK, PART, TITLE, digest, read_head

_BLANK: Final = 1 << 20  # octets read at a time where there may be nothing


@dataclass(frozen=True, slots=True)
class Part:
    """Where some entries of a transaction lie."""

    file: Path
    offset: int
    length: int

    def entries(self) -> list[Entry]:
        """Raises `OSError`, and `ValueError` where it was written by something else."""
        with self.file.open("rb") as file:
            file.seek(self.offset)
            return [entry for _, _, entry in decoded(file.read(self.length))]

    def located(self) -> list[tuple[Part, Entry]]:
        """Each entry with where it lies, so that it can be read again alone."""
        with self.file.open("rb") as file:
            file.seek(self.offset)
            found = list(decoded(file.read(self.length)))
        return [(Part(self.file, self.offset + start, end - start), entry) for start, end, entry in found]


@dataclass(frozen=True, slots=True)
class Written:
    """A transaction. `stamp`: when, in nanoseconds, never the same or less in one segment."""

    stamp: int
    actor: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """Octets of a segment that are not what was written. `torn`: at its end, where a process was killed or the disk
    was full, so that nobody was told that it was done."""

    file: Path
    offset: int
    length: int
    torn: bool

    def __str__(self) -> str:
        if self.torn:
            return f"{self.file}: ends in the middle of a transaction that was never acknowledged"
        return f"{self.file}: {self.length} octets at {self.offset} are damaged"


def read(file: Path, start: int = 0) -> Iterator[Written | Fault]:
    """What a segment holds from `start` on. Raises `OSError`.

    Parts of a transaction whose end was lost to damage are given all the same: they may have been acknowledged.
    """
    with file.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        at = start
        if not start:
            if stream.read(len(TITLE)) == TITLE:
                at = len(TITLE)
            elif size:
                torn = size < len(TITLE)
                yield Fault(file, 0, min(size, len(TITLE)), torn)
                at = len(TITLE)
        parts: list[Part] = []
        stamp = 0
        while at < size:
            stream.seek(at)
            found = read_head(stream.read(HEAD.size), size - at)
            payload = stream.read(found[2]) if found else b""
            if found is None or digest(found[0], found[1], payload) != found[3]:
                after = _resumed(file, at + 1, size)
                torn = after == size and found is None and _is_torn(stream, at)
                if parts and not torn:
                    yield Written(stamp, "", tuple(parts))
                    parts = []
                yield Fault(file, at, after - at, torn)
                if torn:
                    return
                at = after
                continue
            kind, number, length, _ = found
            if kind == PART:
                if number == 0 and parts:
                    # Its end is lost; what follows was written by somebody who did not know of it.
                    yield Written(stamp, "", tuple(parts))
                    parts = []
                parts.append(Part(file, at + HEAD.size, length))
            else:
                facts = json.loads(payload)
                stamp = int(facts["stamp"])
                yield Written(stamp, str(facts["actor"]), tuple(parts))
                parts = []
            at += HEAD.size + length
        if parts:
            yield Fault(file, parts[0].offset - HEAD.size, size - parts[0].offset + HEAD.size, True)


def _is_torn(stream: BinaryIO, at: int) -> bool:
    """Whether the rest of a file is the beginning of a frame, or room that was never written."""
    stream.seek(at)
    head = stream.read(len(MARK))
    if head == MARK[: len(head)]:
        return True
    while not head.strip(b"\0"):
        head = stream.read(_BLANK)
        if not head:
            return True
    return False


def _resumed(file: Path, start: int, size: int) -> int:
    """Where the next good frame begins, or the end of the file."""
    import mmap

    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as octets:
        at = octets.find(MARK, start)
        while at >= 0:
            found = read_head(octets[at : at + HEAD.size], size - at)
            if found is not None:
                begin = at + HEAD.size
                if digest(found[0], found[1], octets[begin : begin + found[2]]) == found[3]:
                    return at
            at = octets.find(MARK, at + 1)
    return size
