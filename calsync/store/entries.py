"""What a journal says, entry by entry: states, not deeds. Each is what a thing was after a transaction.

The greater `seq` is the newer state, so entries of one epoch can be laid over each other in any order, and the same
one twice does no harm. In a file an entry is a JSON object behind its length, then octets behind theirs.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

_LENGTHS: Final = struct.Struct(">II")
_ERASED: Final = "erased"
#: Where `meta` has the `Restored` of a store.
LINEAGE: Final = "restored"
_ENCODE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Owner:
    """A principal. `epoch` is its name here, for the same person may come anew; `since` the seq before."""

    mark: ClassVar[str] = "owner"
    epoch: str
    id: int
    name: str
    kind: str
    since: int
    seq: int
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Gone:
    """A principal was removed with all that was theirs."""

    mark: ClassVar[str] = "gone"
    epoch: str
    name: str


@dataclass(frozen=True, slots=True)
class Place:
    """A collection and where it stands: `parent` is a collection's id, 0 for the home."""

    mark: ClassVar[str] = "collection"
    epoch: str
    id: int
    parent: int
    name: str
    kind: str
    components: tuple[str, ...]
    properties: Mapping[str, str]
    seq: int


@dataclass(frozen=True, slots=True)
class Content:
    """An item with its octets and dead properties."""

    mark: ClassVar[str] = "item"
    epoch: str
    collection: int
    href: str
    etag: str
    content_type: str
    seq: int
    properties: Mapping[str, str] = field(default_factory=dict)
    octets: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Grave:
    """Something was deleted or moved away: an item, or a collection, whose `href` ends with a slash."""

    mark: ClassVar[str] = "grave"
    epoch: str
    collection: int
    href: str
    seq: int


@dataclass(frozen=True, slots=True)
class Census:
    """All principals and their seqs when the journal was begun: nothing before it is in it."""

    mark: ClassVar[str] = "begun"
    principals: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Ended:
    """The journal was given up: what comes later is not in it."""

    mark: ClassVar[str] = "ended"


@dataclass(frozen=True, slots=True)
class Restored:
    """A backup came back, and history `new` goes on where `old` was left.

    `at`: ids up to this seq mean the same in both. `begin`: the seq at which `new` begins. `whole`: what `old` held
    beyond `at` was brought over, too; else it was given up.
    """

    mark: ClassVar[str] = "restored"
    old: str
    at: int
    new: str
    begin: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Accounts:
    """A line of changes of accounts begins: what its transaction says of them is all there is. `number`: the first of
    the line, 1; `before`: the lines that it takes the place of."""

    mark: ClassVar[str] = "accounts"
    line: str
    number: int
    before: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AccountRows:
    """The rows of an account in a table, in which there are no others of it, or with a `key` the row that has it.

    `whose`: the epoch of the account's principal. The `number` of a line is taken by one transaction.
    """

    mark: ClassVar[str] = "account"
    line: str
    number: int
    whose: str
    table: str
    account: int
    key: str
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something that only a newer calsync understands."""

    mark: ClassVar[str] = "unknown"
    kind: str


Entry = Owner | Gone | Place | Content | Grave | Census | Ended | Restored | Accounts | AccountRows | Unknown

_KINDS: Final[Mapping[str, type[Any]]] = {
    kind.mark: kind for kind in (Owner, Gone, Place, Content, Grave, Census, Ended, Restored, Accounts, AccountRows)
}


def encoded(entry: Entry) -> bytes:
    """The octets of an entry in a journal."""
    facts: dict[str, Any] = {"is": entry.mark}
    for name in entry.__slots__:
        facts[name] = getattr(entry, name)
    octets: bytes = facts.pop("octets", b"")
    text = _ENCODE(facts).encode()
    return _LENGTHS.pack(len(text), len(octets)) + text + octets


def padded(entry: Entry | None, length: int) -> bytes:
    """An entry, or one that nobody reads, that takes just so many octets: to stand where a longer one stood."""
    octets = encoded(entry) if entry is not None else b""
    text = octets[_LENGTHS.size :] if entry is not None else _ENCODE({"is": _ERASED}).encode()
    size = length - _LENGTHS.size
    if len(text) > size:
        raise ValueError("an entry does not fit where it is to stand")
    return _LENGTHS.pack(size, 0) + text.ljust(size)


def decoded(payload: bytes) -> Iterator[tuple[int, int, Entry]]:
    """The entries in it, each with where it begins and ends; those of a kind that a newer calsync writes are `Unknown`.

    Raises `ValueError` for what is no journal's.
    """
    at = 0
    while at < len(payload):
        if at + _LENGTHS.size > len(payload):
            raise ValueError("a journal's entry breaks off")
        length, size = _LENGTHS.unpack_from(payload, at)
        start, begin = at, at + _LENGTHS.size
        at = begin + length + size
        if at > len(payload):
            raise ValueError("a journal's entry breaks off")
        facts = json.loads(payload[begin : begin + length])
        mark = facts.pop("is")
        kind = _KINDS.get(mark)
        if kind is None:
            if mark != _ERASED:
                yield start, at, Unknown(str(mark))
            continue
        if kind is Accounts:
            facts["before"] = tuple(facts["before"])
        if kind is Place:
            facts["components"] = tuple(facts["components"])
        if kind is Content:
            facts["octets"] = payload[begin + length : at]
        try:
            yield start, at, kind(**facts)
        except TypeError as error:
            raise ValueError(f"a journal's entry is not as it should be: {error}") from error
