"""Quotas: how many octets, items and collections a user may have (RFC 4331).

What holds is the user's own bound, else that of the configuration. The latter stands in the store too (`meta`), so that
whoever writes keeps to it: the server, a command that was given nothing but `--store`, the plugin in stock Radicale,
which knows no `[quota]`. `calsync serve` writes there what its configuration says. Where nobody has a bound, nothing
stands there, and as each writing transaction reads it at its start, no write costs more.

What counts is what stands in the user's home, whoever has put it there, by the figures that each collection carries.
Properties do not count, and neither do history and trash: over DAV nobody sees or empties them, they have a bound of
their own (`[history] size`), and whoever has too much must get room by deleting.

An operation may fill the quota; one who has more already (the bound was lowered) may not get more than before it. So
what makes nothing bigger is always possible.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import and_, bindparam, delete, func, insert, select

from calsync.store import meta
from calsync.store.errors import OverQuota, ReadOnly
from calsync.store.principals import lock_owner
from calsync.store.schema import collection, mount, quota
from calsync.store.statement import Prepared

if TYPE_CHECKING:
    from calsync.store.engine import Store
    from calsync.store.transaction import Transaction


class Amounts(NamedTuple):
    """How much there is, or may be: then 0 is no bound."""

    octets: int = 0
    items: int = 0
    collections: int = 0


class Own(NamedTuple):
    """What is said of one user; None: as the configuration says, 0: no bound."""

    octets: int | None = None
    items: int | None = None
    collections: int | None = None


UNBOUNDED: Final = Amounts()
_UNSAID: Final = Own()
KEY: Final = "quota"

_SAID: Final = [quota.c[name] for name in Own._fields]
_OWN: Final = Prepared(select(*_SAID).where(quota.c.principal == bindparam("owner")))
_EVERY: Final = Prepared(select(quota.c.principal, *_SAID))
_ANY: Final = Prepared(select(quota.c.principal).limit(1))
_INSERT: Final = Prepared(insert(quota))
_DELETE: Final = Prepared(delete(quota).where(quota.c.principal == bindparam("owner")))
# A collection in the trash has no mount; one that somebody shares has one more, which is not the owner's.
_STANDING: Final = (
    select(
        func.coalesce(func.sum(collection.c.octet_count), 0),
        func.coalesce(func.sum(collection.c.item_count), 0),
        func.count(),
    )
    .select_from(mount)
    .join(collection, and_(collection.c.owner == mount.c.owner, collection.c.id == mount.c.collection))
    .where(mount.c.principal == mount.c.owner)
)
_USED: Final = Prepared(
    _STANDING.where(mount.c.principal == bindparam("principal"), mount.c.owner == bindparam("principal"))
)
_USED_BY_ALL: Final = Prepared(_STANDING.add_columns(mount.c.owner).group_by(mount.c.owner))


# --- bounds -----------------------------------------------------------------------------------------------------------


def bounds(tx: Transaction, owner: int) -> Amounts:
    """What holds for a user."""
    stored = meta.get(tx, KEY)
    return UNBOUNDED if stored is None else _effective(own(tx, owner), _read(stored))


def _effective(own: Own, configured: Amounts) -> Amounts:
    return Amounts(*(mine if mine is not None else theirs for mine, theirs in zip(own, configured, strict=True)))


def _read(stored: bytes) -> Amounts:
    return Amounts(*json.loads(stored))


def own(tx: Transaction, owner: int) -> Own:
    """What is said of this user alone."""
    row = tx.first(_OWN, owner=owner)
    return _UNSAID if row is None else Own(*row)


def put(tx: Transaction, owner: int, said: Own) -> None:
    """Say something else of this user; nothing at all with `Own()`."""
    tx.run(_DELETE, owner=owner)
    if said != _UNSAID:
        tx.run(_INSERT, principal=owner, octets=said.octets, items=said.items, collections=said.collections)
    _configure(tx, configured(tx))


def configured(tx: Transaction) -> Amounts:
    """What holds for whom nothing else is said of."""
    stored = meta.get(tx, KEY)
    return UNBOUNDED if stored is None else _read(stored)


def keep(store: Store, wanted: Amounts) -> None:
    """Let this hold from now on for whom nothing else is said of. A store that cannot be written needs no bounds."""
    with store.read() as tx:
        if configured(tx) == wanted:
            return
    with suppress(ReadOnly), store.write(still=True) as tx:
        _configure(tx, wanted)


def _configure(tx: Transaction, wanted: Amounts) -> None:
    if wanted == UNBOUNDED and tx.first(_ANY) is None:
        tx.quota = None
        meta.remove(tx, KEY)
    else:
        tx.quota = json.dumps(wanted).encode()
        meta.put(tx, KEY, tx.quota)


# --- use --------------------------------------------------------------------------------------------------------------


def used(tx: Transaction, owner: int) -> Amounts:
    """What a user has. The cost grows with the collections, not with what is in them."""
    row = tx.first(_USED, principal=owner)
    return UNBOUNDED if row is None else Amounts(*map(int, row))


class Account(NamedTuple):
    """`own`: what is said of the user, `bounds`: what holds, `used`: what there is."""

    own: Own
    bounds: Amounts
    used: Amounts


def listing(tx: Transaction) -> Mapping[int, Account]:
    """All who have something, or of whom something is said, by their ids."""
    otherwise = configured(tx)
    said = {row[0]: Own(*row[1:]) for row in tx.all(_EVERY)}
    used = {row[3]: Amounts(*map(int, row[:3])) for row in tx.all(_USED_BY_ALL)}
    return {
        owner: Account(mine, _effective(mine, otherwise), used.get(owner, UNBOUNDED))
        for owner, mine in ((owner, said.get(owner, _UNSAID)) for owner in sorted(said.keys() | used.keys()))
    }


def account(tx: Transaction, owner: int) -> Account:
    """The same of one user."""
    return Account(own(tx, owner), bounds(tx, owner), used(tx, owner))


@dataclass(slots=True)
class Room:
    """What an operation may still add. `ceiling`: what there may be after it, 0 without bound."""

    owner: int
    bounds: Amounts
    ceiling: Amounts
    used: Amounts

    def take(self, octets: int = 0, items: int = 0, collections: int = 0) -> None:
        """Add so much (or remove, below 0). Raises `OverQuota`, and then has added nothing."""
        grown = Amounts(octets, items, collections)
        after = Amounts(*(there + more for there, more in zip(self.used, grown, strict=True)))
        for what, bound, most, more, wanted in zip(
            Amounts._fields, self.bounds, self.ceiling, grown, after, strict=True
        ):
            if most and more > 0 and wanted > most:
                raise OverQuota(what, bound, wanted)
        self.used = after

    def anew(self, tx: Transaction) -> Room:
        """The same once the operation has removed something."""
        return Room(self.owner, self.bounds, self.ceiling, used(tx, self.owner))


def lift(tx: Transaction) -> None:
    """Let what is written from now on in this transaction have no bounds: it is a store that is brought back."""
    tx.quota = None


def room(tx: Transaction, owner: int) -> Room | None:
    """What may be added to what is an owner's, None where there is no bound.

    To be asked before the operation removes anything. From then on nobody else adds something.
    """
    if tx.quota is None:
        return None
    lock_owner(tx, owner)
    bound = _effective(own(tx, owner), _read(tx.quota))
    if bound == UNBOUNDED:
        return None
    there = used(tx, owner)
    ceiling = Amounts(*(most and max(most, now) for most, now in zip(bound, there, strict=True)))
    return Room(owner, bound, ceiling, there)
