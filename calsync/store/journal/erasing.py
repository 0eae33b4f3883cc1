"""Taking somebody's entries out of a journal (`calsync user remove --purge`)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from calsync.store.entries import AccountRows, Entry, Gone, padded
from calsync.store.journal.frames import HEAD, frame
from calsync.store.journal.place import folder_of
from calsync.store.journal.reading import Fault, Part, read
from calsync.store.journal.segments import SUFFIX, segments, sync_folder

if TYPE_CHECKING:
    from calsync.store.engine import Store

_ANEW: Final = ".new"


def erase(store: Store, epochs: Iterable[str]) -> int:
    """Take everything of these principals out of the journal (`calsync user remove --purge`); how many segments that
    changed. Others write between two segments. Raises `OSError` and `StoreError`."""
    wanted = frozenset(epochs)
    with store.read() as tx:
        folder = folder_of(tx)
    if folder is None:
        return 0
    changed = 0
    for left in folder.glob(f"*{SUFFIX}{_ANEW}"):
        left.unlink()  # of a run that was killed
    for file in segments(folder):
        if _names(file, wanted):
            changed += _erased(store, file, wanted)
    if changed:
        sync_folder(folder)
    return changed


def _names(file: Path, epochs: frozenset[str]) -> bool:
    """Whether a segment may have something of these; damage is taken to be theirs."""
    import mmap

    with file.open("rb") as stream:
        if not os.fstat(stream.fileno()).st_size:
            return False
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as octets:
            return any(octets.find(epoch.encode()) >= 0 for epoch in epochs)


def _erased(store: Store, file: Path, epochs: frozenset[str]) -> bool:
    """Rewrite a segment without them. A process that has it open finds out and begins another.

    All that stays, stays where it is: backups know how long the segment was. What is damaged stays damage, but its
    octets go, for nobody knows whose they are.
    """
    anew = file.with_name(file.name + _ANEW)
    try:
        seen = _mark(file)
        changed = _rewritten(file, anew, epochs)
        with store.write(still=True):  # nobody appends meanwhile
            if _mark(file) != seen:
                changed = _rewritten(file, anew, epochs)
            if changed:
                anew.rename(file)
    finally:
        anew.unlink(missing_ok=True)
    return changed


def _mark(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_size, found.st_mtime_ns


def _rewritten(file: Path, anew: Path, epochs: frozenset[str]) -> bool:
    """Write a segment without them to `anew`; whether that differs."""
    anew.touch(mode=0o600)
    shutil.copyfile(file, anew)
    before = file.stat()
    changed = False
    with anew.open("r+b") as copy:
        if os.geteuid() == 0:
            os.fchown(copy.fileno(), before.st_uid, before.st_gid)
        for one in read(anew):
            if isinstance(one, Fault):
                changed |= _overwritten(copy, one.offset, (b"\0" if one.torn else b"\1") * one.length)
                continue
            for part in one.parts:
                changed |= _erased_part(copy, part, epochs)
        copy.flush()
        os.fsync(copy.fileno())
        os.utime(copy.fileno(), ns=(before.st_atime_ns, before.st_mtime_ns))
    return changed


def _erased_part(copy: BinaryIO, part: Part, epochs: frozenset[str]) -> bool:
    found = [(at, entry, _without(entry, epochs)) for at, entry in part.located()]
    if all(entry == kept for _, entry, kept in found):
        return False
    copy.seek(part.offset - HEAD.size)
    _, kind, number, length, _ = HEAD.unpack(copy.read(HEAD.size))
    payload = bytearray(copy.read(length))
    for at, entry, kept in found:
        if entry != kept:
            begin = at.offset - part.offset
            payload[begin : begin + at.length] = padded(kept, at.length)
    return _overwritten(copy, part.offset - HEAD.size, frame(kind, number, bytes(payload)))


def _overwritten(copy: BinaryIO, at: int, octets: bytes) -> bool:
    copy.seek(at)
    if copy.read(len(octets)) == octets:
        return False
    copy.seek(at)
    copy.write(octets)
    return True


def _of(entry: Entry) -> str:
    return entry.whose if isinstance(entry, AccountRows) else getattr(entry, "epoch", "")


def _without(entry: Entry, epochs: frozenset[str]) -> Entry | None:
    if _of(entry) not in epochs:
        return entry
    if isinstance(entry, AccountRows):
        # That something was changed stays, or it would be missed, but not what it was.
        return replace(entry, rows=[])
    # That somebody has gone stays: a backup must not bring them back.
    return Gone(entry.epoch, "") if isinstance(entry, Gone) else None
