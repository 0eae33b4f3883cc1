"""What a time range matches (RFC 4791 §9.9): components, alarms, properties.

Start and end are instants; None is an open end. Components with a date of their own are judged instance by instance
(`timing` has their rows of the tables), the others by what dates they have.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, tzinfo
from typing import Final

from calsync.ical import zones
from calsync.ical.budget import Budget, Meter
from calsync.ical.extent import MixedKinds, extent
from calsync.ical.instants import (
    DAY,
    MAX_INSTANT,
    MIN_INSTANT,
    Duration,
    InvalidTime,
    Period,
    Resolver,
    Time,
    parse_duration,
    read_times,
    to_instant,
)
from calsync.ical.lines import Component, Line
from calsync.ical.recur import DEFAULT_BUDGET, RECURRING, all_series
from calsync.ical.series import Occurrence
from calsync.ical.timing import time_of, timing

_ALARMED: Final = frozenset({"VEVENT", "VTODO"})
_DIGITS: Final = 9  # of a REPEAT


def component_overlaps(
    calendar: Component,
    name: str,
    start: int | None,
    end: int | None,
    *,
    floating_zone: tzinfo = UTC,
    budget: Budget = DEFAULT_BUDGET,
) -> bool:
    """Whether a component of that name, or one of its instances, is in the range. Raises BudgetExceeded."""
    found = overlapping_components(calendar, name, start, end, floating_zone=floating_zone, budget=budget)
    return next(found, None) is not None


def alarm_overlaps(
    calendar: Component,
    parent: str,
    start: int | None,
    end: int | None,
    *,
    floating_zone: tzinfo = UTC,
    budget: Budget = DEFAULT_BUDGET,
) -> bool:
    """Whether an alarm of a component of that name goes off in the range. Raises BudgetExceeded."""
    found = overlapping_alarms(calendar, parent, start, end, floating_zone=floating_zone, budget=budget)
    return next(found, None) is not None


def overlapping_components(
    calendar: Component,
    name: str,
    start: int | None,
    end: int | None,
    *,
    floating_zone: tzinfo = UTC,
    budget: Budget = DEFAULT_BUDGET,
) -> Iterator[Component]:
    """The components of that name within a VCALENDAR that have an instance in the range, each once.

    So a filter can ask more of the same component. VALARM is answered for all events and tasks. Raises BudgetExceeded
    while it is read.
    """
    low, high = _bounds(start, end)
    if name == "VALARM":
        for parent in sorted(_ALARMED):
            found = overlapping_alarms(calendar, parent, start, end, floating_zone=floating_zone, budget=budget)
            yield from (alarm for _, alarm in found)
    elif name in RECURRING:
        meter = Meter(budget)
        for series in all_series(calendar, floating_zone, frozenset({name})):
            yield from series.components(low, high, meter)
        resolve = zones.resolver(calendar)
        for component in calendar.components:
            if component.name == name and timing(component, resolve) is None and _within(component, low, high, resolve):
                yield component
    else:
        resolve = zones.resolver(calendar)
        for component in calendar.components:
            if component.name == name == "VFREEBUSY":
                if any(free_busy_overlaps(component, low, high, resolve, floating_zone)):
                    yield component
            elif component.name == name != "VTIMEZONE" and _within(component, low, high, resolve):
                yield component


def overlapping_alarms(
    calendar: Component,
    parent: str,
    start: int | None,
    end: int | None,
    *,
    floating_zone: tzinfo = UTC,
    budget: Budget = DEFAULT_BUDGET,
) -> Iterator[tuple[Component, Component]]:
    """(component, alarm) for alarms that go off in the range, before or after any instance; each once."""
    low, high = _bounds(start, end)
    resolve = zones.resolver(calendar)
    meter = Meter(budget)
    relative: dict[int, list[_Trigger]] = {}  # by component
    for component in calendar.components:
        for alarm in component.components if component.name == parent else ():
            trigger = _trigger(alarm, resolve) if alarm.name == "VALARM" else None
            if trigger is None:
                continue
            if isinstance(trigger.at, Time):
                if trigger.goes_off(trigger.at.instant(floating_zone), low, high):
                    yield component, alarm
            else:
                relative.setdefault(id(component), []).append(trigger)
    if not relative:
        return
    # An instance is asked for that starts or ends where one of these has to look for it.
    reaches = [trigger.reach for triggers in relative.values() for trigger in triggers]
    low_start = low - max(last for _, last in reaches) - DAY
    high_start = high - min(first for first, _ in reaches) + DAY
    for series in all_series(calendar, floating_zone, frozenset({parent})):
        for occurrence in series.overridden(low_start, high_start, meter):
            yield from _going_off(occurrence, relative, low, high, floating_zone, meter)
        for occurrence in series.generated(low_start, high_start, meter):
            yield from _going_off(occurrence, relative, low, high, floating_zone, meter)
            if occurrence.component is series.final and not relative.get(id(occurrence.component)):
                break  # a rule without end has nothing new to tell


def property_overlaps(
    line: Line, calendar: Component | None, start: int | None, end: int | None, *, floating_zone: tzinfo = UTC
) -> bool:
    """Whether a date or time of a property is in the range; a DATE counts as its midnight.

    What is no time is in no range (RFC 4791 §9.9 leaves it open).
    """
    low, high = _bounds(start, end)
    try:
        values = read_times(line, zones.resolver(calendar))
    except InvalidTime:
        return False
    for value in values:
        if isinstance(value, Period):
            first, last = value.instants(floating_zone)
            if low < last and high > first:
                return True
        elif low <= value.instant(floating_zone) < high:
            return True
    return False


def free_busy_overlaps(
    component: Component, low: int, high: int, resolve: Resolver, floating_zone: tzinfo
) -> Iterator[tuple[int, int]]:
    """The VFREEBUSY's own time or, where it has none, those of its periods that are in the range."""
    start, end = (time_of(component, name, resolve) for name in ("DTSTART", "DTEND"))
    if start is not None and end is not None:
        first, last = start.instant(floating_zone), end.instant(floating_zone)
        if low <= last and high > first:
            yield first, last
        return
    for line in component.all("FREEBUSY"):
        try:
            values = read_times(line, resolve)
        except InvalidTime:
            continue
        for value in values:
            first, last = value.instants(floating_zone) if isinstance(value, Period) else (high, high)
            if low < last and high > first:
                yield first, last


