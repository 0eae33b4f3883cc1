"""A zone file (RFC 9636): the changes of a zone that are on record, and the rule that goes on for ever."""

from __future__ import annotations

import calendar
import re
import struct
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Final

DAY: Final = 86400


@dataclass(frozen=True, slots=True)
class Local:
    """Local time: seconds east of UTC, whether it is daylight saving time, and what it is called."""

    offset: int
    daylight: bool
    name: str


@dataclass(frozen=True, slots=True)
class Change:
    """At `instant` (seconds UTC) one local time follows another."""

    instant: int
    before: Local
    after: Local


@dataclass(frozen=True, slots=True)
class Yearly:
    """A day and time of every year: `weekday` (0 is Monday) of `week` (5 is the last) of `month`, then `seconds` on,
    by the clock as it goes until then; they may be negative, or more than a day."""

    month: int
    week: int
    weekday: int
    seconds: int

    def wall(self, year: int) -> int:
        """Seconds since 1970 by that clock."""
        first, length = calendar.monthrange(year, self.month)
        day = 1 + (self.weekday - first) % 7 + 7 * (self.week - 1)
        while day > length:
            day -= 7
        return (date(year, self.month, day) - date(1970, 1, 1)).days * DAY + self.seconds


@dataclass(frozen=True, slots=True)
class Tail:
    """From `year` on: every year at `starts` to `daylight`, at `ends` to `standard`."""

    year: int
    standard: Local
    daylight: Local
    starts: Yearly
    ends: Yearly

    def changes(self, year: int) -> tuple[Change, Change]:
        """Those of one year, in their order."""
        start = Change(self.starts.wall(year) - self.standard.offset, self.standard, self.daylight)
        end = Change(self.ends.wall(year) - self.daylight.offset, self.daylight, self.standard)
        return (start, end) if start.instant < end.instant else (end, start)


@dataclass(frozen=True, slots=True)
class Zone:
    """`first` holds until the first of `changes`; after the last of them, the `tail`, if there is one."""

    tzid: str
    first: Local
    changes: tuple[Change, ...]
    tail: Tail | None

    def between(self, start: int, end: int) -> list[Change]:
        """The changes with `start` ≤ instant < `end`, after the local time at the start: a change at `start`."""
        known = list(self.changes)
        if self.tail is not None:
            years = datetime.fromtimestamp(start, UTC).year - 1, datetime.fromtimestamp(end, UTC).year + 1
            for year in range(max(self.tail.year, years[0]), min(max(self.tail.year, years[1]), 9998) + 1):
                known += self.tail.changes(year)
        now = self.first
        for change in known:
            if change.instant <= start:
                now = change.after
        return [Change(start, now, now), *(change for change in known if start < change.instant < end)]


_FOOTER: Final = re.compile(
    r"(?P<std>[A-Za-z]{3,}|<[^>]+>)(?P<off>[-+]?[0-9:]+)"
    r"(?:(?P<dst>[A-Za-z]{3,}|<[^>]+>)(?P<doff>[-+]?[0-9:]+)?,(?P<start>M[^,]+),(?P<end>M[^,]+))?",
    re.ASCII,
)
_RULE: Final = re.compile(r"M([0-9]{1,2})\.([1-5])\.([0-6])(?:/([-+]?[0-9:]+))?", re.ASCII)


@lru_cache(maxsize=64)
def zone(tzid: str) -> Zone:
    """The zone with this name, one of `names.known()`."""
    octets = files("tzdata").joinpath("zoneinfo", *tzid.split("/")).read_bytes()
    return _zone(tzid, octets)


def _zone(tzid: str, octets: bytes) -> Zone:
    """RFC 9636 §3: past the block with 32 bits, that with 64 and its footer."""
    position = _block(octets, 0, 4)[0]
    position, instants, which, types, names = _block(octets, position, 8)
    locals_ = [
        Local(offset, bool(daylight), names[start : names.index(b"\0", start)].decode())
        for offset, daylight, start in types
    ]
    changes: list[Change] = []
    now = locals_[0]
    for instant, number in zip(instants, which, strict=True):
        if locals_[number] != now:
            changes.append(Change(instant, now, locals_[number]))
        now = locals_[number]
    # A record may end with an instant at which nothing changes: from there on the rule holds.
    last = instants[-1] if instants else 0
    return _with_tail(Zone(tzid, locals_[0], tuple(changes), None), last, octets[position:].decode("ascii").strip("\n"))


_Types = list[tuple[int, int, int]]


def _block(octets: bytes, position: int, width: int) -> tuple[int, tuple[int, ...], tuple[int, ...], _Types, bytes]:
    """Where it ends, its instants, the type that each begins, the types, and their names."""
    utc, standard, leaps, count, kinds, letters = struct.unpack_from(">6l", octets, position + 20)
    at = position + 44
    instants = struct.unpack_from(f">{count}{'l' if width == 4 else 'q'}", octets, at)
    at += count * width
    which = struct.unpack_from(f">{count}B", octets, at)
    at += count
    types = [struct.unpack_from(">lBB", octets, at + 6 * number) for number in range(kinds)]
    at += 6 * kinds
    names = octets[at : at + letters]
    return at + letters + leaps * (width + 4) + standard + utc, instants, which, types, names


def _with_tail(zone: Zone, last: int, footer: str) -> Zone:
    """With the rule in the footer, and without the changes on record that it says, too."""
    found = _FOOTER.fullmatch(footer)
    if found is None or found["dst"] is None:
        return zone
    offset = -_seconds(found["off"])
    standard = Local(offset, False, found["std"].strip("<>"))
    daylight = Local(-_seconds(found["doff"]) if found["doff"] else offset + 3600, True, found["dst"].strip("<>"))
    tail = Tail(datetime.fromtimestamp(last, UTC).year + 1, standard, daylight, *map(_yearly, found.group(5, 6)))
    # The record may end in the middle of a year that goes on by the rule.
    rest = [*zone.changes, *(change for change in tail.changes(tail.year - 1) if change.instant > last)]
    while len(rest) >= 2 and tuple(rest[-2:]) == tail.changes(tail.year - 1):
        del rest[-2:]
        tail = replace(tail, year=tail.year - 1)
    return replace(zone, changes=tuple(rest), tail=tail)


def _yearly(text: str) -> Yearly:
    found = _RULE.fullmatch(text)
    assert found is not None, text
    month, week, weekday = (int(found[place]) for place in (1, 2, 3))
    return Yearly(month, week, (weekday - 1) % 7, _seconds(found[4] or "2"))


def _seconds(text: str) -> int:
    parts = [int(part) for part in text.lstrip("+-").split(":")]
    hours, minutes, seconds = (*parts, 0, 0)[:3]
    total = int(timedelta(hours=hours, minutes=minutes, seconds=seconds).total_seconds())
    return -total if text.startswith("-") else total
