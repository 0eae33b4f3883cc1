"""An account of another server into a user's home here, as often as wanted until the switch.

Each run lists the source, fetches what it has not taken yet or what has changed there, and compares both sides in the
end. Nothing is written at the source. What was changed here since stays; what is at the source no more stays too,
unless `delete` is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urljoin

from calsync.remote.arriving import ACTOR, AGAIN, Arriving, reason_to_stay
from calsync.remote.bodies import PARALLEL, Bodies
from calsync.remote.client import Client, RemoteError, Unreachable
from calsync.remote.discovery import Account, RemoteCollection
from calsync.remote.listing import Listed, Listing, anew, listing, same_etag
from calsync.remote.properties import everything
from calsync.remote.state import Entry, Memory, taken_here
from calsync.store import collections, items, principals, quarantine
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.places import path_of
from calsync.store.principals import Principal
from calsync.transfer.names import collection_name, free, free_of_reserved
from calsync.transfer.report import Outcome, Report, Result
from calsync.transfer.source import SourceCollection
from calsync.webdav.urls import encode_segment

#: How often a collection is looked at again that changes while it is taken.
_ROUNDS: Final = 3
_PAGE: Final = 500


@dataclass(slots=True)
class Compared:
    """Both sides of a collection after a run, in items.

    `there`: at the source; `same`: here as they were taken; `changed`, `removed`: here since; `refused`: not taken;
    `left`: at the source no more, but here; `deleted`: of those, put into the trash; `missing`: neither here nor told.
    `failure`: why it was not looked at to the end.
    """

    path: str
    displayname: str
    kind: str
    target: str = ""
    there: int = 0
    same: int = 0
    changed: int = 0
    removed: int = 0
    refused: int = 0
    left: int = 0
    deleted: int = 0
    missing: int = 0
    failure: str = ""

    @property
    def complete(self) -> bool:
        """All that is at the source is here, or was here and somebody wanted it otherwise."""
        return not (self.failure or self.refused or self.missing)

    def line(self) -> str:
        """For people."""
        if self.failure:
            return f"{self.path}: {self.failure}"
        told = {
            "changed here since": self.changed,
            "removed here since": self.removed,
            "refused": self.refused,
            "not here": self.missing,
            "at the source no more": self.left,
            "put into the trash": self.deleted,
        }
        rest = "".join(f", {count} {what}" for what, count in told.items() if count)
        return f"{self.path} ({self.displayname}) → {self.target}: {self.there} there, {self.same} the same here{rest}"


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
class MovingIn:
    """`host`: of the source, as it was named. `user`: whose it becomes."""

    client: Client
    store: Store
    host: str
    user: str
    report: Report = field(default_factory=Report)
    each: Callable[[Result], None] = lambda _result: None
    progress: Callable[[int], None] = lambda _count: None
    theirs: bool = False
    delete: bool = False
    parallel: int = PARALLEL

    # --- looking ------------------------------------------------------------------------------------------------------

    def plan(self, account: Account, chosen: Sequence[RemoteCollection]) -> list[Planned]:
        """List each collection that is `chosen` of an account's. Raises `Unreachable`."""
        with self.store.read() as tx:
            principal = principals.find(tx, self.user)
            known = taken_here(tx, principal.id) if principal is not None else []
        for id_, host, path in known:
            if principal is not None and host == self.host and path not in account.collections:
                self._say_left(principal, id_, path)
        ours = {id_ for id_, _, _ in known}
        names: set[str] = set()
        planned = (self._planned(remote, principal, ours, names) for remote in chosen)
        return [one for one in planned if one is not None]

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
        return Planned(remote, memory, found, self._wanted(remote, memory, found), target)

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
        usable = not any(ord(letter) < 32 or letter in "/\x7f" for letter in remote.name)
        wanted = free_of_reserved(remote.name if usable and remote.name else collection_name(remote.displayname), names)
        one = there.get(wanted)
        if wanted not in names and (one is None or _adoptable(one, remote, ours)):
            return wanted
        base = wanted if wanted.endswith(_ENDINGS[remote.kind]) else wanted + _ENDINGS[remote.kind]
        return free(base if one is None or one.kind != remote.kind else wanted, names | there.keys())

    def _wanted(self, remote: RemoteCollection, memory: Memory, found: Listing) -> dict[str, Listed]:
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

    # --- taking -------------------------------------------------------------------------------------------------------

    def take(self, planned: Planned) -> Compared:
        """Bring over what a collection has that is not here, and compare. Raises `Unreachable`."""
        remote, memory = planned.remote, planned.memory
        told = Compared(remote.path, remote.displayname, remote.kind, f"/{self.user}/{planned.target}/", planned.there)
        if planned.failure:
            told.failure = planned.failure
            return told
        principal, collection = self._made(planned)
        token, wanted, final = planned.listing.token, planned.wanted, planned.listing
        for left in range(_ROUNDS, 0, -1):
            if wanted:
                self._fetch(planned, principal, collection, wanted, set(final.items) if final.whole else None, told)
            try:
                final = anew(self.client, remote)
            except Unreachable:
                raise
            except RemoteError as error:
                told.failure = f"it cannot be compared: {error}"
                return told
            wanted = {
                name: one
                for name, one in self._wanted(remote, memory, final).items()
                if name not in memory.entries or (one.etag and memory.entries[name].etag not in (AGAIN, ""))
            }
            if not wanted or left == 1:
                break
        self._settle(planned, collection, final, token if not wanted else "", told)
        self._compare(collection, memory, final, told)
        return told

    def _made(self, planned: Planned) -> tuple[Principal, Collection]:
        """The collection here, with the source's properties where nobody has set others here."""
        remote, memory = planned.remote, planned.memory
        properties = {**everything(self.client, remote.url), **remote.properties}
        names = planned.target.split("/")
        with self.store.write() as tx:
            tx.actor = ACTOR
            principal = principals.find(tx, self.user) or principals.create(tx, self.user)
            if not memory.key:
                memory.key = Memory.read(tx, principal.id, self.host, remote.path).key
                memory.host, memory.path = self.host, remote.path
            found = collections.find(tx, principal, names)
            if found is None:
                found = collections.create(tx, principal, 0, names[-1], remote.kind, remote.components, properties)
            elif memory.collection != found.id:
                found = collections.set_kind(tx, found, remote.kind, remote.components)
                found = collections.set_properties(tx, found, properties)
            else:
                changed = {
                    name: xml
                    for name, xml in properties.items()
                    if memory.properties.get(name) != xml and found.properties.get(name) == memory.properties.get(name)
                }
                found = collections.set_properties(tx, found, changed) if changed else found
            head = (memory.collection, dict(memory.properties))
            memory.collection, memory.properties = found.id, properties
            if head != (found.id, properties):
                memory.write_head(tx)
        return principal, found

    def _fetch(
        self,
        planned: Planned,
        principal: Principal,
        collection: Collection,
        wanted: dict[str, Listed],
        listed: set[str] | None,
        told: Compared,
    ) -> None:
        remote, memory = planned.remote, planned.memory
        gone = planned.listing.gone if listed is None else memory.entries.keys() - listed
        left = frozenset(entry.href for name in gone if (entry := memory.entries.get(name)) is not None and entry.href)
        arriving = Arriving(
            self.store,
            self.report,
            progress=self.progress,
            each=self.each,
            memory=memory,
            path=remote.path,
            theirs=self.theirs,
            left=left,
        )
        worth = dict(self._worth(planned, principal, collection, wanted, arriving))
        bodies = Bodies(self.client, remote, self.parallel)
        source = SourceCollection(
            names=tuple(planned.target.split("/")),
            kind=remote.kind,
            components=remote.components,
            properties={},
            items=lambda: arriving.arriving(bodies.fetch(worth)),
            count=len(worth),
            place=remote.path,
        )
        arriving.collection(principal, self.user, source, frozenset())
        if arriving.wrong:
            told.failure = f"{len(arriving.wrong)} items were not written well, look at the disk: {arriving.wrong[0]}"

    def _worth(
        self,
        planned: Planned,
        principal: Principal,
        collection: Collection,
        wanted: dict[str, Listed],
        arriving: Arriving,
    ) -> Iterator[tuple[str, Listed]]:
        """What of it would be written; the rest is told, and not fetched."""
        memory = planned.memory
        names = list(wanted)
        for start in range(0, len(names), _PAGE):
            page = names[start : start + _PAGE]
            entries = {name: entry for name in page if (entry := memory.entries.get(name)) is not None}
            with self.store.read() as tx:
                there = items.named(tx, collection, [entry.href for entry in entries.values() if entry.href])
            skipped: dict[str, Entry | None] = {}
            for name in page:
                entry = entries.get(name)
                reason = ""
                if entry is not None and entry.href and entry.here and not self.theirs:
                    reason = reason_to_stay(entry, there.get(entry.href))
                if entry is None or not reason:
                    yield name, wanted[name]
                    continue
                skipped[name] = entry._replace(etag=AGAIN)
                target = f"/{self.user}/{planned.target}/{entry.href}"
                result = Result(Outcome.KEPT, arriving.place(name), target, reason)
                self.report.add(result)
                self.each(result)
                self.progress(1)
            changed = {name: entry for name, entry in skipped.items() if entry != entries[name]}
            if changed:
                with self.store.write(alone=False) as tx:
                    memory.note(tx, changed)

    # --- the end ------------------------------------------------------------------------------------------------------

    def _settle(self, planned: Planned, collection: Collection, final: Listing, token: str, told: Compared) -> None:
        """See to what is at the source no more, and note how far this came."""
        remote, memory = planned.remote, planned.memory
        moved = {entry.href for name, entry in memory.entries.items() if name in final.items and entry.href}
        forgotten: dict[str, Entry | None] = {}
        for name, entry in list(memory.entries.items()):
            if name in final.items:
                continue
            if not entry.href or entry.href in moved:
                forgotten[name] = None
                continue
            with self.store.read() as tx:
                there = items.get(tx, collection, entry.href)
            if there is None:
                forgotten[name] = None
            elif self.delete and there.etag == entry.here and self._is_gone(remote, name):
                if self._removed(collection, entry):
                    forgotten[name] = None
                    told.deleted += 1
            else:
                told.left += 1
        with self.store.write(alone=False) as tx:
            memory.note(tx, forgotten)
            memory.token = token
            memory.write_head(tx)
            memory.gather(tx)

    def _is_gone(self, remote: RemoteCollection, name: str) -> bool:
        """Asked once more: a listing that lacks something is not enough to remove it."""
        path = name if name.startswith("/") else f"{remote.path}/{name}"
        return self.client.ask("GET", urljoin(remote.url, quote(path))).status in (404, 410)

    def _removed(self, collection: Collection, entry: Entry) -> bool:
        """Into the history, from where it can be brought back; unless somebody has changed it just now."""
        with self.store.write() as tx:
            tx.actor = ACTOR
            there = items.get(tx, collection, entry.href)
            if there is None or there.etag != entry.here:
                return False
            items.delete(tx, collection, there)
            return True

    def _compare(self, collection: Collection, memory: Memory, final: Listing, told: Compared) -> None:
        """Names and ETags of both sides; here those of what is stored now."""
        here = self._etags(collection)
        with self.store.read() as tx:
            kept = {entry.digest for entry in quarantine.listing(tx, collection.owner)}
        told.there = len(final.items)
        for name, one in final.items.items():
            entry = memory.entries.get(name)
            if entry is None or (one.etag and entry.etag not in (AGAIN, "") and not same_etag(entry.etag, one.etag)):
                told.missing += 1
            elif not entry.href:
                told.refused += entry.etag == AGAIN or entry.digest in kept
            elif (etag := here.get(encode_segment(entry.href))) is None:
                told.removed += 1
            elif etag == entry.here and entry.etag != AGAIN:
                told.same += 1
            else:
                told.changed += 1

    def _etags(self, collection: Collection) -> dict[str, str]:
        """Of all items here, by their names as they stand in URLs."""
        found: dict[str, str] = {}
        after = 0
        while True:
            with self.store.read() as tx:
                page = items.page(tx, collection, after, _PAGE)
            found.update((one.url, one.etag) for one in page)
            if len(page) < _PAGE:
                return found
            after = page[-1].id


def _adoptable(one: Collection, remote: RemoteCollection, ours: set[int]) -> bool:
    """Whether a collection that is here already may become the source's: it is of its kind, and empty."""
    return one.kind == remote.kind and one.items == 0 and one.id not in ours


_ENDINGS: Final = {"calendar": "-calendar", "addressbook": "-contacts"}
