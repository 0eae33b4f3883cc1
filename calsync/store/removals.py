"""How items and collections go: into the history and the trash. Tombstones tell syncing clients of it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sqlalchemy import Table, bindparam, select
from sqlalchemy import delete as delete_from

from calsync.store import history, trash
from calsync.store.errors import Absent
from calsync.store.places import BURY, HOME, Collection, below, bury, current, path_of, touch, unbury
from calsync.store.principals import advance, lock_owner
from calsync.store.rows import Item, properties
from calsync.store.schema import body, card_field, dead_property, item, mount, occurrence, tombstone
from calsync.store.statement import Prepared, each_id

if TYPE_CHECKING:
    from calsync.store.transaction import Transaction

_DELETE_ITEMS: Final = Prepared(
    delete_from(item).where(
        item.c.owner == bindparam("owner"),
        item.c.collection == bindparam("collection"),
        item.c.id.in_(each_id("items")),
    )
)
DELETE_FIELDS: Final = Prepared(
    delete_from(card_field).where(card_field.c.owner == bindparam("owner"), card_field.c.item == bindparam("item"))
)


def _of_items(table: Table) -> Prepared:
    return Prepared(delete_from(table).where(table.c.owner == bindparam("owner"), table.c.item.in_(each_id("items"))))


_DERIVED: Final = tuple(map(_of_items, (body, occurrence, card_field)))
_DELETE_PROPERTIES: Final = _of_items(dead_property)
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


def remove_item(tx: Transaction, collection: Collection, item: Item) -> None:
    """Remove an item and leave a tombstone. Raises `Absent` where it is gone."""
    lock_owner(tx, collection.owner)
    remove_items(tx, collection, [item])


def remove_items(
    tx: Transaction, collection: Collection, leaving: Sequence[Item], reason: str = history.DELETED
) -> None:
    """The same for several items of a collection; the caller has locked the owner. `reason`: for the history."""
    if not leaving:
        return
    now = int(time.time())
    owner = collection.owner
    last = advance(tx, owner, len(leaving))
    ids = [one.id for one in leaving]
    ends = list(zip(ids, range(last - len(leaving) + 1, last + 1), strict=True))
    history.keep(tx, collection, ends, now, reason, properties(tx, collection, ids))
    given = json.dumps(ids)
    if tx.run(_DELETE_ITEMS, owner=owner, collection=collection.id, items=given) < len(set(ids)):
        raise Absent(f"item {leaving[0].url}{' or another one' * (len(ids) > 1)}")
    clear(tx, owner, ids)
    tx.run(_DELETE_PROPERTIES, owner=owner, items=given)
    graves = [
        {"owner": owner, "collection": collection.id, "href": one.href, "url": one.url, "seq": seq, "deleted": now}
        for seq, one in enumerate(leaving, last - len(leaving) + 1)
    ]
    unbury(tx, owner, collection.id, [one.href for one in leaving])
    tx.insert(BURY, tombstone, graves)
    size = sum(one.size for one in leaving)
    touch(tx, owner, collection.id, last, now, items=-len(leaving), octets=-size)


def clear(tx: Transaction, owner: int, ids: Sequence[int]) -> None:
    """Remove the octets of items, and the rows that are derived from them."""
    if ids:
        given = json.dumps(ids)
        for statement in _DERIVED:
            tx.run(statement, owner=owner, items=given)


def remove_collection(tx: Transaction, collection: Collection) -> None:
    """Put it into the trash with all that is in it, and leave a tombstone where it stood. Raises `Absent`.

    The cost does not depend on how much it holds.
    """
    lock_owner(tx, collection.owner)
    found = current(tx, collection.owner, collection.id)
    now = int(time.time())
    inside = list(below(tx, found))
    path = path_of(tx, found.owner, found.id)
    for one in (*reversed(inside), found):
        _unmount(tx, one, now)
    trash.throw(tx, path, found, inside, now)
    seq = advance(tx, found.owner)
    bury(tx, found.owner, found.parent, found.name, found.url, seq, now)
    if found.parent != HOME:
        touch(tx, found.owner, found.parent, seq, now)


def _unmount(tx: Transaction, collection: Collection, now: int) -> None:
    for principal, parent, name, url in tx.all(_OTHERS, owner=collection.owner, id=collection.id):
        bury(tx, principal, parent, name, url, advance(tx, principal), now)
    tx.run(_UNMOUNT, owner=collection.owner, id=collection.id)
