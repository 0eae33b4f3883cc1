"""What goes on beside answering: jobs, backups, the journal."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from calsync.doctor.finding import Checks, Finding, note, ok, problem, warning
from calsync.doctor.inside.context import Context
from calsync.jobs import leases, queue
from calsync.jobs.keeper import next_due
from calsync.jobs.tasks import TASKS
from calsync.recovery import backup
from calsync.recovery.manifest import BackupError
from calsync.store import journal
from calsync.store.errors import StoreError
from calsync.store.urls import path_of

CHECKS: Final[Checks[Context]] = Checks("Maintenance", (OSError, StoreError))

_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR


@CHECKS("queue")
def queued(context: Context) -> Iterator[Finding]:
    if context.store is None:
        return
    with context.store.read() as tx:
        counts = queue.counts(tx, int(context.now))
    if counts.dead:
        yield warning(
            f"{counts.dead} job{'s were' if counts.dead != 1 else ' was'} given up",
            "none",
            "calsync jobs says why; calsync jobs retry --all, or calsync jobs drop --all",
            "dead-jobs",
        )
    late = int(context.now - counts.oldest) if counts.oldest else 0
    if late > _HOUR:
        yield warning(
            f"{counts.waiting + counts.running} jobs wait, one for {late // _HOUR} h",
            "done within minutes",
            "calsync jobs says which, and why; does the server run with [calsync] jobs = True?",
            "late-jobs",
        )
    if not counts.dead and late <= _HOUR:
        yield ok(f"{counts.waiting + counts.running} waiting" if counts.waiting + counts.running else "nothing waits")


@CHECKS("housekeeping")
def kept(context: Context) -> Iterator[Finding]:
    if context.store is None:
        return
    wrong = False
    of = {}
    for store in {id(one): one for one in (context.store, context.logins) if one is not None}.values():
        with store.read() as tx:
            of[id(store)] = leases.states(tx)
    for task in TASKS.values():
        store = (context.logins or context.store) if task.of_accounts else context.store
        state = of[id(store)].get(task.name)
        if state is None or not state.done:
            continue
        if state.failures:
            wrong = True
            yield warning(
                f"{task.name} failed {state.failures} times: {state.error}", "done", f"calsync jobs run {task.name}",
                "task-failed",
            )  # fmt: skip
        elif (
            context.now - next_due(task, state, now=context.now) > max(2 * task.every, 2 * _DAY)
            and state.done <= context.now
        ):
            wrong = True
            yield warning(
                f"{task.name} was last done on {_day(state.done)}",
                f"every {task.every // _HOUR or 1} h",
                "let the server run with [calsync] jobs = True, or a timer call calsync jobs run",
                "task-late",
            )
    if not wrong:
        yield ok("done when it was due")


@CHECKS("backups")
def backups(context: Context) -> Iterator[Finding]:
    folder = context.option("backup", "folder")
    if not folder:
        if context.configuration is not None and context.url:
            yield note(
                "[backup] folder is not set: whether there are backups is not known here",
                "a backup a day",
                "set [backup] folder, and systemctl enable --now calsync-backup.timer",
                "no-backup-folder",
            )
        return
    try:
        found = [one for one in backup.listing(Path(folder)) if one.manifest is not None]
    except BackupError as error:
        yield warning(str(error), "a folder with backups", "calsync backup makes one", "no-backup")
        return
    good = [one.manifest.made for one in found if one.good and one.manifest is not None]
    if not good:
        yield warning(f"no good backup in {folder}", "one a day", "calsync backup", "no-backup")
        return
    age = context.now - max(good)
    last = found[-1]
    if last.manifest is not None and last.manifest.damaged:
        yield problem(
            f"the last backup holds damage: {last.manifest.damaged[0]}",
            "a whole one",
            "calsync verify --repair --from an older one; none is removed until then",
            "backup-damaged",
        )
    if age > 8 * _DAY:
        yield warning(
            f"the last good backup is {int(age // _DAY)} days old", "one a day",
            "calsync backup; then systemctl list-timers calsync-backup.timer", "backup-old",
        )  # fmt: skip
    else:
        when = f"{datetime.fromtimestamp(max(good), UTC):%Y-%m-%d %H:%M}"
        yield ok(f"{len(good)} good, the last of {when} UTC")
    if (context.folder is not None and context.folder.exists()) and Path(
        folder
    ).stat().st_dev == context.folder.stat().st_dev:
        yield note(
            f"{folder} is on the disk of the store", "a copy on another disk, better in another house",
            "copy the folder elsewhere (rsync, restic, borg), or set [backup] folder to another disk", "backup-disk",
        )  # fmt: skip


@CHECKS("journal")
def journals(context: Context) -> Iterator[Finding]:
    if context.store is None:
        return
    with context.store.read() as tx:
        folder = journal.folder_of(tx)
    wanted = context.option("history", "journal")
    if folder is None:
        if wanted:
            yield note(f"begins in {wanted} with the next start")
        else:
            yield ok("none is kept; a restore loses what came after the backup ([history] journal)")
        return
    if context.logins is not None and context.logins is not context.store:
        with context.logins.read() as tx:
            apart = journal.folder_of(tx) is None
        if apart:
            yield note(
                "the store of the logins ([auth] calsync_url) is in no journal: a restore of it loses what came since",
                "all stores in a journal, or one store for both",
                "leave [auth] calsync_url away, or back that store up often",
                "logins-journal",
            )
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        yield problem(
            f"{folder} {'cannot be written' if folder.is_dir() else 'is not there'}: nothing can be changed",
            "a folder that the server writes",
            "mount its disk, or let the server's user write there",
            "journal",
        )
        return
    if not journal.segments(folder):
        yield problem(
            f"{folder} is empty, though the store has its journal there",
            "the disk that holds it",
            "mount it; where it is lost, name another folder ([history] journal)",
            "journal",
        )
        return
    yield ok(str(folder))
    if context.folder is not None and folder.stat().st_dev == path_of(context.url).stat().st_dev:
        yield note(
            "it is on the disk of the store, and would be lost with it", "another disk", "set [history] journal to one",
            "journal-disk",
        )  # fmt: skip


@CHECKS("mirror")
def mirrored(context: Context) -> Iterator[Finding]:
    folder = context.option("calsync", "mirror")
    if folder and Path(folder).exists() and not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        yield problem(
            f"{folder} cannot be written", "a folder that the server writes", f"chown it ({folder})", "mirror"
        )


def _day(instant: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(instant))