def _bounds(start: int | None, end: int | None) -> tuple[int, int]:
    return MIN_INSTANT if start is None else start, MAX_INSTANT if end is None else end


def _within(component: Component, low: int, high: int, resolve: Resolver) -> bool:
    try:
        first, last, _ = extent(component, resolve)
    except (InvalidTime, MixedKinds):
        return False
    return first < high and last > low


# --- alarms -----------------------------------------------------------------------------------------------------------


class _Trigger:
    """When an alarm goes off (RFC 5545 §3.6.6): at a time, or so long after the start or end of its component."""

    __slots__ = ("alarm", "at", "from_end", "pause", "repeat")

    def __init__(self, alarm: Component, at: Time | Duration, from_end: bool, repeat: int, pause: int) -> None:
        self.alarm = alarm
        self.at = at
        self.from_end = from_end
        self.repeat = repeat
        self.pause = pause

    @property
    def reach(self) -> tuple[int, int]:
        """From when until when it goes off, in seconds after the start or end."""
        assert isinstance(self.at, Duration)
        first = self.at.days * DAY + self.at.seconds
        return first, first + self.repeat * self.pause

    def time(self, occurrence: Occurrence, floating_zone: tzinfo) -> int:
        """The instant for one instance; a day before nine o'clock is nine o'clock."""
        assert isinstance(self.at, Duration)
        if self.from_end:
            return occurrence.end + self.at.days * DAY + self.at.seconds
        zone = occurrence.timing.start.zone or floating_zone
        return to_instant(occurrence.wall + self.at.days * DAY, zone) + self.at.seconds

    def goes_off(self, first: int, low: int, high: int) -> bool:
        """Whether the alarm or one of its repetitions is in the range."""
        if first >= low or self.pause <= 0:
            return low <= first < high
        times = -(-(low - first) // self.pause)
        return times <= self.repeat and first + times * self.pause < high


def _going_off(
    occurrence: Occurrence,
    waiting: dict[int, list[_Trigger]],
    low: int,
    high: int,
    floating_zone: tzinfo,
    meter: Meter,
) -> Iterator[tuple[Component, Component]]:
    """The alarms that an instance sets off, which are then waited for no more."""
    triggers = waiting.get(id(occurrence.component), [])
    meter.spend(len(triggers))
    for trigger in list(triggers):
        if trigger.goes_off(trigger.time(occurrence, floating_zone), low, high):
            triggers.remove(trigger)
            yield occurrence.component, trigger.alarm


def _trigger(alarm: Component, resolve: Resolver) -> _Trigger | None:
    line = alarm.first("TRIGGER")
    if line is None:
        return None
    repeat = (alarm.text("REPEAT") or "").strip()
    again = int(repeat) if repeat.isdecimal() and len(repeat) <= _DIGITS else 0
    pause = alarm.first("DURATION")
    try:
        every = parse_duration(pause.value) if pause is not None else Duration(0, 0)
        at: Time | Duration | None = None
        if line.value.strip()[:1].isdigit():
            at = next((value for value in read_times(line, resolve) if isinstance(value, Time)), None)
        else:
            at = parse_duration(line.value)
    except InvalidTime:
        return None
    if at is None:
        return None
    from_end = (line.param("RELATED") or "").upper() == "END"
    return _Trigger(alarm, at, from_end, again, every.days * DAY + every.seconds)
