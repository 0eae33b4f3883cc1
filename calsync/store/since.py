"""What a transaction has changed, read before it is committed: the part of the journal that asks the store.

The transaction knows which owners' counters it raised, from where, and in which collections; what carries a greater
seq is what changed. So nothing that writes needs to know of the journal, and the cost follows the changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, bindparam, select

from calsync.store import places, principals, rows
from calsync.store.entries import Content, Entry, Gone, Grave, Owner, Place
from calsync.store.schema import body, item, tombstone
from calsync.store.statement import Prepared

if TYPE_CHECKING:
    from calsync.store.transaction import Transaction

_PAGE: Final = 50  # items a read; an item has up to some MiB

_ITEMS: Final = Prepared(
    select(item.c.id, item.c.href, item.c.etag, item.c.content_type, item.c.seq, body.c.octets)
    .join_from(item, body, and_(body.c.owner == item.c.owner, body.c.item == item.c.id))
    .where(
        item.c.owner == bindparam("owner"),
        item.c.collection == bindparam("collection"),
        item.c.seq > bindparam("after"),
    )
    .order_by(item.c.seq)
    .limit(bindparam("limit"))
)
_GRAVES: Final = Prepared(
    select(tombstone.c.href, tombstone.c.seq).where(
        tombstone.c.owner == bindparam("owner"),
        tombstone.c.collection == bindparam("collection"),
        tombstone.c.seq > bindparam("after"),
    )
)


def changed(tx: Transaction) -> Iterator[Entry]:
    """The new states of all that the transaction has changed so far."""
    for epoch, name in tx.removed:
        yield Gone(epoch, name)
    for owner, (since, inside) in tx.touched.items():
        principal = principals.get(tx, owner)
        if principal is None or principal.seq <= since:
            continue  # removed, or undone to a savepoint
        epoch = principal.epoch
        yield Owner(epoch, owner, principal.name, principal.kind, since, principal.seq, principal.properties)
        for collection in sorted(inside):
            if collection != places.HOME:
                found = places.get(tx, owner, collection)
                if found is None:
                    continue  # deleted: the tombstone where it stood tells it
                yield Place(
                    epoch, found.id, found.parent, found.name, found.kind, found.components, found.properties, found.seq
                )
                yield from _items(tx, epoch, found, since)
            for href, seq in tx.all(_GRAVES, owner=owner, collection=collection, after=since):
                yield Grave(epoch, collection, href, seq)


def _items(tx: Transaction, epoch: str, collection: places.Collection, since: int) -> Iterator[Content]:
    after = since
    while True:
        page = tx.all(_ITEMS, owner=collection.owner, collection=collection.id, after=after, limit=_PAGE)
        if not page:
            return
        properties = rows.properties(tx, collection, [row[0] for row in page])
        for id_, href, etag, content_type, seq, octets in page:
            # Damage can turn octets into text; they do not match their checksum, but what changed is journaled.
            held = octets if isinstance(octets, bytes) else str(octets).encode()
            yield Content(epoch, collection.id, href, etag, content_type, seq, properties.get(id_, {}), held)
        if len(page) < _PAGE:
            return
        after = page[-1][4]
