"""Items as they are read: an `Item` is all that is known of one, an `ItemRow` is what a listing shows.

`items` gives these names on beside those that write.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, exists, select

from calsync import counters
from calsync.casemap import fold
from calsync.counters import families
from calsync.store.errors import Damaged
from calsync.store.places import Collection
from calsync.store.schema import LISTED, dead_property, item, mount
from calsync.store.schema import body as body_table
from calsync.store.statement import Prepared, each, each_id, sought

if TYPE_CHECKING:
    from calsync.store.transaction import Transaction

#: As great as any id or seq will ever be.
ALL: Final = 2**62


class ItemRow(NamedTuple):
    """What a listing shows of an item. `url`: its name, percent-encoded. `etag`: sha256 in hex, without quotes."""

    id: int
    url: str
    etag: str
    component: str
    size: int
    seq: int
    created: int
    modified: int
    content_type: str


class Item(NamedTuple):
    """Everything about an item but its octets.

    `href`: the name, `url`: percent-encoded. `etag`: sha256 of the octets in hex. `size`: octets. `first`, `last`: what
    happens in the item lies between these instants (`calsync.ical.facts`). `recurring`, `floating`: 0 or 1.
    `content_type`: of a file, as it was sent.
    """

    owner: int
    collection: int
    id: int
    href: str
    url: str
    uid: str
    component: str
    etag: str
    size: int
    first: int
    last: int
    recurring: int
    floating: int
    organizer: str
    schedule_tag: str | None
    content_type: str
    seq: int
    created: int
    modified: int


COLUMNS: Final = (
    item.c.owner,
    item.c.collection,
    item.c.id,
    item.c.href,
    item.c.url,
    item.c.uid,
    item.c.component,
    item.c.etag,
    item.c.size,
    item.c.first,
    item.c.last,
    item.c.recurring,
    item.c.floating,
    item.c.organizer,
    item.c.schedule_tag,
    item.c.content_type,
    item.c.seq,
    item.c.created,
    item.c.modified,
)
_HERE: Final = and_(item.c.owner == bindparam("owner"), item.c.collection == bindparam("collection"))
_BODY_OF: Final = and_(body_table.c.owner == item.c.owner, body_table.c.item == item.c.id)

_GET: Final = Prepared(select(*COLUMNS).where(_HERE, item.c.href == bindparam("href")))
_BY_ID: Final = Prepared(select(*COLUMNS).where(_HERE, item.c.id == bindparam("id")))
_SAME_UID: Final = and_(
    item.c.owner == bindparam("owner"), item.c.uid_key == bindparam("key"), item.c.uid == bindparam("uid")
)
_BY_UID: Final = Prepared(
    select(*COLUMNS).where(_SAME_UID, item.c.collection == bindparam("collection")).order_by(item.c.id)
)
# What lies in the trash has no mount.
_STANDS: Final = exists().where(
    mount.c.owner == item.c.owner, mount.c.collection == item.c.collection, mount.c.principal == item.c.owner
)
_OWNERS_UID: Final = Prepared(select(*COLUMNS).where(_SAME_UID, _STANDS).order_by(item.c.id))


def _paged(*columns: ColumnElement[Any]) -> Prepared:
    return Prepared(
        select(*columns)
        .where(_HERE, item.c.id > bindparam("after"), item.c.id <= bindparam("upto"))
        .order_by(item.c.id)
        .limit(bindparam("limit"))
    )


_PAGE: Final = _paged(*LISTED)
_BODY: Final = Prepared(
    select(body_table.c.octets).where(body_table.c.owner == bindparam("owner"), body_table.c.item == bindparam("item"))
)
_OCTETS: Final = select(body_table.c.octets).where(_BODY_OF).scalar_subquery()
_NAMED: Final = Prepared(
    select(*COLUMNS).where(_HERE, item.c.href.in_(each("hrefs"))),
    postgresql=sought(COLUMNS, _HERE, by=item.c.href, name="hrefs"),
)
_HOLDERS: Final = Prepared(
    select(item.c.uid, item.c.href).where(_HERE, item.c.uid_key.in_(each("keys"))).order_by(item.c.id.desc()),
    postgresql=sought((item.c.uid, item.c.href), _HERE, by=item.c.uid_key, name="keys", order=-item.c.id),
)
_NAMED_BODIES: Final = Prepared(
    select(*COLUMNS, body_table.c.octets).outerjoin(body_table, _BODY_OF).where(_HERE, item.c.href.in_(each("hrefs"))),
    postgresql=sought((*COLUMNS, _OCTETS), _HERE, by=item.c.href, name="hrefs"),
)
_ROWS: Final = Prepared(
    select(*LISTED).where(_HERE, item.c.id.in_(each_id("items"))).order_by(item.c.id),
    postgresql=sought(LISTED, _HERE, by=item.c.id, name="items", order=item.c.id),
)
_BODIES: Final = Prepared(
    select(body_table.c.item, body_table.c.octets).where(
        body_table.c.owner == bindparam("owner"), body_table.c.item.in_(each_id("items"))
    )
)
_PROPERTIES: Final = Prepared(
    select(dead_property.c.item, dead_property.c.name, dead_property.c.xml)
    .where(dead_property.c.owner == bindparam("owner"), dead_property.c.item.in_(each_id("items")))
    .order_by(dead_property.c.item, dead_property.c.name)
)

#: Items whose octets are read at once where all of a collection are.
_PAGE_OF_BODIES: Final = 200


def get(tx: Transaction, collection: Collection, href: str) -> Item | None:
    """The item with this name."""
    row = tx.first(_GET, owner=collection.owner, collection=collection.id, href=href)
    return None if row is None else Item._make(row)


def get_by_id(tx: Transaction, collection: Collection, id: int) -> Item | None:
    """The item with this id."""
    row = tx.first(_BY_ID, owner=collection.owner, collection=collection.id, id=id)
    return None if row is None else Item._make(row)


def by_uid(tx: Transaction, collection: Collection, uid: str) -> Item | None:
    """The item of this collection that holds a UID."""
    row = tx.first(_BY_UID, owner=collection.owner, collection=collection.id, key=fold(uid), uid=uid)
    return None if row is None else Item._make(row)


def with_uid(tx: Transaction, owner: int, uid: str) -> list[Item]:
    """All items of an owner that hold a UID, whatever the collection."""
    return [Item._make(row) for row in tx.all(_OWNERS_UID, owner=owner, key=fold(uid), uid=uid)]


def page(tx: Transaction, collection: Collection, after: int, limit: int, upto: int = ALL) -> list[ItemRow]:
    """At most `limit` rows of a listing, by id, from the first id greater than `after` (0 for the first page).

    With the collection's `seq` as `upto`, pages from many short reads make up the collection as it was then: an item
    that came since is left out, one that changed since shows its new state, none is missing because it changed.
    """
    rows = tx.all(_PAGE, owner=collection.owner, collection=collection.id, after=after, upto=upto, limit=limit)
    return list(map(ItemRow._make, rows))


def listing(
    tx: Transaction, collection: Collection, columns: tuple[str, ...], after: int, limit: int, upto: int = ALL
) -> list[tuple[Any, ...]]:
    """A page as `page` gives it, of some columns of `ItemRow` only: each costs a tenth of a microsecond a row.

    The first column is to be `id`, by which the next page continues.
    """
    return tx.all(
        _listing(columns), owner=collection.owner, collection=collection.id, after=after, upto=upto, limit=limit
    )


@cache
def _listing(columns: tuple[str, ...]) -> Prepared:
    return _paged(*(item.c[name] for name in columns))


def rows(tx: Transaction, collection: Collection, ids: Sequence[int]) -> list[ItemRow]:
    """The rows of the items with these ids, by id; those that are gone are missing."""
    found = tx.all(_ROWS, owner=collection.owner, collection=collection.id, items=json.dumps(list(ids)))
    return list(map(ItemRow._make, found))


def named(tx: Transaction, collection: Collection, hrefs: Sequence[str]) -> dict[str, Item]:
    """The items with these names, by name; those that do not exist are missing."""
    found = tx.all(_NAMED, owner=collection.owner, collection=collection.id, hrefs=json.dumps(list(hrefs)))
    return {row[3]: Item._make(row) for row in found}


def uid_holders(tx: Transaction, collection: Collection, uids: Sequence[str]) -> dict[str, str]:
    """Which name holds each of these UIDs in the collection; those that nobody holds are missing."""
    keys = json.dumps(list({fold(uid) for uid in uids}))
    found: dict[str, str] = dict(tx.all(_HOLDERS, owner=collection.owner, collection=collection.id, keys=keys))
    return {uid: found[uid] for uid in uids if uid in found}


def body(tx: Transaction, item: Item) -> bytes:
    """The octets, as they were put. Raises `Damaged` where the disk gives back something else."""
    row = tx.first(_BODY, owner=item.owner, item=item.id)
    return checked(item, None if row is None else row[0])


def bodies(
    tx: Transaction, collection: Collection, hrefs: Sequence[str]
) -> list[tuple[str, Item | None, bytes | Damaged | None]]:
    """(href, item, octets) for each of `hrefs`, in their order; a damaged item has its error in place of octets."""
    found: dict[str, tuple[Item, bytes | Damaged]] = {}
    for *columns, octets in tx.all(
        _NAMED_BODIES, owner=collection.owner, collection=collection.id, hrefs=json.dumps(list(dict.fromkeys(hrefs)))
    ):
        item = Item._make(columns)
        found[item.href] = item, _checked_or_error(item, octets)
    return [(href, *found.get(href, (None, None))) for href in hrefs]


def page_bodies(tx: Transaction, collection: Collection, ids: Sequence[int]) -> dict[int, bytes]:
    """The octets of items by id, unchecked: see `checked`."""
    return dict(tx.all(_BODIES, owner=collection.owner, items=json.dumps(list(ids))))


def checked(item: Item | ItemRow, octets: bytes | None) -> bytes:
    """The octets, if they are those that were put. Raises `Damaged` for this one item otherwise."""
    if octets is None or not is_whole(octets, item.etag):
        counters.add(families.DAMAGE)
        raise Damaged(f"store: item {item.url}: its stored octets are not those that were put (checksum {item.etag})")
    return octets


def is_whole(octets: object, etag: str) -> bool:
    """Whether these are the octets of this checksum. SQLite gives back text where a damaged row says that it is."""
    return isinstance(octets, bytes) and sha256(octets).hexdigest() == etag


def damaged(tx: Transaction, collection: Collection) -> list[ItemRow]:
    """The items whose octets are not those that were put. All of them are read, page by page."""
    found: list[ItemRow] = []
    after = 0
    while read := page(tx, collection, after, _PAGE_OF_BODIES):
        octets = page_bodies(tx, collection, [row.id for row in read])
        for row in read:
            if not is_whole(octets.get(row.id), row.etag):
                counters.add(families.DAMAGE)
                found.append(row)
        after = read[-1].id
    return found


def _checked_or_error(item: Item, octets: bytes | None) -> bytes | Damaged:
    try:
        return checked(item, octets)
    except Damaged as error:
        return error


def properties(tx: Transaction, collection: Collection, ids: Sequence[int]) -> dict[int, dict[str, str]]:
    """The dead properties of items: id → Clark name → the element, whole. Items that have none are missing."""
    found: dict[int, dict[str, str]] = {}
    for id_, name, xml in tx.all(_PROPERTIES, owner=collection.owner, items=json.dumps(list(ids))):
        found.setdefault(id_, {})[name] = xml
    return found
