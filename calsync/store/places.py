"""Collections as they are read, and where they stand.

A collection belongs to its owner for good; where it is seen, and under which name, its mount says. `collections` gives
these names on beside those that write.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, exists, insert, select, update
from sqlalchemy import delete as delete_from

from calsync.store.errors import Absent, Exists
from calsync.store.principals import Principal, read_properties
from calsync.store.schema import collection, item, mount, principal, tombstone
from calsync.store.statement import Prepared, each

if TYPE_CHECKING:
    from calsync.store.transaction import Transaction

#: The parent of what stands in the home itself.
HOME: Final = 0


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection as its owner sees it.

    `parent`: the collection that it stands in, 0 for the home. `url`: the name, percent-encoded. `kind`: `calendar`,
    `addressbook`, `subscribed` or `plain`. `components`: what a calendar takes, empty for all. `properties`: Clark
    name → the element, whole. `seq`: of the last change of it or in it. `horizon`: deletions in it with a greater seq
    are remembered. `epoch` and `owner_seq` are the owner's. `sync_floor`: the seq at which its name became this
    collection; tokens that are older belong to something else. `items`, `octets`: what it holds. `created`,
    `modified`: instants.
    """

    owner: int
    id: int
    parent: int
    name: str
    url: str
    kind: str
    components: tuple[str, ...]
    properties: Mapping[str, str]
    seq: int
    epoch: str
    horizon: int
    owner_seq: int
    sync_floor: int
    items: int
    octets: int
    created: int
    modified: int


def columns(
    parent: ColumnElement[int], name: ColumnElement[str], url: ColumnElement[str], bound: ColumnElement[int]
) -> tuple[ColumnElement[Any], ...]:
    """What a `Collection` is made of, in its order, over `collection` and `principal`; where it stands is given."""
    return (
        collection.c.owner,
        collection.c.id,
        parent,
        name,
        url,
        collection.c.kind,
        collection.c.components,
        collection.c.properties,
        collection.c.seq,
        principal.c.epoch,
        collection.c.horizon,
        principal.c.seq,
        bound,
        collection.c.item_count,
        collection.c.octet_count,
        collection.c.created,
        collection.c.modified,
    )


_SEEN: Final = (
    select(*columns(mount.c.parent, mount.c.name, mount.c.url, mount.c.bound))
    .join_from(mount, collection, and_(collection.c.owner == mount.c.owner, collection.c.id == mount.c.collection))
    .join(principal, principal.c.id == collection.c.owner)
)
_CHILD: Final = Prepared(
    _SEEN.where(
        mount.c.principal == bindparam("principal"),
        mount.c.parent == bindparam("parent"),
        mount.c.name == bindparam("name"),
    )
)
_CHILDREN: Final = Prepared(
    _SEEN.where(mount.c.principal == bindparam("principal"), mount.c.parent == bindparam("parent")).order_by(
        mount.c.position, collection.c.created, collection.c.id
    )
)
_GET: Final = Prepared(
    _SEEN.where(
        mount.c.owner == bindparam("owner"),
        mount.c.collection == bindparam("id"),
        mount.c.principal == bindparam("owner"),
    )
)
# A collection in the trash has its row, but no mount.
_TOUCH: Final = Prepared(
    update(collection)
    .where(
        collection.c.owner == bindparam("owner"),
        collection.c.id == bindparam("id"),
        exists().where(
            mount.c.owner == bindparam("owner"),
            mount.c.collection == bindparam("id"),
            mount.c.principal == bindparam("owner"),
        ),
    )
    .values(
        seq=bindparam("seq"),
        modified=bindparam("modified"),
        item_count=collection.c.item_count + bindparam("more_items"),
        octet_count=collection.c.octet_count + bindparam("more_octets"),
    )
)
_ITEM_NAMED: Final = Prepared(
    select(item.c.id).where(
        item.c.owner == bindparam("owner"),
        item.c.collection == bindparam("collection"),
        item.c.href == bindparam("href"),
    )
)
BURY: Final = Prepared(insert(tombstone))
UNBURY: Final = Prepared(
    delete_from(tombstone).where(
        tombstone.c.owner == bindparam("owner"),
        tombstone.c.collection == bindparam("collection"),
        tombstone.c.href == bindparam("href"),
    )
)
_UNBURY_ALL: Final = Prepared(
    delete_from(tombstone).where(
        tombstone.c.owner == bindparam("owner"),
        tombstone.c.collection == bindparam("collection"),
        tombstone.c.href.in_(each("hrefs")),
    )
)


