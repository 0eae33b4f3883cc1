"""Copies and moves: rows go from place to place inside the database (RFC 4918 §9.8, §9.9).

Octets are not looked at on the way; whoever copies says what is damaged and is left where it is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Table,
    Text,
    and_,
    bindparam,
    func,
    insert,
    null,
    select,
    update,
)

from calsync.store import history, quota
from calsync.store.errors import Absent, Exists, UidConflict
from calsync.store.making import make
from calsync.store.places import (
    BURY,
    HOME,
    UNBURY,
    Collection,
    below,
    bury,
    check_place,
    child,
    children,
    current,
    touch,
)
from calsync.store.principals import Principal, advance, lock_owner
from calsync.store.quota import Room
from calsync.store.removals import remove_collection, remove_items
from calsync.store.rows import ALL, Item, ItemRow, get, get_by_id, properties, uid_holders
from calsync.store.schema import body, card_field, dead_property, item, mount, occurrence
from calsync.store.statement import Prepared, each_id
from calsync.webdav.urls import encode_segment

if TYPE_CHECKING:
    from calsync.store.transaction import Transaction

#: By the id of a collection, items in it.
Without = Mapping[int, Sequence[ItemRow]]
_NOTHING: Final[Without] = {}

_TO: Final = bindparam("to", type_=BigInteger)
_INTO: Final = bindparam("into", type_=BigInteger)
_NOW: Final = bindparam("now", type_=BigInteger)

# The items that are copied, with the ids that their copies get: the values after `base`, in their order.
_copied: Final = (
    select(
        item.c.id.label("old"),
        (func.row_number().over(order_by=item.c.id) + bindparam("base", type_=BigInteger)).label("new"),
    )
    .where(
        item.c.owner == bindparam("owner"),
        item.c.collection == bindparam("collection"),
        item.c.id >= bindparam("least"),
        item.c.id <= bindparam("greatest"),
        item.c.id.not_in(each_id("without")),
    )
    .subquery("copied")
)
_FRESH: Final[dict[str, ColumnElement[Any]]] = {
    "owner": _TO,
    "collection": _INTO,
    "id": _copied.c.new,
    "item": _copied.c.new,
    "seq": _copied.c.new,
    "created": _NOW,
    "modified": _NOW,
    "schedule_tag": null(),
}


# What a single copy has besides.
_NAMED: Final[dict[str, ColumnElement[Any]]] = {
    "href": bindparam("href", type_=Text),
    "url": bindparam("url", type_=Text),
}


def _copying(table: Table, key: ColumnElement[int], fresh: Mapping[str, ColumnElement[Any]] = _FRESH) -> Prepared:
    source = (
        select(*(fresh.get(column.name, column) for column in table.c))
        .select_from(_copied)
        .join(table, and_(table.c.owner == bindparam("owner"), key == _copied.c.old))
    )
    if table is item:
        source = source.where(table.c.collection == bindparam("collection"))
    return Prepared(insert(table).from_select([column.name for column in table.c], source))


_COPY_ALL: Final = _copying(item, item.c.id)
_COPY_ONE: Final = _copying(item, item.c.id, _FRESH | _NAMED)
_COPY_REST: Final = (
    _copying(body, body.c.item),
    _copying(occurrence, occurrence.c.item),
    _copying(card_field, card_field.c.item),
    _copying(dead_property, dead_property.c.item),
)
_THIS: Final = (
    item.c.owner == bindparam("owner"),
    item.c.collection == bindparam("collection"),
    item.c.id == bindparam("id"),
)
_MOVE: Final = Prepared(
    update(item)
    .where(*_THIS)
    .values(collection=bindparam("into"), href=bindparam("href"), url=bindparam("url"), seq=bindparam("seq"))
)
_MOVE_DERIVED: Final = tuple(
    Prepared(
        update(table)
        .where(table.c.owner == bindparam("owner"), table.c.item == bindparam("id"))
        .values(collection=bindparam("into"))
    )
    for table in (occurrence, card_field)
)
_REBIND: Final = Prepared(
    update(mount)
    .where(
        mount.c.principal == bindparam("owner"),
        mount.c.owner == bindparam("owner"),
        mount.c.collection == bindparam("id"),
    )
    .values(parent=bindparam("parent"), name=bindparam("name"), url=bindparam("url"), bound=bindparam("bound"))
)


def _check_apart(source: Collection, item: Item, target: Collection, href: str) -> None:
    if (source.owner, source.id, item.href) == (target.owner, target.id, href):
        raise ValueError(f"{href!r} cannot be copied or moved onto itself")


def _make_room(tx: Transaction, one: Item, target: Collection, href: str, *, leaves: bool) -> None:
    """Remove the item that has this place, or raise where `one` cannot have it. `leaves`: it gives up its own."""
    if target.kind == "plain" and child(tx, target.owner, target.id, href) is not None:
        raise Exists(href)
    holder = uid_holders(tx, target, [one.uid]).get(one.uid) if one.uid else None
    inside = (one.owner, one.collection) == (target.owner, target.id)
    if holder is not None and holder != href and not (leaves and inside):
        raise UidConflict(holder)
    taken = get(tx, target, href)
    room = None if leaves else quota.room(tx, target.owner)
    if room is not None:
        room.take(octets=one.size - (taken.size if taken else 0), items=0 if taken else 1)
    if taken is not None:
        remove_items(tx, target, [taken])


def copy_item(tx: Transaction, source: Collection, item: Item, target: Collection, href: str) -> Item:
    """Another item with the same octets and properties, in place of the one that has this name.

    Raises `UidConflict`, `Exists` where a collection has the name, `Absent`, `OverQuota`, and `ValueError` for a copy
    onto itself.
    """
    _check_apart(source, item, target, href)
    lock_owner(tx, target.owner)
    _make_room(tx, item, target, href, leaves=False)
    now = int(time.time())
    seq = advance(tx, target.owner)
    if not _copy_rows(tx, source, target, seq - 1, now, (item.id, href)):
        raise Absent(f"item {item.url}")
    tx.run(UNBURY, owner=target.owner, collection=target.id, href=href)
    touch(tx, target.owner, target.id, seq, now, items=1, octets=item.size)
    made = get_by_id(tx, target, seq)
    assert made is not None
    return made


def move_item(tx: Transaction, source: Collection, item: Item, target: Collection, href: str) -> Item:
    """Give an item another place: gone from `source`, new in `target`, where it replaces the one that has this name.

    Within an owner it keeps its id. Raises `UidConflict`, `Exists` where a collection has the name, `Absent`,
    `OverQuota`, and `ValueError` for a move onto itself.
    """
    if source.owner != target.owner:
        made = copy_item(tx, source, item, target, href)
        lock_owner(tx, source.owner)
        remove_items(tx, source, [item], history.MOVED)
        return made
    _check_apart(source, item, target, href)
    owner = source.owner
    lock_owner(tx, owner)
    _make_room(tx, item, target, href, leaves=True)
    now = int(time.time())
    seq = advance(tx, owner, 2)
    url = encode_segment(href)
    history.keep(tx, source, [(item.id, seq - 1)], now, history.MOVED, properties(tx, source, [item.id]))
    if not tx.run(_MOVE, owner=owner, collection=source.id, id=item.id, into=target.id, href=href, url=url, seq=seq):
        raise Absent(f"item {item.url}")
    if source.id != target.id:
        for statement in _MOVE_DERIVED:
            tx.run(statement, owner=owner, id=item.id, into=target.id)
    tx.run(UNBURY, owner=owner, collection=target.id, href=href)
    tx.run(BURY, owner=owner, collection=source.id, href=item.href, url=item.url, seq=seq - 1, deleted=now)
    touch(tx, owner, source.id, seq - 1, now, items=-1, octets=-item.size)
    touch(tx, owner, target.id, seq, now, items=1, octets=item.size)
    return item._replace(collection=target.id, href=href, url=url, seq=seq)


def _copy_rows(
    tx: Transaction,
    source: Collection,
    target: Collection,
    base: int,
    now: int,
    only: tuple[int, str] | None = None,
    without: Sequence[int] = (),
) -> int:
    """Copy items with all that belongs to them; how many. Their ids and seqs are the values after `base`.

    `only`: the id of one item, and the name that its copy gets. `without`: ids of those that stay behind.
    """
    values: dict[str, int | str] = {
        "owner": source.owner,
        "collection": source.id,
        "without": json.dumps(list(without)),
    }
    values |= {"to": target.owner, "into": target.id, "base": base}
    if only is None:
        values |= {"now": now, "least": 0, "greatest": ALL}
        copied = tx.run(_COPY_ALL, **values)
    else:
        id_, href = only
        values |= {"now": now, "least": id_, "greatest": id_}
        copied = tx.run(_COPY_ONE, **values, href=href, url=encode_segment(href))
    for statement in _COPY_REST:
        tx.run(statement, **values)
    return copied


def copy_collection(
    tx: Transaction,
    collection: Collection,
    principal: Principal,
    parent: int,
    name: str,
    depth: str = "infinity",
    room: Room | None = None,
    without: Without = _NOTHING,
) -> Collection:
    """Another collection with the same properties; with depth `infinity` also the same content, else it is empty.

    `room`: from before something was removed to make this possible. `without`: by collection the items that are not
    copied, the damaged ones. Raises `Exists`, `Absent`, `OverQuota`, and
    `ValueError` where it would come to stand in itself.
    """
    lock_owner(tx, principal.id)
    found = current(tx, collection.owner, collection.id)
    inside = list(below(tx, found))
    if principal.id == found.owner and depth == "infinity" and parent in {found.id, *(inner.id for inner in inside)}:
        raise ValueError(f"{found.name!r} cannot be copied into itself")
    check_place(tx, principal.id, parent, name)
    room = quota.room(tx, principal.id) if room is None else room.anew(tx)
    if room is not None:
        whole = [found, *inside] if depth == "infinity" else []
        left = [row for one in whole for row in without.get(one.id, ())]
        octets = sum(one.octets for one in whole) - sum(row.size for row in left)
        room.take(octets, sum(one.items for one in whole) - len(left), collections=len(whole) or 1)
    made = make(tx, principal, parent, name, found.kind, found.components, found.properties)
    if depth == "infinity":
        _fill(tx, found, made, principal, without)
    return current(tx, made.owner, made.id)


def _fill(tx: Transaction, source: Collection, target: Collection, principal: Principal, without: Without) -> None:
    left = without.get(source.id, ())
    count = source.items - len(left)
    if count:
        now = int(time.time())
        last = advance(tx, target.owner, count)
        _copy_rows(tx, source, target, last - count, now, without=[row.id for row in left])
        octets = source.octets - sum(row.size for row in left)
        touch(tx, target.owner, target.id, last, now, items=count, octets=octets)
    for inner in children(tx, source.owner, source.id):
        made = make(tx, principal, target.id, inner.name, inner.kind, inner.components, inner.properties)
        _fill(tx, inner, made, principal, without)


def move_collection(
    tx: Transaction, collection: Collection, principal: Principal, parent: int, name: str, room: Room | None = None
) -> Collection:
    """Give it another place. Its items keep their ids, ETags and seq; to syncing clients it is a new collection.

    Between owners it becomes a copy with ids of its own, and the original goes. Raises what `copy_collection` does.
    """
    if principal.id != collection.owner:
        made = copy_collection(tx, collection, principal, parent, name, "infinity", room)
        remove_collection(tx, collection)
        return made
    owner = collection.owner
    lock_owner(tx, owner)
    found = current(tx, owner, collection.id)
    if (found.parent, found.name) == (parent, name):
        return found
    inside = list(below(tx, found))
    if parent in {found.id, *(inner.id for inner in inside)}:
        raise ValueError(f"{found.name!r} cannot be moved into itself")
    check_place(tx, owner, parent, name)
    now = int(time.time())
    left = advance(tx, owner, 2)
    seq, left = left, left - 1
    bury(tx, owner, found.parent, found.name, found.url, left, now)
    tx.run(UNBURY, owner=owner, collection=parent, href=name + "/")
    tx.run(_REBIND, owner=owner, id=found.id, parent=parent, name=name, url=encode_segment(name), bound=seq)
    touch(tx, owner, found.id, seq, now)
    for inner in inside:
        # The URLs below have changed with it: tokens of what stood there before must not hold.
        tx.run(_REBIND, owner=owner, id=inner.id, parent=inner.parent, name=inner.name, url=inner.url, bound=seq)
        touch(tx, owner, inner.id, seq, now)
    if found.parent != HOME:
        touch(tx, owner, found.parent, left, now)
    if parent != HOME:
        touch(tx, owner, parent, seq, now)
    return current(tx, owner, found.id)
