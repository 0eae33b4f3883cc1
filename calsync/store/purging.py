"""What history is forgotten when: what is too old, what is too much, and what somebody wants forgotten now.

All of it goes in short transactions, so that others write between them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from calsync.store import forgetting, principals, trash
from calsync.store.rows import ALL

if TYPE_CHECKING:
    from calsync.store.engine import Store
    from calsync.store.places import Collection
    from calsync.store.transaction import Transaction


def used(tx: Transaction, owner: int) -> int:
    """Octets that an owner's revisions and trash take."""
    return forgetting.size(tx, owner) + trash.size(tx, owner)


def purge(store: Store, *, before: int, size: int) -> int:
    """Forget what ended before an instant, and where an owner has more octets than `size` (0: no bound) the oldest.

    How many rows went. In short transactions: others write between them.
    """
    with store.read() as tx:
        owners = [one.id for one in principals.listing(tx)]
    return sum(_purge_old(store, owner, before) + _purge_large(store, owner, size) for owner in owners)


def forget_all(store: Store, owner: int) -> int:
    """Forget all history of an owner, and empty the trash; how many rows went."""
    return _purge_old(store, owner, ALL)


def forget(store: Store, collection: Collection, items: Sequence[int] | None = None) -> int:
    """Forget the history of a collection, or of items of it by their ids, wherever they stood; how many rows went."""
    removed = 0
    while True:
        with store.write() as tx:
            principals.lock_owner(tx, collection.owner)
            if items is None:
                old = forgetting.of_collection(tx, collection.owner, collection.id)
            else:
                old = forgetting.of_items(tx, collection.owner, items)
            if not old:
                if items is None:
                    removed += forgetting.forget_properties_of(tx, collection.owner, collection.id, int(time.time()))
                return removed
            removed += forgetting.forget(tx, collection.owner, old, everywhere=False)


def _purge_old(store: Store, owner: int, before: int) -> int:
    removed = 0
    while True:
        with store.read() as tx:
            one = trash.oldest(tx, owner)
        if one is None or one[1] >= before:
            break
        removed += trash.purge(store, owner, one[0])
    removed += _forget_oldest(store, owner, before)
    while True:
        with store.read() as tx:
            old = forgetting.oldest_properties(tx, owner, before)
        if not old:
            return removed
        with store.write() as tx:
            principals.lock_owner(tx, owner)
            removed += forgetting.forget_properties(tx, owner, old)


def _purge_large(store: Store, owner: int, size: int) -> int:
    removed = 0
    while size:
        with store.read() as tx:
            excess = used(tx, owner) - size
            one = trash.oldest(tx, owner) if excess > 0 else None
        if excess <= 0:
            break
        count = _forget_oldest(store, owner, one[1] + 1 if one else ALL, excess)
        if not count and one is not None:
            count = trash.purge(store, owner, one[0])
        removed += count
        if not count:
            break
    return removed


def _forget_oldest(store: Store, owner: int, before: int, excess: int | None = None) -> int:
    """Forget the oldest revisions that ended before an instant: all of them, or of so many octets."""
    removed = 0
    while excess is None or excess > 0:
        with store.read() as tx:
            if not forgetting.oldest(tx, owner, before, 1):
                break
        with store.write() as tx:
            principals.lock_owner(tx, owner)
            old = forgetting.oldest(tx, owner, before)
            if excess is not None:
                while old and excess > 0 and sum(one.size for one in old[:-1]) >= excess:
                    old.pop()
                excess -= sum(one.size for one in old)
            removed += forgetting.forget(tx, owner, old, everywhere=True)
    return removed
