"""What was changed since a backup, from whatever source: entries laid over each other, the newest on top.

Octets stay where they are until they are asked for; of a million changes only their places are held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from calsync.store.entries import Content, Entry, Gone, Grave, Owner, Place

Fetch = Callable[[], Content | None]


@dataclass(frozen=True, slots=True)
class Member:
    """The newest that is known of a name in a collection. `fetch` gives the item; None for a deletion."""

    seq: int
    etag: str = ""
    fetch: Fetch | None = None


@dataclass(slots=True)
class State:
    """Of one principal, while its epoch was `epoch`.

    `places`: collections by id. `members`: (collection, href) → what it holds. `graves`: (parent, name) of collections
    that went → seq. `whole`: collections of which all members are known. `unread`: members that are known, but not
    their octets: (collection, href) → seq.
    """

    epoch: str
    owner: Owner | None = None
    gone: bool = False
    places: dict[int, Place] = field(default_factory=dict)
    members: dict[tuple[int, str], Member] = field(default_factory=dict)
    graves: dict[tuple[int, str], int] = field(default_factory=dict)
    whole: dict[int, set[str]] = field(default_factory=dict)
    unread: dict[tuple[int, str], int] = field(default_factory=dict)

    def add(self, entry: Entry, fetch: Fetch | None = None) -> None:
        """Lay an entry over what is known; `fetch` reads the item of a `Content` again."""
        match entry:
            case Owner():
                if self.owner is None or entry.seq >= self.owner.seq:
                    self.owner = entry
            case Gone():
                self.gone = True
            case Place():
                before = self.places.get(entry.id)
                if before is None or entry.seq >= before.seq:
                    self.places[entry.id] = entry
            case Content():
                self._member(entry.collection, entry.href, Member(entry.seq, entry.etag, fetch or (lambda: entry)))
            case Grave() if entry.href.endswith("/"):
                key = entry.collection, entry.href.removesuffix("/")
                self.graves[key] = max(entry.seq, self.graves.get(key, 0))
            case Grave():
                self._member(entry.collection, entry.href, Member(entry.seq))
            case _:
                pass

    def _member(self, collection: int, href: str, member: Member) -> None:
        before = self.members.get((collection, href))
        if before is None or member.seq > before.seq or (member.seq == before.seq and before.fetch is None):
            self.members[collection, href] = member

    def join(self, other: State) -> None:
        """Lay what another source knows of the same time over this."""
        self.gone = self.gone or other.gone
        if other.owner is not None:
            self.add(other.owner)
        for place in other.places.values():
            self.add(place)
        for (collection, href), member in other.members.items():
            self._member(collection, href, member)
        for key, seq in other.graves.items():
            self.graves[key] = max(seq, self.graves.get(key, 0))
        self.whole |= other.whole
        self.unread |= other.unread

    def standing(self) -> dict[int, Place]:
        """The collections that stand in the end: not deleted since, and no other has taken their place."""
        holders: dict[tuple[int, str], Place] = {}
        for place in self.places.values():
            key = place.parent, place.name
            other = holders.get(key)
            if self.graves.get(key, 0) < place.seq and (other is None or other.seq < place.seq):
                holders[key] = place
        return {place.id: place for place in holders.values()}

    def additions(self) -> State:
        """What was put there, and nothing of what was taken away or set."""
        put = {key: member for key, member in self.members.items() if member.fetch is not None}
        return State(self.epoch, places=self.places, members=put, graves=self.graves, unread=self.unread)

    def missing(self) -> Iterator[tuple[int, str]]:
        """Members whose octets no source has."""
        for key, seq in self.unread.items():
            known = self.members.get(key)
            if known is None or known.seq < seq:
                yield key


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a principal's history: what its epoch holds beyond `since`.

    `kept`: up to it, ids mean what they do in the stretch before. `adding`: it began anew beside the backup's, and
    takes nothing away from it.
    """

    state: State
    since: int
    kept: int = 0
    adding: bool = False
