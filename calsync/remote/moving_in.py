"""An account of another server into a user's home here, as often as wanted until the switch.

Each run lists the source, fetches what it has not taken yet or what has changed there, and compares both sides in the
end. Nothing is written at the source. What was changed here since stays; what is at the source no more stays too,
unless `delete` is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlsplit

from calsync.remote.arriving import ACTOR, AGAIN, Arriving, reason_to_stay
from calsync.remote.bodies import PARALLEL, Bodies
from calsync.remote.client import Client, RemoteError, Unreachable
from calsync.remote.compare import Compared, compare
from calsync.remote.discovery import Account, RemoteCollection
from calsync.remote.listing import Listed, Listing, anew
from calsync.remote.plan import Planned, Planner, what_to_fetch
from calsync.remote.properties import everything
from calsync.remote.state import Entry, Memory
from calsync.store import collections, items, principals
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.principals import Principal
from calsync.transfer.report import Outcome, Report, Result
from calsync.transfer.source import SourceCollection

#: How often a collection is looked at again that changes while it is taken.
_ROUNDS: Final = 3
_PAGE: Final = 500


@dataclass(slots=True)
class MovingIn:
    """`host`: of the source, as it was named, with its port. `user`: whose it becomes."""

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

    def plan(self, account: Account, chosen: Sequence[RemoteCollection]) -> list[Planned]:
        """List each collection that is `chosen` of an account's. Raises `Unreachable`."""
        return Planner(self.client, self.store, self.host, self.user, self.report, self.theirs).plan(account, chosen)

    # --- taking -------------------------------------------------------------------------------------------------------

    def take(self, planned: Planned) -> Compared:
        """Bring over what a collection has that is not here, and compare. Raises `Unreachable`."""
        remote, memory = planned.remote, planned.memory
        told = Compared(remote.path, remote.displayname, remote.kind, f"/{self.user}/{planned.target}/", planned.there)
        if planned.failure:
            told.failure = planned.failure
            return told
        try:
            principal, collection = self._made(planned)
        except Unreachable:
            raise
        except RemoteError as error:
            told.failure = f"{error}; once more, when nobody else writes there"
            return told
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
                for name, one in what_to_fetch(remote, memory, final).items()
                if name not in memory.entries or (one.etag and memory.entries[name].etag not in (AGAIN, ""))
            }
            if not wanted or left == 1:
                break
        self._settle(planned, collection, final, token if not wanted else "", told)
        compare(self.store, collection, memory, final, told)
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
                if found.items:  # it was empty, or not there, when this was planned
                    raise RemoteError(f"{self.user}/{planned.target} has been filled by somebody else just now")
                found = collections.set_kind(tx, found, remote.kind, remote.components)
                found = collections.set_properties(tx, found, properties)
            else:
                changed = {
                    name: xml
                    for name, xml in properties.items()
                    if memory.properties.get(name) != xml and found.properties.get(name) == memory.properties.get(name)
                }
                found = collections.set_properties(tx, found, changed) if changed else found
            head = (memory.collection, dict(memory.properties), memory.login)
            memory.collection, memory.properties, memory.login = found.id, properties, self.client.login.name
            if head != (found.id, properties, memory.login):
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
        worth = dict(self._worth(planned, collection, wanted, arriving))
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
        # Not joined: what begins with two slashes would name a host, which would be given the login.
        url = urlsplit(remote.url)._replace(path=quote(path), query="", fragment="").geturl()
        try:
            return self.client.ask("GET", url).status in (404, 410)
        except Unreachable:
            raise
        except RemoteError:
            return False

    def _removed(self, collection: Collection, entry: Entry) -> bool:
        """Into the history, from where it can be brought back; unless somebody has changed it just now."""
        with self.store.write() as tx:
            tx.actor = ACTOR
            there = items.get(tx, collection, entry.href)
            if there is None or there.etag != entry.here:
                return False
            items.delete(tx, collection, there)
            return True
