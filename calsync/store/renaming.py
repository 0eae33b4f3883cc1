"""A principal gets another name: all that is stored names it by its id, so one row changes, and every href with it.

Clients that remember hrefs must not go on from them. So each collection counts as changed and every sync token from
before is void (RFC 6578 §3.2, `valid-sync-token`): who asks with one lists anew, and finds everything at its new place.
"""

from __future__ import annotations

import time
import unicodedata
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, exists, select, update

from calsync.store import principals
from calsync.store.errors import Absent, Exists
from calsync.store.names import folded
from calsync.store.places import HOME
from calsync.store.schema import collection, mount, principal
from calsync.store.statement import Prepared

if TYPE_CHECKING:
    from calsync.store.principals import Principal
    from calsync.store.transaction import Transaction

_RENAME: Final = Prepared(
    update(principal)
    .where(principal.c.id == bindparam("of"))
    .values(
        name=bindparam("new_name"),
        name_key=bindparam("new_key"),
        horizon=bindparam("from_seq"),
        modified=bindparam("at"),
    )
)
_STANDING: Final = (
    collection.c.owner == bindparam("of"),
    exists().where(mount.c.owner == collection.c.owner, mount.c.collection == collection.c.id),
)
_IDS: Final = Prepared(select(collection.c.id).where(*_STANDING))
_VOID: Final = Prepared(
    update(collection).where(*_STANDING).values(seq=bindparam("from_seq"), horizon=bindparam("from_seq"))
)


def rename(tx: Transaction, owner: Principal, name: str) -> Principal:
    """Give a principal another name. Raises `Exists` where somebody has it, `Absent`."""
    present = principals.find(tx, name)
    if present is not None and present.id != owner.id:
        raise Exists(name)
    principals.lock_owner(tx, owner.id)
    seq = principals.advance(tx, owner.id)
    tx.run(
        _RENAME,
        of=owner.id,
        new_name=unicodedata.normalize("NFC", name),
        new_key=folded(name),
        from_seq=seq,
        at=int(time.time()),
    )
    tx.run(_VOID, of=owner.id, from_seq=seq)
    for (id_,) in tx.all(_IDS, of=owner.id):
        tx.changed(owner.id, id_)
    tx.changed(owner.id, HOME)
    found = principals.get(tx, owner.id)
    if found is None:
        raise Absent(owner.name)
    return found
