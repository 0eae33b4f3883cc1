"""The journal (decision D11): a folder, best on another disk, to which each change goes before it is acknowledged.

A process appends to a segment of its own, so that one that is killed while it writes spoils nobody's. A segment begins
with a line of text; then come frames: a marker, a kind, a number, a length, a checksum, and what they hold. The parts
of a transaction are numbered from 0 and hold entries (`entries`); the frame that ends it says who, when, and how many
parts there are. What has no end was never acknowledged, and is what a process left that was killed.

Where the journal is stands in the store itself (`meta`), so that whoever writes to the store journals: the server, a
command that was given nothing but `--store`, the plugin in stock Radicale, which knows no `[history]`. `calsync serve`
writes there what its configuration says.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from calsync.store import meta, principals
from calsync.store.entries import Census, Ended, Entry, Gone, decoded, encoded, padded
from calsync.store.errors import Full, StoreError

if TYPE_CHECKING:
    from calsync.store.engine import Store
    from calsync.store.transaction import Transaction

KEY: Final = "journal"
SUFFIX: Final = ".journal"
_ANEW: Final = ".new"
DAY: Final = 86_400

_TITLE: Final = b"calsync journal 1\n"
_MARK: Final = b"\xc5\xa7Jr"
_HEAD: Final = struct.Struct(">4sBIQ16s")
_PART, _END = 0, 1
_PART_SIZE: Final = 1 << 20
_SEGMENT_SIZE: Final = 64 << 20
_AHEAD: Final = 2_000_000_000  # nanoseconds by which the times of files are uncertain
_FULL: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


# --- where it is ------------------------------------------------------------------------------------------------------


def folder_of(tx: Transaction) -> Path | None:
    """The journal of the store, None where it keeps none."""
    stored = meta.get(tx, KEY)
    return None if stored is None else Path(os.fsdecode(stored))


def remember(tx: Transaction, folder: Path | None) -> None:
    """Where the journal is from this transaction on."""
    tx.journal = None if folder is None else os.fsencode(folder)
    if tx.journal is None:
        meta.remove(tx, KEY)
    else:
        meta.put(tx, KEY, tx.journal)


def keep(store: Store, folder: Path | None) -> None:
    """Journal to `folder` from now on, or no longer. Raises `StoreError` where nothing can be written there.

    The new journal begins with the seqs of all principals: what changed while there was none is known to be missing.
    """
    with store.read() as tx:
        before = folder_of(tx)
    if before == folder:
        if folder is not None:
            _check(folder, begun=True)
        return
    if folder is not None:
        _check(folder)
    with store.write(still=True) as tx:
        remember(tx, folder)
        if folder is not None:
            tx.notes.append(Census({one.epoch: one.seq for one in principals.listing(tx)}))
    if before is not None and before.is_dir():
        with Journal(before) as left, suppress(StoreError):
            left.append("", [Ended()])


def _check(folder: Path, *, begun: bool = False) -> None:
    try:
        if not begun:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            code = errno.EACCES if folder.is_dir() else errno.ENOENT
            raise OSError(code, os.strerror(code))
        if begun:
            _check_begun(folder)
    except OSError as error:
        raise _failure(folder, error) from error


def _check_begun(folder: Path) -> None:
    """A journal that was begun is never empty: what is, is the place of a disk that is not there. Raises `StoreError`,
    for what went there would be hidden once the disk is back."""
    if not segments(folder):
        raise StoreError(
            f"journal: {folder}: is empty, though the store has its journal there: is its disk mounted? Nothing is "
            "written that the journal cannot take (where it is lost for good, name another folder: [history] journal)"
        )


def _failure(folder: Path, error: OSError) -> StoreError:
    reason = (error.strerror or str(error)).lower()
    kind = Full if error.errno in _FULL else StoreError
    return kind(f"journal: {folder}: {reason}: nothing is written that the journal cannot take ([history] journal)")


# --- writing ----------------------------------------------------------------------------------------------------------


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
            raise _failure(self.folder, error) from error

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
            if not gone and self._length < _SEGMENT_SIZE and now // DAY == self._day:
                return self._descriptor
            self.close()
        if not begins:
            _check_begun(self.folder)
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
            _write_all(descriptor, _TITLE)
            _sync_folder(self.folder)
        except BaseException:
            os.close(descriptor)
            (self.folder / name).unlink(missing_ok=True)
            raise
        self._descriptor, self._length, self._day = descriptor, len(_TITLE), now // DAY
        return descriptor

    def _write(self, descriptor: int, actor: str, entries: Iterable[Entry]) -> int:
        written = parts = 0
        waiting: list[bytes] = []
        size = 0
        for entry in entries:
            waiting.append(encoded(entry))
            size += len(waiting[-1])
            if size >= _PART_SIZE:
                written += _write_all(descriptor, _frame(_PART, parts, b"".join(waiting)))
                parts, size = parts + 1, 0
                waiting.clear()
        last = b""
        if waiting:
            last = _frame(_PART, parts, b"".join(waiting))
            parts += 1
        self._stamp = max(time.time_ns(), self._stamp + 1)
        end = json.dumps({"stamp": self._stamp, "actor": actor, "parts": parts}).encode()
        return written + _write_all(descriptor, last + _frame(_END, parts, end))

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


def _frame(kind: int, number: int, payload: bytes) -> bytes:
    return _HEAD.pack(_MARK, kind, number, len(payload), _digest(kind, number, payload)) + payload


def _digest(kind: int, number: int, payload: bytes) -> bytes:
    return blake2b(payload, digest_size=16, salt=struct.pack(">BI", kind, number)).digest()


def _write_all(descriptor: int, octets: bytes) -> int:
    rest = memoryview(octets)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    return len(octets)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- reading ----------------------------------------------------------------------------------------------------------


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


def segments(folder: Path) -> list[Path]:
    """The files of a journal, the oldest first. Raises `OSError`."""
    return sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIX))


def position(folder: Path) -> dict[str, int]:
    """How long each segment is; asked while nobody writes, all before it is in the store."""
    return {path.name: path.stat().st_size for path in segments(folder)}


def read(file: Path, start: int = 0) -> Iterator[Written | Fault]:
    """What a segment holds from `start` on. Raises `OSError`.

    Parts of a transaction whose end was lost to damage are given all the same: they may have been acknowledged.
    """
    with file.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        at = start
        if not start:
            if stream.read(len(_TITLE)) == _TITLE:
                at = len(_TITLE)
            elif size:
                torn = size < len(_TITLE)
                yield Fault(file, 0, min(size, len(_TITLE)), torn)
                at = len(_TITLE)
        parts: list[Part] = []
        stamp = 0
        while at < size:
            stream.seek(at)
            found = _next(stream.read(_HEAD.size), size - at)
            payload = stream.read(found[2]) if found else b""
            if found is None or _digest(found[0], found[1], payload) != found[3]:
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
            if kind == _PART:
                if number == 0 and parts:
                    # Its end is lost; what follows was written by somebody who did not know of it.
                    yield Written(stamp, "", tuple(parts))
                    parts = []
                parts.append(Part(file, at + _HEAD.size, length))
            else:
                facts = json.loads(payload)
                stamp = int(facts["stamp"])
                yield Written(stamp, str(facts["actor"]), tuple(parts))
                parts = []
            at += _HEAD.size + length
        if parts:
            yield Fault(file, parts[0].offset - _HEAD.size, size - parts[0].offset + _HEAD.size, True)


def _next(head: bytes, left: int) -> tuple[int, int, int, bytes] | None:
    """Kind, number, length and checksum of a frame that fits into what is left of the file."""
    if len(head) < _HEAD.size:
        return None
    mark, kind, number, length, digest = _HEAD.unpack(head)
    if mark != _MARK or kind not in (_PART, _END) or length > left - _HEAD.size:
        return None
    return kind, number, length, digest


def _is_torn(stream: BinaryIO, at: int) -> bool:
    """Whether the rest of a file is the beginning of a frame, or room that was never written."""
    stream.seek(at)
    head = stream.read(len(_MARK))
    if head == _MARK[: len(head)]:
        return True
    while not head.strip(b"\0"):
        head = stream.read(_PART_SIZE)
        if not head:
            return True
    return False


def _resumed(file: Path, start: int, size: int) -> int:
    """Where the next good frame begins, or the end of the file."""
    import mmap

    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as octets:
        at = octets.find(_MARK, start)
        while at >= 0:
            found = _next(octets[at : at + _HEAD.size], size - at)
            if found is not None:
                begin = at + _HEAD.size
                if _digest(found[0], found[1], octets[begin : begin + found[2]]) == found[3]:
                    return at
            at = octets.find(_MARK, at + 1)
    return size


# --- keeping house ----------------------------------------------------------------------------------------------------


def prune(folder: Path, before: int) -> list[str]:
    """Remove the segments to which nothing was written since an instant, but for the newest, for a journal is never
    empty; their names. Raises `OSError`."""
    removed = []
    written = sorted((path.stat().st_mtime_ns, path) for path in segments(folder))
    for modified, path in written[:-1]:
        if modified < before * 1_000_000_000:
            path.unlink()
            removed.append(path.name)
    if removed:
        _sync_folder(folder)
    return removed


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
        _sync_folder(folder)
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
    copy.seek(part.offset - _HEAD.size)
    _, kind, number, length, _ = _HEAD.unpack(copy.read(_HEAD.size))
    payload = bytearray(copy.read(length))
    for at, entry, kept in found:
        if entry != kept:
            begin = at.offset - part.offset
            payload[begin : begin + at.length] = padded(kept, at.length)
    return _overwritten(copy, part.offset - _HEAD.size, _frame(kind, number, bytes(payload)))


def _overwritten(copy: BinaryIO, at: int, octets: bytes) -> bool:
    copy.seek(at)
    if copy.read(len(octets)) == octets:
        return False
    copy.seek(at)
    copy.write(octets)
    return True


def _of(entry: Entry) -> str:
    return getattr(entry, "epoch", "")


def _without(entry: Entry, epochs: frozenset[str]) -> Entry | None:
    if _of(entry) not in epochs:
        return entry
    # That somebody has gone stays: a backup must not bring them back.
    return Gone(entry.epoch, "") if isinstance(entry, Gone) else None
