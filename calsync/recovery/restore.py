"""A store from a backup, brought up to what is known of the time since, in place of the one that is there.

Everything is done in a file beside the store, which is exchanged for it at the end: until then nothing has happened.
Every principal gets a new epoch, for what phones know of the old history no longer holds; they list everything anew.
So what was lost between backup and restore would be deleted from them, and where there is such, the store starts on
hold.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import secrets
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import bindparam, update

from calsync.accounts import audit, renaming
from calsync.recovery import accounts, hold, replay, salvage, side_effects
from calsync.recovery.apply import ACTOR, Applying, Done
from calsync.recovery.exchange import put_in_place
from calsync.recovery.journaling import Journaling
from calsync.recovery.lines import Line, lines
from calsync.recovery.manifest import DATABASE, FILE, BackupError, Manifest, digest
from calsync.store import journal, meta, principals, sqlite, verify
from calsync.store.engine import Store
from calsync.store.entries import LINEAGE, Restored
from calsync.store.errors import Exists, StoreError
from calsync.store.names import folded
from calsync.store.schema import principal as principal_table
from calsync.store.serving import Presence
from calsync.store.statement import Prepared
from calsync.store.transaction import Transaction

_RENEW: Final = Prepared(
    update(principal_table).where(principal_table.c.id == bindparam("owner")).values(epoch=bindparam("fresh"))
)
_SHOWN: Final = 1000  # names in a report
_BESIDE: Final = ("", "-wal", "-shm", "-journal", "-lock", "-serving")

Say = Callable[[str], None]
Then = Callable[["Report"], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be done. `what`: a backup's folder, or the file of a store. `journal`: where it is, None: as the
    backup says. `hold`: None leaves it to what is found."""

    what: Path
    target: Path
    journal: Path | None = None
    use_journal: bool = True
    use_salvage: bool = True
    hold: bool | None = None
    dry_run: bool = False