def _collection(tx: Transaction, row: tuple[Any, ...]) -> Collection:
    owner, id_, parent, name, url, kind, components, properties, *rest = row
    found = Collection(
        owner,
        id_,
        parent,
        name,
        url,
        kind,
        tuple(components.split(",")) if components else (),
        read_properties(properties),
        *rest,
    )
    if tx.writes:
        tx.saw(owner, found.owner_seq)
    return found


def find(tx: Transaction, principal: Principal, names: Sequence[str]) -> Collection | None:
    """The collection at a path below the principal's home."""
    found: Collection | None = None
    for name in names:
        found = child(tx, principal.id, HOME if found is None else found.id, name)
        if found is None:
            return None
    return found


def child(tx: Transaction, principal: int, parent: int, name: str) -> Collection | None:
    """The collection called `name` in `parent` (0: the home) of the principal with this id."""
    row = tx.first(_CHILD, principal=principal, parent=parent, name=name)
    return None if row is None else _collection(tx, row)


def children(tx: Transaction, principal: int, parent: int = HOME) -> list[Collection]:
    """The collections in `parent`, in an order that does not change: as they were made, unless placed otherwise."""
    return [_collection(tx, row) for row in tx.all(_CHILDREN, principal=principal, parent=parent)]


def get(tx: Transaction, owner: int, id: int) -> Collection | None:
    """The collection with this id."""
    row = tx.first(_GET, owner=owner, id=id)
    return None if row is None else _collection(tx, row)


def below(tx: Transaction, collection: Collection) -> Iterator[Collection]:
    """All collections inside, those nearer first."""
    waiting = [collection]
    while waiting:
        for inner in children(tx, collection.owner, waiting.pop(0).id):
            yield inner
            waiting.append(inner)


def path_of(tx: Transaction, owner: int, id: int) -> str:
    """Where a collection stands below its owner's home, for people: `projects/alpha`; `#12` where that is nowhere."""
    names: list[str] = []
    while id != HOME:
        found = get(tx, owner, id)
        names.append(f"#{id}" if found is None else found.name)
        id = HOME if found is None else found.parent
    return "/".join(reversed(names))


def draft(kind: str, components: Sequence[str] = ()) -> Collection:
    """A collection that is not stored: what one of this kind would be."""
    return Collection(0, 0, HOME, "", "", kind, tuple(components), {}, 0, "", 0, 0, 0, 0, 0, 0, 0)


def count_and_size(tx: Transaction, collection: Collection) -> tuple[int, int]:
    """How many items, and how many octets they have together, as of now."""
    found = current(tx, collection.owner, collection.id)
    return found.items, found.octets


def touch(tx: Transaction, owner: int, id: int, seq: int, now: int, *, items: int = 0, octets: int = 0) -> None:
    """Note in a collection that it has changed: `items` and `octets` are what came or went. Raises `Absent`."""
    if not tx.run(_TOUCH, owner=owner, id=id, seq=seq, modified=now, more_items=items, more_octets=octets):
        raise Absent(f"collection {id}")
    tx.changed(owner, id)


def unbury(tx: Transaction, owner: int, id: int, hrefs: Sequence[str]) -> None:
    """Remove the tombstones of these names in a collection."""
    if len(hrefs) > 1:
        tx.run(_UNBURY_ALL, owner=owner, collection=id, hrefs=json.dumps(hrefs))
    elif hrefs:
        tx.run(UNBURY, owner=owner, collection=id, href=hrefs[0])


def bury(tx: Transaction, owner: int, parent: int, name: str, url: str, seq: int, now: int) -> None:
    """Leave a tombstone where a collection stood."""
    tx.run(UNBURY, owner=owner, collection=parent, href=name + "/")
    tx.run(BURY, owner=owner, collection=parent, href=name + "/", url=url + "/", seq=seq, deleted=now)
    tx.changed(owner, parent)


def check_place(tx: Transaction, owner: int, parent: int, name: str) -> None:
    """Raise `Exists` where the name is taken, `Absent` where there is no such parent."""
    if child(tx, owner, parent, name) is not None:
        raise Exists(name)
    if parent == HOME:
        return
    current(tx, owner, parent)
    if tx.first(_ITEM_NAMED, owner=owner, collection=parent, href=name) is not None:
        raise Exists(name)


def current(tx: Transaction, owner: int, id: int) -> Collection:
    """The collection as it is in this transaction, or `Absent`."""
    found = get(tx, owner, id)
    if found is None:
        raise Absent(f"collection {id}")
    return found
