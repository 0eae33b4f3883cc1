"""Backups: a copy of the store made while everybody goes on, the same as plain files, and what proves that it is whole.

A backup gets its name when it is complete, checked and on the disk. Only then may older ones go, and never because of
one that is damaged itself: the last good one may be all that there is.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import func, select

from calsync import __version__
from calsync.recovery.exchange import fsync
from calsync.recovery.manifest import DATABASE, BackupError, Held, Manifest, digest
from calsync.store import journal, principals, verify
from calsync.store.engine import Store
from calsync.store.errors import ReadOnly, StoreError
from calsync.store.migrations import CHAIN
from calsync.store.schema import collection, item
from calsync.store.statement import Prepared
from calsync.transfer.report import Report
from calsync.transfer.writer import Writing

PARTIAL: Final = ".partial"
DAY: Final = 86_400
_NAME: Final = "%Y-%m-%dT%H%M%SZ"
_MOST: Final = 100  # problems that a manifest names

_COUNTS: Final = Prepared(
    select(
        select(func.count()).select_from(collection).scalar_subquery(),
        select(func.count()).select_from(item).scalar_subquery(),
    )
)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Made:
    """A backup. `notices`: what a person should know of the plain files."""

    folder: Path
    manifest: Manifest
    notices: list[str]


@dataclass(frozen=True, slots=True)
class Known:
    """A backup that lies in a folder. `manifest` is None where it has none that can be read: then `reason` says why."""

    folder: Path
    manifest: Manifest | None
    reason: str = ""

    @property
    def good(self) -> bool:
        """Whether nothing was wrong when it was made."""
        return self.manifest is not None and not self.manifest.damaged


def make(store: Store, folder: Path, *, files: bool = True, say: Say = lambda _text: None) -> Made:
    """Make a backup in `folder`. Raises `StoreError`, `BackupError` and `OSError`: then there is none."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(folder):
        for left in folder.glob(f"*{PARTIAL}"):
            if _is_name(left.name.removesuffix(PARTIAL)):
                shutil.rmtree(left)  # of a run that was killed: whoever runs holds the lock
        now = int(time.time())
        final = _free(folder, datetime.fromtimestamp(now, UTC).strftime(_NAME))
        partial = final.with_name(final.name + PARTIAL)
        partial.mkdir(mode=0o700)
        try:
            made = _filled(store, partial, now, files=files, say=say)
            os.sync()
            for path in (partial / DATABASE, partial / "manifest.json", partial):
                fsync(path)
            say("checking what was written")
            wrong = altered(partial, made.manifest)
            if wrong:
                raise BackupError(f"{partial}: the disk does not give back what was written: {wrong[0]}")
            partial.rename(final)
            fsync(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    return Made(final, made.manifest, made.notices)


def _filled(store: Store, folder: Path, now: int, *, files: bool, say: Say) -> Made:
    say("copying the store")
    kept, position = _position(store)
    store.backup(folder / DATABASE)
    copy = Store.look(folder / DATABASE)
    try:
        say("checking every item")
        damaged = [f"{one.path}: {one.text}" if one.path else one.text for one in verify.verify(copy)]
        report = Report()
        if files:
            say("writing plain files")
            Writing(copy, report).folder(folder)
        with copy.read() as tx:
            held = [Held(one.name, one.epoch, one.seq) for one in principals.listing(tx)]
            counts = tx.first(_COUNTS) or (0, 0)
    finally:
        copy.close()
    place = store.describe()
    manifest = Manifest(
        calsync=__version__,
        schema=CHAIN.head,
        store=place.get("file") or place.get("database", ""),
        made=now,
        principals=held,
        collections=counts[0],
        items=counts[1],
        files={str(path.relative_to(folder)): digest(path) for path in _inside(folder)},
        journal=kept,
        position=position,
        damaged=damaged[:_MOST],
    )
    manifest.write(folder)
    return Made(folder, manifest, [*report.notices, *(one.line() for one in report.remarkable)])


def _position(store: Store) -> tuple[str, dict[str, int]]:
    """Where the journal is, and how long while nobody writes: all before that is in the copy made afterwards."""
    with store.read() as tx:
        if journal.folder_of(tx) is None:
            return "", {}
    try:
        with store.write(still=True) as tx:
            kept = journal.folder_of(tx)
            return ("", {}) if kept is None else (str(kept), journal.position(kept))
    except ReadOnly:
        # Then nobody writes, and what may be the last copy is wanted all the more.
        with store.read() as tx:
            kept = journal.folder_of(tx)
        return ("", {}) if kept is None else (str(kept), journal.position(kept))


def altered(folder: Path, manifest: Manifest) -> list[str]:
    """Files that are not what the manifest says, that are missing, or that came since."""
    wrong = []
    there = {str(path.relative_to(folder)) for path in _inside(folder)}
    for name, checksum in manifest.files.items():
        if name not in there:
            wrong.append(f"{name}: is missing")
        elif digest(folder / name) != checksum:
            wrong.append(f"{name}: is not what was written")
    return wrong + [f"{name}: does not belong to it" for name in sorted(there - manifest.files.keys())]


def check(folder: Path) -> Iterator[str]:
    """All that is wrong with a backup, as it is found. Raises `BackupError` where it is none."""
    manifest = Manifest.read(folder)
    yield from altered(folder, manifest)
    yield from (f"was damaged when it was made: {text}" for text in manifest.damaged)
    with tempfile.TemporaryDirectory(prefix="calsync-verify-") as work:
        try:
            if manifest.schema == CHAIN.head:
                copy = Store.look(folder / DATABASE)
            else:
                # One of an older calsync is looked at as a restore would bring it up.
                brought_up = Path(work) / DATABASE
                shutil.copyfile(folder / DATABASE, brought_up)
                copy = Store.open(f"sqlite:///{brought_up}", create=False)
        except (StoreError, OSError) as error:
            yield str(error)
            return
        try:
            for one in verify.verify(copy):
                text = f"{one.path}: {one.text}" if one.path else one.text
                if text not in manifest.damaged:
                    yield text
        finally:
            copy.close()


def listing(folder: Path) -> list[Known]:
    """The backups in a folder, the oldest first. Raises `BackupError` where there is no such folder."""
    try:
        names = sorted(path for path in folder.iterdir() if path.is_dir() and _is_name(path.name))
    except OSError as error:
        raise BackupError(f"{folder}: {(error.strerror or str(error)).lower()}") from error
    found = []
    for path in names:
        try:
            found.append(Known(path, Manifest.read(path)))
        except BackupError as error:
            found.append(Known(path, None, str(error)))
    return found


def prune(folder: Path, *, count: int | None = None, days: int | None = None, made: Path | None = None) -> list[Path]:
    """Remove what is older than the newest `count` good backups, or than `days`; the newest good one always stays, and
    so does the one that was just `made`, whatever the clock says that it is."""
    good = [one for one in listing(folder) if one.good]
    if not good:
        return []
    oldest = good[-min(count or 1, len(good))]
    before = None if days is None else time.time() - days * DAY
    removed = []
    for one in listing(folder):
        when = one.manifest.made if one.manifest is not None else one.folder.stat().st_mtime
        if one.folder.name < oldest.folder.name and one.folder != made and (before is None or when < before):
            # Of what is half removed nobody shall think that it is a backup; the next run removes the rest.
            doomed = one.folder.rename(one.folder.with_name(one.folder.name + PARTIAL))
            shutil.rmtree(doomed)
            removed.append(one.folder)
    return removed


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupError(f"{folder}: another backup is being made here") from error
        yield
    finally:
        os.close(descriptor)


def _free(folder: Path, name: str) -> Path:
    number, path = 1, folder / name
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}"
    return path


def _is_name(name: str) -> bool:
    try:
        datetime.strptime(name.split("Z")[0] + "Z", _NAME)
    except ValueError:
        return False
    return not name.endswith(PARTIAL)


def _inside(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "manifest.json")
