"""Jobs that a backup holds: most were done since, and nobody is to be told of the same thing twice.

The replaced store knows which still wait. Where it cannot be read, all of them are given up with the reason, for an
administrator to look at (`calsync jobs`): told late on purpose is better than told again by surprise.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Set
from typing import Final

from sqlalchemy import bindparam, delete, func, select, update

from calsync.store.schema import job
from calsync.store.statement import Prepared, each_id
from calsync.store.transaction import Transaction

_WAITING: Final = job.c.dead == 0
_COUNT: Final = Prepared(select(func.count()).where(_WAITING))
_GIVE_UP: Final = Prepared(update(job).where(_WAITING).values(dead=1, holder="", held=0, error=bindparam("why")))
_DONE: Final = Prepared(delete(job).where(_WAITING, job.c.id.not_in(each_id("still"))))
_LEFT: Final = Prepared(
    select(job.c.id, job.c.owner, job.c.topic).where(_WAITING).order_by(job.c.owner, job.c.topic, job.c.number)
)
# Nobody holds it any more, and what it waited for may be gone.
_FREE: Final = Prepared(update(job).where(job.c.id.in_(each_id("first"))).values(holder="", held=0, due=job.c.created))

_WHY: Final = "it waited when the backup was made that was restored; it may have been done since"


def waiting(connection: sqlite3.Connection) -> frozenset[int] | None:
    """The ids of the jobs that wait in a store, random numbers that no other job has; None where it does not tell."""
    try:
        return frozenset(number for (number,) in connection.execute("SELECT id FROM job WHERE dead = 0"))
    except sqlite3.Error:
        return None


def settle(tx: Transaction, still: Set[int] | None) -> str:
    """Keep of the backup's jobs those that `still` wait, where that is known; what became of them, for people."""
    (count,) = tx.first(_COUNT) or (0,)
    if not count:
        return ""
    if still is None:
        tx.run(_GIVE_UP, why=_WHY)
        return f"jobs: {count} of the backup are given up, as they may have been done since (calsync jobs)"
    done = tx.run(_DONE, still=json.dumps(sorted(still)))
    seen: set[tuple[int, str]] = set()
    first = []
    for number, owner, topic in tx.all(_LEFT):
        if not topic or (owner, topic) not in seen:
            seen.add((owner, topic))
            first.append(number)
    tx.run(_FREE, first=json.dumps(first))
    return f"jobs: {count - done} still wait, {done} of the backup were done since"
