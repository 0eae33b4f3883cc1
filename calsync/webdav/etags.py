"""Entity tags and the headers that list them (RFC 9110 §8.8.3, §13.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from calsync.webdav.errors import BadRequest


@dataclass(frozen=True, slots=True)
class EntityTag:
    """`W/"opaque"`; `opaque` is without its quotes."""

    weak: bool
    opaque: str

    def __str__(self) -> str:
        return f'{"W/" if self.weak else ""}"{self.opaque}"'


@dataclass(frozen=True, slots=True)
class EntityTags:
    """If-Match, If-None-Match and If-Schedule-Tag-Match: `*`, or a list of tags. False where the header has neither."""

    any: bool = False
    tags: tuple[EntityTag, ...] = ()

    def __bool__(self) -> bool:
        return self.any or bool(self.tags)

    def strong_match(self, etag: str) -> bool:
        """Is `etag` (`"abc"`, quotes included) among them, both strong? That `*` matches what exists is included."""
        return self.any or (not is_weak(etag) and EntityTag(False, _opaque(etag)) in self.tags)

    def weak_match(self, etag: str) -> bool:
        """Is `etag` among them, weak or strong?"""
        opaque = _opaque(etag)
        return self.any or any(tag.opaque == opaque for tag in self.tags)


def is_weak(etag: str) -> bool:
    """Does the tag begin with `W/`?"""
    return etag[:2] == "W/"


def _opaque(etag: str) -> str:
    return (etag[2:] if is_weak(etag) else etag).strip('"')


# A quoted tag may hold commas; one without quotes (old clients) ends at a comma.
_TAG: Final = re.compile(r'\s*(?:([Ww]/)?"([^"\x00-\x1f\x7f]*)"|([^\s",\x00-\x1f\x7f]+))\s*(?:,|$)|\s*,')


def etag_list(value: str) -> EntityTags:
    """A list of entity tags or `*` (RFC 9110 §13.1.1). An empty header gives neither.

    Evolution escapes the quotes (`\\"abc\\"`), some clients leave them out. BadRequest where it is no list of tags.
    """
    value = value.replace('\\"', '"').strip()
    if value == "*":
        return EntityTags(any=True)
    tags: list[EntityTag] = []
    position = 0
    while position < len(value):
        found = _TAG.match(value, position)
        if found is None:
            raise BadRequest(f"not a list of entity tags: {value!r}")
        if found[2] is not None or found[3]:
            tags.append(EntityTag(found[1] is not None, found[3] if found[2] is None else found[2]))
        position = found.end()
    return EntityTags(tags=tuple(tags))
