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

from calsync.ical.facts import ObjectResource
from calsync.ical.validate import Refused
from calsync.store import items, quarantine
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.errors import OverQuota, UidConflict
from calsync.store.principals import Principal
from calsync.store.quarantine import Refusal
from calsync.transfer import making
from calsync.transfer.checking import checked
from calsync.transfer.names import free_of_reserved, href_for
from calsync.transfer.newer import is_newer, said
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


@dataclass(frozen=True, slots=True)
class Goal:
    """Where the items of a collection go. `path`: for people, with a slash at its end.

    `principal` and `collection` are None in a dry run that would make them. `seen`: UID → href of those read before.
    """

    path: str
    source: SourceCollection
    principal: Principal | None
    collection: Collection | None
    seen: dict[str, str] = field(default_factory=dict)


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
        principal = making.principal(self.store, source, self.actor, dry_run=self.dry_run)
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
            found = None
            if principal:
                found = making.collection(self.store, principal, names, source, self.actor, dry_run=self.dry_run)
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
        goal = Goal(target, source, principal, found)
        for chunk in _chunks(source.items(), CHUNK):
            self._chunk(goal, chunk)
            self.progress(len(chunk))

    def _chunk(self, goal: Goal, chunk: Sequence[SourceItem | Unreadable]) -> None:
        wanted: list[SourceItem] = []
        for item in chunk:
            if isinstance(item, Unreadable):
                self.problem(item, goal.path, goal.principal)
            else:
                wanted.append(item)
        etags = self._etags(goal.collection, [item.href for item in wanted if item.href is not None])
        passed: list[tuple[SourceItem, ObjectResource, str]] = []
        lost: list[Refusal] = []
        for item in wanted:
            if item.href is not None and etags.get(item.href) == hashlib.sha256(item.octets).hexdigest():
                self._tell(Outcome.UNCHANGED, item.place, goal.path + item.href)
                continue
            try:
                found, mended = checked(goal.source, goal.collection, item, self.store.window)
            except Refused as error:
                lost.append(self._refused(goal, item.href or "", item.place, str(error), item.octets, error.condition))
                continue
            passed.append((item, found, mended))
        holders = self._holders(goal.collection, [found.facts.uid for _, found, _ in passed])
        ready = [
            one
            for item, found, mended in passed
            for one in self._placed(goal, item, found, mended, etags, holders, lost)
        ]
        self._quarantine(goal.principal, lost)
        if ready and not self.dry_run and goal.collection is not None:
            self._write(goal, goal.collection, ready)
        else:
            for entry in ready:
                self._tell(entry.outcome, entry.place, goal.path + entry.href, entry.reason)

    def _placed(
        self,
        goal: Goal,
        item: SourceItem,
        found: ObjectResource,
        mended: str,
        etags: Mapping[str, str],
        holders: Mapping[str, tuple[str, str]],
        lost: list[Refusal],
    ) -> Iterator[Ready]:
        """The href an item goes to, or the word that it need not or cannot go anywhere."""
        uid, seen = found.facts.uid, goal.seen
        holder, etag = holders.get(uid, ("", ""))
        other = seen.get(uid, holder) if uid else ""
        href = self.name_of(item, holder) or other or href_for(uid or found.etag, ENDINGS[goal.source.kind])

        def refuse(reason: str) -> None:
            lost.append(self._refused(goal, href, item.place, reason, item.octets, "no-uid-conflict"))

        if uid and uid in seen:
            refuse(f"its UID is that of {seen[uid]}, read before")
            return
        seen[uid] = href
        if other and other != href:
            if etag == found.etag:
                self._tell(Outcome.UNCHANGED, item.place, goal.path + other)
            else:
                refuse(f"its UID is that of {other}, another item")
            return
        there = etags.get(href) or (etag if holder == href else "")
        if there == found.etag:
            self._tell(Outcome.UNCHANGED, item.place, goal.path + href)
            return
        newer = self._newer(goal.collection, href, item) if there else ""
        if newer and self.keep:
            self._tell(Outcome.KEPT, item.place, goal.path + href, f"what is stored is newer: {newer}")
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

    def _refused(self, goal: Goal, href: str, place: str, reason: str, octets: bytes, condition: str) -> Refusal:
        """Tell of it; what the quarantine is to keep. `condition`: the local name of the RFC's precondition."""
        self._tell(Outcome.REFUSED, place, goal.path + href, reason)
        named = (CR if goal.source.kind == "addressbook" else C)(condition)
        return _refusal(goal.path, href, place, reason, octets, named)

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

    def _write(self, goal: Goal, collection: Collection, ready: Sequence[Ready]) -> None:
        lost: list[Refusal] = []
        written = self.store.attempt(lambda: self.put(collection, ready))
        for entry, result in zip(ready, written, strict=True):
            if isinstance(result, UidConflict):
                reason = f"its UID is that of {result.href}, another item"
                octets = entry.object.octets
                lost.append(self._refused(goal, entry.href, entry.place, reason, octets, "no-uid-conflict"))
            elif isinstance(result, OverQuota):  # not to the quarantine: that would be a way around
                self._tell(Outcome.REFUSED, entry.place, goal.path + entry.href, str(result))
            elif isinstance(result, Stays):
                self._tell(Outcome.KEPT, entry.place, goal.path + entry.href, result.reason)
            else:
                self._tell(entry.outcome, entry.place, goal.path + entry.href, entry.reason)
        self._quarantine(goal.principal, lost)

    def put(self, collection: Collection, ready: Sequence[Ready]) -> Sequence[Written]:
        """Write a chunk, in one transaction; of each what became of it."""
        with self.store.write(alone=False) as tx:
            tx.actor = self.actor
            return items.put_many(tx, collection, [(entry.href, entry.object) for entry in ready])

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


def _chunks(source: Iterator[_T], size: int) -> Iterator[list[_T]]:
    while chunk := list(islice(source, size)):
        yield chunk
