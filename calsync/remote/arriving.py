"""Items from another server on their way into a collection: what was changed here since is not overwritten.

An import does the rest: checks, repairs, the quarantine, chunks (`calsync.transfer.taking`). What was written is read
back from the store, and what became of each item is noted for the next run.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from calsync.remote.bodies import Body
from calsync.remote.state import Entry, Memory
from calsync.store import items
from calsync.store.collections import Collection
from calsync.store.errors import Damaged
from calsync.transfer.report import Outcome
from calsync.transfer.source import SourceItem, Unreadable
from calsync.transfer.taking import Goal, Ready, Stays, Taking, Written

ACTOR: Final = "calsync migrate"
#: The ETag of an item that is looked at again by the next run.
AGAIN: Final = "?"

CHANGED_HERE: Final = "it was changed here since (--theirs overwrites it)"
REMOVED_HERE: Final = "it was removed here since (--theirs brings it back)"
NOT_OURS: Final = "another one has its name here (--theirs overwrites it)"

_HERE: Final = frozenset({Outcome.TAKEN, Outcome.REPLACED, Outcome.UNCHANGED})


@dataclass(slots=True)
class Arriving(Taking):
    """The items of one collection. `memory`: what was taken of it before; `path`: its path at the source.

    `theirs`: what was changed here is overwritten. `left`: names here of items that are at the source no more, or under
    another name. `wrong`: what the store did not give back as it was written.
    """

    actor: str = ACTOR
    path: str = ""
    memory: Memory = field(default_factory=lambda: Memory(""))
    theirs: bool = False
    left: frozenset[str] = frozenset()
    wrong: list[str] = field(default_factory=list)
    _bodies: dict[str, tuple[Body, str]] = field(default_factory=dict)
    _fates: dict[str, tuple[Outcome, str]] = field(default_factory=dict)
    _written: dict[str, tuple[str, bool]] = field(default_factory=dict)
    _entries: dict[str, Entry] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._entries = {entry.href: entry for entry in self.memory.entries.values() if entry.href}

    def place(self, name: str) -> str:
        """Where an item is at the source, for people."""
        return name if name.startswith("/") else f"{self.path}/{name}"

    def arriving(self, bodies: Iterable[Body]) -> Iterator[SourceItem | Unreadable]:
        """What came from the source, for `collection`."""
        for body in bodies:
            place = self.place(body.name)
            if body.gone:
                self.progress(1)
                continue
            self._bodies[place] = body, sha256(body.octets).hexdigest() if body.octets else ""
            if body.reason:
                yield Unreadable(place, body.reason)
            else:
                yield SourceItem(place, body.octets, body.name if nameable(body.name) else None)

    # --- what an import does differently here -------------------------------------------------------------------------

    def _chunk(self, goal: Goal, chunk: Sequence[SourceItem | Unreadable]) -> None:
        Taking._chunk(self, goal, chunk)
        if goal.collection is not None:
            self._remember(goal.collection)

    def name_of(self, item: SourceItem, holder: str) -> str | None:
        """What has another name at the source now keeps the one that it has here."""
        return None if holder in self.left else item.href

    def _newer(self, collection: Collection | None, href: str, item: SourceItem) -> str:
        return ""

    def put(self, collection: Collection, ready: Sequence[Ready]) -> Sequence[Written]:
        """Write those that nobody has changed here; looked at in the transaction that writes."""
        with self.store.write(alone=False) as tx:
            tx.actor = self.actor
            there = items.named(tx, collection, [one.href for one in ready])
            stays = {one.href: reason for one in ready if (reason := self._why(one, there.get(one.href)))}
            free = [one for one in ready if one.href not in stays]
            results = dict(
                zip(
                    (one.href for one in free),
                    items.put_many(tx, collection, [(one.href, one.object) for one in free]) if free else [],
                    strict=True,
                )
            )
            # With the items: who is killed here must not take them for somebody else's later.
            self.memory.note(
                tx,
                {
                    self._bodies[one.place][0].name: self._entry(one.place, one.href, one.object.etag)
                    for one in free
                    if isinstance(results[one.href], items.Item)
                },
            )
        self._written.update((one.href, (one.object.etag, not one.reason)) for one in free)
        return [Stays(stays[one.href]) if one.href in stays else results[one.href] for one in ready]

    def _entry(self, place: str, href: str, here: str) -> Entry:
        body, digest = self._bodies[place]
        return Entry(body.etag, digest, href, here)

    def _why(self, one: Ready, there: items.Item | None) -> str:
        """Why what is here stays, empty where it need not."""
        if self.theirs or (there is not None and there.etag == one.object.etag):
            return ""
        return reason_to_stay(self._entries.get(one.href), there)

    def _tell(self, outcome: Outcome, place: str, target: str, reason: str = "") -> None:
        found = self._bodies.get(place)
        href = target.rpartition("/")[2]
        if found is not None:
            self._fates[place] = outcome, href
            if outcome in _HERE and href != found[0].name and not reason:
                reason = f"it is called {href} here"
        Taking._tell(self, outcome, place, target, reason)

    # --- what became of them ------------------------------------------------------------------------------------------

    def _remember(self, collection: Collection) -> None:
        """Read back what is here now, and note it."""
        here = [href for outcome, href in self._fates.values() if outcome in _HERE]
        with self.store.read() as tx:
            read = {href: (item, octets) for href, item, octets in items.bodies(tx, collection, here)}
        changed: dict[str, Entry | None] = {}
        for place, (outcome, href) in self._fates.items():
            body, digest = self._bodies[place]
            entry = self.memory.entries.get(body.name)
            if outcome in _HERE:
                item, octets = read[href]
                written, verbatim = self._written.get(href, (item.etag if item is not None else "", False))
                if verbatim and written != digest:
                    self.wrong.append(f"{place}: it was not written as it came")
                    changed[body.name] = Entry(AGAIN, digest, href, written)
                elif item is not None and item.etag == written and not _is(octets, written):
                    self.wrong.append(f"{place}: what was read back is not what was written: {_said(octets)}")
                    changed[body.name] = Entry(AGAIN, digest, href, written)
                else:
                    changed[body.name] = self._entry(place, href, written)
            elif outcome is Outcome.KEPT:
                known = self._entries.get(href)
                changed[body.name] = Entry(AGAIN, digest, href, known.here if known is not None else "")
            elif digest:
                changed[body.name] = Entry(body.etag, digest, "", "")
            elif entry is None:
                changed[body.name] = Entry(AGAIN, "", "", "")
        changed = {name: one for name, one in changed.items() if self.memory.entries.get(name) != one}
        if changed:
            with self.store.write(alone=False) as tx:
                self.memory.note(tx, changed)
        self._bodies.clear()
        self._fates.clear()
        self._written.clear()


def reason_to_stay(entry: Entry | None, there: items.Item | None) -> str:
    """Why an item here is not to be overwritten by the source's; empty where it may be. `entry`: what was taken."""
    if there is None:
        return REMOVED_HERE if entry is not None and entry.here else ""
    if entry is not None and entry.here == there.etag:
        return ""
    return CHANGED_HERE if entry is not None and entry.here else NOT_OURS


def _is(octets: bytes | Damaged | None, digest: str) -> bool:
    return isinstance(octets, bytes) and sha256(octets).hexdigest() == digest


def _said(octets: bytes | Damaged | None) -> str:
    return str(octets) if isinstance(octets, Damaged) else "another text"


def nameable(name: str) -> bool:
    """Whether an item or a collection can have this name here."""
    return (
        bool(name)
        and "/" not in name
        and name not in (".", "..")
        and len(name.encode()) <= 200
        and not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name)
    )
