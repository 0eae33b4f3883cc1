"""The queue of side effects: rows of `job`, written in the transaction that wants them and done after its commit.

    queue.put(tx, "hook", {"path": …}, owner=principal.id, topic="hook 7 a.ics")

A job is done once as far as the world allows: whoever runs it holds it for `LASTS` seconds and renews that; of one that
died the next takes it over, so what it had begun is begun again. Jobs of one owner and topic run one after the other,
in the order in which they were put: all but the first wait with a date that never comes, until the one before is over.
So whoever looks for work reads one row of an index, however many wait.
"""

from __future__ import annotations

import json
import random
import secrets
import weakref
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from sqlalchemy import bindparam, case, delete, func, insert, select, update

from calsync.store import clock
from calsync.store.schema import job
from calsync.store.statement import Prepared, each

if TYPE_CHECKING:
    from calsync.store.engine import Store
    from calsync.store.transaction import Transaction

#: Seconds for which a job is taken.
LASTS: Final = 30
#: How often a job is tried before it is given up: for about two and a half hours.
MOST: Final = 12
#: Seconds to the second try; each further one waits twice as long, up to the longest.
FIRST_PAUSE: Final = 5
LONGEST_PAUSE: Final = 3600

#: The date of a job that waits for another one.
BLOCKED: Final = 1 << 61

#: As much as is kept of an error.
_LONGEST_ERROR: Final = 500

_COLUMNS: Final = (
    job.c.id,
    job.c.kind,
    job.c.payload,
    job.c.owner,
    job.c.topic,
    job.c.number,
    job.c.created,
    job.c.due,
    job.c.attempts,
    job.c.dead,
    job.c.holder,
    job.c.held,
    job.c.error,
)


@dataclass(frozen=True, slots=True)
class Job:
    """A row of the table. `attempts`: how often it was begun; `held`: to when its holder has it."""

    id: int
    kind: str
    payload: Mapping[str, Any]
    owner: int
    topic: str
    number: int
    created: int
    due: int
    attempts: int
    dead: bool
    holder: str
    held: int
    error: str

    def state(self, now: float) -> str:
        """`running`, `waiting`, `blocked` (by an earlier one of its topic) or `dead`."""
        if self.dead:
            return "dead"
        if self.held > now:
            return "running"
        return "blocked" if self.due >= BLOCKED else "waiting"


