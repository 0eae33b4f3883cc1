"""History: what items held before they were overwritten, deleted or moved away, and what a collection held at a time.

Whatever ends a state writes one `revision` in the same transaction (`keep`), octet for octet inside the database. Time
is told in seconds: the state of a second is the one at its end. What was the state of an item at an instant is the
revision that ended first after it, or the item as it is where none did. How it is forgotten is in `purging`, whose
names are given on here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Text, and_, bindparam, func, insert, select

from calsync.store import forgetting
from calsync.store.errors import Damaged, StoreError
from calsync.store.purging import forget, forget_all, purge, used
from calsync.store.rows import ALL, COLUMNS, Item, get, is_whole
from calsync.store.schema import body, collection, item, property_revision, revision
from calsync.store.statement import Prepared, each, each_id

if TYPE_CHECKING:
    from calsync.store.places import Collection
    from calsync.store.transaction import Transaction

__all__ = [
    "CHANGED",
    "DELETED",
    "MOVED",
    "REASONS",
    "Held",
    "Revision",
    "Unknown",
    "as_of",
    "check_known",
    "find",
    "forget",
    "forget_all",
    "held_at",
    "items_at",
    "keep",
    "keep_properties",
    "members",
    "octets",
    "of_items",
    "properties_as_of",
    "purge",
    "revisions",
    "used",
]

CHANGED: Final = "changed"
DELETED: Final = "deleted"
MOVED: Final = "moved"
REASONS: Final = (CHANGED, DELETED, MOVED)


class Revision(NamedTuple):
    """A former state of an item. `ended`: its number, the seq of the change that ended it.

    It was the state from `since` until `until` (instants), where the item had not yet been elsewhere. `reason`:
    `changed`, `deleted` or `moved`; `actor`: who ended it. `properties`: the dead properties of one that went.
    """

    owner: int
    ended: int
    collection: int
    item: int
    href: str
    uid: str
    component: str
    etag: str
    size: int
    content_type: str
    properties: str
    since: int
    until: int
    reason: str
    actor: str


class Held(NamedTuple):
    """What a name held at an instant: the item as it still is, or the revision that it was."""

    href: str
    uid: str
    etag: str
    item: Item | None
    revision: Revision | None


class Unknown(StoreError):
    """What was then is not known any more, or was never."""


# --- keeping ----------------------------------------------------------------------------------------------------------

_OWNER: Final[ColumnElement[int]] = bindparam("owner")
_COLLECTION: Final[ColumnElement[int]] = bindparam("collection")
_ENDED: Final = bindparam("ended", type_=BigInteger)
_UNTIL: Final = bindparam("until", type_=BigInteger)
_ACTOR: Final = bindparam("actor", type_=Text)
_STATE: Final[dict[str, ColumnElement[Any]]] = {
    "ended": _ENDED,
    "item": item.c.id,
    "properties": bindparam("properties", type_=Text),
    "since": item.c.modified,
    "until": _UNTIL,
    "reason": bindparam("reason", type_=Text),
    "actor": _ACTOR,
    "octets": body.c.octets,
}
_KEEP: Final = Prepared(
    insert(revision).from_select(
        [column.name for column in revision.c],
        select(*(_STATE[column.name] if column.name in _STATE else item.c[column.name] for column in revision.c))
        .join_from(item, body, and_(body.c.owner == item.c.owner, body.c.item == item.c.id))
        .where(item.c.owner == _OWNER, item.c.collection == _COLLECTION, item.c.id == bindparam("id")),
    )
)
_KEEP_PROPERTIES: Final = Prepared(
    insert(property_revision).from_select(
        ["owner", "ended", "collection", "properties", "since", "until", "actor"],
        select(
            collection.c.owner,
            _ENDED,
            collection.c.id,
            collection.c.properties,
            func.coalesce(
                select(func.max(property_revision.c.until))
                .where(property_revision.c.owner == _OWNER, property_revision.c.collection == _COLLECTION)
                .scalar_subquery(),
                collection.c.created,
            ),
            _UNTIL,
            _ACTOR,
        ).where(collection.c.owner == _OWNER, collection.c.id == _COLLECTION),
    )
)


def keep(
    tx: Transaction,
    collection: Collection,
    ends: Sequence[tuple[int, int]],
    now: int,
    reason: str,
    properties: Mapping[int, Mapping[str, str]] | None = None,
) -> None:
    """Keep what items hold, which is about to end. `ends`: id and the seq of the change. `properties`: by id."""
    given = properties or {}
    tx.run_many(
        _KEEP,
        [
            {
                "owner": collection.owner,
                "collection": collection.id,
                "id": id_,
                "ended": seq,
                "until": now,
                "reason": reason,
                "actor": tx.actor,
                "properties": json.dumps(given[id_]) if id_ in given else "{}",
            }
            for id_, seq in ends
        ],
    )


def keep_properties(tx: Transaction, collection: Collection, seq: int, now: int) -> None:
    """Keep the properties of a collection, which are about to change."""
    tx.run(_KEEP_PROPERTIES, owner=collection.owner, collection=collection.id, ended=seq, until=now, actor=tx.actor)


# --- reading ----------------------------------------------------------------------------------------------------------

_SHOWN: Final = tuple(revision.c[name] for name in Revision._fields)
_NEWEST: Final[ColumnElement[int]] = revision.c.ended.desc()


def _listing(*conditions: ColumnElement[bool], newest: ColumnElement[int] = _NEWEST) -> Prepared:
    return Prepared(
        select(*_SHOWN)
        .where(
            revision.c.owner == _OWNER,
            *conditions,
            revision.c.ended < bindparam("before"),
            revision.c.until >= bindparam("since"),
            revision.c.reason.in_(each("reasons")),
        )
        .order_by(newest)
        .limit(bindparam("limit"))
    )


_OF_OWNER: Final = _listing()
# Negated, lest SQLite walks through all that the owner has to spare itself the sorting.
_OF_COLLECTION: Final = _listing(revision.c.collection == _COLLECTION, newest=-revision.c.ended)
_AT: Final = _listing(revision.c.collection == _COLLECTION, revision.c.href == bindparam("href"))
_OF_ITEMS: Final = _listing(revision.c.item.in_(each_id("items")))
_ITEMS_AT: Final = Prepared(
    select(revision.c.item)
    .where(revision.c.owner == _OWNER, revision.c.collection == _COLLECTION, revision.c.href == bindparam("href"))
    .distinct()
)
_GET: Final = Prepared(select(*_SHOWN).where(revision.c.owner == _OWNER, revision.c.ended == _ENDED))
_OCTETS: Final = Prepared(select(revision.c.octets).where(revision.c.owner == _OWNER, revision.c.ended == _ENDED))
_ENDED_AFTER: Final = Prepared(
    select(*_SHOWN).where(revision.c.owner == _OWNER, revision.c.until > bindparam("instant"))
)
_MEMBERS: Final = Prepared(
    select(*COLUMNS)
    .where(item.c.owner == _OWNER, item.c.collection == _COLLECTION, item.c.id > bindparam("after"))
    .order_by(item.c.id)
    .limit(bindparam("limit"))
)
_PROPERTIES_THEN: Final = Prepared(
    select(property_revision.c.properties)
    .where(
        property_revision.c.owner == _OWNER,
        property_revision.c.collection == _COLLECTION,
        property_revision.c.until > bindparam("instant"),
    )
    .order_by(property_revision.c.ended)
    .limit(1)
)


def revisions(
    tx: Transaction,
    owner: int,
    *,
    collection: int | None = None,
    href: str | None = None,
    reasons: Sequence[str] = REASONS,
    since: int = 0,
    before: int = ALL,
    limit: int = 100,
) -> list[Revision]:
    """Revisions that ended at `since` or later, the newest first: of an owner, a collection, or a name in it.

    The next page begins `before` the last one's `ended`.
    """
    values = {"owner": owner, "reasons": json.dumps(list(reasons)), "since": since, "before": before, "limit": limit}
    if collection is None:
        rows = tx.all(_OF_OWNER, **values)
    elif href is None:
        rows = tx.all(_OF_COLLECTION, collection=collection, **values)
    else:
        rows = tx.all(_AT, collection=collection, href=href, **values)
    return list(map(Revision._make, rows))


def of_items(
    tx: Transaction,
    owner: int,
    items: Sequence[int],
    *,
    reasons: Sequence[str] = REASONS,
    since: int = 0,
    before: int = ALL,
    limit: int = 100,
) -> list[Revision]:
    """The same for items by their ids, wherever they stood."""
    values = {"owner": owner, "reasons": json.dumps(list(reasons)), "since": since, "before": before, "limit": limit}
    return list(map(Revision._make, tx.all(_OF_ITEMS, items=json.dumps(list(items)), **values)))


def items_at(tx: Transaction, owner: int, collection: int, href: str) -> list[int]:
    """The ids of the items that had this name and are kept in history."""
    return [id_ for (id_,) in tx.all(_ITEMS_AT, owner=owner, collection=collection, href=href)]


def find(tx: Transaction, owner: int, ended: int) -> Revision | None:
    """The revision with this number."""
    row = tx.first(_GET, owner=owner, ended=ended)
    return None if row is None else Revision._make(row)


def octets(tx: Transaction, one: Revision) -> bytes:
    """What it held. Raises `Damaged` where that is not what was put."""
    row = tx.first(_OCTETS, owner=one.owner, ended=one.ended)
    if row is None or not is_whole(row[0], one.etag):
        raise Damaged(f"store: revision {one.ended} of {one.href}: its octets are not those that were put")
    return bytes(row[0])


# --- as of a time -----------------------------------------------------------------------------------------------------


def check_known(tx: Transaction, collection: Collection, instant: int) -> None:
    """Raise `Unknown` where nobody can say what the collection held at an instant."""
    if instant < collection.created:
        raise Unknown(f"{collection.name!r} was made later, {_told(collection.created)}")
    known = forgetting.reach(tx, collection.owner, collection.id)
    if instant < known:
        raise Unknown(f"the history of {collection.name!r} reaches back to {_told(known)}, not to {_told(instant)}")


def as_of(tx: Transaction, collection: Collection, instant: int) -> dict[str, Held]:
    """What a collection held at an instant, by name. Raises `Unknown`."""
    check_known(tx, collection, instant)
    first = _first_ended(tx, collection.owner, instant)
    held = {
        one.href: Held(one.href, one.uid, one.etag, None, one)
        for one in first.values()
        if one.collection == collection.id and one.since <= instant
    }
    for present in members(tx, collection):
        if present.modified <= instant and present.id not in first:
            held[present.href] = Held(present.href, present.uid, present.etag, present, None)
    return held


def members(tx: Transaction, collection: Collection) -> Iterator[Item]:
    """All items that a collection holds now, by id."""
    after, page = 0, 1000
    while True:
        rows = tx.all(_MEMBERS, owner=collection.owner, collection=collection.id, after=after, limit=page)
        yield from map(Item._make, rows)
        if len(rows) < page:
            return
        after = rows[-1][2]


def held_at(tx: Transaction, collection: Collection, href: str, instant: int) -> Held | None:
    """What one name held at an instant, None where there was nothing. Raises `Unknown`."""
    check_known(tx, collection, instant)
    ids = set(items_at(tx, collection.owner, collection.id, href))
    present = get(tx, collection, href)
    if present is not None:
        ids.add(present.id)
    first: dict[int, Revision] = {}
    for one in of_items(tx, collection.owner, sorted(ids), since=instant + 1, limit=ALL):
        first[one.item] = one  # the newest come first: the last to be noted ended first
    for one in first.values():
        if (one.collection, one.href) == (collection.id, href) and one.since <= instant:
            return Held(href, one.uid, one.etag, None, one)
    if present is not None and present.modified <= instant and present.id not in first:
        return Held(href, present.uid, present.etag, present, None)
    return None


def properties_as_of(tx: Transaction, collection: Collection, instant: int) -> Mapping[str, str]:
    """The properties that a collection had at an instant. Raises `Unknown`."""
    check_known(tx, collection, instant)
    row = tx.first(_PROPERTIES_THEN, owner=collection.owner, collection=collection.id, instant=instant)
    found: Mapping[str, str] = collection.properties if row is None else json.loads(row[0])
    return found


def _first_ended(tx: Transaction, owner: int, instant: int) -> dict[int, Revision]:
    """Of each item of which something ended after an instant, what ended first."""
    first: dict[int, Revision] = {}
    for one in map(Revision._make, tx.all(_ENDED_AFTER, owner=owner, instant=instant)):
        known = first.get(one.item)
        if known is None or one.ended < known.ended:
            first[one.item] = one
    return first


def _told(instant: int) -> str:
    return f"{datetime.fromtimestamp(instant, UTC).astimezone():%Y-%m-%d %H:%M:%S %z}"
