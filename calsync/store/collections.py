"""Collections: calendars, address books, subscribed calendars, and plain ones that hold others or files.

How they are read is in `places`, how they go in `removals`, how they are copied and moved in `copies`; the names are
given on here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, update

from calsync.store import history
from calsync.store.copies import copy_collection as copy
from calsync.store.copies import move_collection as move
from calsync.store.making import create
from calsync.store.places import (
    HOME,
    Collection,
    below,
    child,
    children,
    count_and_size,
    current,
    draft,
    find,
    get,
    touch,
)
from calsync.store.principals import advance, lock_owner, merged
from calsync.store.removals import remove_collection as delete
from calsync.store.schema import collection
from calsync.store.statement import Prepared

if TYPE_CHECKING:
    from calsync.store.transaction import Transaction

__all__ = [
    "HOME",
    "Collection",
    "below",
    "child",
    "children",
    "copy",
    "count_and_size",
    "create",
    "delete",
    "draft",
    "find",
    "get",
    "move",
    "set_kind",
    "set_properties",
]

_SET: Final = Prepared(
    update(collection)
    .where(collection.c.owner == bindparam("owner"), collection.c.id == bindparam("id"))
    .values(properties=bindparam("properties"), kind=bindparam("kind"), components=bindparam("components"))
)


def set_properties(tx: Transaction, collection: Collection, changes: Mapping[str, str | None]) -> Collection:
    """Set the properties that have a value and remove those that have None. Raises `Absent`."""
    lock_owner(tx, collection.owner)
    found = current(tx, collection.owner, collection.id)
    properties = merged(found.properties, changes)
    return _set(tx, found, properties, found.kind, found.components)


def set_kind(tx: Transaction, collection: Collection, kind: str, components: Sequence[str] = ()) -> Collection:
    """Make it a collection of another kind; what it holds stays as it is. Raises `Absent`."""
    lock_owner(tx, collection.owner)
    found = current(tx, collection.owner, collection.id)
    return _set(tx, found, found.properties, kind, tuple(components))


def _set(
    tx: Transaction, found: Collection, properties: Mapping[str, str], kind: str, components: tuple[str, ...]
) -> Collection:
    if (properties, kind, components) == (found.properties, found.kind, found.components):
        return found
    seq, now = advance(tx, found.owner), int(time.time())
    if properties != found.properties:
        history.keep_properties(tx, found, seq, now)
    tx.run(
        _SET,
        owner=found.owner,
        id=found.id,
        properties=json.dumps(properties),
        kind=kind,
        components=",".join(components),
    )
    touch(tx, found.owner, found.id, seq, now)
    return current(tx, found.owner, found.id)
