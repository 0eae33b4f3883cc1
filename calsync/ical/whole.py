"""Whole collections as one text: a calendar or an address book cut into objects, and put together from them.

A text of any size is walked by its BEGIN and END lines alone; of a component only its place is kept, and each is
scanned by itself. So one that is damaged costs nobody else its place, and memory stays near the size of the text.
"""

from __future__ import annotations

import itertools
import re
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from sys import intern
from typing import Final, NamedTuple

from calsync.ical import zones
from calsync.ical.facts import tzids
from calsync.ical.lines import Component, Line, ScanError, crowded, escape, fold, scan, unescape, unfold
from calsync.ical.validate import KINDS

PRODID: Final = "-//calsync//calsync//EN"

_KEPT_HEADER: Final = frozenset({"VERSION", "PRODID", "CALSCALE"})
_CALENDAR_PROPERTIES: Final = frozenset(
    {"X-WR-CALNAME", "X-WR-CALDESC", "X-WR-TIMEZONE", "X-APPLE-CALENDAR-COLOR", "NAME", "DESCRIPTION", "COLOR"}
)
# None of these stands within another component: where one begins, the one before was not ended.
_UNNESTED: Final = KINDS | {"VTIMEZONE", "VCALENDAR"}
_MARK = re.compile(rb"\n(?:\xef\xbb\xbf)?((?i:BEGIN|END))[ \t]*:([^\n]*)")
_FIRST_MARK = re.compile(_MARK.pattern.removeprefix(rb"\n"))
_NAMES_ZONE = re.compile(rb";TZID=", re.IGNORECASE)
_LINE_ENDS = re.compile(rb"[\r\n]*")
_TZID = re.compile(rb"[\r\n]TZID[^:\r\n]*:([^\r\n]*(?:[\r\n]+[ \t][^\r\n]*)*)")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A part that cannot be an object. `octets`: the part itself, so that it can be kept and mended."""

    uid: str
    reason: str
    octets: bytes


@dataclass(slots=True)
class _Calendar:
    """One VCALENDAR: names and places of its components in order, and places of what stands between them."""

    source: bytes
    names: list[str] = field(default_factory=list)
    places: array[int] = field(default_factory=lambda: array("Q"))
    between: array[int] = field(default_factory=lambda: array("Q"))

    def add(self, name: str, start: int, end: int) -> None:
        self.names.append(intern(name))
        self.places.extend((start, end))

    def octets(self, number: int) -> bytes:
        return self.source[self.places[2 * number] : self.places[2 * number + 1]]

    def parts(self) -> Iterator[tuple[str, bytes]]:
        return ((name, self.octets(number)) for number, name in enumerate(self.names))

    def header(self) -> Iterator[bytes]:
        ends = iter(self.between)
        return (self.source[start:end] for start, end in zip(ends, ends, strict=True) if start < end)


class _Mark(NamedTuple):
    begins: bool
    name: str
    start: int
    end: int


def split_calendar(octets: bytes) -> list[bytes | Rejected]:
    """Objects of a text with one or more VCALENDARs: one for each kind and UID, in the order of their first component.

    Each has the VERSION, PRODID and CALSCALE lines of its source and the VTIMEZONEs it names; METHOD and what describes
    the calendar are left out. All lines kept are verbatim, and a text that is one plain object comes back as it is.
    """
    stray: list[Rejected] = []
    result: list[bytes | Rejected] = []
    count = 0
    for calendar in _calendars(octets, stray):
        result += _split_one(calendar)
        count += 1
    if count == 1 and len(result) == 1 and isinstance(result[0], bytes) and not stray and _is_plain(octets):
        return [octets]
    result += stray
    return result


def split_cards(octets: bytes) -> list[bytes | Rejected]:
    """The cards (and SOGo's lists) of a text, verbatim, in order. Cards without UID are given too."""
    result: list[bytes | Rejected] = []
    name, start, after = "", 0, 0
    for mark in _marks(octets):
        if mark.begins and mark.name in {"VCARD", "VLIST"}:
            if name:
                result.append(Rejected("", f"END:{name} is missing", octets[start : mark.start]))
            else:
                result += _stray(octets[after : mark.start])
            name, start = mark.name, mark.start
        elif not mark.begins and mark.name == name:
            after = mark.end
            result.append(_judge_card(octets[start:after]))
            name = ""
    if name:
        result.append(Rejected("", f"END:{name} is missing", octets[start:]))
    else:
        result += _stray(octets[after:])
    return result


def is_ended(octets: bytes, *, cards: bool) -> bool:
    """Whether a text has come to its end: the last that stands in it is the END of a calendar, or of a card or list."""
    ends = (b"END:VCARD", b"END:VLIST") if cards else (b"END:VCALENDAR",)
    return octets.rstrip(b"\x00\x1a\t\r\n ")[-16:].upper().endswith(ends)


def join_calendar(
    objects: Iterable[bytes], *, name: str | None = None, description: str | None = None
) -> Iterator[bytes]:
    """One VCALENDAR of many objects, piece by piece. Of the VTIMEZONEs with one TZID the first is kept."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PRODID}"]
    if name:
        lines.append(f"X-WR-CALNAME:{escape(name)}")
    if description:
        lines.append(f"X-WR-CALDESC:{escape(description)}")
    yield b"".join(map(fold, lines))
    zones: set[bytes] = set()
    for octets in objects:
        body = _upper_case_body(octets)
        if body is None:
            parts = (part for calendar in _calendars(octets, []) for part in calendar.parts())
            yield b"".join(_ended(octets) for name, octets in parts if name != "VTIMEZONE" or _is_new(octets, zones))
        else:
            yield _without_known_zones(body, zones)
    yield b"END:VCALENDAR\r\n"


def join_cards(objects: Iterable[bytes]) -> Iterator[bytes]:
    """Cards one after the other, each on lines of its own."""
    for octets in objects:
        yield _ended(octets.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n"))


def same_member(one: bytes, other: bytes) -> bool:
    """Whether two calendar objects differ in nothing but what a whole calendar has once for all of them.

    That is the lines of the VCALENDAR itself, and time zones that are known by their name.
    """
    try:
        (first,), (second,) = scan(one).components, scan(other).components
    except ValueError:
        return False
    return _own(first) == _own(second)


def _own(calendar: Component) -> list[bytes]:
    parts: list[bytes] = []
    for component in calendar.components:
        tzid = component.text("TZID") or "" if component.name == "VTIMEZONE" else ""
        if not tzid or zones.find(tzid, calendar) is not zones.find(tzid, None):
            parts.append(component.octets.replace(b"\r\n", b"\n").rstrip(b"\r\n"))
    return sorted(parts)


def calendar_properties(octets: bytes) -> dict[str, str]:
    """What a whole calendar says of itself: texts of X-WR-CALNAME, X-WR-CALDESC and their like that are there."""
    found: dict[str, str] = {}
    for calendar in _calendars(octets, []):
        for line in _header_lines(calendar):
            if line.name in _CALENDAR_PROPERTIES:
                found.setdefault(line.name, unescape(line.value))
    return found


def _upper_case_body(octets: bytes) -> bytes | None:
    """The components of an object that is written as nearly all are, behind a line feed; else None: walk it."""
    start = octets.find(b"\nBEGIN:")
    end = octets.rfind(b"\nEND:VCALENDAR") + 1
    if not 0 < start < end or not octets.startswith(b"BEGIN:VCALENDAR") or b"\nbegin:" in octets:
        return None
    return octets[start:end]


def _without_known_zones(body: bytes, zones: set[bytes]) -> bytes:
    pieces: list[bytes] = []
    start = 1
    while (zone := body.find(b"\nBEGIN:VTIMEZONE", start - 1) + 1) > 0:
        last = body.find(b"\nEND:VTIMEZONE", zone)
        end = body.find(b"\n", last + 1) + 1
        if last < 0:
            break
        pieces.append(body[start:zone])
        if _is_new(octets := body[zone:end], zones):
            pieces.append(octets)
        start = end
    return b"".join([*pieces, body[start:]])


def _is_new(zone: bytes, zones: set[bytes]) -> bool:
    """Whether no VTIMEZONE of that TZID was there before; `zones` holds TZIDs, and whole ones to find them sooner."""
    if zone in zones:
        return False
    found = _TZID.search(zone)
    tzid = found[1] if found else b""
    if len(zones) < 1000:
        zones.add(zone)
    if tzid in zones:
        return False
    zones.add(tzid)
    return True


def _split_one(calendar: _Calendar) -> Iterator[bytes | Rejected]:
    lines = _header_lines(calendar)
    header = [line.raw.rstrip(b"\r\n") + b"\r\n" for line in lines if line.name in _KEPT_HEADER]
    names = {line.name for line in lines}
    if "VERSION" not in names:
        header.insert(0, b"VERSION:2.0\r\n")
    if "PRODID" not in names:
        header.append(fold(f"PRODID:{PRODID}"))
    zones: dict[str, int] = {}
    groups: dict[tuple[str, str], list[int]] = {}
    named: dict[tuple[str, str], tuple[str, ...]] = {}  # the time zones of each group that names some
    rejected: list[Rejected] = []
    for number, (name, octets) in enumerate(calendar.parts()):
        try:
            component = _one(octets)
        except ScanError as error:
            rejected.append(Rejected("", intern(f"{name[:40]}, {error}"), octets))
            continue
        uid = component.text("UID") or ""
        if name == "VTIMEZONE":
            zones.setdefault((component.text("TZID") or "").strip(), number)
        elif not uid.strip():
            rejected.append(Rejected("", intern(f"{name[:40]} without UID"), octets))
        else:
            key = (name, uid)
            groups.setdefault(key, []).append(number)
            if found := (*named.get(key, ()), *_zones_named(component)):
                named[key] = tuple(dict.fromkeys(found))
    for key, parts in groups.items():
        yield b"".join(
            [
                b"BEGIN:VCALENDAR\r\n",
                *header,
                *(_ended(calendar.octets(zones[tzid])) for tzid in named.get(key, ()) if tzid in zones),
                *(_ended(calendar.octets(number)) for number in parts),
                b"END:VCALENDAR\r\n",
            ]
        )
    yield from rejected


def _one(octets: bytes) -> Component:
    """The only component of a text. Raises ScanError."""
    if reason := crowded(octets):
        raise ScanError(reason, 1)
    (component,) = scan(octets).components
    return component


def _zones_named(component: Component) -> Iterator[str]:
    if _NAMES_ZONE.search(unfold(component.octets)):
        for inner in component.walk():
            yield from tzids(inner)


def _is_plain(octets: bytes) -> bool:
    try:
        calendar = _one(octets)
    except ScanError:
        return False
    return calendar.index.keys() <= _KEPT_HEADER


def _header_lines(calendar: _Calendar) -> list[Line]:
    try:
        return _one(b"".join([b"BEGIN:VCALENDAR\r\n", *map(_ended, calendar.header()), b"END:VCALENDAR\r\n"])).lines
    except ScanError:
        return []


def _calendars(octets: bytes, stray: list[Rejected]) -> Iterator[_Calendar]:
    """The VCALENDARs of a text, each when it has ended; what stands outside of them goes to `stray`."""
    calendar: _Calendar | None = None
    name, start, nested = "", 0, 0  # the component that is open, if any
    after = 0  # up to here all is told
    for begins, word, at, end in _marks(octets):
        if calendar is not None and name:
            if word == name and not begins:
                if nested:
                    nested -= 1
                    continue
                calendar.add(name, start, end)
                name, after = "", end
                continue
            if word not in _UNNESTED or not (begins or word == "VCALENDAR"):
                nested += begins and word == name
                continue
            calendar.add(name, start, at)  # without its END: found out when it is scanned
            name, after = "", at
        if calendar is None:
            if begins and word == "VCALENDAR":
                stray += _stray(octets[after:at])
                calendar = _Calendar(octets)
                after = end
            continue
        calendar.between.extend((after, at))
        after = end
        if word == "VCALENDAR":
            yield calendar
            calendar = _Calendar(octets) if begins else None
        elif begins:
            name, start, nested = word, at, 0
    if calendar is None:
        stray += _stray(octets[after:])
    elif name:
        calendar.add(name, start, len(octets))
    else:
        calendar.between.extend((after, len(octets)))
    if calendar is not None:
        yield calendar


def _marks(octets: bytes) -> Iterator[_Mark]:
    # A line feed for each carriage return: offsets stay, and every line but the first begins behind a line feed.
    text = octets.replace(b"\r", b"\n") if b"\r" in octets else octets
    first = _FIRST_MARK.match(text)
    for match in itertools.chain(() if first is None else (first,), _MARK.finditer(text)):
        name = match[2].strip().decode(errors="replace").upper()
        end = _LINE_ENDS.match(octets, match.end())
        yield _Mark(len(match[1]) == 5, name, match.start(1), end.end() if end else match.end())


def _judge_card(octets: bytes) -> bytes | Rejected:
    try:
        if reason := crowded(octets):
            raise ScanError(reason, 1)
        scan(octets)
    except ScanError as error:
        return Rejected("", intern(str(error)), octets)
    return octets


def _stray(octets: bytes) -> list[Rejected]:
    blank = not octets.removeprefix(b"\xef\xbb\xbf").strip()
    return [] if blank else [Rejected("", "text outside of BEGIN and END", octets)]


def _ended(octets: bytes) -> bytes:
    return octets if not octets or octets.endswith((b"\n", b"\r")) else octets + b"\r\n"
