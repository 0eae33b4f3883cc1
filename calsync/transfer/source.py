"""What a reader hands on: users, their collections, their items, each read only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SourceItem:
    """`octets`: one calendar object or card. `href`: the name it must keep, None where it takes one from its UID.

    `modified`: when its file was changed last, 0 where nobody knows.
    """

    place: str
    octets: bytes
    href: str | None = None
    modified: int = 0


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something that cannot be taken as it lies there. `skipped`: no client ever saw it either. `octets`: what it is,
    where that could be read, so that it can be kept and mended."""

    place: str
    reason: str
    skipped: bool = False
    octets: bytes = b""


@dataclass(frozen=True, slots=True)
class SourceCollection:
    """`names`: its path below the home. `count`: items to expect, for a progress bar. `items` may be called again.

    `properties`: XML by Clark name, as the store keeps them. `enforced`: an item of another kind of component than the
    collection has is refused; Radicale never did that, so what comes from its folder is taken.
    """

    names: tuple[str, ...]
    kind: str
    components: tuple[str, ...]
    properties: Mapping[str, str]
    items: Callable[[], Iterator[SourceItem | Unreadable]]
    count: int
    place: str
    notices: Sequence[str] = ()
    enforced: bool = False


@dataclass(frozen=True, slots=True)
class SourceUser:
    """`properties`: of the home. `problems`: what could not be read in it. `notices`: for people."""

    name: str
    properties: Mapping[str, str] = field(default_factory=dict)
    collections: Sequence[SourceCollection] = ()
    problems: Sequence[Unreadable] = ()
    notices: Sequence[str] = ()


class SourceError(ValueError):
    """There is nothing to read at this place, or not for this user; the message is for people."""
