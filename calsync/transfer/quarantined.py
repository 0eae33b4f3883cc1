"""What lies in quarantine on its way in: mended or as it is, by the checks and the write that every object passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from calsync.ical.facts import ObjectResource, address_object, calendar_object
from calsync.ical.validate import Refused
from calsync.store import collections, items, principals, quarantine
from calsync.store.collections import Collection
from calsync.store.errors import Exists, OverQuota, UidConflict
from calsync.store.quarantine import Entry
from calsync.transfer.names import href_for
from calsync.transfer.repair import completed
from calsync.transfer.taking import ENDINGS

if TYPE_CHECKING:
    from calsync.store.engine import Store
    from calsync.store.transaction import Transaction

#: Whom the history names for it.
ACTOR: Final = "calsync quarantine"


@dataclass(frozen=True, slots=True)
class Taken:
    """`place`: the path that it has now, or would have; empty where it stays. `done`: the repairs, each in words.
    `reason`: why it stays."""

    entry: Entry
    place: str = ""
    done: tuple[str, ...] = ()
    reason: str = ""


def take(store: Store, entry: Entry, *, mend: bool, into: str = "", dry_run: bool = False) -> Taken:
    """Put an entry where it was meant to go (or `into` another collection of its owner), and forget it here.

    `mend`: with all known repairs; else as it is, for what was refused for a reason that has gone. In a dry run nothing
    changes.
    """
    names = [part for part in (into or entry.target).split("/") if part]
    with store.read() as tx:
        octets = quarantine.octets(tx, entry)
        principal = principals.get(tx, entry.owner)
        collection = collections.find(tx, principal, names) if principal is not None and names else None
    if octets is None or principal is None:
        return Taken(entry, reason="it is gone")
    if collection is None or collection.kind not in ENDINGS:
        what = (
            f"there is no calendar or address book {'/'.join(names)!r}" if names else "it was meant for no collection"
        )
        return Taken(entry, reason=f"{what} (--into NAME says where it goes)")
    done: list[str] = []
    if mend:
        octets, done = completed(octets, stamp=entry.received)
    told = tuple(done)
    try:
        obj = _parsed(store, collection, octets)
    except Refused as error:
        return Taken(entry, done=told, reason=str(error))
    base = f"{principal.name}/{'/'.join(names)}/"
    if dry_run:
        with store.read() as tx:
            name, reason = _place(tx, collection, entry, obj)
        return Taken(entry, "" if reason else base + name, told, reason)
    with store.write() as tx:
        tx.actor = ACTOR
        if quarantine.get(tx, entry.id) is None:
            return Taken(entry, done=told, reason="it is gone")
        name, reason = _place(tx, collection, entry, obj)
        if reason:
            return Taken(entry, done=told, reason=reason)
        try:
            items.put(tx, collection, name, obj)
        except UidConflict as conflict:
            return Taken(entry, done=told, reason=f"its UID is that of {conflict.href}")
        except Exists:
            return Taken(entry, done=told, reason=f"a collection is called {name}")
        except OverQuota as error:
            return Taken(entry, done=told, reason=str(error))
        quarantine.drop(tx, entry)
    return Taken(entry, base + name, told)


def _parsed(store: Store, collection: Collection, octets: bytes) -> ObjectResource:
    if collection.kind == "addressbook":
        return address_object(octets)
    return calendar_object(octets, window=store.window, components=collection.components or None)


def _place(tx: Transaction, collection: Collection, entry: Entry, obj: ObjectResource) -> tuple[str, str]:
    """The name that it gets, or why it gets none: what somebody has put there since is not overwritten."""
    uid = obj.facts.uid
    holder = items.by_uid(tx, collection, uid) if uid else None
    if holder is not None:
        if holder.etag == obj.etag:
            return "", f"the very same is there as {holder.href} (calsync quarantine drop {entry.id})"
        return "", f"its UID is that of {holder.href}: compare them, then drop one"
    wanted = entry.href or href_for(uid or obj.etag, ENDINGS[collection.kind])
    number = 1
    while items.get(tx, collection, wanted) is not None:
        number += 1
        wanted = f"{obj.etag[:32]}-{number}{ENDINGS[collection.kind]}"
    return wanted, ""
