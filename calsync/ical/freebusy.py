"""When somebody is busy (RFC 4791 §7.10, RFC 7953): objects → periods → VFREEBUSY.

A period is (start, end, kind) with instants and one of the FBTYPE values below. Nothing else of an event gets out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, tzinfo
from typing import Final

from calsync.ical import zones
from calsync.ical.budget import Budget, Meter
from calsync.ical.instants import (
    MAX_INSTANT,
    MIN_INSTANT,
    InvalidTime,
    Period,
    Resolver,
    format_utc,
    parse_duration,
    read_times,
)
from calsync.ical.lines import Component, fold
from calsync.ical.recur import DEFAULT_BUDGET, all_series
from calsync.ical.recurrence import group, read_series
from calsync.ical.timing import time_of

BUSY: Final = "BUSY"
TENTATIVE: Final = "BUSY-TENTATIVE"
UNAVAILABLE: Final = "BUSY-UNAVAILABLE"
FREE: Final = "FREE"

BusyPeriod = tuple[int, int, str]

_PRECEDENCE: Final = (BUSY, UNAVAILABLE, TENTATIVE)  # where they overlap, the first of these is told
_EVENTS: Final = frozenset({"VEVENT"})
_AVAILABLE: Final = frozenset({"AVAILABLE"})


def busy_periods(
    calendar: Component, start: int, end: int, zone: tzinfo = UTC, budget: Budget = DEFAULT_BUDGET
) -> list[BusyPeriod]:
    """Busy time of one object within [start, end), clipped to it, not merged. Raises BudgetExceeded.

    `zone` is that of floating and all-day events. Of an object with VAVAILABILITY, `unavailable` is part of it.
    """
    found: list[BusyPeriod] = []
    meter = Meter(budget)
    for series in all_series(calendar, zone, _EVENTS):
        for occurrence in series.between(start, end, meter):
            kind = _event_kind(occurrence.component)
            if kind:
                _clip(found, occurrence.start, occurrence.end, kind, start, end)
    resolve = zones.resolver(calendar)
    for component in calendar.components:
        if component.name == "VFREEBUSY":
            for first, last, kind in _free_busy(component, resolve, zone):
                _clip(found, first, last, kind, start, end)
    return found + unavailable([calendar], start, end, zone, budget)


def known_kind(calendar: Component, events: Sequence[Component], spans: Iterable[tuple[int, int]]) -> str:
    """What all instances of an object are, so that `spans` are its busy time; FREE where it has none.

    Empty where only the object itself can tell. `spans` are as `extent` makes them: what has no length lasts a second.
    """
    if any(component.name in ("VFREEBUSY", "VAVAILABILITY") for component in calendar.components):
        return ""
    kinds = {_event_kind(component) or FREE for component in events}
    if kinds == {FREE}:
        return FREE
    if len(kinds) > 1 or any(last - first <= 1 for first, last in spans):
        return ""
    return kinds.pop()


def unavailable(
    calendars: Iterable[Component], start: int, end: int, zone: tzinfo = UTC, budget: Budget = DEFAULT_BUDGET
) -> list[BusyPeriod]:
    """Busy time by all VAVAILABILITY components together (RFC 7953 §4): what they do not call AVAILABLE.

    One of a higher PRIORITY (1, then 2 to 9, then 0 or none) decides alone about the time it covers.
    """
    ranked = [
        (_rank(component), component, calendar)
        for calendar in calendars
        for component in calendar.components
        if component.name == "VAVAILABILITY"
    ]
    if not ranked:
        return []
    meter = Meter(budget)
    free: list[tuple[int, int]] = [(start, end)]  # of this, nobody has decided yet
    found: list[BusyPeriod] = []
    for _, component, calendar in sorted(ranked, key=lambda row: row[0]):
        resolve = zones.resolver(calendar)
        own = _intersect(free, [_span(component, resolve, zone)])
        available = [
            (occurrence.start, occurrence.end)
            for components in group(component.components, _AVAILABLE)
            for series in read_series(components, resolve, zone)
            for occurrence in series.between(start, end, meter)
        ]
        kind = _kind(component.text("BUSYTYPE"), UNAVAILABLE)
        if kind:
            found += [(first, last, kind) for first, last in _without(own, available)]
        free = _without(free, own)
    return found


def merge(periods: Iterable[BusyPeriod]) -> list[BusyPeriod]:
    """Periods in order without overlaps: BUSY wins over BUSY-UNAVAILABLE over BUSY-TENTATIVE; others count as BUSY."""
    kinds: dict[str, list[tuple[int, int]]] = {kind: [] for kind in _PRECEDENCE}
    for first, last, kind in periods:
        kinds.get(kind, kinds[BUSY]).append((first, last))
    told: list[tuple[int, int]] = []
    found: list[BusyPeriod] = []
    for kind in _PRECEDENCE:
        rest = _without(_union(kinds[kind]), told)
        found += [(first, last, kind) for first, last in rest]
        told = _union(told + rest)
    return sorted(found)


def vfreebusy(
    start: int, end: int, periods: Sequence[BusyPeriod], *, stamp: int, uid: str = "", lines: Sequence[str] = ()
) -> bytes:
    """A VCALENDAR with one VFREEBUSY (RFC 5545 §3.6.4). `stamp`: now. `lines`: more content lines, unfolded."""
    found = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//calsync//calsync//EN",
        "BEGIN:VFREEBUSY",
        f"UID:{uid}" if uid else "",
        f"DTSTAMP:{format_utc(stamp)}",
        f"DTSTART:{format_utc(start)}",
        f"DTEND:{format_utc(end)}",
        *lines,
    ]
    for kind in _PRECEDENCE:
        values = [f"{format_utc(first)}/{format_utc(last)}" for first, last, one in periods if one == kind]
        if values:
            name = "FREEBUSY" if kind == BUSY else f"FREEBUSY;FBTYPE={kind}"
            found.append(f"{name}:{','.join(values)}")
    found += ["END:VFREEBUSY", "END:VCALENDAR"]
    return b"".join(fold(line) for line in found if line)


# --- what counts ------------------------------------------------------------------------------------------------------


def _event_kind(component: Component) -> str:
    """RFC 4791 §7.10: TRANSP and STATUS decide; "" does not count."""
    if (component.text("TRANSP") or "").strip().upper() == "TRANSPARENT":
        return ""
    status = (component.text("STATUS") or "").strip().upper()
    if status == "CANCELLED":
        return ""
    return TENTATIVE if status == "TENTATIVE" else BUSY


def _kind(text: str | None, default: str) -> str:
    """FBTYPE or BUSYTYPE; what nobody knows is BUSY (RFC 5545 §3.2.9); "" for FREE."""
    kind = (text or default).strip().upper()
    if kind == "FREE":
        return ""
    return kind if kind in _PRECEDENCE else BUSY


def _free_busy(component: Component, resolve: Resolver, zone: tzinfo) -> Iterator[BusyPeriod]:
    for line in component.all("FREEBUSY"):
        kind = _kind(line.param("FBTYPE"), BUSY)
        try:
            values = read_times(line, resolve) if kind else []
        except InvalidTime:
            continue
        for value in values:
            if isinstance(value, Period):
                yield (*value.instants(zone), kind)


def _rank(component: Component) -> int:
    text = (component.text("PRIORITY") or "").strip()
    return int(text) if text in {*"123456789"} else 10


def _span(component: Component, resolve: Resolver, zone: tzinfo) -> tuple[int, int]:
    """The time a VAVAILABILITY covers: open where it names no end (RFC 7953 §3.1)."""
    start, end = (time_of(component, name, resolve) for name in ("DTSTART", "DTEND"))
    first = MIN_INSTANT if start is None else start.instant(zone)
    last = MAX_INSTANT if end is None else end.instant(zone)
    line = component.first("DURATION")
    if start is not None and end is None and line is not None:
        try:
            last = parse_duration(line.value).end(start, zone)
        except InvalidTime:
            last = MAX_INSTANT
    return first, last


# --- intervals --------------------------------------------------------------------------------------------------------


def _clip(found: list[BusyPeriod], first: int, last: int, kind: str, start: int, end: int) -> None:
    first, last = max(first, start), min(last, end)
    if first < last:
        found.append((first, last, kind))


def _union(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """In order, those that touch made one."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if first >= last:
            continue
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return found


def _without(spans: Iterable[tuple[int, int]], gone: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """What of `spans` is not in `gone`."""
    found: list[tuple[int, int]] = []
    holes = _union(gone)
    place = 0
    for first, last in _union(spans):
        while place < len(holes) and holes[place][1] <= first:
            place += 1
        at = place
        while at < len(holes) and holes[at][0] < last:
            if first < holes[at][0]:
                found.append((first, holes[at][0]))
            first = max(first, holes[at][1])
            at += 1
        if first < last:
            found.append((first, last))
    return found


def _intersect(spans: Iterable[tuple[int, int]], others: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    spans = _union(spans)
    return _without(spans, _without(spans, others))
