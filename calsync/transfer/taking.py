"""Putting what a reader found into a store.

Octets are parsed before a transaction is opened; items go in chunks, so that a running server is never kept from
writing for long; what is there already is found by its checksum and costs neither. Nothing is deleted, and properties
that a collection has are left alone: taking the same source twice changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, TypeVar

from calsync.ical.facts import ObjectResource, address_object, calendar_object
from calsync.ical.validate import Refused
from calsync.store import collections, items, principals, quarantine
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.errors import OverQuota, UidConflict
from calsync.store.principals import Principal
from calsync.store.quarantine import Refusal
from calsync.transfer.names import free_of_reserved, href_for
from calsync.transfer.newer import is_newer, said
from calsync.transfer.repair import repaired, with_uids
from calsync.transfer.report import Outcome, Report, Result
from calsync.transfer.source import SourceCollection, SourceItem, SourceUser, Unreadable
from calsync.webdav.names import CR, C

CHUNK: Final = 250  # items a transaction
#: Whom the history names for it.
ACTOR: Final = "calsync import"
ENDINGS: Final = {"calendar": ".ics", "addressbook": ".vcf"}

Progress = Callable[[int], None]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Ready:
    """An item that passed the checks and wants to be written. `outcome`: what it will be."""

    place: str
    href: str
    object: ObjectResource
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class Stays:
    """Why what is stored was not overwritten."""

    reason: str


Written = items.Item | items.LeftOut | Stays


@dataclass(slots=True)
class Taking:
    """One run of an import. `report` is told of each item, `progress` of how many more are done.

    `keep`: an item that was changed in the store later than in the source stays. What cannot be taken goes to the
    quarantine.
    """

    store: Store
    report: Report
    dry_run: bool = False
    progress: Progress = lambda _count: None
    each: Callable[[Result], None] = lambda _result: None
    keep: bool = False
    actor: str = ACTOR
    _users: dict[int, str] = field(default_factory=dict)

    def user(self, source: SourceUser) -> None:
        """Take one user with all that is theirs; the principal is made where there is none."""
        principal = self._principal(source)
        for problem in source.problems:
            self.problem(problem, f"/{source.name}/", principal)
        for notice in source.notices:
            self.report.notice(notice)
        if principal and self._users.setdefault(principal.id, source.name) != source.name:
            first = self._users[principal.id]
            reason = f"the user names {first!r} and {source.name!r} differ in case only; import one with --user"
            for collection in source.collections:
                self._all_refused(collection, f"/{source.name}/", reason)
            return
        home = {collection.names[0] for collection in source.collections}
        for collection in source.collections:
            self.collection(principal, source.name, collection, home)

    def collection(
        self, principal: Principal | None, user: str, source: SourceCollection, home: set[str] | frozenset[str]
    ) -> None:
        """Take one collection. `home`: the names beside it, which a renamed one must not meet."""
        for notice in source.notices:
            self.report.notice(notice)
        name = free_of_reserved(source.names[0], home)
        names = (name, *source.names[1:])
        target = f"/{user}/{'/'.join(names)}/"
        if name != source.names[0]:
            self.report.notice(f"/{user}/{source.names[0]}/ is a name of the server's own: it is now /{user}/{name}/")
        try:
            found = self._collection(principal, names, source) if principal else None
        except OverQuota as error:
            self._all_refused(source, target, str(error))
            return
        if found and found.kind != source.kind:
            reason = f"{target} is there already as {_ARTICLES[found.kind]}"
            self._all_refused(source, target, reason, principal)
            return
        if source.kind not in ENDINGS:
            for item in source.items():
                if isinstance(item, Unreadable):
                    self.problem(item, target)
            return
        seen: dict[str, str] = {}
        for chunk in _chunks(source.items(), CHUNK):
            self._chunk(principal, found, source, target, chunk, seen)
            self.progress(len(chunk))

    def _principal(self, source: SourceUser) -> Principal | None:
        with self.store.read() as tx:
            principal = principals.find(tx, source.name)
        missing = _missing(principal.properties if principal else {}, source.properties)
        if self.dry_run or (principal and not missing):
            return principal

        def make() -> Principal:
            with self.store.write() as tx:
                tx.actor = self.actor
                made = principals.find(tx, source.name) or principals.create(tx, source.name)
                return principals.set_properties(tx, made, missing) if missing else made

        return self.store.attempt(make)

    def _collection(self, principal: Principal, names: Sequence[str], source: SourceCollection) -> Collection | None:
        """The collection in the store, made or given its missing properties; None in a dry run that would make it."""
        with self.store.read() as tx:
            found = collections.find(tx, principal, names)
        missing = _missing(found.properties if found else {}, source.properties)
        if self.dry_run or (found and (not missing or found.kind != source.kind)):
            return found
        return self.store.attempt(lambda: self._made(principal, names, source, found, missing))

    def _made(
        self,
        principal: Principal,
        names: Sequence[str],
        source: SourceCollection,
        found: Collection | None,
        missing: Mapping[str, str | None],
    ) -> Collection:
        with self.store.write() as tx:
            tx.actor = self.actor
            if found is None:
                parent = 0
                for depth in range(1, len(names)):
                    above = collections.find(tx, principal, names[:depth])
                    if above is None:
                        above = collections.create(tx, principal, parent, names[depth - 1], "plain")
                    parent = above.id
                return collections.create(
                    tx, principal, parent, names[-1], source.kind, source.components, source.properties
                )
            return collections.set_properties(tx, found, missing)

    def _chunk(
        self,
        principal: Principal | None,
        collection: Collection | None,
        source: SourceCollection,
        target: str,
        chunk: Sequence[SourceItem | Unreadable],
        seen: dict[str, str],
    ) -> None:
        wanted: list[SourceItem] = []
        for item in chunk:
            if isinstance(item, Unreadable):
                self.problem(item, target, principal)
            else:
                wanted.append(item)
        etags = self._etags(collection, [item.href for item in wanted if item.href is not None])
        checked: list[tuple[SourceItem, ObjectResource, str]] = []
        lost: list[Refusal] = []
        for item in wanted:
            if item.href is not None and etags.get(item.href) == hashlib.sha256(item.octets).hexdigest():
                self._tell(Outcome.UNCHANGED, item.place, target + item.href)
                continue
            try:
                found, mended = self._checked(source, collection, item)
            except Refused as error:
                self._tell(Outcome.REFUSED, item.place, target + (item.href or ""), str(error))
                condition = (CR if source.kind == "addressbook" else C)(error.condition)
                lost.append(_refusal(target, item.href or "", item.place, str(error), item.octets, condition))
                continue
            checked.append((item, found, mended))
        holders = self._holders(collection, [found.facts.uid for _, found, _ in checked])
        ready = [
            one
            for item, found, mended in checked
            for one in self._placed(collection, source, target, item, found, mended, etags, holders, seen, lost)
        ]
        self._quarantine(principal, lost)
        if ready and not self.dry_run and collection is not None:
            self._write(principal, collection, target, ready)
        else:
            for entry in ready:
                self._tell(entry.outcome, entry.place, target + entry.href, entry.reason)

    def _placed(
        self,
        collection: Collection | None,
        source: SourceCollection,
        target: str,
        item: SourceItem,
        found: ObjectResource,
        mended: str,
        etags: Mapping[str, str],
        holders: Mapping[str, tuple[str, str]],
        seen: dict[str, str],
        lost: list[Refusal],
    ) -> Iterator[Ready]:
        """The href an item goes to, or the word that it need not or cannot go anywhere."""
        uid = found.facts.uid
        holder, etag = holders.get(uid, ("", ""))
        other = seen.get(uid, holder) if uid else ""
        href = self.name_of(item, holder) or other or href_for(uid or found.etag, ENDINGS[source.kind])

        def refuse(reason: str) -> None:
            self._tell(Outcome.REFUSED, item.place, target + href, reason)
            condition = (CR if source.kind == "addressbook" else C)("no-uid-conflict")
            lost.append(_refusal(target, href, item.place, reason, item.octets, condition))

        if uid and uid in seen:
            refuse(f"its UID is that of {seen[uid]}, read before")
            return
        seen[uid] = href
        if other and other != href:
            if etag == found.etag:
                self._tell(Outcome.UNCHANGED, item.place, target + other)
            else:
                refuse(f"its UID is that of {other}, another item")
            return
        there = etags.get(href) or (etag if holder == href else "")
        if there == found.etag:
            self._tell(Outcome.UNCHANGED, item.place, target + href)
            return
        newer = self._newer(collection, href, item) if there else ""
        if newer and self.keep:
            self._tell(Outcome.KEPT, item.place, target + href, f"what is stored is newer: {newer}")
            return
        if newer:
            mended = ", ".join(filter(None, (mended, f"what was stored was newer: {newer}; --keep leaves it")))
        yield Ready(item.place, href, found, Outcome.REPLACED if there else Outcome.TAKEN, mended)

    def name_of(self, item: SourceItem, holder: str) -> str | None:
        """The name that an item must have; None: that of `holder`, which has its UID, or one after the UID."""
        return item.href

    def _newer(self, collection: Collection | None, href: str, item: SourceItem) -> str:
        """Why what is stored is newer than the source, in words; empty where it is not."""
        if collection is None:
            return ""
        with self.store.read() as tx:
            ((_, stored, octets),) = items.bodies(tx, collection, [href])
        if stored is None or not isinstance(octets, bytes):
            return ""
        return said(stored.modified) if is_newer(octets, stored.modified, item.octets, item.modified) else ""

    def _quarantine(self, principal: Principal | None, lost: Sequence[Refusal]) -> None:
        """Keep what was refused; an administrator's import knows no bounds."""
        if self.dry_run or principal is None or not lost:
            return
        owner = principal.id

        def keep() -> None:
            with self.store.write() as tx:
                tx.actor = self.actor
                for one in lost:
                    quarantine.keep(tx, owner, one, None)

        self.store.attempt(keep)
        self.report.quarantined[principal.name] += len(lost)

    def _write(self, principal: Principal | None, collection: Collection, target: str, ready: Sequence[Ready]) -> None:
        lost: list[Refusal] = []
        written = self.store.attempt(lambda: self.put(collection, ready))
        for entry, result in zip(ready, written, strict=True):
            if isinstance(result, UidConflict):
                reason = f"its UID is that of {result.href}, another item"
                self._tell(Outcome.REFUSED, entry.place, target + entry.href, reason)
                condition = (CR if collection.kind == "addressbook" else C)("no-uid-conflict")
                lost.append(_refusal(target, entry.href, entry.place, reason, entry.object.octets, condition))
            elif isinstance(result, OverQuota):  # not to the quarantine: that would be a way around
                self._tell(Outcome.REFUSED, entry.place, target + entry.href, str(result))
            elif isinstance(result, Stays):
                self._tell(Outcome.KEPT, entry.place, target + entry.href, result.reason)
            else:
                self._tell(entry.outcome, entry.place, target + entry.href, entry.reason)
        self._quarantine(principal, lost)

    def put(self, collection: Collection, ready: Sequence[Ready]) -> Sequence[Written]:
        """Write a chunk, in one transaction; of each what became of it."""
        with self.store.write(alone=False) as tx:
            tx.actor = self.actor
            return items.put_many(tx, collection, [(entry.href, entry.object) for entry in ready])

    def _checked(
        self, source: SourceCollection, collection: Collection | None, item: SourceItem
    ) -> tuple[ObjectResource, str]:
        """The object and what had to be mended, if anything. Raises `Refused` with the first reason."""
        allowed: Sequence[str] | None = None
        if source.enforced:
            allowed = (collection.components if collection else source.components) or None
        try:
            found = self._parsed(source, item.octets, allowed)
        except Refused as refusal:
            mended = repaired(item.octets)
            if mended is None:
                raise
            try:
                return self._parsed(source, mended[0], allowed), mended[1]
            except Refused:
                raise refusal from None
        if item.href is None and not found.facts.uid:
            # RFC 6352 §6.3.2.1 wants a UID; without one the next import would not find the item again.
            return self._parsed(source, with_uids(item.octets), allowed), "given a UID"
        return found, ""

    def _parsed(self, source: SourceCollection, octets: bytes, components: Sequence[str] | None) -> ObjectResource:
        if source.kind == "addressbook":
            return address_object(octets)
        # Radicale never minded a METHOD.
        return calendar_object(
            octets, window=self.store.window, components=components, allow_method=not source.enforced
        )

    def _etags(self, collection: Collection | None, hrefs: Sequence[str]) -> dict[str, str]:
        if collection is None or not hrefs:
            return {}
        with self.store.read() as tx:
            return {href: item.etag for href, item in items.named(tx, collection, hrefs).items()}

    def _holders(self, collection: Collection | None, uids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """UID → the href and etag of the item that holds it."""
        known = [uid for uid in uids if uid]
        if collection is None or not known:
            return {}
        with self.store.read() as tx:
            hrefs = items.uid_holders(tx, collection, known)
            found = items.named(tx, collection, list(set(hrefs.values())))
        return {uid: (href, found[href].etag) for uid, href in hrefs.items()}

    def _all_refused(
        self, source: SourceCollection, target: str, reason: str, principal: Principal | None = None
    ) -> None:
        for item in source.items():
            href = (item.href or "") if isinstance(item, SourceItem) else ""
            self._tell(Outcome.REFUSED, item.place, target + href, reason)
            if item.octets:
                self._quarantine(principal, [_refusal(target, href, item.place, reason, item.octets, "")])

    def problem(self, problem: Unreadable, target: str, principal: Principal | None = None) -> None:
        outcome = Outcome.SKIPPED if problem.skipped else Outcome.REFUSED
        self._tell(outcome, problem.place, target, problem.reason)
        if problem.octets and not problem.skipped:
            self._quarantine(principal, [_refusal(target, "", problem.place, problem.reason, problem.octets, "")])

    def _tell(self, outcome: Outcome, place: str, target: str, reason: str = "") -> None:
        result = Result(outcome, place, target, reason)
        self.report.add(result)
        self.each(result)


_ARTICLES: Final = {
    "calendar": "a calendar",
    "addressbook": "an address book",
    "subscribed": "a subscription",
    "plain": "a plain collection",
}


def _refusal(target: str, href: str, place: str, reason: str, octets: bytes, condition: str) -> Refusal:
    below = target.strip("/").partition("/")[2]
    return Refusal(below, href, "import", place, reason, octets, condition)


def _missing(there: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str | None]:
    return {name: xml for name, xml in wanted.items() if name not in there}


def _chunks(source: Iterator[_T], size: int) -> Iterator[list[_T]]:
    while chunk := list(islice(source, size)):
        yield chunk
