"""How items and collections go: rows are deleted, tombstones tell syncing clients of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, select
from sqlalchemy import delete as delete_from

from calsync.store import occurrences
from calsync.store.errors import Absent
from calsync.store.places import BURY, HOME, UNBURY, Collection, below, bury, current, touch
from calsync.store.principals import advance, lock_owner
from calsync.store.rows import Item
from calsync.store.schema import body, card_field, collection, dead_property, item, mount, occurrence, share, tombstone
from calsync.store.statement import Prepared

if TYPE_CHECKING:
    from calsync.store.engine import Transaction

_DELETE_ITEM: Final = Prepared(
    delete_from(item).where(
        item.c.owner == bindparam("owner"), item.c.collection == bindparam("collection"), item.c.id == bindparam("id")
    )
)
DELETE_BODY: Final = Prepared(
    delete_from(body).where(body.c.owner == bindparam("owner"), body.c.item == bindparam("item"))
)
DELETE_FIELDS: Final = Prepared(
    delete_from(card_field).where(card_field.c.owner == bindparam("owner"), card_field.c.item == bindparam("item"))
)
_DELETE_PROPERTIES: Final = Prepared(
    delete_from(dead_property).where(
        dead_property.c.owner == bindparam("owner"), dead_property.c.item == bindparam("item")
    )
)
_OTHERS: Final = Prepared(
    select(mount.c.principal, mount.c.parent, mount.c.name, mount.c.url).where(
        mount.c.owner == bindparam("owner"),
        mount.c.collection == bindparam("id"),
        mount.c.principal != bindparam("owner"),
    )
)
_UNMOUNT: Final = Prepared(
    delete_from(mount).where(mount.c.owner == bindparam("owner"), mount.c.collection == bindparam("id"))
)
_ITEM_IDS: Final = select(item.c.id).where(item.c.owner == bindparam("owner"), item.c.collection == bindparam("id"))
_EMPTY: Final = (
    *(
        Prepared(delete_from(table).where(table.c.owner == bindparam("owner"), table.c.item.in_(_ITEM_IDS)))
        for table in (body, dead_property, card_field, occurrence)
    ),
    *(
        Prepared(delete_from(table).where(table.c.owner == bindparam("owner"), table.c.collection == bindparam("id")))
        for table in (item, tombstone, share)
    ),
    Prepared(
        delete_from(collection).where(collection.c.owner == bindparam("owner"), collection.c.id == bindparam("id"))
    ),
)


def remove_item(tx: Transaction, collection: Collection, item: Item) -> None:
    """Remove an item and leave a tombstone. Raises `Absent` where it is gone."""
    lock_owner(tx, collection.owner)
    remove_items(tx, collection, [item])


def remove_items(tx: Transaction, collection: Collection, leaving: Sequence[Item]) -> None:
    """The same for several items of a collection; the caller has locked the owner."""
    if not leaving:
        return
    now = int(time.time())
    owner = collection.owner
    last = advance(tx, owner, len(leaving))
    for one in leaving:
        if not tx.run(_DELETE_ITEM, owner=owner, collection=collection.id, id=one.id):
            raise Absent(f"item {one.url}")
    keys = [{"owner": owner, "item": one.id} for one in leaving]
    for statement in (DELETE_BODY, occurrences.DELETE, DELETE_FIELDS, _DELETE_PROPERTIES):
        tx.run_many(statement, keys)
    graves = [
        {"owner": owner, "collection": collection.id, "href": one.href, "url": one.url, "seq": seq, "deleted": now}
        for seq, one in enumerate(leaving, last - len(leaving) + 1)
    ]
    tx.run_many(UNBURY, graves)
    tx.run_many(BURY, graves)
    size = sum(one.size for one in leaving)
    touch(tx, owner, collection.id, last, now, items=-len(leaving), octets=-size)


def remove_collection(tx: Transaction, collection: Collection) -> None:
    """Remove it with all that is in it, and leave a tombstone where it stood. Raises `Absent`."""
    lock_owner(tx, collection.owner)
    found = current(tx, collection.owner, collection.id)
    now = int(time.time())
    for inner in reversed(list(below(tx, found))):
        _remove(tx, inner, now)
    _remove(tx, found, now)
    seq = advance(tx, found.owner)
    bury(tx, found.owner, found.parent, found.name, found.url, seq, now)
    if found.parent != HOME:
        touch(tx, found.owner, found.parent, seq, now)


def _remove(tx: Transaction, collection: Collection, now: int) -> None:
    for principal, parent, name, url in tx.all(_OTHERS, owner=collection.owner, id=collection.id):
        bury(tx, principal, parent, name, url, advance(tx, principal), now)
    tx.run(_UNMOUNT, owner=collection.owner, id=collection.id)
    for statement in _EMPTY:
        tx.run(statement, owner=collection.owner, id=collection.id)
