"""What has changed since a token (RFC 6578, decision D7).

Every change has its own `seq`, and a change that comes later has a greater one: an answer that names all changes up to
a seq, in their order, is complete up to there, however many more there are. So a truncated answer is continued
exactly, also while others write.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from urllib.parse import unquote

from sqlalchemy import bindparam, delete, func, select, update

from calsync.store.places import HOME, Collection, children
from calsync.store.principals import Principal, lock_owner
from calsync.store.rows import ItemRow
from calsync.store.schema import LISTED, item, tombstone
from calsync.store.schema import collection as collection_table
from calsync.store.schema import principal as principal_table
from calsync.store.statement import Prepared

if TYPE_CHECKING:
    from calsync.store.transaction import Transaction

_TOKEN: Final = re.compile(r"urn:calsync:sync:([0-9a-f]{16}):(0|[1-9][0-9]{0,18})(?:-([1-9][0-9]{0,18}))?", re.ASCII)


class Syncable(Protocol):
    """What has a sync token: a collection, or a principal's home."""

    @property
    def seq(self) -> int: ...
    @property
    def epoch(self) -> str: ...
    @property
    def horizon(self) -> int: ...
    @property
    def owner_seq(self) -> int: ...
    @property
    def sync_floor(self) -> int: ...


@dataclass(frozen=True, slots=True)
class SyncToken:
    """A state: all changes up to `position` are known. Its text is canonical: DAVx5 compares texts.

    While a first sync is truncated, `head` is the seq at which it began: deletions up to there are never named.
    """

    epoch: str
    position: int
    head: int | None = None

    def __str__(self) -> str:
        text = f"urn:calsync:sync:{self.epoch}:{self.position}"
        return text if self.head is None else f"{text}-{self.head}"

    @classmethod
    def parse(cls, text: str) -> SyncToken:
        """The token that `text` says. Raises `ValueError` where it is none of ours."""
        match = _TOKEN.fullmatch(text)
        if match is None:
            raise ValueError(f"not a sync token of this server: {text[:80]!r}")
        epoch, position, head = match.groups()
        token = cls(epoch, int(position), None if head is None else int(head))
        if token.head is not None and token.head <= token.position:
            raise ValueError(f"not a sync token of this server: {text[:80]!r}")
        return token

    @classmethod
    def of(cls, state: Syncable) -> SyncToken:
        """The token of a collection, or of a home, as it is now."""
        return cls(state.epoch, state.seq)

    def at(self, position: int) -> SyncToken:
        """The token after an answer to this one that named the changes up to `position` and was truncated there."""
        head = self.head if self.head is not None and self.head > position else None
        return SyncToken(self.epoch, position, head)

    @property
    def tombstones_after(self) -> int:
        """Deletions with a greater seq are to be named."""
        return self.position if self.head is None else self.head

    def holds_for(self, state: Syncable) -> bool:
        """Whether the changes since this token are known: else the client must begin anew (`valid-sync-token`)."""
        known = self.tombstones_after
        return (
            self.epoch == state.epoch
            and known >= max(state.horizon, state.sync_floor)
            and max(known, self.position) <= state.owner_seq
        )


def first(state: Syncable) -> SyncToken:
    """The token from which a first sync goes out."""
    return SyncToken(state.epoch, 0, state.seq) if state.seq else SyncToken(state.epoch, 0)


class Change(NamedTuple):
    """A member that has changed or gone. `url`: its name, percent-encoded, a collection's with a slash at its end.

    `item` is None for what has gone and for collections; those come in `collection`.
    """

    url: str
    seq: int
    item: ItemRow | None
    collection: Collection | None = None

    @property
    def href(self) -> str:
        """The name."""
        return unquote(self.url)

    @property
    def deleted(self) -> bool:
        """Whether it has gone."""
        return self.item is None and self.collection is None


