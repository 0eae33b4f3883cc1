"""The trash: collections that were deleted, with their rows as they were.

A collection goes there by being unmounted, whatever it holds; those that stand in it go with it, each with a row of its
own. So nothing that looks for a collection by its place or its id finds one that lies here, and what looks through all
items of an owner asks for the mount. It comes back by being mounted anew.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, insert, or_, select, update

from calsync.store import forgetting, quota
from calsync.store.errors import Absent, Exists
from calsync.store.forgetting import CHUNK, OCTETS
from calsync.store.places import HOME, UNBURY, Collection, check_place, columns, current, get, touch
from calsync.store.principals import Principal, advance, lock_owner
from calsync.store.schema import (
    body,
    card_field,
    collection,
    dead_property,
    item,
    mount,
    occurrence,
    principal,
    share,
    tombstone,
    trash,
)
from calsync.store.statement import Prepared, each_id
from calsync.webdav.urls import encode_segment

if TYPE_CHECKING:
    from calsync.store.engine import Store
    from calsync.store.transaction import Transaction

Progress = Callable[[int], None]


class Trashed(NamedTuple):
    """A collection that was deleted. `path`: where it stood below the home. `deleted`: the instant, `actor`: by whom.

    `items` and `octets` are its own; what stood in it is counted in rows of its own.
    """

    owner: int
    id: int
    parent: int
    name: str
    path: str
    deleted: int
    actor: str
    kind: str
    items: int
    octets: int
    root: int


_OWNER: Final[ColumnElement[int]] = bindparam("owner")
_ID: Final[ColumnElement[int]] = bindparam("id")
_COLUMNS: Final = (
    trash.c.owner,
    trash.c.collection,
    trash.c.parent,
    trash.c.name,
    trash.c.path,
    trash.c.deleted,
    trash.c.actor,
    collection.c.kind,
    collection.c.item_count,
    collection.c.octet_count,
    trash.c.root,
)
_TRASHED: Final = (
    select(*_COLUMNS)
    .join_from(trash, collection, and_(collection.c.owner == trash.c.owner, collection.c.id == trash.c.collection))
    .where(trash.c.owner == _OWNER)
)
_LISTING: Final = Prepared(
    _TRASHED.where(trash.c.root == 0, trash.c.deleted > 0).order_by(trash.c.deleted.desc(), trash.c.collection.desc())
)
_GET: Final = Prepared(_TRASHED.where(trash.c.collection == _ID, trash.c.deleted > 0))
_AT: Final = Prepared(
    _TRASHED.where(trash.c.path == bindparam("path"), trash.c.deleted > 0).order_by(
        trash.c.deleted.desc(), trash.c.collection.desc()
    )
)
_WITHIN: Final = Prepared(_TRASHED.where(trash.c.root == _ID).order_by(trash.c.collection))
_AS_COLLECTION: Final = Prepared(
    select(*columns(trash.c.parent, trash.c.name, trash.c.name, collection.c.seq))
    .join_from(trash, collection, and_(collection.c.owner == trash.c.owner, collection.c.id == trash.c.collection))
    .join(principal, principal.c.id == collection.c.owner)
    .where(trash.c.owner == _OWNER, trash.c.collection == _ID)
)
_THROW: Final = Prepared(insert(trash))
_TAKE: Final = Prepared(
    delete(trash).where(trash.c.owner == _OWNER, or_(trash.c.collection == _ID, trash.c.root == _ID))
)
_MOUNT: Final = Prepared(insert(mount))
_SIZE: Final = Prepared(
    select(func.coalesce(func.sum(collection.c.octet_count), 0))
    .select_from(trash)
    .join(collection, and_(collection.c.owner == trash.c.owner, collection.c.id == trash.c.collection))
    .where(trash.c.owner == _OWNER)
)


def throw(tx: Transaction, path: str, gone: Collection, inside: Sequence[Collection], now: int) -> None:
    """Note that a collection and those inside were deleted; the caller has unmounted them."""
    paths = {gone.id: path}
    for one in (gone, *inside):
        whole = paths.setdefault(one.id, f"{paths.get(one.parent, path)}/{one.name}")
        tx.run(
            _THROW,
            owner=one.owner,
            collection=one.id,
            parent=one.parent,
            name=one.name,
            path=whole,
            root=0 if one.id == gone.id else gone.id,
            deleted=max(now, one.created, one.modified),  # whatever the clock says
            actor=tx.actor,
        )


def listing(tx: Transaction, owner: int) -> list[Trashed]:
    """The collections that were deleted, the last first; not those that went with another."""
    return [Trashed._make(row) for row in tx.all(_LISTING, owner=owner)]


def find(tx: Transaction, owner: int, id: int) -> Trashed | None:
    """The deleted collection with this id."""
    row = tx.first(_GET, owner=owner, id=id)
    return None if row is None else Trashed._make(row)


def at(tx: Transaction, owner: int, path: str) -> list[Trashed]:
    """The deleted collections that stood at a path below the home, the last first."""
    return [Trashed._make(row) for row in tx.all(_AT, owner=owner, path=path)]


def within(tx: Transaction, one: Trashed) -> list[Trashed]:
    """The collections that went with it."""
    return [Trashed._make(row) for row in tx.all(_WITHIN, owner=one.owner, id=one.id)]


def contents(tx: Transaction, one: Trashed) -> Collection:
    """The collection, so that its items can be read where they lie. Raises `Absent`."""
    row = tx.first(_AS_COLLECTION, owner=one.owner, id=one.id)
    if row is None:
        raise Absent(f"collection {one.id}")
    owner, id_, parent, name, url, kind, components, properties, *rest = row
    names = tuple(components.split(",")) if components else ()
    return Collection(owner, id_, parent, name, encode_segment(url), kind, names, json.loads(properties), *rest)


def size(tx: Transaction, owner: int) -> int:
    """Octets of all that lies in an owner's trash."""
    row = tx.first(_SIZE, owner=owner)
    return 0 if row is None else int(row[0])


