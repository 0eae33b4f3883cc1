"""What can be done for an item that is refused as it lies there, without guessing at its meaning.

Radicale takes control characters and empty lines out when it reads a file, so its clients saw such items: leaving them
behind would lose them. Old exports are in Windows-1252 or vCard 2.1, and cards often have no UID. The report names
every repair.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Iterator

from calsync.transfer.vcard21 import is_vcard21, to_vcard30

_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_EMPTY_LINES = re.compile(rb"(?m)^[ \t]*\r?\n")
_COMPONENTS = re.compile(rb"(?ims)^BEGIN:(VCARD|VEVENT|VTODO|VJOURNAL)[ \t]*(\r?\n)(.*?)^END:\1[ \t]*\r?$")
_NESTED = re.compile(rb"(?ims)^BEGIN:(VALARM)\b.*?^END:\1")
_UID = re.compile(rb"(?im)^(?:[A-Z0-9-]+\.)?UID(?:;[^:\r\n]*)?:[^\S\r\n]*\S")
# UIDs made here are derived from the item: the same file gets the same one again.
_NAMESPACE = uuid.UUID("6f0c1ad4-3f1e-5a3e-9d0e-0d8f4a4f0a11")


def repaired(octets: bytes) -> tuple[bytes, str] | None:
    """The text with what can be mended mended, and what that was in words. None where nothing was found to mend."""
    done: list[str] = []
    for mended, what in _steps(octets):
        octets = mended
        done.append(what)
    return (octets, ", ".join(done)) if done else None


def _steps(octets: bytes) -> Iterator[tuple[bytes, str]]:
    if is_vcard21(octets):
        octets = to_vcard30(octets)
        yield octets, "rewritten from vCard 2.1"
    text, charset = _as_utf8(octets)
    if charset:
        octets = text
        yield octets, f"read as {charset}"
    if _CONTROLS.search(octets):
        octets = _CONTROLS.sub(b"", octets)
        yield octets, "control characters taken out"
    if _EMPTY_LINES.search(octets):
        octets = _EMPTY_LINES.sub(b"", octets)
        yield octets, "empty lines taken out"
    identified = with_uids(octets)
    if identified != octets:
        yield identified, "given a UID"


def _as_utf8(octets: bytes) -> tuple[bytes, str]:
    if octets.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return octets.decode("utf-16").encode(), "UTF-16"
        except UnicodeDecodeError:
            return octets, ""
    try:
        octets.decode()
    except UnicodeDecodeError:
        # A fold may cut a letter in two: that is UTF-8 still.
        try:
            re.sub(rb"\r?\n[ \t]", b"", octets).decode()
        except UnicodeDecodeError:
            # Windows-1252 leaves five octets undefined; Latin-1 would give them meanings that nobody wrote.
            return octets.decode("cp1252", errors="replace").encode(), "Windows-1252"
    return octets, ""


def with_uids(octets: bytes) -> bytes:
    """The text with a UID in each event, task, journal and card that has none; the same for the same content."""
    seen: Counter[bytes] = Counter()

    def identified(match: re.Match[bytes]) -> bytes:
        if _UID.search(_NESTED.sub(b"", match[3])):
            return match[0]
        seen[match[0]] += 1
        uid = uuid.uuid5(_NAMESPACE, f"{seen[match[0]]}\n{match[0].decode(errors='replace')}")
        # RFC 6350 §6.7.9 wants VERSION first in a card; in an event, properties stand before alarms.
        start = (match.end(3) if match[1].upper() == b"VCARD" else match.start(3)) - match.start()
        return match[0][:start] + f"UID:{uid}".encode() + match[2] + match[0][start:]

    return _COMPONENTS.sub(identified, octets)
