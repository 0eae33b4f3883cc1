"""Quarantine: what an import, a bulk write or a repair could not take, kept until somebody mends or drops it.

The same octets for the same place are kept once. What clients can fill it with is bounded for each owner, in number and
in octets: over that the oldest of theirs give way, because what was refused last is what somebody is looking for. What
an administrator's import put there stays until its time is over.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import ColumnElement, bindparam, delete, func, insert, or_, select, update

from calsync.store import meta, principals
from calsync.store.principals import lock_owner
from calsync.store.schema import quarantine
from calsync.store.statement import Prepared

if TYPE_CHECKING:
    from calsync.store.engine import Store
    from calsync.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was refused.

    `target`: path of the collection that it was meant for, below the home; `href`: the name that it was to have, or
    empty. `source`: `import`, `bulk`, `put`, `verify`. `origin`: which file or request. `reason`: for people.
    `condition`: Clark name of the precondition that it failed, or empty.
    """

    target: str
    href: str
    source: str
    origin: str
    reason: str
    octets: bytes
    condition: str = ""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is kept of an owner at most: entries, octets of all together, octets of one."""

    entries: int = 1000
    octets: int = 50_000_000
    largest: int = 10_000_000


class Entry(NamedTuple):
    """What is kept; see `Refusal`. `received`: an instant, `actor`: who sent it."""

    owner: int
    id: int
    digest: str
    target: str
    href: str
    source: str
    origin: str
    condition: str
    reason: str
    size: int
    received: int
    actor: str


_OWNER: Final[ColumnElement[int]] = bindparam("owner")
_ID: Final[ColumnElement[int]] = bindparam("id")
_CLIENTS: Final = or_(quarantine.c.source == "bulk", quarantine.c.source == "put")
_COLUMNS: Final = tuple(quarantine.c[name] for name in Entry._fields)
_LISTING: Final = Prepared(select(*_COLUMNS).where(quarantine.c.owner == _OWNER).order_by(quarantine.c.id))
_GET: Final = Prepared(select(*_COLUMNS).where(quarantine.c.id == _ID))
_OCTETS: Final = Prepared(select(quarantine.c.octets).where(quarantine.c.owner == _OWNER, quarantine.c.id == _ID))
_SAME: Final = Prepared(
    select(quarantine.c.id, quarantine.c.source).where(
        quarantine.c.owner == _OWNER,
        quarantine.c.target == bindparam("target"),
        quarantine.c.digest == bindparam("digest"),
    )
)
_AGAIN: Final = Prepared(
    update(quarantine)
    .where(quarantine.c.owner == _OWNER, quarantine.c.id == _ID)
    .values(
        {name: bindparam(f"new_{name}") for name in ("received", "reason", "condition", "source", "origin", "actor")}
    )
)
_INSERT: Final = Prepared(insert(quarantine))
_HELD: Final = Prepared(
    select(func.count(), func.coalesce(func.sum(quarantine.c.size), 0)).where(quarantine.c.owner == _OWNER, _CLIENTS)
)
_OLDEST: Final = Prepared(
    select(quarantine.c.id, quarantine.c.size)
    .where(quarantine.c.owner == _OWNER, _CLIENTS)
    .order_by(quarantine.c.received, quarantine.c.id)
)
_DROP: Final = Prepared(delete(quarantine).where(quarantine.c.owner == _OWNER, quarantine.c.id == _ID))
_OLD: Final = Prepared(
    select(quarantine.c.id).where(quarantine.c.owner == _OWNER, quarantine.c.received < bindparam("before")).limit(200)
)


def keep(tx: Transaction, owner: int, refusal: Refusal, bounds: Bounds | None) -> int:
    """Keep what was refused, in place of the oldest where that is needed; its id, 0 where it is too large to be kept.

    Without `bounds` nothing gives way.
    """
    lock_owner(tx, owner)
    size = len(refusal.octets)
    if bounds is not None and (size > min(bounds.largest, bounds.octets) or not bounds.entries):
        return 0
    digest = sha256(refusal.octets).hexdigest()
    now = int(time.time())
    told = {
        "received": now, "reason": refusal.reason, "condition": refusal.condition, "source": refusal.source,
        "origin": refusal.origin, "actor": tx.actor,
    }  # fmt: skip
    same = tx.first(_SAME, owner=owner, target=refusal.target, digest=digest)
    if same is not None:
        if bounds is not None:
            told["source"] = same[1]  # what an administrator brought stays theirs
        tx.run(_AGAIN, owner=owner, id=same[0], **{f"new_{name}": value for name, value in told.items()})
        return int(same[0])
    count, octets = held(tx, owner)
    if bounds is not None and (count >= bounds.entries or octets + size > bounds.octets):
        for id_, its_size in tx.all(_OLDEST, owner=owner):
            if count < bounds.entries and octets + size <= bounds.octets:
                break
            tx.run(_DROP, owner=owner, id=id_)
            count, octets = count - 1, octets - its_size
    id_ = meta.count(tx, "quarantine")
    tx.run(
        _INSERT, owner=owner, id=id_, digest=digest, target=refusal.target, href=refusal.href,
        octets=refusal.octets, size=size, **told,
    )  # fmt: skip
    return id_


def listing(tx: Transaction, owner: int) -> list[Entry]:
    """All that is kept of an owner's, in the order in which it came."""
    return [Entry._make(row) for row in tx.all(_LISTING, owner=owner)]


def get(tx: Transaction, id: int) -> Entry | None:
    """The entry with this id, whosever it is."""
    row = tx.first(_GET, id=id)
    return None if row is None else Entry._make(row)


def octets(tx: Transaction, entry: Entry) -> bytes | None:
    """What was refused; None where it is gone."""
    row = tx.first(_OCTETS, owner=entry.owner, id=entry.id)
    return None if row is None else bytes(row[0])


def held(tx: Transaction, owner: int) -> tuple[int, int]:
    """How many entries of clients, and how many octets they have together."""
    ((count, size),) = tx.all(_HELD, owner=owner)
    return int(count), int(size)


def drop(tx: Transaction, entry: Entry) -> bool:
    """Forget it; False where it was gone."""
    return bool(tx.run(_DROP, owner=entry.owner, id=entry.id))


def purge(store: Store, before: int) -> int:
    """Forget what came before an instant, a few at a time; how many."""
    with store.read() as tx:
        owners = [one.id for one in principals.listing(tx)]
    count = 0
    for owner in owners:
        while True:
            with store.read() as tx:
                old = tx.all(_OLD, owner=owner, before=before)
            if not old:
                break
            with store.write() as tx:
                count += sum(tx.run(_DROP, owner=owner, id=id_) for (id_,) in old)
    return count
