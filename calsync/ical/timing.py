"""When one component happens, taken by itself: DTSTART with DTEND, DUE or DURATION, and whether that is in a range."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, tzinfo
from typing import NamedTuple

from calsync.ical.instants import (
    DAY,
    InvalidTime,
    Resolver,
    Time,
    parse_duration,
    read_time,
    to_instant,
    to_wall,
)
from calsync.ical.lines import Component

Overlaps = Callable[[int, int, int, int], bool]
"""(start, end, low, high): whether a component from start to end is in the range from low to high, all instants."""


class Length(NamedTuple):
    """What lies between start and end: `walls` on the clock on the wall, then `seconds` by the stopwatch.

    RFC 5545 §3.8.5.3: with DTEND or DUE every instance takes the same exact time, with DURATION the same nominal one.
    """

    walls: int
    seconds: int


NO_LENGTH = Length(0, 0)
ONE_DAY = Length(DAY, 0)


class Timing(NamedTuple):
    """A component with a time. `end_name` is the property that says when it ends, "" where none does."""

    component: Component
    start: Time
    length: Length
    end_name: str
    overlaps: Overlaps

    def instants(self, wall: int, floating_zone: tzinfo) -> tuple[int, int]:
        """Start and end where it starts at that wall time in its own zone."""
        zone = self.start.zone or floating_zone
        start = to_instant(wall, zone)
        return start, self.end(start, wall, zone)

    def end(self, start: int, wall: int, zone: tzinfo) -> int:
        walls, seconds = self.length
        return (to_instant(wall + walls, zone) if walls else start) + seconds


def timing(component: Component, resolve: Resolver) -> Timing | None:
    """When a VEVENT, VTODO, VJOURNAL or AVAILABLE happens; None where it says no time that can be read."""
    start = time_of(component, "DTSTART", resolve)
    kind = component.name
    if kind == "VTODO":
        due = time_of(component, "DUE", resolve)
        if start is None:  # Reminders and others repeat a task by its DUE
            return Timing(component, due, NO_LENGTH, "DUE", _due_overlaps) if due is not None else None
        if due is not None:
            return Timing(component, start, _between(start, due), "DUE", _start_due_overlaps)
        length = _duration(component)
        if length is not None:
            return Timing(component, start, length, "DURATION", _start_duration_overlaps)
        return Timing(component, start, NO_LENGTH, "", _point_overlaps)
    if start is None:
        return None
    default = ONE_DAY if start.all_day else NO_LENGTH
    if kind == "VJOURNAL":
        return Timing(component, start, default, "", _span_overlaps)
    end = time_of(component, "DTEND", resolve)
    # Lightning of old wrote DTEND with DURATION:PT0S; DTEND wins.
    if end is not None:
        return Timing(component, start, _between(start, end), "DTEND", _span_overlaps)
    length = _duration(component)
    if length is not None:
        return Timing(component, start, length, "DURATION", _span_overlaps)
    return Timing(component, start, default, "", _span_overlaps)


def time_of(component: Component, name: str, resolve: Resolver) -> Time | None:
    """A property's time, or None where it is missing or cannot be read."""
    line = component.first(name)
    try:
        return None if line is None else read_time(line, resolve)
    except InvalidTime:
        return None


def _duration(component: Component) -> Length | None:
    line = component.first("DURATION")
    try:
        duration = None if line is None else parse_duration(line.value)
    except InvalidTime:
        return None
    if duration is None:
        return None
    walls = duration.days * DAY
    return Length(walls, duration.seconds) if walls + duration.seconds > 0 else NO_LENGTH


def _between(start: Time, end: Time) -> Length:
    """From start to end; none where the end comes first."""
    if start.zone is None:
        # The end of a floating or all-day component is read on the same clock, whatever zone it names.
        return Length(max(0, end.wall - start.wall), 0)
    exact = to_instant(end.wall, end.zone or start.zone) - to_instant(start.wall, start.zone)
    return Length(0, max(0, exact))


def wall_in(time: Time, frame: Time, floating_zone: tzinfo = UTC) -> int:
    """What the clock of `frame`'s zone shows at `time`; floating and all-day times are taken as they are written."""
    if time.zone is None or time.zone is frame.zone or frame.all_day:
        return time.wall
    return to_wall(to_instant(time.wall, time.zone), frame.zone or floating_zone)


# RFC 4791 §9.9, rows with a time of their own; `ranges` has the others.


def _span_overlaps(start: int, end: int, low: int, high: int) -> bool:
    return (low < end and high > start) if end > start else low <= start < high


def _point_overlaps(start: int, end: int, low: int, high: int) -> bool:
    return low <= start < high


def _start_duration_overlaps(start: int, end: int, low: int, high: int) -> bool:
    return low <= end and (high > start or high >= end)


def _start_due_overlaps(start: int, due: int, low: int, high: int) -> bool:
    return (low < due or low <= start) and (high > start or high >= due)


def _due_overlaps(start: int, due: int, low: int, high: int) -> bool:
    return low < due <= high
