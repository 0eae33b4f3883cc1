"""How items and collections go: into the history and the trash. Tombstones tell syncing clients of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, select
from sqlalchemy import delete as delete_from

from calsync.store import history, occurrences, trash
from calsync.store.errors import Absent
from calsync.store.places import BURY, HOME, UNBURY, Collection, below, bury, current, path_of, touch
from calsync.store.principals import advance, lock_owner
from calsync.store.rows import Item, properties
from calsync.store.schema import body, card_field, dead_property, item, mount
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
    for one in leaving:
        if not tx.run(_DELETE_ITEM, owner=owner, collection=collection.id, id=one.id):
            raise Absent(f"item {one.url}")
    keys = [{"owner": owner, "item": id_} for id_ in ids]
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
