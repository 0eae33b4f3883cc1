"""From when until when a component can match a time range, recurrence aside (RFC 4791 §9.9).

An extent is made so that the tables of §9.9 become one comparison: a component matches [start, end) where
`extent.first < end and extent.last > start`. So an event without length lasts one second here, and a task whose
DUE may equal the end of the range begins a second earlier. Floating times are wall time read as UTC.
"""

from __future__ import annotations

from typing import NamedTuple

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
    read_time,
    read_times,
)
from calsync.ical.lines import Component


class MixedKinds(ValueError):
    """A DTSTART that is a day with a DTEND that is a moment, or the other way round."""


class Extent(NamedTuple):
    """Instants; `first` > `last` where no range ever matches. `floating`: some of its times have no zone."""

    first: int
    last: int
    floating: bool


NEVER = Extent(MAX_INSTANT, MIN_INSTANT, False)
ALWAYS = Extent(MIN_INSTANT, MAX_INSTANT, False)


def extent(component: Component, resolve: Resolver) -> Extent:
    """The extent of one component. Raises InvalidTime, MixedKinds.

    Of a component that is no VEVENT, VTODO, VJOURNAL or VFREEBUSY, times that cannot be read count as none.
    """
    rule = _RULES.get(component.name)
    if rule is not None:
        return rule(component, resolve)
    try:
        return _available(component, resolve)
    except InvalidTime:
        return ALWAYS


def union(extents: list[Extent]) -> Extent:
    """From the first beginning to the last end."""
    first = min(one.first for one in extents)
    last = max(one.last for one in extents)
    return Extent(first, last, any(one.floating for one in extents))


def _event(component: Component, resolve: Resolver) -> Extent:
    start = _time(component, "DTSTART", resolve)
    if start is None:
        raise InvalidTime("VEVENT without DTSTART")
    first = start.instant()
    end = _time(component, "DTEND", resolve)
    if end is not None:  # a DURATION beside it, as Lightning once wrote, says nothing
        if end.all_day != start.all_day:
            raise MixedKinds("DTSTART and DTEND: one is a DATE, the other a DATE-TIME")
        last = _end(start, end)
    elif (duration := _duration(component)) is not None:
        last = duration.end(start)
    else:
        last = first + DAY if start.all_day else first
    return Extent(first, max(last, first + 1), start.zone is None)


def _todo(component: Component, resolve: Resolver) -> Extent:
    start = _time(component, "DTSTART", resolve)
    due = _time(component, "DUE", resolve)
    if start is not None:
        first = start.instant()
        floating = start.zone is None
        if due is not None:
            end = _end(start, due)
            return Extent(min(first, end - 1), max(end, first + 1), floating)
        duration = _duration(component)
        if duration is None:
            return Extent(first, first + 1, floating)
        end = max(first, duration.end(start))
        return Extent(min(first, end - 1), end + 1, floating)
    if due is not None:
        end = due.instant()
        return Extent(end - 1, end, due.zone is None)
    completed = _stamp(component, "COMPLETED", resolve)
    created = _stamp(component, "CREATED", resolve)
    if completed is not None and created is not None:
        return Extent(min(created, completed) - 1, max(created, completed) + 1, False)
    if completed is not None:
        return Extent(completed - 1, completed + 1, False)
    return ALWAYS if created is None else Extent(created, MAX_INSTANT, False)


def _journal(component: Component, resolve: Resolver) -> Extent:
    start = _time(component, "DTSTART", resolve)
    if start is None:
        return NEVER
    first = start.instant()
    return Extent(first, first + (DAY if start.all_day else 1), start.zone is None)


def _freebusy(component: Component, resolve: Resolver) -> Extent:
    start = _time(component, "DTSTART", resolve)
    end = _time(component, "DTEND", resolve)
    if start is not None and end is not None:
        return Extent(start.instant(), end.instant() + 1, start.zone is None or end.zone is None)
    found = [period for line in component.all("FREEBUSY") for period in read_times(line, resolve)]
    periods = [period for period in found if isinstance(period, Period)]
    if not periods:
        return NEVER
    bounds = [period.instants() for period in periods]
    floating = any(period.start.zone is None for period in periods)
    return Extent(min(first for first, _ in bounds), max(last for _, last in bounds), floating)


def _available(component: Component, resolve: Resolver) -> Extent:
    """VAVAILABILITY is open where it names no end (RFC 7953 §3.1); so is what nobody knows."""
    start = _time(component, "DTSTART", resolve)
    end = _time(component, "DTEND", resolve)
    first = MIN_INSTANT if start is None else start.instant()
    last = MAX_INSTANT if end is None else end.instant()
    if start is not None and end is None and (duration := _duration(component)) is not None:
        last = duration.end(start)
    floating = (start is not None and start.zone is None) or (end is not None and end.zone is None)
    return Extent(first, max(last, first + 1), floating)


_RULES = {"VEVENT": _event, "VTODO": _todo, "VJOURNAL": _journal, "VFREEBUSY": _freebusy}


def _end(start: Time, end: Time) -> int:
    """An end of another form than its start is read on the clock of the start."""
    if start.zone is None:
        return end.wall
    return end.instant(start.zone)


def _time(component: Component, name: str, resolve: Resolver) -> Time | None:
    line = component.first(name)
    if line is None:
        return None
    try:
        return read_time(line, resolve)
    except InvalidTime as error:
        raise InvalidTime(f"{name}: {error}") from None


def _duration(component: Component) -> Duration | None:
    line = component.first("DURATION")
    if line is None:
        return None
    try:
        return parse_duration(line.value)
    except InvalidTime as error:
        raise InvalidTime(f"DURATION: {error}") from None


def _stamp(component: Component, name: str, resolve: Resolver) -> int | None:
    """COMPLETED or CREATED, which only tasks without other dates are found by: nonsense counts as none."""
    try:
        time = _time(component, name, resolve)
    except InvalidTime:
        return None
    return None if time is None else time.instant()
