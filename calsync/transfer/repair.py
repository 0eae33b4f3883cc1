"""What can be done for an item that is refused as it lies there, without guessing at its meaning.

Radicale takes control characters and empty lines out when it reads a file, so its clients saw such items: leaving them
behind would lose them. Old exports are in Windows-1252 or vCard 2.1, and cards often have no UID. The report names
every repair. `repaired` does what an item may need to be taken at all; `completed` adds what the RFCs ask for besides
and somebody has left out, for objects that a person asks to have mended.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files

from calsync.ical.facts import tzids
from calsync.ical.lines import Component, ScanError, scan
from calsync.ical.vtimezone import vtimezone
from calsync.ical.whole import PRODID
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
    text = _from_utf16(octets)
    if text is not None:
        octets = text
        yield octets, "read as UTF-16"
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


def _from_utf16(octets: bytes) -> bytes | None:
    """The text as UTF-8 where it is in UTF-16, by its mark or because every other octet of its first word is zero."""
    if octets.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif octets[:8].upper() == b"B\0E\0G\0I\0":
        encoding = "utf-16-le"
    elif octets[:8].upper() == b"\0B\0E\0G\0I":
        encoding = "utf-16-be"
    else:
        return None
    try:
        return octets.decode(encoding).encode()
    except UnicodeDecodeError:
        return None


def _as_utf8(octets: bytes) -> tuple[bytes, str]:
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


# --- completing -------------------------------------------------------------------------------------------------------

_LONE_ENDS = re.compile(rb"\r+\n|\r|(?<!\r)\n")
_BEGIN = re.compile(rb"(?im)^BEGIN:(?:VCALENDAR|VCARD)[ \t]*\r\n")
_BARE = re.compile(rb"(?i)\A\s*BEGIN:(VEVENT|VTODO|VJOURNAL|VFREEBUSY)\b")
_HEADERS = {"VCALENDAR": {"VERSION": "2.0", "PRODID": PRODID}, "VCARD": {"VERSION": "3.0"}}
_STAMPED = frozenset({"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY"})


def completed(octets: bytes, *, stamp: int) -> tuple[bytes, list[str]]:
    """The text with all that is known to be missing added, and what was done, each in words.

    `stamp`: the instant that a missing DTSTAMP becomes, unless the component says when it was changed last. Times that
    contradict each other stay as they are: which of them is meant, nobody can know.
    """
    done: list[str] = []
    for mended, what in _completions(octets, stamp):
        octets = mended
        done.append(what)
    return octets, done


def _completions(octets: bytes, stamp: int) -> Iterator[tuple[bytes, str]]:
    mended = repaired(octets)
    if mended is not None:
        octets = mended[0]
        yield mended
    even = _LONE_ENDS.sub(b"\r\n", octets)
    if not even.endswith(b"\r\n"):
        even += b"\r\n"
    if even != octets:
        octets = even
        yield octets, "line ends made CRLF"
    if _BARE.match(octets):
        octets = b"BEGIN:VCALENDAR\r\n" + octets.lstrip() + b"END:VCALENDAR\r\n"
        yield octets, "put into a VCALENDAR"
    more, names = _with_header(octets)
    if names:
        octets = more
        yield octets, f"given {' and '.join(names)}"
    more = _with_stamps(octets, stamp)
    if more != octets:
        octets = more
        yield octets, "given a DTSTAMP"
    more, names = _with_zones(octets)
    if names:
        yield more, f"given the VTIMEZONE of {', '.join(names)}"


def _root(octets: bytes) -> Component | None:
    try:
        roots = scan(octets).components
    except ScanError:
        return None
    return roots[0] if len(roots) == 1 else None


def _with_header(octets: bytes) -> tuple[bytes, list[str]]:
    """RFC 5545 §3.6, §3.7.3, §3.7.4; of a card VERSION alone (RFC 2426 §3.6.9): 3.0 asks for the least."""
    root = _root(octets)
    if root is None or root.name not in _HEADERS:
        return octets, []
    missing = {name: value for name, value in _HEADERS[root.name].items() if root.first(name) is None}
    lines = "".join(f"{name}:{value}\r\n" for name, value in missing.items()).encode()
    return _BEGIN.sub(lambda found: found[0] + lines, octets, count=1), list(missing)


def _with_stamps(octets: bytes, stamp: int) -> bytes:
    """RFC 5545 §3.8.7.2."""
    root = _root(octets)
    if root is None or root.name != "VCALENDAR":
        return octets
    for component in root.components:
        if component.name in _STAMPED and component.first("DTSTAMP") is None:
            changed = component.first("LAST-MODIFIED") or component.first("CREATED")
            text = (
                changed.value.strip()
                if changed is not None and changed.value.strip().endswith("Z")
                else f"{datetime.fromtimestamp(stamp, UTC):%Y%m%dT%H%M%SZ}"
            )
            first, rest = component.octets.split(b"\n", 1)
            octets = octets.replace(component.octets, first + f"\nDTSTAMP:{text}\r\n".encode() + rest, 1)
    return octets


def _with_zones(octets: bytes) -> tuple[bytes, list[str]]:
    """RFC 5545 §3.6.5: a zone that is named has to be there; what an IANA name means is on record."""
    root = _root(octets)
    if root is None or root.name != "VCALENDAR":
        return octets, []
    there = {(one.text("TZID") or "").strip() for one in root.components if one.name == "VTIMEZONE"}
    used = {tzid for one in root.components if one.name != "VTIMEZONE" for inner in one.walk() for tzid in tzids(inner)}
    names = sorted((used - there) & _zones())
    body = next((one.octets for one in root.components), b"")
    if not names or not body:
        return octets, []
    return octets.replace(body, b"".join(map(vtimezone, names)) + body, 1), names


def _zones() -> frozenset[str]:
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="ascii").split())
