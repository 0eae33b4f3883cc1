"""Looks for damage: octets that are not those that were put, rows that belong to nothing, counts that are wrong.

It reads page by page, each in its own short transaction, so a store in use can be checked; what is written meanwhile is
seen or not. Nothing is repaired here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import ColumnElement, Table, and_, bindparam, exists, func, select

from calsync.store import places, principals, rows
from calsync.store.errors import Damaged
from calsync.store.schema import body, card_field, collection, dead_property, item, mount, occurrence, tombstone
from calsync.store.statement import Prepared

if TYPE_CHECKING:
    from calsync.store.engine import Store, Transaction
    from calsync.store.places import Collection
    from calsync.store.principals import Principal

_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class Problem:
    """`path`: of the principal, collection or item below the root, as people write it. `text`: what is wrong."""

    path: str
    text: str


_OWNER: Final[ColumnElement[int]] = bindparam("owner")
_COUNTS: Final = Prepared(
    select(func.count(), func.coalesce(func.sum(item.c.size), 0), func.coalesce(func.max(item.c.seq), 0)).where(
        item.c.owner == _OWNER, item.c.collection == bindparam("collection")
    )
)
_TWICE: Final = Prepared(
    select(item.c.uid)
    .where(item.c.owner == _OWNER, item.c.collection == bindparam("collection"), item.c.uid != "")
    .group_by(item.c.uid)
    .having(func.count() > 1)
)
_BURIED: Final = Prepared(
    select(item.c.href)
    .join_from(
        tombstone,
        item,
        and_(
            item.c.owner == tombstone.c.owner,
            item.c.collection == tombstone.c.collection,
            item.c.href == tombstone.c.href,
        ),
    )
    .where(tombstone.c.owner == _OWNER, tombstone.c.collection == bindparam("collection"))
)


def _strays(table: Table) -> Prepared:
    """How many rows of a table belong to an item that does not exist."""
    found = exists().where(item.c.owner == table.c.owner, item.c.id == table.c.item)
    if "collection" in table.c:
        found = found.where(item.c.collection == table.c.collection)
    else:
        inside = select(collection.c.id).where(collection.c.owner == table.c.owner)
        found = found.where(item.c.collection.in_(inside))
    return Prepared(select(func.count()).select_from(table).where(table.c.owner == _OWNER, ~found))


_STRAYS: Final = {table.name: _strays(table) for table in (body, occurrence, card_field, dead_property)}
_HOMELESS: Final = Prepared(
    select(func.count())
    .select_from(item)
    .where(
        item.c.owner == _OWNER,
        ~exists().where(collection.c.owner == item.c.owner, collection.c.id == item.c.collection),
    )
)
_UNMOUNTED: Final = Prepared(
    select(collection.c.id).where(
        collection.c.owner == _OWNER,
        ~exists().where(
            mount.c.owner == collection.c.owner,
            mount.c.collection == collection.c.id,
            mount.c.principal == collection.c.owner,
        ),
    )
)


def verify(store: Store) -> Iterator[Problem]:
    """All that is wrong, as it is found. Raises `StoreError` where the store cannot be read at all."""
    for text in store.problems():
        yield Problem("", text)
    with store.read() as tx:
        owners = principals.listing(tx)
    for owner in owners:
        yield from _principal(store, owner)


def _principal(store: Store, owner: Principal) -> Iterator[Problem]:
    with store.read() as tx:
        for table, statement in _STRAYS.items():
            yield from _some(tx, owner, statement, f"rows of {table} that belong to no item")
        yield from _some(tx, owner, _HOMELESS, "items that stand in no collection")
        for (id_,) in tx.all(_UNMOUNTED, owner=owner.id):
            yield Problem(owner.name, f"collection {id_} has no name")
        inside = list(_collections(tx, owner))
    for path, one in inside:
        yield from _collection(store, path, one)


def _some(tx: Transaction, owner: Principal, statement: Prepared, text: str) -> Iterator[Problem]:
    row = tx.first(statement, owner=owner.id)
    if row is not None and row[0]:
        yield Problem(owner.name, f"{row[0]} {text}")


def _collections(tx: Transaction, owner: Principal) -> Iterator[tuple[str, Collection]]:
    waiting = [(owner.name, places.HOME)]
    while waiting:
        path, parent = waiting.pop(0)
        for one in places.children(tx, owner.id, parent):
            if one.owner == owner.id:
                yield f"{path}/{one.name}", one
                waiting.append((f"{path}/{one.name}", one.id))


def _collection(store: Store, path: str, known: Collection) -> Iterator[Problem]:
    with store.read() as tx:
        one = places.get(tx, known.owner, known.id)
        if one is None:
            return
        key = {"owner": one.owner, "collection": one.id}
        count, octets, newest = tx.all(_COUNTS, **key)[0]
        if (count, octets) != (one.items, one.octets):
            yield Problem(path, f"holds {count} items of {octets} octets, but counts {one.items} of {one.octets}")
        if newest > one.seq or one.seq > one.owner_seq:
            yield Problem(path, f"changes are out of order: {newest} in it, {one.seq} of it, {one.owner_seq} in all")
        for (uid,) in tx.all(_TWICE, **key):
            yield Problem(path, f"several items have the UID {uid}")
        for (href,) in tx.all(_BURIED, **key):
            yield Problem(f"{path}/{href}", "is there and told as deleted")
    yield from _bodies(store, path, one)


def _bodies(store: Store, path: str, one: Collection) -> Iterator[Problem]:
    after = 0
    while True:
        with store.read() as tx:
            page = rows.page(tx, one, after, _PAGE)
            octets = rows.page_bodies(tx, one, [row.id for row in page])
        for row in page:
            try:
                rows.checked(row, octets.get(row.id))
            except Damaged:
                yield Problem(f"{path}/{row.url}", f"its octets are not those that were put (checksum {row.etag})")
        if len(page) < _PAGE:
            return
        after = page[-1].id
