"""Which of two states of an object is the newer, as far as anybody can say.

What the objects say of themselves counts first (`LAST-MODIFIED`, else `DTSTAMP`, and `REV` of a card), for files get
new times when they are copied; then when the file was changed and when the store was told; else what is stored.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_STAMPS: Final = tuple(
    re.compile(rb"(?im)^%s(?:;[^:\r\n]*)?:[ \t]*([0-9TZ:.+-]{8,40})[ \t]*\r?$" % name)
    for name in (b"LAST-MODIFIED", b"DTSTAMP", b"REV")
)
_PLAIN: Final = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:T(\d\d):?(\d\d):?(\d\d))?")


def is_newer(stored: bytes, changed: int, other: bytes, modified: int) -> bool:
    """Whether what is stored is newer than another state of it.

    `changed`: when the store was told of it last; `modified`: when the other's file was changed, 0 if nobody knows.
    """
    for stamp in _STAMPS:
        here, there = _latest(stamp, stored), _latest(stamp, other)
        if here and there and here != there:
            return here > there
    return changed >= modified if modified else True


def said(instant: int) -> str:
    """When the store was told, for people."""
    return f"changed here {datetime.fromtimestamp(instant, UTC):%Y-%m-%d %H:%M} UTC"


def _latest(stamp: re.Pattern[bytes], octets: bytes) -> tuple[int, ...]:
    """The last of the times that an object names, as numbers that compare."""
    found: list[tuple[int, ...]] = []
    for match in stamp.finditer(octets):
        parts = _PLAIN.match(match[1].decode())
        if parts is not None:
            found.append(tuple(int(part or 0) for part in parts.groups()))
    return max(found, default=())
