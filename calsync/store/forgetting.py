"""How history is forgotten, a few rows at a time, and how far back it can be believed after that.

What items held at an instant is found out from all that ended since. So what is forgotten leaves a mark, `reach`: the
instant from which on the answer is right. The marks of an owner are one JSON object in `meta`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, bindparam, delete, func, select

from calsync.store import meta
from calsync.store.schema import property_revision, revision
from calsync.store.statement import Prepared, each_id

if TYPE_CHECKING:
    from calsync.store.transaction import Transaction

#: Rows that a transaction removes at most, and octets, about: nobody is to wait for it.
CHUNK: Final = 500
OCTETS: Final = 16 << 20
_AHEAD: Final = 86_400  # seconds by which clocks may differ

_OWNER: Final[ColumnElement[int]] = bindparam("owner")
_COLLECTION: Final[ColumnElement[int]] = bindparam("collection")


class Old(NamedTuple):
    """A revision as far as forgetting it goes. `until`: the instant at which it ended."""

    ended: int
    collection: int
    until: int
    reason: str
    size: int


def _old(*conditions: ColumnElement[bool]) -> Select[tuple[int, int, int, str, int]]:
    return (
        select(revision.c.ended, revision.c.collection, revision.c.until, revision.c.reason, revision.c.size)
        .where(revision.c.owner == _OWNER, *conditions)
        .limit(bindparam("limit"))
    )


_OLDEST: Final = Prepared(_old(revision.c.ended > bindparam("after")).order_by(revision.c.ended))
_OF_COLLECTION: Final = Prepared(_old(revision.c.collection == _COLLECTION))
_OF_ITEMS: Final = Prepared(_old(revision.c.item.in_(each_id("items"))))
_FORGET: Final = Prepared(delete(revision).where(revision.c.owner == _OWNER, revision.c.ended.in_(each_id("ended"))))
_SIZE: Final = Prepared(select(func.coalesce(func.sum(revision.c.size), 0)).where(revision.c.owner == _OWNER))
_OLD_PROPERTIES: Final = Prepared(
    select(property_revision.c.ended, property_revision.c.collection, property_revision.c.until)
    .where(property_revision.c.owner == _OWNER)
    .order_by(property_revision.c.ended)
    .limit(bindparam("limit"))
)
_FORGET_PROPERTIES: Final = Prepared(
    delete(property_revision).where(
        property_revision.c.owner == _OWNER, property_revision.c.ended.in_(each_id("ended"))
    )
)
_FORGET_PROPERTIES_OF: Final = Prepared(
    delete(property_revision).where(property_revision.c.owner == _OWNER, property_revision.c.collection == _COLLECTION)
)


def reach(tx: Transaction, owner: int, collection: int) -> int:
    """The instant from which on the history of a collection is whole."""
    marks = _marks(tx, owner)
    everywhere = int(meta.get(tx, "history") or b"0")
    return max(everywhere, marks.get("", 0), marks.get(str(collection), 0))


def oldest(tx: Transaction, owner: int, before: int, limit: int = CHUNK) -> list[Old]:
    """The revisions of an owner that ended before an instant, the oldest first, up to the first that is young.

    The order is that of the changes: what seems old because the clock stood in the past for a while is as young as what
    was changed before it. What seems to come from the future ends nothing; it stays until then.
    """
    ahead, after = int(time.time()) + _AHEAD, 0
    old: list[tuple[int, int, int, str, int]] = []
    while True:
        page = tx.all(_OLDEST, owner=owner, after=after, limit=CHUNK)
        for row in page:
            if row[2] < before:
                old.append((row[0], row[1], row[2], row[3], row[4]))
            elif row[2] <= ahead:
                return _cut(old)
            if len(old) == limit:
                return _cut(old)
        if len(page) < CHUNK:
            return _cut(old)
        after = page[-1][0]


def of_collection(tx: Transaction, owner: int, collection: int) -> list[Old]:
    """Some of the revisions of a collection."""
    return _cut(tx.all(_OF_COLLECTION, owner=owner, collection=collection, limit=CHUNK))


def of_items(tx: Transaction, owner: int, items: Iterable[int]) -> list[Old]:
    """Some of the revisions of these items, wherever they stood."""
    return _cut(tx.all(_OF_ITEMS, owner=owner, items=json.dumps(list(items)), limit=CHUNK))


def size(tx: Transaction, owner: int) -> int:
    """Octets of all revisions of an owner."""
    row = tx.first(_SIZE, owner=owner)
    return 0 if row is None else int(row[0])


def forget(tx: Transaction, owner: int, old: Iterable[Old], *, everywhere: bool) -> int:
    """Remove revisions; how many. `everywhere`: they are the oldest of all the owner has."""
    old = list(old)
    marks: dict[str, int] = {}
    for one in old:
        # Where an item came from tells from when on it stood where it went.
        key = "" if everywhere or one.reason == "moved" else str(one.collection)
        marks[key] = max(marks.get(key, 0), one.until)
    _mark(tx, owner, marks)
    return tx.run(_FORGET, owner=owner, ended=json.dumps([one.ended for one in old])) if old else 0


def oldest_properties(tx: Transaction, owner: int, before: int) -> list[tuple[int, int, int]]:
    """Of the oldest properties that collections had, those that ended before an instant: number, collection, until."""
    rows = tx.all(_OLD_PROPERTIES, owner=owner, limit=CHUNK)
    return [(ended, collection, until) for ended, collection, until in rows if until < before]


def forget_properties(tx: Transaction, owner: int, old: Sequence[tuple[int, int, int]]) -> int:
    """Remove them; how many there were."""
    marks: dict[str, int] = {}
    for _, collection, until in old:
        marks[str(collection)] = max(marks.get(str(collection), 0), until)
    _mark(tx, owner, marks)
    return tx.run(_FORGET_PROPERTIES, owner=owner, ended=json.dumps([ended for ended, _, _ in old]))


def forget_properties_of(tx: Transaction, owner: int, collection: int, now: int) -> int:
    """Remove what is known of earlier properties of a collection; how many there were."""
    removed = tx.run(_FORGET_PROPERTIES_OF, owner=owner, collection=collection)
    if removed:
        _mark(tx, owner, {str(collection): now})
    return removed


def unmark(tx: Transaction, owner: int, collection: int | None = None) -> None:
    """Drop the mark of a collection that is gone for good, or with None all marks of an owner."""
    marks = _marks(tx, owner)
    if collection is None:
        meta.remove(tx, _key(owner))
    elif marks.pop(str(collection), None) is not None:
        meta.put(tx, _key(owner), json.dumps(marks).encode())


def _marks(tx: Transaction, owner: int) -> dict[str, int]:
    found: dict[str, int] = json.loads(meta.get(tx, _key(owner)) or b"{}")
    return found


def _mark(tx: Transaction, owner: int, higher: dict[str, int]) -> None:
    marks = _marks(tx, owner)
    raised = marks | {key: instant for key, instant in higher.items() if instant > marks.get(key, 0)}
    if raised != marks:
        meta.put(tx, _key(owner), json.dumps(raised).encode())


def _key(owner: int) -> str:
    return f"history:{owner}"


def _cut(rows: Iterable[tuple[int, int, int, str, int]]) -> list[Old]:
    """So many of the rows as one transaction may remove."""
    chosen: list[Old] = []
    octets = 0
    for row in map(Old._make, rows):
        octets += row.size
        if chosen and octets > OCTETS:
            break
        chosen.append(row)
    return chosen
