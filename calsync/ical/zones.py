"""What a TZID means: IANA name → Windows name (CLDR) → the rules of the VTIMEZONE that came with it.

The well-known name comes first, as its data are kept up to date and an embedded VTIMEZONE often is a shortened copy.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

from calsync.ical import rules, walls, windows_zones
from calsync.ical.budget import Budget, BudgetExceeded, Meter
from calsync.ical.instants import DAY, InvalidTime, Resolver, Time, parse_time, read_times
from calsync.ical.lines import Component, ScanError, scan

_UTC_NAMES = frozenset({"utc", "z", "gmt", "etc/utc", "etc/gmt", "zulu", "etc/zulu", "etc/universal", "etc/greenwich"})
_KEY = re.compile(r"[A-Za-z0-9_+\-]+(?:/[A-Za-z0-9_+\-]+){0,2}", re.ASCII)
_DISPLAY = re.compile(r"\((?:UTC|GMT)(?P<offset>[^)]*)\)\s*(?P<places>.*)", re.IGNORECASE | re.DOTALL)
_OFFSET = re.compile(r"(?:UTC|GMT)?\s*([+-])\s*([0-9]{1,2})(?:[:.]?([0-9]{2}))?", re.ASCII | re.IGNORECASE)
_UTC_OFFSET = re.compile(r"([+-]?)([0-9]{2}):?([0-9]{2}):?([0-9]{2})?", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1)

# Onsets are made for these years: before and after them the nearest offset holds.
_ONSETS_FROM: Final = int((datetime(1900, 1, 1) - _EPOCH).total_seconds())
_ONSETS_TO: Final = int((datetime(2101, 1, 1) - _EPOCH).total_seconds())
_ONSETS_BUDGET: Final = Budget(instances=2000, steps=100_000, seconds=0.05)
_CACHED_OCTETS: Final = 16_384
_LONGEST_NAME: Final = 255


def resolve(tzid: str, calendar: Component | None) -> tzinfo:
    """The zone that a TZID names within `calendar`; UTC where nobody knows it (`find` tells that apart)."""
    return find(tzid, calendar) or UTC


def resolver(calendar: Component | None) -> Resolver:
    """`resolve` for the lines of one object, which remembers what it found."""
    known: dict[str, tzinfo] = {}
    timezones: list[dict[str, Component]] = []

    def resolve_here(tzid: str) -> tzinfo:
        zone = known.get(tzid) or _named(tzid)
        if zone is None:
            if not timezones:
                timezones.append(_timezones(calendar))
            known[tzid] = zone = _embedded(tzid, timezones[0]) or _described(tzid) or UTC
        return zone

    return resolve_here


def find(tzid: str, calendar: Component | None) -> tzinfo | None:
    """The zone that a TZID names within `calendar` (a VCALENDAR with its VTIMEZONEs), or None."""
    return _named(tzid) or _embedded(tzid, _timezones(calendar)) or _described(tzid)


def zone_of(vcalendar_text: str) -> tzinfo:
    """The zone of a VCALENDAR that holds one VTIMEZONE, as in `CALDAV:timezone` (RFC 4791 §5.2.2, §9.8).

    Raises ValueError where there is none, or none that says what time it is.
    """
    try:
        document = scan(vcalendar_text.encode())
    except ScanError as error:
        raise ValueError(f"no time zone: {error}") from None
    for calendar in document.components:
        for component in calendar.components:
            tzid = component.text("TZID") if component.name == "VTIMEZONE" else None
            zone = find(tzid, calendar) if tzid is not None else None
            if zone is not None:
                return zone
    raise ValueError("no VTIMEZONE that is known or has rules")


# --- by name ----------------------------------------------------------------------------------------------------------


def _named(tzid: str) -> tzinfo | None:
    return _by_name(tzid) if len(tzid) <= _LONGEST_NAME else None


@lru_cache(maxsize=1024)
def _by_name(tzid: str) -> tzinfo | None:
    name = tzid.strip().strip("\"'").strip()
    for candidate in _spellings(name):
        zone = _iana(candidate)
        if zone is not None:
            return zone
    return None


def _spellings(name: str) -> Iterator[str]:
    yield name
    windows = windows_zones.iana_name(name)
    if windows is not None:
        yield windows
        return
    name = name.replace("\\", "").replace(" ", "_")
    known = _known_names()
    # Mozilla, Evolution, Citadel and others put the IANA name behind a prefix of their own:
    # /freeassociation.sourceforge.net/Europe/Berlin
    parts = [part for part in name.split("/") if part]
    for size in (3, 2, 1):
        if len(parts) >= size:
            yield known.get("/".join(parts[-size:]).casefold(), "")
    if len(parts) == 1:
        yield known.get(name.replace("-", "/", 1).casefold(), "")  # US-Eastern


def _iana(key: str) -> tzinfo | None:
    if key.casefold() in _UTC_NAMES:
        return UTC
    if not _KEY.fullmatch(key):
        return None
    try:
        return ZoneInfo(key)
    except (KeyError, ValueError, OSError):  # unknown; no zone file; a folder
        return None


@cache
def _known_names() -> dict[str, str]:
    names = files("tzdata").joinpath("zones").read_text(encoding="ascii").split()
    return {name.casefold(): name for name in names}


def _described(tzid: str) -> tzinfo | None:
    return _by_description(tzid) if len(tzid) <= _LONGEST_NAME else None


@lru_cache(maxsize=256)
def _by_description(tzid: str) -> tzinfo | None:
    """Exchange's `(UTC+01:00) Amsterdam, Berlin, …` by one of its places, else by its offset; `GMT+0100`."""
    described = _DISPLAY.fullmatch(tzid.strip().strip('"'))
    offset = _fixed(described["offset"].strip() or "+0" if described else tzid.strip())
    if described and offset:
        cities = {name.rpartition("/")[2].casefold(): name for name in _known_names().values() if "/" in name}
        winter = datetime(2024, 1, 1), datetime(2024, 7, 1)
        for place in re.split(r"[,/;]", described["places"]):
            zone = _iana(cities.get(place.strip().replace(" ", "_").casefold(), ""))
            # Standard time, in the north or the south: else it is another town of that name.
            if zone is not None and offset.utcoffset(None) in [zone.utcoffset(day) for day in winter]:
                return zone
    return offset


