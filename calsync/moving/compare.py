"""Whether a copy is one: every column of every row, and all octets against their checksums, while others write.

Rows that have changed since the last round stand in the change log, so they may differ; no others may.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, func, select

from calsync.moving import log
from calsync.moving.tables import OCTETS, TABLES, Key, Moved
from calsync.store.schema import body, collection, item, principal, tombstone
from calsync.store.statement import Prepared, each_id

if TYPE_CHECKING:
    from calsync.store.engine import Store
    from calsync.store.transaction import Row, Transaction

#: Entries of the change log with which pages are still compared; beyond it they are followed first.
_PENDING: Final = 1000

_BODIES: Final = Prepared(
    select(body.c.item, body.c.octets).where(body.c.owner == bindparam("owner"), body.c.item.in_(each_id("items")))
)
_TOKENS: Final = Prepared(
    select(principal.c.id, principal.c.epoch, principal.c.seq, principal.c.horizon).order_by(principal.c.id)
)
_SUMS: Final = {
    table.name: Prepared(select(func.coalesce(func.sum(table.c.seq), 0))) for table in (item, collection, tombstone)
}
_COLUMNS: Final = [column.name for column in item.columns]


@dataclass(slots=True)
class Found:
    """`rows`: that were compared. `differing`: of them, in words. `damaged`: items whose octets were wrong before."""

    rows: int = 0
    bodies: int = 0
    differing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def compared(
    source: Store, target: Store, follow: Callable[[], int], progress: Callable[[int], None] = lambda _count: None
) -> Found:
    """Compare all there is. `follow` brings the changes so far over."""
    found = Found()
    for one in TABLES.values():
        after: Key | None = None
        follow()
        while True:
            with source.read() as tx:
                changed = log.entries(tx)
                here = one.page(tx, after)
            if len(changed.ids) > _PENDING:
                follow()
                continue
            pending = changed.keys.get(one.name, {})
            upto = one.key_of(here[-1]) if here else None
            with target.read() as tx:
                there = one.page(tx, after, upto, len(here) + len(pending) + 1)
            _differing(one, here, there, pending, found)
            if one.name == "item":
                _sound(target, [row for row in here if one.key_of(row) not in pending], found)
            found.rows += len(here)
            progress(len(here))
            if upto is None:
                break
            after = upto
    return found


def _differing(one: Moved, here: Sequence[Row], there: Sequence[Row], pending: dict[Key, None], found: Found) -> None:
    if list(here) == list(there):
        return
    left = {one.key_of(row): tuple(row) for row in here}
    right = {one.key_of(row): tuple(row) for row in there}
    for key in dict.fromkeys((*left, *right)):
        if key not in pending and left.get(key) != right.get(key):
            what = "is missing" if key not in right else "is too much" if key not in left else "differs"
            found.differing.append(f"{one.name} {one.written(key)} {what}")


def _sound(target: Store, rows: Sequence[Row], found: Found) -> None:
    """Octets of the copy against the checksums of their items."""
    waiting: dict[int, tuple[str, str]] = {}
    owner, octets = 0, 0

    def look() -> None:
        nonlocal octets
        if not waiting:
            return
        with target.read() as tx:
            bodies: dict[int, Any] = dict(tx.all(_BODIES, owner=owner, items=json.dumps(list(waiting))))
        for id_, (etag, href) in waiting.items():
            if id_ not in bodies or sha256(bodies[id_]).hexdigest() != etag:
                found.damaged.append(f"owner {owner}, item {id_} ({href})")
        found.bodies += len(waiting)
        waiting.clear()
        octets = 0

    for row in rows:
        values = dict(zip(_COLUMNS, row, strict=True))
        if values["owner"] != owner or octets > OCTETS:
            look()
            owner = values["owner"]
        waiting[values["id"]] = values["etag"], values["href"]
        octets += values["size"]
    look()


def totals(source: Transaction, target: Transaction) -> list[str]:
    """What of two stores that nobody writes does not agree: numbers of rows, sums of `seq`, all that tokens hold."""
    problems = []
    for one in TABLES.values():
        here, there = one.count(source), one.count(target)
        if here != there:
            problems.append(f"{one.name}: {there} rows of {here}")
    for name, statement in _SUMS.items():
        if source.first(statement) != target.first(statement):
            problems.append(f"{name}: the sum of seq differs")
    if source.all(_TOKENS) != target.all(_TOKENS):
        problems.append("principal: epoch, seq or horizon differ")
    return problems