_INSERT: Final = Prepared(insert(job))
# Locked, so that on PostgreSQL nobody ends the one before while the next is put behind it.
_LAST: Final = Prepared(
    select(job.c.number)
    .where(job.c.owner == bindparam("owner"), job.c.topic == bindparam("topic"), job.c.dead == 0)
    .order_by(job.c.number.desc())
    .limit(1)
    .with_for_update()
)
_DUE: Final = (
    select(*_COLUMNS)
    .where(job.c.dead == 0, job.c.due <= bindparam("now"), job.c.kind.in_(each("kinds")))
    .order_by(job.c.due)
    .limit(1)
)
_ANY: Final = Prepared(_DUE.with_only_columns(job.c.id))
_NEXT: Final = Prepared(_DUE.with_for_update(skip_locked=True))
_TAKE: Final = Prepared(
    update(job)
    .where(job.c.id == bindparam("which"), job.c.held < bindparam("now"))
    .values(holder=bindparam("who"), held=bindparam("to"), due=bindparam("to"), attempts=job.c.attempts + 1)
)
_MINE: Final = (job.c.id == bindparam("which"), job.c.holder == bindparam("who"), job.c.dead == 0)
_RENEW: Final = Prepared(update(job).where(*_MINE).values(held=bindparam("to"), due=bindparam("to")))
_DONE: Final = Prepared(delete(job).where(*_MINE))
_AGAIN: Final = Prepared(
    update(job).where(*_MINE).values(holder="", held=0, due=bindparam("at"), error=bindparam("why"))
)
_DEAD: Final = Prepared(
    update(job).where(job.c.id == bindparam("which")).values(dead=1, holder="", held=0, error=bindparam("why"))
)
_FOLLOWER: Final = (
    select(func.min(job.c.number))
    .where(job.c.owner == bindparam("whose"), job.c.topic == bindparam("about"), job.c.dead == 0)
    .scalar_subquery()
)
_RELEASE: Final = Prepared(
    update(job)
    .where(
        job.c.owner == bindparam("whose"),
        job.c.topic == bindparam("about"),
        job.c.dead == 0,
        job.c.number == _FOLLOWER,
        job.c.due == BLOCKED,
    )
    .values(due=job.c.created)  # its place in the line is that of its time
)
_GET: Final = Prepared(select(*_COLUMNS).where(job.c.id == bindparam("which")))
_LIST: Final = Prepared(select(*_COLUMNS).order_by(job.c.dead, job.c.due, job.c.owner, job.c.topic, job.c.number))
_RUNNING: Final = Prepared(select(*_COLUMNS).where(job.c.dead == 0, job.c.due > bindparam("now"), job.c.held > 0))
_REVIVE: Final = Prepared(
    update(job)
    .where(job.c.id == bindparam("which"))
    .values(dead=0, attempts=0, holder="", held=0, due=bindparam("at"), error="")
)
_ALL_DEAD: Final = Prepared(select(job.c.id).where(job.c.dead == 1))
_DROP: Final = Prepared(delete(job).where(job.c.id == bindparam("which")))
_COUNTS: Final = Prepared(
    select(
        func.count(),
        func.coalesce(func.sum(job.c.dead), 0),
        func.coalesce(func.sum(case((job.c.held > bindparam("now"), 1), else_=0)), 0),
        func.coalesce(func.min(case((job.c.dead == 0, job.c.created), else_=None)), 0),
    )
)


class Listener(Protocol):
    """Who is told that there is something to do."""

    store: Store

    def wake(self) -> None: ...


#: Those of this process.
_listeners: Final[weakref.WeakSet[Listener]] = weakref.WeakSet()


def listen(listener: Listener) -> None:
    """From now on tell `listener` of what this process puts into the queue of its store."""
    _listeners.add(listener)


# --- putting ----------------------------------------------------------------------------------------------------------


def put(
    tx: Transaction, kind: str, payload: Mapping[str, Any], owner: int, *, topic: str = "", delay: float = 0
) -> int:
    """Have a job done once the transaction is committed, never if it is rolled back; the job's id.

    `kind`: what is to be done (`Hands.kinds`). `payload`: JSON; better where to find things than the things. `topic`:
    jobs of the owner with the same one run in the order in which they were put.
    """
    now = clock.now()
    number, due = 0, int(now + delay)
    if topic:
        before = tx.first(_LAST, owner=owner, topic=topic)
        if before is not None:
            number, due = before[0] + 1, BLOCKED
    made = secrets.randbits(48)
    tx.run(
        _INSERT,
        id=made,
        kind=kind,
        payload=json.dumps(payload, ensure_ascii=False, separators=(",", ":")),
        owner=owner,
        topic=topic,
        number=number,
        created=now,
        due=due,
        attempts=0,
        dead=0,
        holder="",
        held=0,
        error="",
    )
    for listener in list(_listeners):
        if listener.store.owns(tx):
            tx.after_commit(listener.wake)
    return made


# --- running ----------------------------------------------------------------------------------------------------------


def any_due(tx: Transaction, kinds: Collection[str], now: int) -> bool:
    """Whether something is to be done; costs one row of an index."""
    return tx.first(_ANY, kinds=json.dumps(sorted(kinds)), now=now) is not None


def take(tx: Transaction, kinds: Collection[str], who: str, now: int, lasts: int = LASTS) -> Job | None:
    """The job that is due for longest, held by `who` from now on. One that always took its holder along is given up."""
    while True:
        row = tx.first(_NEXT, kinds=json.dumps(sorted(kinds)), now=now)
        if row is None:
            return None
        found = _job(row)
        if found.attempts >= MOST:
            why = found.error or "the process that ran it died, each time"
            _bury(tx, found, why)
            continue
        if tx.run(_TAKE, which=found.id, who=who, to=now + lasts, now=now + 1):
            taken = tx.first(_GET, which=found.id)
            assert taken is not None
            return _job(taken)
        return None


