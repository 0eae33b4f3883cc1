"""Principals: who can own collections. Its row holds the counter that numbers all changes of what is a principal's."""

from __future__ import annotations

import json
import secrets
import time
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Table, bindparam, insert, or_, select, update
from sqlalchemy import delete as delete_from

from calsync.store import forgetting, meta
from calsync.store.errors import Absent, Again, Exists
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
    property_revision,
    quarantine,
    quota,
    revision,
    share,
    tombstone,
    trash,
)
from calsync.store.statement import Prepared, each

if TYPE_CHECKING:
    from calsync.store.transaction import Transaction


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
_BY_NAME: Final = select(*_COLUMNS).where(principal.c.name_key == bindparam("key"))
_BY_ID: Final = select(*_COLUMNS).where(principal.c.id == bindparam("id"))
_FIND: Final = Prepared(_BY_NAME)
_FIND_HELD: Final = Prepared(_BY_NAME.with_for_update())
_GET: Final = Prepared(_BY_ID)
_GET_HELD: Final = Prepared(_BY_ID.with_for_update())
_HOLD: Final = Prepared(
    select(principal.c.id, principal.c.seq)
    .where(principal.c.name_key.in_(each("keys")))
    .order_by(principal.c.id)
    .with_for_update()
)
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
    property_revision,
    quarantine,
    revision,
    share,
    tombstone,
    trash,
)
_DELETE_OWNED: Final = tuple(Prepared(delete_from(table).where(table.c.owner == bindparam("id"))) for table in _OWNED)
_DELETE_QUOTA: Final = Prepared(delete_from(quota).where(quota.c.principal == bindparam("id")))
_DELETE_MOUNTS: Final = Prepared(
    delete_from(mount).where(or_(mount.c.principal == bindparam("id"), mount.c.owner == bindparam("id")))
)


def _principal(row: tuple[Any, ...]) -> Principal:
    id_, name, kind, seq, epoch, horizon, properties, created, modified = row
    return Principal(id_, name, kind, seq, epoch, horizon, read_properties(properties), created, modified)


def find(tx: Transaction, name: str) -> Principal | None:
    """The principal with this name, compared without case. Who writes keeps others from it until the commit."""
    row = tx.first(_FIND_HELD if tx.writes else _FIND, key=folded(name))
    return None if row is None else _found(tx, row)


def get(tx: Transaction, id: int) -> Principal | None:
    """The same by the id."""
    row = tx.first(_GET_HELD if tx.writes and id not in tx.locked else _GET, id=id)
    return None if row is None else _found(tx, row)


def _found(tx: Transaction, row: tuple[Any, ...]) -> Principal:
    found = _principal(row)
    if tx.writes:
        _held(tx, found.id, found.seq)
    return found


def hold(tx: Transaction, names: Iterable[str]) -> None:
    """Keep other writers of several principals away: in one order, so that two who want the same do not block."""
    keys = sorted({folded(name) for name in names})
    if tx.dialect == "sqlite" or len(keys) < 2:
        return
    for id_, seq in tx.all(_HOLD, keys=json.dumps(keys)):
        _held(tx, id_, seq)


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
    tx.advanced(made.id, 0)
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


def read_properties(stored: str) -> dict[str, str]:
    """The properties of a principal or a collection; none where the row is damaged, `calsync verify` names it."""
    try:
        found = json.loads(stored)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def merged(properties: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """`properties` with `changes` applied."""
    kept = {name: xml for name, xml in properties.items() if name not in changes}
    return kept | {name: xml for name, xml in changes.items() if xml is not None}


def delete(tx: Transaction, principal: Principal) -> None:
    """Remove the principal with all that is theirs."""
    tx.removed.append((principal.epoch, principal.name))
    for statement in _DELETE_OWNED:
        tx.run(statement, id=principal.id)
    forgetting.unmark(tx, principal.id)
    meta.remove_starting(tx, f"moved-in:{principal.id}:")  # calsync.remote.state
    tx.run(_DELETE_QUOTA, id=principal.id)
    tx.run(_DELETE_MOUNTS, id=principal.id)
    tx.run(_DELETE, id=principal.id)


def lock_owner(tx: Transaction, owner: int) -> None:
    """Keep other writers of this owner away until the commit. SQLite's writer is alone already.

    Raises `Again` where somebody has changed something of the owner since this transaction first read of it.
    """
    if tx.dialect == "sqlite" or owner in tx.locked:
        return
    row = tx.first(_LOCK, id=owner)
    if row is not None:
        _held(tx, owner, row[0])


def _held(tx: Transaction, owner: int, seq: int) -> None:
    if owner not in tx.locked:
        if tx.seen.get(owner, seq) != seq:
            raise Again(f"principal {owner} has changed meanwhile", frozenset((owner,)))
        tx.locked.add(owner)


def advance(tx: Transaction, owner: int, by: int = 1) -> int:
    """Take the next `by` values of the owner's counter; gives the last. Raises `Absent`."""
    row = tx.first(_ADVANCE, id=owner, by=by)
    if row is None:
        raise Absent(f"principal {owner}")
    last = int(row[0])
    _held(tx, owner, last - by)
    tx.advanced(owner, last - by)
    return last