def _fixed(text: str) -> tzinfo | None:
    found = _OFFSET.fullmatch(text)
    if found is None:
        return None
    minutes = int(found[2]) * 60 + int(found[3] or 0)
    if minutes >= 24 * 60 or int(found[3] or 0) >= 60:
        return None
    return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes)) if minutes else UTC


# --- by the VTIMEZONE that came with it -------------------------------------------------------------------------------


def _timezones(calendar: Component | None) -> dict[str, Component]:
    """The VTIMEZONEs of an object by their TZID, the first of each."""
    found: dict[str, Component] = {}
    for component in calendar.components if calendar is not None else ():
        if component.name == "VTIMEZONE":
            found.setdefault((component.text("TZID") or "").strip().strip('"'), component)
    return found


def _embedded(tzid: str, timezones: dict[str, Component]) -> tzinfo | None:
    component = timezones.get(tzid.strip().strip('"'))
    if component is None:
        return None
    location = component.text("X-LIC-LOCATION")  # libical's
    zone = _named(location) if location else None
    if zone is None:
        octets = component.octets
        zone = _of_octets(octets) if len(octets) <= _CACHED_OCTETS else _of_component(component)
    return zone


@lru_cache(maxsize=256)
def _of_octets(octets: bytes) -> tzinfo | None:
    return _of_component(scan(octets).components[0])


def _of_component(component: Component) -> tzinfo | None:
    """RFC 5545 §3.6.5. An observance that cannot be read is left out; None where nothing is left."""
    onsets: set[tuple[int, int, int]] = set()
    meter = Meter(_ONSETS_BUDGET)
    for observance in component.components:
        if observance.name in {"STANDARD", "DAYLIGHT"}:
            offsets = [_utc_offset(observance.text(name)) for name in ("TZOFFSETFROM", "TZOFFSETTO")]
            before, after = offsets
            if after is None:
                continue
            before = after if before is None else before
            onsets.update((wall - before, before, after) for wall in _onset_walls(observance, before, meter))
    return EmbeddedZone(component.text("TZID") or "", sorted(onsets)) if onsets else None


def _onset_walls(observance: Component, before: int, meter: Meter) -> list[int]:
    """Local times, by the offset before, at which an observance begins."""
    line = observance.first("DTSTART")
    try:
        first = parse_time(line.value).wall if line else None
    except InvalidTime:
        first = None
    if first is None:
        return []
    found = [first]
    try:
        for line in observance.all("RDATE"):
            found += [value.wall for value in read_times(line, lambda _: UTC) if isinstance(value, Time)]
        for line in observance.all("RRULE"):
            rule = rules.parse(line.value)
            until = rule.until.wall + (before if rule.until.utc else 0) if rule.until else _ONSETS_TO
            for wall in walls.walls(rule, first, _ONSETS_FROM, min(_ONSETS_TO, until + 1), meter):
                meter.instance()
                found.append(wall)
    except (InvalidTime, rules.RuleError, BudgetExceeded):
        pass  # what was read so far is better than nothing
    return found


def _utc_offset(text: str | None) -> int | None:
    found = _UTC_OFFSET.fullmatch((text or "").strip())
    if found is None:
        return None
    seconds = int(found[2]) * 3600 + int(found[3]) * 60 + int(found[4] or 0)
    return None if seconds >= DAY else -seconds if found[1] == "-" else seconds


class EmbeddedZone(tzinfo):
    """A zone made of onsets (instant, offset before, offset after), in seconds."""

    def __init__(self, tzid: str, onsets: list[tuple[int, int, int]]) -> None:
        self._tzid = tzid
        self._offsets = [onsets[0][1], *(after for _, _, after in onsets)]
        self._instants = [instant for instant, _, _ in onsets]
        pairs = list(zip(self._instants, self._offsets, self._offsets[1:], strict=False))
        # The wall times from which the next offset holds, for fold 0 (RFC 5545 §3.3.5) and fold 1 (PEP 495).
        self._walls = (
            [instant + max(before, after) for instant, before, after in pairs],
            [instant + min(before, after) for instant, before, after in pairs],
        )

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        if moment is None:
            return None
        wall = (moment.replace(tzinfo=None) - _EPOCH) // timedelta(seconds=1)
        return timedelta(seconds=self._offsets[bisect_right(self._walls[moment.fold], wall)])

    def dst(self, moment: datetime | None) -> timedelta | None:
        return None

    def tzname(self, moment: datetime | None) -> str | None:
        return self._tzid

    def fromutc(self, moment: datetime) -> datetime:
        instant = (moment.replace(tzinfo=None) - _EPOCH) // timedelta(seconds=1)
        place = bisect_right(self._instants, instant)
        local = moment + timedelta(seconds=self._offsets[place])
        # The second time round: fold 0 would name the offset before.
        again = place > 0 and instant + self._offsets[place] < self._instants[place - 1] + self._offsets[place - 1]
        return local.replace(fold=1) if again else local

    def __repr__(self) -> str:
        return f"EmbeddedZone({self._tzid!r})"
