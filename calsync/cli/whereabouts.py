"""What `USER/COLLECTION/ITEM` means, also where it is no more: in the present, in the history, in the trash."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from calsync.store import history, items, places, principals, trash
from calsync.store.errors import StoreError
from calsync.store.places import HOME, Collection
from calsync.store.principals import Principal
from calsync.store.trash import Trashed

if TYPE_CHECKING:
    from calsync.store.transaction import Transaction


class NotThere(StoreError):
    """There is nothing, and never was; the message says what to look at."""


@dataclass(frozen=True, slots=True)
class Place:
    """`collection`: None for a whole user. `item`: the name in it, or empty. `trashed`: where it lies in the trash."""

    principal: Principal
    collection: Collection | None = None
    item: str = ""
    trashed: Trashed | None = None

    @property
    def owner(self) -> int:
        """Whose history it is: a shared calendar's is its owner's."""
        return self.principal.id if self.collection is None else self.collection.owner


def find(tx: Transaction, path: str) -> Place:
    """What a path means. Raises `NotThere`."""
    user, *names = _names(path)
    principal = principals.find(tx, user)
    if principal is None:
        raise NotThere(f"there is no user {user!r} (calsync user list)")
    if not names:
        return Place(principal)
    collection, left = _walk(tx, principal, names)
    if collection is not None and not left:
        return Place(principal, collection)
    item = left[0] if collection is not None and len(left) == 1 else ""
    if collection is not None and item and _known(tx, collection, item):
        return Place(principal, collection, item)
    for whole in (len(names), len(names) - 1):
        gone = trash.at(tx, principal.id, "/".join(names[:whole])) if whole else []
        if gone:
            return Place(principal, trash.contents(tx, gone[0]), "/".join(names[whole:]), gone[0])
    raise NotThere(
        f"nothing is known of {path!r} (calsync history {principal.name}, with --trash for what was deleted)"
    )


def room(tx: Transaction, path: str) -> tuple[Principal, int, str]:
    """Where a new collection is to stand: the principal, the parent (0: the home) and the name. Raises `NotThere`."""
    user, *names = _names(path)
    principal = principals.find(tx, user)
    if principal is None:
        raise NotThere(f"there is no user {user!r} (calsync user list)")
    collection, left = _walk(tx, principal, names)
    if len(left) != 1 or (collection is not None and (collection.kind != "plain" or collection.owner != principal.id)):
        raise NotThere(f"{path!r} is not free for a new collection (write USER/NAME, a name that is not taken)")
    return principal, HOME if collection is None else collection.id, left[0]


def path_of(tx: Transaction, owner: int, collection: int) -> tuple[str, bool]:
    """`anna/work`, and whether it lies in the trash; of one that is gone for good `anna/#12`."""
    principal = principals.get(tx, owner)
    home = principal.name if principal is not None else f"#{owner}"
    if places.get(tx, owner, collection) is not None:
        return f"{home}/{places.path_of(tx, owner, collection)}", False
    one = trash.find(tx, owner, collection)
    return (f"{home}/#{collection}", False) if one is None else (f"{home}/{one.path}", True)


def _names(path: str) -> list[str]:
    names = [part for part in path.split("/") if part]
    if not names:
        raise NotThere(f"{path!r} names nothing (write USER, USER/COLLECTION or USER/COLLECTION/ITEM)")
    return names


def _walk(tx: Transaction, principal: Principal, names: list[str]) -> tuple[Collection | None, list[str]]:
    """The collection that the first names lead to, and the names that are left."""
    collection: Collection | None = None
    for position, name in enumerate(names):
        if collection is not None and collection.kind != "plain":
            return collection, names[position:]
        inner = places.child(tx, principal.id, HOME if collection is None else collection.id, name)
        if inner is None:
            return collection, names[position:]
        collection = inner
    return collection, []


def _known(tx: Transaction, collection: Collection, item: str) -> bool:
    if items.get(tx, collection, item) is not None:
        return True
    return bool(history.items_at(tx, collection.owner, collection.id, item))
