"""What an app password opens: everything, calendars, contacts, or chosen collections; and how far it may change them.

A scope only takes away: what the account itself may do is the rights' to say. It is asked with the path of a stored
collection and its kind; whatever is in a collection has its collection's answer. The root and the homes may be looked
at with any, so that clients find what is in scope, and are not changed.

Under stock Radicale the limits of a login reach the rights plugin in `CURRENT`, set by the auth plugin.
"""

from __future__ import annotations

import json
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from calsync.accounts.credentials import Identity

Segments = tuple[str, ...]

#: Kinds of stored collections that a scope by kind opens.
_KINDS: Final = {
    "calendars": frozenset({"calendar", "subscribed"}),
    "contacts": frozenset({"addressbook"}),
}

#: Radicale's letters that change something, and those that deny it.
WRITING: Final = frozenset("wWDO")


class BadScope(ValueError):
    """It is not a scope; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class Scope:
    """`kind`: `all`, `calendars`, `contacts` or `collections`; of the last, `paths` names them, `/anna/work/`."""

    kind: str = "all"
    paths: frozenset[Segments] = frozenset()

    @classmethod
    def of_paths(cls, *paths: str) -> Scope:
        """The scope of these collections. Raises `BadScope`."""
        if not paths:
            raise BadScope("a scope of collections names at least one")
        return cls("collections", frozenset(map(_segments, paths)))

    @classmethod
    def named(cls, *words: str) -> Scope:
        """As people write it: `all`, `calendars`, `contacts`, or paths. Raises `BadScope`."""
        if len(words) == 1 and words[0] in ("all", *_KINDS):
            return cls(words[0])
        return cls.of_paths(*words)

    @classmethod
    def parse(cls, text: str) -> Scope:
        """From the store's JSON. Raises `BadScope`."""
        try:
            found: Any = json.loads(text)
        except ValueError as error:
            raise BadScope(f"{text[:50]!r} is not JSON") from error
        if isinstance(found, str) and found in ("all", *_KINDS):
            return cls(found)
        paths = found.get("collections") if isinstance(found, dict) else None
        if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
            raise BadScope(f"{text[:50]!r} is not a scope")
        return cls.of_paths(*paths)

    def serialise(self) -> str:
        """JSON: `"calendars"`, `{"collections": ["/anna/work/"]}`."""
        return json.dumps({"collections": self.texts} if self.paths else self.kind)

    @property
    def texts(self) -> list[str]:
        """The paths as text, in order."""
        return ["/" + "".join(f"{part}/" for part in path) for path in sorted(self.paths)]

    def __str__(self) -> str:
        """For people: `calendars`, `/anna/work/ /anna/home/`."""
        return " ".join(self.texts) if self.paths else self.kind

    def covers(self, path: Segments, kind: str) -> bool:
        """Whether the stored collection at `path`, of `kind` as the store names it, is in scope."""
        if self.kind == "all":
            return True
        if self.kind == "collections":
            return any(path[: len(chosen)] == chosen for chosen in self.paths)
        return kind in _KINDS[self.kind]

    def may_make(self, kind: str) -> bool:
        """Whether collections of `kind` may be made, moved and removed."""
        return self.kind == "all" or kind in _KINDS.get(self.kind, ())

    @property
    def has_calendars(self) -> bool:
        """Whether what is said of all calendars together (a home's availability) is in scope."""
        return self.kind in ("all", "calendars")


ALL: Final = Scope()

#: Who logged in for the request of this thread; None where nobody did. Set and cleared by the auth plugin.
CURRENT: Final[ContextVar[Identity | None]] = ContextVar("calsync_identity", default=None)


def _segments(text: str) -> Segments:
    path = tuple(part for part in text.split("/") if part)
    if not text.startswith("/") or len(path) < 2 or any(part in (".", "..") for part in path):
        raise BadScope(f"{text!r} is not the path of a collection (write it like /anna/work/)")
    return path