def renew(tx: Transaction, one: Job, who: str, now: int, lasts: int = LASTS) -> bool:
    """Hold it for longer; False where somebody else has it by now."""
    return bool(tx.run(_RENEW, which=one.id, who=who, to=now + lasts))


def done(tx: Transaction, one: Job, who: str) -> None:
    """It is over; the next of its topic may begin."""
    if tx.run(_DONE, which=one.id, who=who):
        _release(tx, one)


def failed(tx: Transaction, one: Job, who: str, now: int, error: str) -> bool:
    """It is tried again later and later, and given up at last; whether it is given up."""
    why = " ".join(error.split())[:_LONGEST_ERROR]
    if one.attempts < MOST:
        tx.run(_AGAIN, which=one.id, who=who, at=now + pause(one.attempts), why=why)
        return False
    if renew(tx, one, who, now):
        _bury(tx, one, why)
    return True


def running(tx: Transaction, now: int) -> list[Job]:
    """Those that somebody holds."""
    return [one for one in map(_job, tx.all(_RUNNING, now=now)) if one.held > now]


def give_back(tx: Transaction, one: Job, now: int) -> None:
    """Of a holder that is known to be dead: who wants it may take it."""
    tx.run(_AGAIN, which=one.id, who=one.holder, at=now, why=one.error)


def pause(attempts: int) -> int:
    """Seconds until the next try after so many; not all that failed together come again together."""
    longest = min(FIRST_PAUSE << min(attempts - 1, 20), LONGEST_PAUSE)
    return max(1, int(longest * random.uniform(0.75, 1.25)))


def _bury(tx: Transaction, one: Job, why: str) -> None:
    tx.run(_DEAD, which=one.id, why=why)
    _release(tx, one)


def _release(tx: Transaction, one: Job) -> None:
    if one.topic:
        tx.run(_RELEASE, whose=one.owner, about=one.topic)


# --- for people -------------------------------------------------------------------------------------------------------


def listing(tx: Transaction) -> list[Job]:
    """All there are, dead ones last."""
    return [_job(row) for row in tx.all(_LIST)]


def find(tx: Transaction, which: int) -> Job | None:
    """The job with this id."""
    row = tx.first(_GET, which=which)
    return None if row is None else _job(row)


def dead(tx: Transaction) -> list[int]:
    """The ids of those that were given up."""
    return [which for (which,) in tx.all(_ALL_DEAD)]


def retry(tx: Transaction, which: int, now: int) -> bool:
    """Try one at once, as if for the first time, before others of its topic; False where there is none or it runs."""
    found = find(tx, which)
    if found is None or found.state(now) in ("running", "blocked"):
        return False
    tx.run(_REVIVE, which=which, at=now)
    return True


def drop(tx: Transaction, which: int, now: int) -> bool:
    """Forget one; False where there is none or it runs."""
    found = find(tx, which)
    if found is None or found.state(now) == "running":
        return False
    tx.run(_DROP, which=which)
    _release(tx, found)
    return True


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there are. `oldest`: the instant since which one waits or runs, 0 where none does."""

    waiting: int
    running: int
    dead: int
    oldest: int


def counts(tx: Transaction, now: int) -> Counts:
    """Of the whole queue; costs what is in it."""
    row = tx.first(_COUNTS, now=now)
    assert row is not None
    every, gone, running, oldest = (int(value) for value in row)
    return Counts(every - gone - running, running, gone, oldest)


def _job(row: tuple[Any, ...]) -> Job:
    which, kind, payload, owner, topic, number, created, due, attempts, gone, holder, held, error = row
    return Job(
        which, kind, json.loads(payload), owner, topic, number, created, due, attempts, bool(gone), holder, held, error
    )