_CHANGED: Final = Prepared(
    select(*LISTED)
    .where(
        item.c.owner == bindparam("owner"),
        item.c.collection == bindparam("collection"),
        item.c.seq > bindparam("after"),
        item.c.seq <= bindparam("upto"),
    )
    .order_by(item.c.seq)
    .limit(bindparam("limit"))
)
_GONE: Final = Prepared(
    select(tombstone.c.url, tombstone.c.seq)
    .where(
        tombstone.c.owner == bindparam("owner"),
        tombstone.c.collection == bindparam("collection"),
        tombstone.c.seq > bindparam("after"),
        tombstone.c.seq <= bindparam("upto"),
    )
    .order_by(tombstone.c.seq)
    .limit(bindparam("limit"))
)


def changes(
    tx: Transaction, collection: Collection, after: int, tombstones_after: int, limit: int, upto: int
) -> list[Change]:
    """At most `limit` changes in the order of their seq: `after` < seq <= `upto`.

    `after` is the token's `position`, `tombstones_after` its property of this name, `upto` the collection's `seq` read
    first. An answer of `limit` changes is continued after the seq of its last.
    """
    owner, id_ = collection.owner, collection.id
    found = tx.all(_CHANGED, owner=owner, collection=id_, after=after, upto=upto, limit=limit)
    changed = [Change(row[1], row[5], ItemRow._make(row)) for row in found]
    gone = _gone(tx, owner, id_, max(after, tombstones_after), limit, upto)
    inner = _collections(tx, owner, id_, after, upto) if collection.kind == "plain" else []
    return _ordered(changed, gone, inner, limit)


def home_changes(
    tx: Transaction, principal: Principal, after: int, tombstones_after: int, limit: int, upto: int
) -> list[Change]:
    """The same for the collections in a home; a collection in which something changed counts as changed."""
    gone = _gone(tx, principal.id, HOME, max(after, tombstones_after), limit, upto)
    return _ordered([], gone, _collections(tx, principal.id, HOME, after, upto), limit)


_UPTO: Final = (tombstone.c.owner == bindparam("owner"), tombstone.c.seq <= bindparam("upto"))
_FORGOTTEN: Final = Prepared(
    select(tombstone.c.collection, func.max(tombstone.c.seq)).where(*_UPTO).group_by(tombstone.c.collection)
)
_FORGET: Final = Prepared(delete(tombstone).where(*_UPTO))
_HORIZON: Final = Prepared(
    update(collection_table)
    .where(collection_table.c.owner == bindparam("owner"), collection_table.c.id == bindparam("id"))
    .values(horizon=bindparam("horizon"))
)
_HOME_HORIZON: Final = Prepared(
    update(principal_table).where(principal_table.c.id == bindparam("owner")).values(horizon=bindparam("horizon"))
)


def forget(tx: Transaction, principal: Principal, upto: int) -> int:
    """Forget the deletions up to a seq, and remember how far that goes: tokens from before the last of them are void.

    Gives how many there were. Collections in which nothing was forgotten keep all their tokens.
    """
    lock_owner(tx, principal.id)
    for collection, horizon in tx.all(_FORGOTTEN, owner=principal.id, upto=upto):
        if collection == HOME:
            tx.run(_HOME_HORIZON, owner=principal.id, horizon=horizon)
        else:
            tx.run(_HORIZON, owner=principal.id, id=collection, horizon=horizon)
    return tx.run(_FORGET, owner=principal.id, upto=upto)


def _gone(tx: Transaction, owner: int, collection: int, after: int, limit: int, upto: int) -> list[Change]:
    rows = tx.all(_GONE, owner=owner, collection=collection, after=after, upto=upto, limit=limit)
    return [Change(url, seq, None) for url, seq in rows]


def _collections(tx: Transaction, owner: int, parent: int, after: int, upto: int) -> list[Change]:
    return [
        Change(one.url + "/", one.seq, None, one)
        for one in children(tx, owner, parent)
        if one.owner == owner and after < one.seq <= upto
    ]


def _ordered(changed: list[Change], gone: list[Change], inner: list[Change], limit: int) -> list[Change]:
    if not gone and not inner:
        return changed
    return sorted(changed + gone + inner, key=lambda change: change.seq)[:limit]
