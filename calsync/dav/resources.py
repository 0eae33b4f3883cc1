"""What a URL is (decision D3): `/USER/` a principal and its home, `/USER/NAME/` a collection, `…/ITEM` an item."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from calsync.dav.request import Segments
from calsync.store import collections, items, principals
from calsync.store.collections import Collection
from calsync.store.items import Item
from calsync.store.principals import Principal
from calsync.store.transaction import Transaction


class Kind(StrEnum):
    """The kinds of resource; properties, methods and reports name the kinds that have them."""

    ROOT = "root"
    HOME = "home"
    CALENDAR = "calendar"
    ADDRESSBOOK = "addressbook"
    SUBSCRIBED = "subscribed"
    PLAIN = "plain"
    EVENT = "calendar object"
    CARD = "address object"
    FILE = "file"
    MISSING = "missing"


COLLECTIONS = frozenset({Kind.ROOT, Kind.HOME, Kind.CALENDAR, Kind.ADDRESSBOOK, Kind.SUBSCRIBED, Kind.PLAIN})
STORED_COLLECTIONS = frozenset({Kind.CALENDAR, Kind.ADDRESSBOOK, Kind.SUBSCRIBED, Kind.PLAIN})
TAGGED = frozenset({Kind.CALENDAR, Kind.ADDRESSBOOK, Kind.SUBSCRIBED})
CALENDARS = frozenset({Kind.CALENDAR, Kind.SUBSCRIBED})
ITEMS = frozenset({Kind.EVENT, Kind.CARD, Kind.FILE})
EXISTING = COLLECTIONS | ITEMS

#: The kind of the items that a collection holds.
MEMBERS = {
    "calendar": Kind.EVENT,
    "subscribed": Kind.EVENT,
    "addressbook": Kind.CARD,
    "plain": Kind.FILE,
}


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as the store has it.

    For an item, `collection` is the one that holds it. For `Kind.MISSING`, `principal` and `collection` are those of
    the parent, and `parent` says whether that parent exists at all and could have members.
    """

    kind: Kind
    path: Segments
    principal: Principal | None = None
    collection: Collection | None = None
    item: Item | None = None
    parent: bool = True

    @property
    def name(self) -> str:
        """The last segment, empty for the root."""
        return self.path[-1] if self.path else ""

    @property
    def is_collection(self) -> bool:
        """Whether the resource exists and is a collection in WebDAV's sense."""
        return self.kind in COLLECTIONS

    @property
    def owner(self) -> Principal:
        """The principal in whose home the resource lies."""
        assert self.principal is not None, self
        return self.principal

    @property
    def container(self) -> Collection:
        """The stored collection: itself, or that of the item."""
        assert self.collection is not None, self
        return self.collection

    @property
    def member(self) -> Item:
        """The stored item."""
        assert self.item is not None, self
        return self.item


def locate(tx: Transaction, path: Segments) -> Resource:
    """Find out what `path` is; never raises."""
    if not path:
        return Resource(Kind.ROOT, path)
    principal = principals.find(tx, path[0])
    # Other auth back ends tell `anna` from `Anna`: rights were asked for the name as it stands in the path.
    if principal is None or principal.name != path[0]:
        return Resource(Kind.MISSING, path, parent=len(path) == 1)
    if len(path) == 1:
        return Resource(Kind.HOME, path, principal)
    collection: Collection | None = None
    last = len(path) - 1
    for position in range(1, len(path)):
        name = path[position]
        # Calendars and address books hold no collections (RFC 4791 §4.2, RFC 6352 §5.2).
        child = None
        if collection is None or collection.kind == "plain":
            child = collections.child(tx, principal.id, collection.id if collection else 0, name)
        if child is not None:
            if tx.writes and child.owner != principal.id:
                # What is shared belongs to another, who must not write meanwhile either.
                principals.lock_owner(tx, child.owner)
            collection = child
            continue
        if position < last:
            return Resource(Kind.MISSING, path, principal, collection, parent=False)
        item = items.get(tx, collection, name) if collection is not None else None
        if collection is None or item is None:
            return Resource(Kind.MISSING, path, principal, collection)
        return Resource(MEMBERS[collection.kind], path, principal, collection, item)
    assert collection is not None
    return Resource(Kind(collection.kind), path, principal, collection)


def of_collection(principal: Principal, path: Segments, collection: Collection) -> Resource:
    """The resource of a collection that is already at hand."""
    return Resource(Kind(collection.kind), path, principal, collection)
