"""Bring a restored store up to what is known of the time since the backup.

It is done with the ordinary operations, by "calsync restore": what is overwritten or deleted goes into history and
trash, and to phones these are changes like others. Collections that were made after the backup get new ids here, so
ids are translated on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import groupby
from typing import Final
from urllib.parse import unquote

from calsync.ical.facts import Facts, ObjectResource, address_object, calendar_object
from calsync.ical.validate import Refused
from calsync.recovery.state import Member, State, Stretch
from calsync.store import collections, items, principals, quota, trash
from calsync.store.collections import HOME, Collection
from calsync.store.engine import Store
from calsync.store.entries import Content, Place
from calsync.store.errors import Exists, UidConflict
from calsync.store.principals import Principal
from calsync.store.transaction import Transaction

ACTOR: Final = "calsync restore"
_CHUNK: Final = 100


@dataclass(slots=True)
class Done:
    """`failed`: what could not be brought over, with the reason, for people."""

    principals: int = 0
    collections: int = 0
    items: int = 0
    deleted: int = 0
    failed: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Applying:
    """One principal. `greatest`: the seq of the backup; an id up to it means the same there and here."""

    store: Store
    principal: Principal
    greatest: int
    done: Done
    progress: Callable[[int], None] = lambda _count: None
    _ids: dict[int, int] = field(default_factory=dict)
    _since: int = 0
    _adding: bool = False

    def stretch(self, stretch: Stretch, *, certain: bool) -> None:
        """Apply one stretch of the history. `certain`: nothing is missing in it."""
        state = stretch.state
        self._since, self._adding = stretch.since, stretch.adding
        # Ids beyond what both histories share mean something else in this one.
        self._ids = {old: new for old, new in self._ids.items() if old <= stretch.kept}
        standing = state.standing()
        self._properties(state)
        if not stretch.adding:
            self._remove_collections(state, standing)
        new: set[int] = set()
        for place in standing.values():
            self._ensured(place.id, standing, frozenset(), new)
        self._items(state, new if certain and not stretch.adding else set())

    # --- collections --------------------------------------------------------------------------------------------------

    def _properties(self, state: State) -> None:
        if state.owner is None:
            return
        wanted = state.owner.properties
        with self._write() as tx:
            before = principals.get(tx, self.principal.id)
            assert before is not None
            gone: dict[str, str | None] = dict.fromkeys(before.properties.keys() - wanted.keys())
            principals.set_properties(tx, before, {**gone, **wanted})

    def _known(self, id: int) -> int | None:
        """The id here of a collection there; None where it came after the backup and was not made yet."""
        if id in self._ids:
            return self._ids[id]
        return id if id <= min(self._since, self.greatest) else None

    def _remove_collections(self, state: State, standing: dict[int, Place]) -> None:
        taken = {(place.parent, place.name) for place in standing.values()}
        moving = {self._known(id_) for id_ in standing}
        for outer, name in sorted(state.graves, key=lambda key: -state.graves[key]):
            parent = HOME if outer == HOME else self._known(outer)
            if parent is None or (outer, name) in taken:
                continue
            with self._write() as tx:
                found = collections.child(tx, self.principal.id, parent, name)
                if found is not None and found.owner == self.principal.id and found.id not in moving:
                    collections.delete(tx, found)
                    self.done.deleted += 1

    def _ensured(self, id: int, standing: dict[int, Place], above: frozenset[int], new: set[int]) -> int | None:
        """The id here of a collection that stands in the end, brought to its place; None where that is impossible."""
        if id == HOME:
            return HOME
        known = self._known(id)
        place = standing.get(id)
        if place is None or id in above:
            return known
        parent = self._ensured(place.parent, standing, above | {id}, new)
        if parent is None:
            self.done.failed.append(f"{self.principal.name}/{place.name}: what it stood in is not known")
            return None
        with self._write() as tx:
            found = None if known is None else collections.get(tx, self.principal.id, known)
            at = collections.child(tx, self.principal.id, parent, place.name)
            if at is not None and (found is None or at.id != found.id):
                at = self._cleared(tx, at, standing)
            if self._adding and at is not None:
                self._ids[id] = at.id
                return at.id
            if found is not None and (found.parent, found.name) != (parent, place.name):
                found = collections.move(tx, found, self._owner(tx), parent, place.name)
            if found is None and known is not None and at is None:
                thrown = trash.find(tx, self.principal.id, known)
                if thrown is not None:
                    found = trash.bring_back(tx, self._owner(tx), thrown, parent=parent, name=place.name)
            if found is None:
                found = at
                if found is None:
                    found = collections.create(
                        tx, self._owner(tx), parent, place.name, place.kind, place.components, place.properties
                    )
                    self.done.collections += 1
                if known is None:
                    new.add(id)
            if (found.kind, found.components) != (place.kind, place.components):
                found = collections.set_kind(tx, found, place.kind, place.components)
            gone: dict[str, str | None] = dict.fromkeys(found.properties.keys() - place.properties.keys())
            collections.set_properties(tx, found, {**gone, **place.properties})
        self._ids[id] = found.id
        return found.id

    def _cleared(self, tx: Transaction, at: Collection, standing: dict[int, Place]) -> Collection | None:
        """Make room where another collection is to stand. Given back: one that is that other, made meanwhile."""
        if at.id in {self._known(id_) for id_ in standing}:
            # It has another place in the end; it gets there in its turn.
            number = 1
            while collections.child(tx, self.principal.id, at.parent, f"{at.name}-{number}") is not None:
                number += 1
            collections.move(tx, at, self._owner(tx), at.parent, f"{at.name}-{number}")
            return None
        if at.id > self.greatest or not self._since:
            return at
        collections.delete(tx, at)
        self.done.deleted += 1
        return None

    # --- items --------------------------------------------------------------------------------------------------------

    def _items(self, state: State, exact: set[int]) -> None:
        members = sorted(state.members.items())
        held = {id_: list(group) for id_, group in groupby(members, key=lambda pair: pair[0][0])}
        for id_ in sorted({*held, *state.whole, *exact}):
            target = self._known(id_)
            with self.store.read() as tx:
                collection = None if target is None else collections.get(tx, self.principal.id, target)
            pairs = [(href, member) for (_, href), member in held.get(id_, ())]
            if collection is None:
                # What it stood in was deleted later; of what should stand, that was said above.
                self.progress(len(pairs))
                continue
            names = state.whole.get(id_)
            if id_ in exact:
                names = {href for href, member in pairs if member.fetch is not None}
            self._delete(collection, [href for href, member in pairs if member.fetch is None], names)
            self._put(collection, [(href, member) for href, member in pairs if member.fetch is not None])

    def _delete(self, collection: Collection, hrefs: Sequence[str], only: set[str] | None) -> None:
        wanted = list(hrefs)
        if only is not None:
            wanted += [href for href in self._hrefs(collection) if href not in only]
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]
            with self._write() as tx:
                for found in items.named(tx, collection, chunk).values():
                    items.delete(tx, collection, found)
                    self.done.deleted += 1
            self.progress(len(chunk))

    def _hrefs(self, collection: Collection) -> Iterator[str]:
        after = 0
        while True:
            with self.store.read() as tx:
                page = items.listing(tx, collection, ("id", "url"), after, 1000)
            yield from (unquote(url) for _, url in page)
            if not page:
                return
            after = page[-1][0]

    def _put(self, collection: Collection, members: Sequence[tuple[str, Member]]) -> None:
        for start in range(0, len(members), _CHUNK):
            chunk = members[start : start + _CHUNK]
            ready: list[tuple[Content, ObjectResource]] = []
            for href, member in chunk:
                read = self._read(collection, href, member)
                if read is not None:
                    ready.append(read)
            with self._write() as tx:
                for content, obj in ready:
                    self._written(tx, collection, content, obj)
            self.progress(len(chunk))

    def _read(self, collection: Collection, href: str, member: Member) -> tuple[Content, ObjectResource] | None:
        path = f"{self.principal.name}/{collection.name}/{href}"
        assert member.fetch is not None
        content = member.fetch()
        if content is None or sha256(content.octets).hexdigest() != content.etag:
            self.done.failed.append(f"{path}: its octets cannot be read")
            return None
        try:
            return content, self._object(collection, content)
        except Refused as error:
            self.done.failed.append(f"{path}: {error}")
            return None

    def _object(self, collection: Collection, content: Content) -> ObjectResource:
        if collection.kind == "addressbook":
            return address_object(content.octets)
        if collection.kind in ("calendar", "subscribed"):
            return calendar_object(content.octets, window=self.store.window, components=None, allow_method=True)
        return ObjectResource(content.octets, content.etag, Facts(kind="", component="", uid=""))

    def _written(self, tx: Transaction, collection: Collection, content: Content, obj: ObjectResource) -> None:
        before = items.get(tx, collection, content.href)
        item = before
        if before is None or (before.etag, before.content_type) != (content.etag, content.content_type):
            for _ in range(2):
                try:
                    item = items.put(tx, collection, content.href, obj, content_type=content.content_type)
                    break
                except UidConflict as conflict:
                    # In the end the other holds another UID, or is gone: it follows, or was deleted already.
                    holder = items.get(tx, collection, conflict.href)
                    assert holder is not None
                    items.delete(tx, collection, holder)
                except Exists:
                    self.done.failed.append(f"{self.principal.name}/{collection.name}/{content.href}: a collection")
                    return
            self.done.items += 1
        assert item is not None
        there = items.properties(tx, collection, [item.id]).get(item.id, {})
        changes: dict[str, str | None] = dict.fromkeys(there.keys() - content.properties.keys())
        changes |= {name: xml for name, xml in content.properties.items() if there.get(name) != xml}
        if changes:
            items.set_properties(tx, collection, item, changes)

    # --- the rest -----------------------------------------------------------------------------------------------------

    def _owner(self, tx: Transaction) -> Principal:
        found = principals.get(tx, self.principal.id)
        assert found is not None
        return found

    @contextmanager
    def _write(self) -> Iterator[Transaction]:
        with self.store.write() as tx:
            tx.actor = ACTOR
            quota.lift(tx)  # what was there is not weighed again
            yield tx
