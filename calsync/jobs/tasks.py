"""What is done now and then, in one table.

SQLite's own housekeeping is not among it: `PRAGMA optimize` would replace the model by which the store's plans are made
(`store.plans`) with the sizes of the day, and the log shrinks by itself when a checkpoint has emptied it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, delete, select

from calsync.accounts import audit as trail
from calsync.accounts import throttle
from calsync.jobs.retention import Retention
from calsync.moving.mirror import Mirror
from calsync.store import changes, history, principals, quarantine, reindex
from calsync.store import journal as journals
from calsync.store.errors import Damaged
from calsync.store.schema import lock, login_flow, tombstone, web_session
from calsync.store.statement import Prepared

if TYPE_CHECKING:
    from calsync.store.engine import Store

HOUR: Final = 3600
DAY: Final = 24 * HOUR

Stop = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Work:
    """What a task gets: the store, how long things are kept, the instant, and whether it is to stop."""

    store: Store
    kept: Retention
    now: int
    stop: Stop = lambda: False


@dataclass(frozen=True, slots=True)
class Task:
    """`every`: seconds. `run` says how much it did. `of_accounts`: it is about the store of the logins, which may be
    another one. `wanted`: whether the configuration asks for it."""

    name: str
    every: int
    text: str
    run: Callable[[Work], int]
    of_accounts: bool = False
    wanted: Callable[[Retention], bool] = lambda _kept: True


_CHUNK: Final = 500
_GRAVES: Final = Prepared(
    select(tombstone.c.seq, tombstone.c.deleted)
    .where(tombstone.c.owner == bindparam("owner"))
    .order_by(tombstone.c.seq)
)
_LOCKS: Final = Prepared(delete(lock).where(lock.c.expires <= bindparam("now")))
_SESSIONS: Final = Prepared(delete(web_session).where(web_session.c.expires <= bindparam("now")))
_FLOWS: Final = Prepared(delete(login_flow).where(login_flow.c.expires <= bindparam("now")))


def _history(work: Work) -> int:
    before = work.now - work.kept.history if work.kept.history else 1  # what was begun is ended in any case
    return history.purge(work.store, before=before, size=work.kept.history_size)


def _tombstones(work: Work) -> int:
    """Up to the first that is young: a token is void or holds, there is no in-between."""
    if not work.kept.tombstones:
        return 0
    before, count = work.now - work.kept.tombstones, 0
    with work.store.read() as tx:
        owners = principals.listing(tx)
    for owner in owners:
        with work.store.read() as tx:
            graves = tx.all(_GRAVES, owner=owner.id)
        old: list[int] = []
        for seq, deleted in graves:
            if deleted >= before:
                break
            old.append(seq)
        for last in old[_CHUNK - 1 :: _CHUNK] + old[-1:]:
            if work.stop():
                return count
            with work.store.write() as tx:
                count += changes.forget(tx, owner, last)
    return count


def _locks(work: Work) -> int:
    with work.store.write() as tx:
        return tx.run(_LOCKS, now=work.now)


def _window(work: Work) -> int:
    told = reindex.keep_window(work.store, work.now, stop=work.stop)
    if told.problems:
        path, text = told.problems[0]
        raise Damaged(f"{len(told.problems)} items could not be derived anew, {path} among them: {text}")
    return told.done


def _quarantine(work: Work) -> int:
    return quarantine.purge(work.store, work.now - work.kept.quarantine) if work.kept.quarantine else 0


def _journal(work: Work) -> int:
    with work.store.read() as tx:
        folder = journals.folder_of(tx)
    if folder is None or not work.kept.journal:
        return 0
    return len(journals.prune(folder, work.now - work.kept.journal))


def _audit(work: Work) -> int:
    if not work.kept.audit:
        return 0
    with work.store.write() as tx:
        return trail.purge(tx, work.now - work.kept.audit)


def _sign_in(work: Work) -> int:
    with work.store.write() as tx:
        throttle.clean(tx, work.now)
        return tx.run(_SESSIONS, now=work.now) + tx.run(_FLOWS, now=work.now)


def _mirrored(kept: Retention) -> bool:
    return bool(kept.mirror)


def _mirror(work: Work) -> int:
    if not work.kept.mirror:
        return 0
    with Mirror(work.store, Path(work.kept.mirror)) as mirror:
        done = mirror.look(work.stop)
    if done.problems:
        raise Damaged(f"{len(done.problems)} items keep their last good file, {done.problems[0]} among them")
    return done.written + done.removed


TASKS: Final = {
    task.name: task
    for task in (
        Task("history", 6 * HOUR, "forget revisions and trash that are older than [history] days", _history),
        Task("tombstones", DAY, "forget deletions older than [history] tombstone_days", _tombstones),
        Task("window", DAY, "keep the occurrences of recurring items for the years around now", _window),
        Task("locks", HOUR, "remove WebDAV locks that have expired", _locks),
        Task("quarantine", DAY, "forget refused objects older than [history] quarantine_days", _quarantine),
        Task("journal", DAY, "remove journal files older than [history] journal_days", _journal),
        Task("audit", DAY, "forget audit entries older than [auth] audit_days", _audit, of_accounts=True),
        Task("sign-in", HOUR, "remove sessions, waiting apps and failures that count no more", _sign_in, True),
        Task("mirror", 60, "bring the folder of plain files in [calsync] mirror up to date", _mirror, wanted=_mirrored),
    )
}