def bring_back(
    tx: Transaction, principal: Principal, one: Trashed, *, parent: int | None = None, name: str = ""
) -> Collection:
    """Let a deleted collection stand again, with all that went with it.

    Without `parent` it stands where it stood, or in the home where that is gone; without `name` it gets its own, or one
    like it where that is taken. To syncing clients it is new: no token of what stood there before holds. Raises
    `Exists` where a given name is taken, `Absent` where the collection or the given parent is gone, `OverQuota`.
    """
    owner = principal.id
    lock_owner(tx, owner)
    present = find(tx, owner, one.id)
    if present is None:
        raise Absent(f"collection {one.id}")
    if parent is None:
        outer = get(tx, owner, present.parent) if present.parent != HOME else None
        parent = outer.id if outer is not None and outer.kind == "plain" else HOME
    name = _checked(tx, owner, parent, name) if name else _free(tx, owner, parent, present.name)
    inside = within(tx, present)
    room = quota.room(tx, owner)
    if room is not None:
        whole = (present, *inside)
        room.take(sum(one.octets for one in whole), sum(one.items for one in whole), len(whole))
    tx.run(_TAKE, owner=owner, id=present.id)
    now = int(time.time())
    seq = advance(tx, owner)
    tx.run(UNBURY, owner=owner, collection=parent, href=name + "/")
    _mount(tx, present, parent, name, seq)
    for inner in inside:
        _mount(tx, inner, inner.parent, inner.name, seq)
    for each in (present, *inside):
        touch(tx, owner, each.id, seq, now)
    if parent != HOME:
        touch(tx, owner, parent, seq, now)
    return current(tx, owner, present.id)


def _mount(tx: Transaction, one: Trashed, parent: int, name: str, seq: int) -> None:
    tx.run(
        _MOUNT,
        principal=one.owner,
        parent=parent,
        name=name,
        url=encode_segment(name),
        owner=one.owner,
        collection=one.id,
        bound=seq,
        position=0,
        displayname=None,
        color=None,
    )


def _checked(tx: Transaction, owner: int, parent: int, name: str) -> str:
    check_place(tx, owner, parent, name)
    return name


def _free(tx: Transaction, owner: int, parent: int, name: str) -> str:
    number, free = 1, name
    while True:
        try:
            return _checked(tx, owner, parent, free)
        except Exists:
            number += 1
            free = f"{name}-{number}"


# --- for good ---------------------------------------------------------------------------------------------------------

