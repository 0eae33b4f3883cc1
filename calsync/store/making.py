"""How a collection comes into being."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from sqlalchemy import insert

from calsync.store import quota
from calsync.store.places import HOME, UNBURY, Collection, check_place, current, touch
from calsync.store.principals import Principal, advance, lock_owner, merged
from calsync.store.schema import collection, mount
from calsync.store.statement import Prepared
from calsync.webdav.urls import encode_segment

if TYPE_CHECKING:
    from calsync.store.transaction import Transaction

_INSERT: Final = Prepared(insert(collection))
_MOUNT: Final = Prepared(insert(mount))


def create(
    tx: Transaction,
    principal: Principal,
    parent: int,
    name: str,
    kind: str,
    components: Sequence[str] = (),
    properties: Mapping[str, str | None] | None = None,
) -> Collection:
    """A new, empty collection in `parent` (0: the home).

    Raises `Exists`, `Absent` where the parent is gone, and `OverQuota`.
    """
    lock_owner(tx, principal.id)
    check_place(tx, principal.id, parent, name)
    room = quota.room(tx, principal.id)
    if room is not None:
        room.take(collections=1)
    return make(tx, principal, parent, name, kind, components, properties)


def make(
    tx: Transaction,
    principal: Principal,
    parent: int,
    name: str,
    kind: str,
    components: Sequence[str] = (),
    properties: Mapping[str, str | None] | None = None,
) -> Collection:
    """The same where the caller has locked the owner, and looked whether there is room."""
    owner = principal.id
    now = int(time.time())
    seq = advance(tx, owner)
    tx.run(
        _INSERT,
        owner=owner,
        id=seq,
        kind=kind,
        components=",".join(components),
        properties=json.dumps(merged({}, properties or {})),
        seq=seq,
        horizon=0,
        item_count=0,
        octet_count=0,
        created=now,
        modified=now,
    )
    tx.run(
        _MOUNT,
        principal=owner,
        parent=parent,
        name=name,
        url=encode_segment(name),
        owner=owner,
        collection=seq,
        bound=seq,
        position=0,
        displayname=None,
        color=None,
    )
    tx.run(UNBURY, owner=owner, collection=parent, href=name + "/")
    tx.changed(owner, seq)
    if parent != HOME:
        touch(tx, owner, parent, seq, now)
    return current(tx, owner, seq)
