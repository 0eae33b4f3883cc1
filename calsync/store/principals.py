"""Principals: who can own collections. Its row holds the counter that numbers all changes of what is a principal's."""

from __future__ import annotations

import json
import secrets
import time
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Table, bindparam, insert, or_, select, update
from sqlalchemy import delete as delete_from

from calsync.store import meta
from calsync.store.errors import Absent, Exists
from calsync.store.names import folded
from calsync.store.schema import (
    body,
    card_field,
    collection,
    dead_property,
    item,
    lock,
    mount,
    occurrence,
    principal,
    share,
    tombstone,
)
from calsync.store.statement import Prepared

if TYPE_CHECKING:
    from calsync.store.engine import Transaction


@dataclass(frozen=True, slots=True)
class Principal:
    """`seq`: of the last change of anything that is the principal's. `epoch`: changes only where history is lost.

    `horizon`: deletions in the home with a greater `seq` are remembered. `properties`: Clark name → the element, whole.
    `created`, `modified`: instants.
    """

    id: int
    name: str
    kind: str
    seq: int
    epoch: str
    horizon: int
    properties: Mapping[str, str]
    created: int
    modified: int

    @property
    def sync_floor(self) -> int:
        """Tokens of the home that are older are void; a home is never anything else before."""
        return 0

    @property
    def owner_seq(self) -> int:
        """The last value of the counter."""
        return self.seq


_COLUMNS: Final = (
    principal.c.id,
    principal.c.name,
    principal.c.kind,
    principal.c.seq,
    principal.c.epoch,
    principal.c.horizon,
    principal.c.properties,
    principal.c.created,
    principal.c.modified,
)
_FIND: Final = Prepared(select(*_COLUMNS).where(principal.c.name_key == bindparam("key")))
_GET: Final = Prepared(select(*_COLUMNS).where(principal.c.id == bindparam("id")))
_LISTING: Final = Prepared(select(*_COLUMNS).order_by(principal.c.name_key))
_INSERT: Final = Prepared(insert(principal))
_ADVANCE: Final = Prepared(
    update(principal)
    .where(principal.c.id == bindparam("id"))
    .values(seq=principal.c.seq + bindparam("by"))
    .returning(principal.c.seq)
)
_LOCK: Final = Prepared(select(principal.c.seq).where(principal.c.id == bindparam("id")).with_for_update())
_PROPERTIES: Final = Prepared(
    update(principal)
    .where(principal.c.id == bindparam("id"))
    .values(properties=bindparam("properties"), modified=bindparam("modified"))
)
_DELETE: Final = Prepared(delete_from(principal).where(principal.c.id == bindparam("id")))
_OWNED: Final[tuple[Table, ...]] = (
    body,
    card_field,
    collection,
    dead_property,
    item,
    lock,
    occurrence,
    share,
    tombstone,
)
_DELETE_OWNED: Final = tuple(Prepared(delete_from(table).where(table.c.owner == bindparam("id"))) for table in _OWNED)
_DELETE_MOUNTS: Final = Prepared(
    delete_from(mount).where(or_(mount.c.principal == bindparam("id"), mount.c.owner == bindparam("id")))
)


def _principal(row: tuple[Any, ...]) -> Principal:
    id_, name, kind, seq, epoch, horizon, properties, created, modified = row
    return Principal(id_, name, kind, seq, epoch, horizon, json.loads(properties), created, modified)


def find(tx: Transaction, name: str) -> Principal | None:
    """The principal with this name, compared without case."""
    row = tx.first(_FIND, key=folded(name))
    return None if row is None else _principal(row)


def get(tx: Transaction, id: int) -> Principal | None:
    """The principal with this id."""
    row = tx.first(_GET, id=id)
    return None if row is None else _principal(row)


def listing(tx: Transaction) -> list[Principal]:
    """All principals, by name."""
    return [_principal(row) for row in tx.all(_LISTING)]


def create(tx: Transaction, name: str, kind: str = "user") -> Principal:
    """A new principal with an empty home. Raises `Exists`."""
    key = folded(name)
    if tx.first(_FIND, key=key) is not None:
        raise Exists(name)
    now = int(time.time())
    # A name that is given anew must not continue what its former bearer's phones have seen: the epoch is random.
    made = Principal(
        meta.count(tx, "principal"),
        unicodedata.normalize("NFC", name),
        kind,
        1,
        secrets.token_hex(8),
        0,
        {},
        now,
        now,
    )
    tx.run(
        _INSERT,
        id=made.id,
        name=made.name,
        name_key=key,
        kind=kind,
        seq=made.seq,
        epoch=made.epoch,
        horizon=made.horizon,
        properties="{}",
        created=now,
        modified=now,
    )
    return made


def set_properties(tx: Transaction, principal: Principal, changes: Mapping[str, str | None]) -> Principal:
    """Set the properties that have a value and remove those that have None. Raises `Absent`."""
    lock_owner(tx, principal.id)
    now = get(tx, principal.id)
    if now is None:
        raise Absent(principal.name)
    properties = merged(now.properties, changes)
    if properties != now.properties:
        advance(tx, now.id)
        tx.run(_PROPERTIES, id=now.id, properties=json.dumps(properties), modified=int(time.time()))
    found = get(tx, now.id)
    assert found is not None
    return found


def merged(properties: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """`properties` with `changes` applied."""
    kept = {name: xml for name, xml in properties.items() if name not in changes}
    return kept | {name: xml for name, xml in changes.items() if xml is not None}


def delete(tx: Transaction, principal: Principal) -> None:
    """Remove the principal with all that is theirs."""
    for statement in _DELETE_OWNED:
        tx.run(statement, id=principal.id)
    tx.run(_DELETE_MOUNTS, id=principal.id)
    tx.run(_DELETE, id=principal.id)


def lock_owner(tx: Transaction, owner: int) -> None:
    """Keep other writers of this owner away until the commit. SQLite's writer is alone already."""
    if tx.dialect != "sqlite":
        tx.first(_LOCK, id=owner)


def advance(tx: Transaction, owner: int, by: int = 1) -> int:
    """Take the next `by` values of the owner's counter; gives the last. Raises `Absent`."""
    row = tx.first(_ADVANCE, id=owner, by=by)
    if row is None:
        raise Absent(f"principal {owner}")
    return int(row[0])