_OLDEST: Final = Prepared(
    select(trash.c.collection, trash.c.deleted)
    .where(trash.c.owner == _OWNER, trash.c.root == 0)
    .order_by(trash.c.deleted, trash.c.collection)
    .limit(1)
)
_DOOM: Final = Prepared(
    update(trash).where(trash.c.owner == _OWNER, or_(trash.c.collection == _ID, trash.c.root == _ID)).values(deleted=0)
)
_DOOMED: Final = Prepared(
    select(trash.c.collection)
    .where(trash.c.owner == _OWNER, or_(trash.c.collection == _ID, trash.c.root == _ID), trash.c.deleted == 0)
    .order_by(trash.c.root.desc(), trash.c.collection)
)
_ITEMS: Final = Prepared(
    select(item.c.id, item.c.size)
    .where(item.c.owner == _OWNER, item.c.collection == _ID)
    .order_by(item.c.id)
    .limit(bindparam("limit"))
)
_PURGE_ITEMS: Final = (
    *(
        Prepared(delete(table).where(table.c.owner == _OWNER, table.c.item.in_(each_id("items"))))
        for table in (body, dead_property, card_field, occurrence)
    ),
    Prepared(delete(item).where(item.c.owner == _OWNER, item.c.collection == _ID, item.c.id.in_(each_id("items")))),
)
_GRAVES: Final = (tombstone.c.owner == _OWNER, tombstone.c.collection == _ID)
_COUNT_DOWN: Final = Prepared(
    update(collection)
    .where(collection.c.owner == _OWNER, collection.c.id == _ID)
    .values(
        item_count=collection.c.item_count - bindparam("items_gone"),
        octet_count=collection.c.octet_count - bindparam("octets_gone"),
    )
)
_PURGE_GRAVES: Final = Prepared(
    delete(tombstone).where(
        *_GRAVES, tombstone.c.href.in_(select(tombstone.c.href).where(*_GRAVES).limit(bindparam("limit")))
    )
)
_PURGE_REST: Final = (
    Prepared(delete(share).where(share.c.owner == _OWNER, share.c.collection == _ID)),
    Prepared(delete(collection).where(collection.c.owner == _OWNER, collection.c.id == _ID)),
    Prepared(delete(trash).where(trash.c.owner == _OWNER, trash.c.collection == _ID)),
)


def oldest(tx: Transaction, owner: int) -> tuple[int, int] | None:
    """The collection that was deleted first: its id, and when. One whose purge was broken off was deleted at 0."""
    row = tx.first(_OLDEST, owner=owner)
    return None if row is None else (row[0], row[1])


def purge(store: Store, owner: int, id: int, progress: Progress = lambda _count: None) -> int:
    """Remove a deleted collection for good, with what went with it and with its history; how many rows went.

    Many short transactions: others write between them. Once begun it cannot be brought back; the next purge goes on
    where one was broken off.
    """
    with store.write() as tx:
        lock_owner(tx, owner)
        tx.run(_DOOM, owner=owner, id=id)
        doomed = [row[0] for row in tx.all(_DOOMED, owner=owner, id=id)]
    removed = 0
    for one in doomed:
        for step in (_purge_items, _purge_graves, _purge_history):
            while True:
                with store.write() as tx:
                    lock_owner(tx, owner)
                    count = step(tx, owner, one)
                if not count:
                    break
                removed += count
                if step is _purge_items:
                    progress(count)
        with store.write() as tx:
            lock_owner(tx, owner)
            for statement in _PURGE_REST:
                removed += tx.run(statement, owner=owner, id=one)
            forgetting.unmark(tx, owner, one)
    return removed


def _purge_items(tx: Transaction, owner: int, id: int) -> int:
    chosen: list[int] = []
    octets = 0
    for item_id, its_size in tx.all(_ITEMS, owner=owner, id=id, limit=CHUNK):
        if chosen and octets + its_size > OCTETS:
            break
        octets += its_size
        chosen.append(item_id)
    if chosen:
        for statement in _PURGE_ITEMS:
            tx.run(statement, owner=owner, id=id, items=json.dumps(chosen))
        tx.run(_COUNT_DOWN, owner=owner, id=id, items_gone=len(chosen), octets_gone=octets)
    return len(chosen)


def _purge_graves(tx: Transaction, owner: int, id: int) -> int:
    return tx.run(_PURGE_GRAVES, owner=owner, id=id, limit=CHUNK)


def _purge_history(tx: Transaction, owner: int, id: int) -> int:
    old = forgetting.of_collection(tx, owner, id)
    if old:
        return forgetting.forget(tx, owner, old, everywhere=False)
    return forgetting.forget_properties_of(tx, owner, id, int(time.time()))