@dataclass(slots=True)
class Report:
    """What was done, for people. `vanishing`: names that phones will delete; `unknown`: what nobody can name."""

    made: int = 0
    users: int = 0
    replayed: int = 0
    salvaged: bool = False
    done: Done = field(default_factory=Done)
    accounts: str = ""
    accounts_certain: bool = True
    kin: bool = True
    notices: list[str] = field(default_factory=list)
    vanishing: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    held: bool = False
    replaced: Path | None = None

    @property
    def complete(self) -> bool:
        """Nothing that was acknowledged is missing, as far as can be known."""
        return self.accounts_certain and not (self.vanishing or self.unknown)

    def lines(self) -> Iterator[str]:
        when = datetime.fromtimestamp(self.made, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if self.made else "unknown time"
        yield f"backup of {when}: {self.users} user{'' if self.users == 1 else 's'}"
        done = self.done
        yield (
            f"since then: {self.replayed} transactions in the journal, the replaced store "
            f"{'read' if self.salvaged else 'not read'}; brought over: {done.principals} users, {done.collections} "
            f"collections, {done.items} items, {done.deleted} deletions"
        )
        yield self.accounts
        yield from self.notices
        if self.complete:
            yield "nothing that was acknowledged is missing"
        yield from self.unknown
        if self.vanishing:
            yield f"will vanish from phones, unless they are held back ({len(self.vanishing)}):"
            yield from (f"  {name}" for name in self.vanishing[:_SHOWN])
        if self.replaced is not None:
            yield f"the store that was there is kept as {self.replaced}"
        if self.held:
            yield "ON HOLD: clients are answered 503 until you say `calsync release`"


def restore(wish: Wish, say: Say = lambda _text: None, then: Then = lambda _report: None) -> Report:
    """Do it. Raises `BackupError`, `StoreError`, `OSError`: then the store that is there is as it was.

    `then` is called when the file stands in its place, and may still fail: only after it the journal knows of this.
    """
    manifest = _checked(wish.what)
    # Whoever has the store open has the file itself, not a link to it.
    wish = replace(wish, target=Path(os.path.realpath(wish.target)))
    wish.target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    presence = Presence(wish.target)
    try:
        if not presence.alone():
            raise StoreError(f"store: {wish.target}: in use by another process (stop calsync first, and what uses it)")
        working = wish.target.with_name(wish.target.name + ".restoring")
        _clear(working)
        journaling = Journaling()
        try:
            say("copying the backup")
            _copied(wish.what, working)
            report = _brought_up(wish, manifest, working, journaling, say)
            if not wish.dry_run:
                say("putting it into its place")
                report.replaced = put_in_place(working, wish.target)
                then(report)
                journaling.settle(report.notices)
                _write_note(wish.target, report)
        finally:
            journaling.give_up()
            _clear(working)
    finally:
        presence.leave()
    return report


# --- the backup -------------------------------------------------------------------------------------------------------


def _checked(what: Path) -> Manifest | None:
    """The manifest, where it is a backup, once its database is seen to be what was written."""
    if what.is_dir():
        manifest = Manifest.read(what)
        wanted = manifest.files.get(DATABASE)
        if wanted is None or not (what / DATABASE).is_file():
            raise BackupError(f"{what}: holds no {DATABASE}")
        if digest(what / DATABASE) != wanted:
            raise BackupError(f"{what / DATABASE}: is not what was written when the backup was made ({FILE})")
        return manifest
    if not what.is_file():
        raise BackupError(f"{what}: no such backup")
    return None


def _copied(what: Path, working: Path) -> None:
    source = what / DATABASE if what.is_dir() else what
    try:
        if source.with_name(source.name + "-wal").exists():
            sqlite.copy(source, working)
        else:
            shutil.copyfile(source, working)
            working.chmod(0o600)
    except sqlite3.Error as error:
        raise sqlite.failure(error, source) from error


def _clear(working: Path) -> None:
    for suffix in _BESIDE:
        working.with_name(working.name + suffix).unlink(missing_ok=True)
    for copy in working.parent.glob(f"{glob.escape(working.name)}.before-*"):
        copy.unlink()  # made before an older backup was migrated: the backup itself is still there


# --- bringing it up to now --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _replaced(target: Path) -> Iterator[sqlite3.Connection | None]:
    if not target.exists():
        yield None
        return
    beside = [target.with_name(target.name + suffix) for suffix in ("-wal", "-shm")]
    before = [path for path in beside if path.exists()]
    try:
        with salvage.opened(target) as connection:
            yield connection
    except sqlite3.Error as error:
        raise sqlite.failure(error, target) from error
    finally:
        # A reader makes them, and may not take them away.
        for path in beside:
            if path not in before and not (path.name.endswith("-wal") and path.exists() and path.stat().st_size):
                path.unlink(missing_ok=True)


def _brought_up(wish: Wish, manifest: Manifest | None, working: Path, journaling: Journaling, say: Say) -> Report:
    report = Report(made=manifest.made if manifest else int(wish.what.stat().st_mtime))
    store = Store.open(f"sqlite:///{working}", create=False)
    try:
        if manifest is None:
            report.notices += [f"in the copy: {one.path}: {one.text}" for one in verify.verify(store)]
        with store.read() as tx:
            owners = principals.listing(tx)
            kept = journal.folder_of(tx)
        report.users = len(owners)
        folder = wish.journal or kept
        seqs = {one.epoch: one.seq for one in owners}
        with _replaced(wish.target) as connection:
            say("reading the journal")
            journaled = _journaled(folder, seqs, manifest, report)
            say("reading the replaced store")
            salvaged = salvage.gather(connection, seqs) if connection is not None else salvage.Salvaged()
            report.notices += [f"the replaced store: {text}" for text in salvaged.problems]
            rows = accounts.read(connection) if connection is not None else None
            waiting = side_effects.waiting(connection) if connection is not None and wish.use_salvage else None
            if journaled is not None and wish.use_journal:
                report.replayed = journaled.transactions
            report.salvaged = salvaged.readable and wish.use_salvage
            if not wish.dry_run:
                journaling.begin(folder, wish.target, report.notices)
            with store.write() as tx:
                journal.remember(tx, journaling.aside)
                parted = accounts.part(tx)
                if told := side_effects.settle(tx, waiting):
                    report.notices.append(told)
            found = lines(
                owners,
                journaled,
                salvaged,
                anchored=manifest is not None and bool(manifest.position),
                use_journal=wish.use_journal,
                use_salvage=wish.use_salvage,
            )
            _renew(store, found)
            say("bringing over what came since")
            homes: dict[str, int] = {}
            for gone in (True, False):
                if not gone:
                    _rename(store, found, report.done)
                for line in found:
                    if line.gone == gone:
                        home = _one(store, line, report.done)
                        homes |= {stretch.state.epoch: home for stretch in line.stretches}
            report.kin = _kin(found, salvaged)
            replaced = rows if wish.use_salvage else None
            _accounts(store, parted, replaced, journaled if wish.use_journal else None, found, homes, report)
        for line in found:
            report.unknown += line.unknown
            report.vanishing += line.vanishing
        report.vanishing += report.done.failed
        report.held = bool(report.vanishing or report.unknown) if wish.hold is None else wish.hold
        with store.write() as tx:
            tx.actor = ACTOR
            if report.held:
                hold.hold(tx, "a restored backup: something is missing")
            else:
                hold.release(tx)
            journal.remember(tx, journaling.folder)
    finally:
        store.close()
    return report


def _journaled(
    folder: Path | None, seqs: dict[str, int], manifest: Manifest | None, report: Report
) -> replay.Journaled | None:
    if folder is None:
        report.notices.append("there is no journal ([history] journal was not set, and --journal was not given)")
        return None
    try:
        # A segment has a name that no other has, wherever the disk is mounted now.
        found = replay.gather(folder, seqs, manifest.position if manifest is not None else {})
    except OSError as error:
        report.notices.append(f"the journal cannot be read: {folder}: {(error.strerror or str(error)).lower()}")
        return None
    report.notices += [str(fault) for fault in found.faults]
    if found.unknown:
        report.unknown.append(
            f"the journal {folder} has entries of a newer calsync ({', '.join(sorted(found.unknown))}), which are left "
            "out: restore with that one"
        )
    if found.ended:
        report.notices.append(f"the journal {folder} was given up at some time since the backup")
    if found.empty:
        report.notices.append(f"the journal {folder}: nothing is in it (is its disk mounted?)")
    elif found.lost:
        report.notices.append(f"the journal {folder}: segments that were there when the backup was made are missing")
    return found


def _renew(store: Store, found: list[Line]) -> None:
    """New epochs for all whom the backup holds: what phones know of the old ones no longer holds."""
    with store.write() as tx:
        tx.actor = ACTOR
        for line in found:
            if line.principal is not None and not line.gone:
                fresh = secrets.token_hex(8)
                tx.run(_RENEW, owner=line.principal.id, fresh=fresh)
                _note(tx, line, fresh, line.principal.seq)


def _note(tx: Transaction, line: Line, fresh: str, begin: int) -> None:
    """Say in journal and store which histories go on in this one."""
    lineage = json.loads(meta.get(tx, LINEAGE) or b"[]")
    for stretch in line.stretches:
        note = Restored(stretch.state.epoch, min(stretch.since, begin), fresh, begin, line.whole)
        tx.notes.append(note)
        lineage.append(asdict(note))
    meta.put(tx, LINEAGE, json.dumps(lineage).encode())


def _rename(store: Store, found: list[Line], done: Done) -> None:
    """Have everybody called as they were last. Names may have changed hands, so first nobody who moves has one."""
    with store.write() as tx:
        tx.actor = ACTOR
        moved = [
            (line, line.principal, renaming.rename(tx, line.principal, secrets.token_hex(16)))
            for line in found
            if line.principal is not None and not line.gone and line.called != line.principal.name
        ]
        late = []
        for line, before, now in moved:
            try:
                renaming.rename(tx, now, line.called)
            except Exists:
                done.failed.append(f"{before.name}: was called {line.called}, as somebody else is now")
                late.append((before, now))
        for before, now in late:
            name = before.name
            while (holder := principals.find(tx, name)) is not None and holder.id != now.id:
                name = f"{before.name}-{secrets.token_hex(2)}"
            renaming.rename(tx, now, name)


def _one(store: Store, line: Line, done: Done) -> int:
    """Bring a principal up to date; the id that it has here, 0 where it is gone."""
    principal = line.principal
    with store.write() as tx:
        tx.actor = ACTOR
        if principal is None:
            principal = principals.create(tx, line.name, line.kind)
            _note(tx, line, principal.epoch, 0)
            done.principals += 1
        elif line.gone:
            accounts.leave(tx, principal.id)
            principals.delete(tx, principal)
            done.deleted += 1
    if line.gone:
        return 0
    applying = Applying(
        store, replace(principal, name=line.called), 0 if line.principal is None else principal.seq, done
    )
    for stretch in line.stretches:
        applying.stretch(stretch, certain=line.certain)
    return principal.id


def _kin(found: list[Line], salvaged: salvage.Salvaged) -> bool:
    """Whether the replaced store has the history that the backup has: it is not one that was made after the loss."""
    backed = [line for line in found if line.principal is not None]
    return not backed or any(
        stretch.state.epoch in salvaged.states and not stretch.adding for line in backed for stretch in line.stretches
    )


def _accounts(
    store: Store,
    parted: accounts.Known,
    replaced: accounts.Known | None,
    journaled: replay.Journaled | None,
    found: list[Line],
    homes: Mapping[str, int],
    report: Report,
) -> None:
    epochs = {stretch.state.epoch for line in found if line.principal is not None for stretch in line.stretches[:1]}
    staying = {folded(line.called) for line in found if not line.gone}
    gone = {folded(line.called) for line in found if line.gone} - staying
    with store.write() as tx:
        tx.actor = ACTOR
        settled = accounts.settle(tx, parted, replaced, journaled, epochs, gone, homes, kin=report.kin)
        report.accounts, report.accounts_certain = settled.text, settled.certain
        report.notices += settled.notices
        audit.note(tx, "restored", items=report.done.items, backup=report.made)


def _write_note(target: Path, report: Report) -> None:
    """For whoever wonders later. It is done already, so nothing that goes wrong here counts."""
    stamp = datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H%M%SZ")
    note = target.with_name(f"{target.name}.restored-{stamp}.txt")
    with contextlib.suppress(OSError):
        note.touch(mode=0o600)
        note.write_text("".join(f"{line}\n" for line in report.lines()), encoding="utf-8")
