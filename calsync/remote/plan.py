"""What of an account is to be taken: each collection with the name that it gets here, and the items to be fetched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from calsync.remote.arriving import AGAIN, nameable
from calsync.remote.client import Client, RemoteError, Unreachable
from calsync.remote.discovery import Account, RemoteCollection
from calsync.remote.listing import Listed, Listing, listing, same_etag
from calsync.remote.state import Memory, taken_here
from calsync.store import collections, principals
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.places import path_of
from calsync.store.principals import Principal
from calsync.transfer.names import collection_name, free, free_of_reserved
from calsync.transfer.report import Report

_ENDINGS: Final = {"calendar": "-calendar", "addressbook": "-contacts"}


@dataclass(slots=True)
class Planned:
    """A collection with what is to be fetched of it. `target`: its path here, as far as that is known."""

    remote: RemoteCollection
    memory: Memory
    listing: Listing
    wanted: dict[str, Listed]
    target: str
    failure: str = ""

    @property
    def there(self) -> int:
        """How many items the source has."""
        known = {} if self.listing.whole else self.memory.entries
        return len((known.keys() | self.listing.items.keys()) - self.listing.gone)


@dataclass(slots=True)
class Planner:
    """Looks at both sides, and writes nothing. What people should know of it goes into `report`."""

    client: Client
    store: Store
    host: str
    user: str
    report: Report
    theirs: bool

    def plan(self, account: Account, chosen: Sequence[RemoteCollection]) -> list[Planned]:
        """List each collection that is `chosen` of an account's. Raises `Unreachable`."""
        with self.store.read() as tx:
            principal = principals.find(tx, self.user)
            known = taken_here(tx, principal.id) if principal is not None else []
        here = self.host, self.client.login.name  # another account there has collections of its own
        for one in known:
            if principal is not None and (one.host, one.login) == here and one.path not in account.collections:
                self._say_left(principal, one.id, one.path)
        ours = {one.id for one in known}
        names: set[str] = set()
        planned = (self._planned(remote, principal, ours, names) for remote in chosen)
        return [made for made in planned if made is not None]

    def _say_left(self, principal: Principal, id_: int, path: str) -> None:
        with self.store.read() as tx:
            found = collections.get(tx, principal.id, id_)
        if found is not None:
            self.report.notice(f"{path} is not among what the source shows now; {found.name} stays here")

    def _planned(
        self, remote: RemoteCollection, principal: Principal | None, ours: set[int], names: set[str]
    ) -> Planned | None:
        memory = Memory("")
        if principal is not None:
            with self.store.read() as tx:
                memory = Memory.read(tx, principal.id, self.host, remote.path)
                if memory.collection and collections.get(tx, principal.id, memory.collection) is None:
                    if not self.theirs:
                        self.report.notice(f"{remote.path} was removed here since (--theirs brings it back)")
                        return None
                    memory = memory.anew()
        target = self._target(remote, principal, memory, ours, names)
        names.add(target)
        try:
            found = listing(self.client, remote, memory.token)
        except Unreachable:
            raise
        except RemoteError as error:
            return Planned(remote, memory, Listing(), {}, target, f"it cannot be listed: {error}")
        return Planned(remote, memory, found, what_to_fetch(remote, memory, found), target)

    def _target(
        self, remote: RemoteCollection, principal: Principal | None, memory: Memory, ours: set[int], names: set[str]
    ) -> str:
        """The name that the collection has here, or gets."""
        with self.store.read() as tx:
            if principal is not None and memory.collection:
                found = collections.get(tx, principal.id, memory.collection)
                if found is not None:
                    return path_of(tx, principal.id, found.id)
            there = {one.name: one for one in collections.children(tx, principal.id)} if principal is not None else {}
        usable = nameable(remote.name)
        wanted = free_of_reserved(remote.name if usable else collection_name(remote.displayname), names)
        one = there.get(wanted)
        if wanted not in names and (one is None or _is_adoptable(one, remote, ours)):
            return wanted
        base = wanted if wanted.endswith(_ENDINGS[remote.kind]) else wanted + _ENDINGS[remote.kind]
        return free(base if one is None or one.kind != remote.kind else wanted, names | there.keys())


def what_to_fetch(remote: RemoteCollection, memory: Memory, found: Listing) -> dict[str, Listed]:
    """What is to be fetched: new there, changed there, or not settled before."""
    wanted = {}
    for name, one in found.items.items():
        entry = memory.entries.get(name)
        if entry is None or not one.etag or not same_etag(entry.etag, one.etag):
            wanted[name] = one
    if not found.whole:
        for name, entry in memory.entries.items():
            if entry.etag == AGAIN and name not in found.gone and name not in wanted:
                path = name if name.startswith("/") else f"{remote.path}/{name}"
                wanted[name] = Listed(quote(path), "")
    return wanted


def _is_adoptable(one: Collection, remote: RemoteCollection, ours: set[int]) -> bool:
    """Whether a collection that is here already may become the source's: it is of its kind, and empty."""
    return one.kind == remote.kind and one.items == 0 and one.id not in ours
