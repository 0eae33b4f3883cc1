"""Other representations of a stored object: without its time zones, or as the other version of vCard (decision D17).

Each has an ETag of its own, which is that of the object with a mark. A write on the condition of such an ETag is one on
the condition of the object's: the client has seen what is stored, in another form.
"""

from __future__ import annotations

from typing import Final

from calsync.webdav.etags import EntityTags

#: Without and with time zones (`calsync.dav.timezones`), vCard 3.0 and 4.0.
MARKS: Final = ("F", "T", "3", "4")


def variant(etag: str, mark: str) -> str:
    """The entity tag of the representation with this mark, "" for that of the object itself; both in quotes."""
    return f'{etag[:-1]}-{mark}"' if mark else etag


def matches(tags: EntityTags, etag: str) -> bool:
    """Whether the object, or another representation of it as it is now, is named (RFC 9110 §13.1.1)."""
    return tags.strong_match(etag) or any(tags.strong_match(variant(etag, mark)) for mark in MARKS)
