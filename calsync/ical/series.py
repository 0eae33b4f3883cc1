"""A recurring component and its instances (RFC 5545 §3.8.5, §3.8.4.4); `recurrence` reads one from its lines.

A master gives instances by DTSTART, RRULE and RDATE; EXDATE takes some away; components with a RECURRENCE-ID stand in
for one of them or, with RANGE=THISANDFUTURE, for one and all that follow.
"""

from __future__ import annotations

import heapq
import itertools
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple

from calsync.ical.budget import BudgetExceeded, Meter
from calsync.ical.instants import DAY, MAX_INSTANT, Time, to_instant, to_wall
from calsync.ical.lines import Component
from calsync.ical.rules import Rule
from calsync.ical.timing import Length, Timing
from calsync.ical.walls import LAST_WALL, walls

_SLACK: Final = 26 * 3600  # no zone is further from UTC
_TAIL_DAYS: Final = (732, 62, 14, 2, 2, 2, 2)  # by frequency: two intervals, at least


class Occurrence(NamedTuple):
    """One instance. `start` and `end` are instants, `wall` is the start on the clock of `timing.start`'s zone.

    `recurrence_id` is the instant that names it and `recurrence_wall` the same on the clock of `recurrence`, which
    tells the form of the RECURRENCE-ID (a DATE, floating, or an instant); all None where nothing recurs.
    """

    start: int
    end: int
    component: Component
    timing: Timing
    wall: int
    recurrence_id: int | None = None
    recurrence_wall: int | None = None
    recurrence: Time | None = None

    @property
    def all_day(self) -> bool:
        return self.timing.start.all_day

    @property
    def floating(self) -> bool:
        """Whether its time is wall time, read in the zone of whoever asks; all-day ones are."""
        return self.timing.start.zone is None


@dataclass(frozen=True, slots=True)
class Shift:
    """RANGE=THISANDFUTURE: instances after `since` start `walls` seconds later and are `timing`'s component."""

    since: int
    timing: Timing
    walls: int


def _since(shift: Shift) -> int:
    return shift.since


@dataclass(frozen=True, slots=True)
class Series:
    """Instances of one master and its overrides. `taken` and `taken_days` are those EXDATE and overrides took."""

    master: Timing | None
    floating_zone: tzinfo
    recurring: bool
    rules: tuple[Rule, ...] = ()
    exrules: tuple[Rule, ...] = ()
    dates: tuple[tuple[int, int], ...] = ()
    lengths: dict[int, Length] | None = None
    taken: frozenset[int] = frozenset()
    taken_days: frozenset[int] = frozenset()
    overrides: tuple[Occurrence, ...] = ()
    shifts: tuple[Shift, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def zone(self) -> tzinfo:
        return (self.master.start.zone if self.master else None) or self.floating_zone

    def all_components(self) -> list[Component]:
        """Those that have a say in it."""
        found = [occurrence.component for occurrence in self.overrides]
        return [self.master.component, *found] if self.master is not None else found

    def between(self, low: int, high: int, meter: Meter) -> Iterator[Occurrence]:
        """Instances in the range, by RFC 4791 §9.9: first the overrides, then the others in their order.

        Raises BudgetExceeded.
        """
        yield from self.overridden(low, high, meter)
        yield from self.generated(low, high, meter)

    def components(self, low: int, high: int, meter: Meter) -> Iterator[Component]:
        """The components that have an instance in the range, each once."""
        seen: set[int] = set()
        for occurrence in self.overridden(low, high, meter):
            seen.add(id(occurrence.component))
            yield occurrence.component
        final = self.final
        for occurrence in self.generated(low, high, meter):
            component = occurrence.component
            if id(component) not in seen:
                seen.add(id(component))
                yield component
            if component is final:
                return

    @property
    def final(self) -> Component | None:
        """The component of all generated instances from some time on, perhaps for ever."""
        last = self.shifts[-1].timing if self.shifts else self.master
        return last.component if last is not None else None

    def overridden(self, low: int, high: int, meter: Meter) -> Iterator[Occurrence]:
        """The instances that a component of their own stands for, those of nobody's rule too."""
        for override in self.overrides:
            if override.timing.overlaps(override.start, override.end, low, high):
                meter.instance()
                yield override

    def generated(self, low: int, high: int, meter: Meter) -> Iterator[Occurrence]:
        """The instances of the master and of what stands for it from some instance on."""
        master = self.master
        if master is None:
            return
        taken, days, shifts, lengths = self.taken, self.taken_days, self.shifts, self.lengths
        zone = self.zone
        form = master.start if self.recurring else None
        lead, lag = self._reach()
        for instant, wall in self._starts(low - lag, high + lead, meter):
            if instant in taken or (days and wall // DAY in days):
                continue
            use, start, at, zone_used = master, instant, wall, zone
            if shifts and instant > shifts[0].since:
                shift = shifts[bisect_left(shifts, instant, key=_since) - 1]
                use = shift.timing
                at = wall + shift.walls
                zone_used = use.start.zone or self.floating_zone
                start = _instant(at, zone_used)
            if lengths and instant in lengths:
                use = use._replace(length=lengths[instant], end_name="DTEND")
            end = use.end(start, at, zone_used)
            if use.overlaps(start, end, low, high):
                meter.instance()
                if form is None:
                    yield Occurrence(start, end, use.component, use, at)
                else:
                    yield Occurrence(start, end, use.component, use, at, instant, wall, form)

    def last(self, meter: Meter) -> int:
        """The end of the last instance, never too early; MAX_INSTANT where there is none or it costs too much."""
        ends = [occurrence.end for occurrence in self.overrides]
        if self.master is None:
            return max(ends)
        starts = [(_instant(self.master.start.wall, self.zone), self.master.start.wall), *self.dates]
        try:
            for rule in self.rules:
                wall = self._last_wall(rule, meter)
                if wall is None:
                    return MAX_INSTANT
                starts.append((_instant(wall, self.zone), wall))
        except BudgetExceeded:
            return MAX_INSTANT
        for start, wall in starts:
            length = (self.lengths or {}).get(start, self.master.length)
            ends.append(self.master._replace(length=length).end(start, wall, self.zone))
        if self.shifts:
            ends.append(max(start for start, _ in starts) + self._reach()[1])
        return max(ends)

    def _reach(self) -> tuple[int, int]:
        """How much earlier (after a shift) and later (by length and shift) an instance may be than its name says."""
        lead, lag = 0, 0
        if self.master is not None:
            lag = self.master.length.walls + self.master.length.seconds
        for length in (self.lengths or {}).values():
            lag = max(lag, length.walls + length.seconds)
        for shift in self.shifts:
            lead = max(lead, _SLACK - shift.walls)
            lag = max(lag, _SLACK + shift.walls + shift.timing.length.walls + shift.timing.length.seconds)
        if lag and (self.shifts or self.zone is not UTC):  # clocks that are set back stretch a length
            lag += DAY
        return lead, lag

    def _starts(self, low: int, high: int, meter: Meter) -> Iterator[tuple[int, int]]:
        """Start and wall time of all instances before EXDATE, ascending, in [low, high]."""
        assert self.master is not None
        wall = self.master.start.wall
        begin = (_instant(wall, self.zone), wall)
        sources = [self._follow(rule, low, high, meter) for rule in self.rules]
        alone = len(sources) == 1 and not self.dates
        without = heapq.merge(*[self._follow(rule, low, high, meter) for rule in self.exrules])
        gone = next(without, None) if self.exrules else None
        before = None
        for pair in itertools.chain((begin,), sources[0]) if alone else heapq.merge((begin,), self.dates, *sources):
            instant = pair[0]
            if instant == before or not low <= instant <= high:
                continue
            while gone is not None and gone[0] < instant:
                gone = next(without, None)
            if gone is None or gone[0] != instant:
                before = instant
                yield pair

    def _follow(self, rule: Rule, low: int, high: int, meter: Meter) -> Iterator[tuple[int, int]]:
        assert self.master is not None
        zone = self.zone
        slack = 0 if zone is UTC else _SLACK
        end = high + slack + 1
        until = self._until(rule)
        if until is not None:
            end = min(end, until + 1)
        for wall in walls(rule, self.master.start.wall, low - slack, end, meter):
            yield _instant(wall, zone), wall

    def _until(self, rule: Rule) -> int | None:
        """UNTIL on the master's clock, inclusive (RFC 5545 §3.3.10)."""
        until = rule.until
        if until is None or self.master is None:
            return None
        if self.master.start.all_day:
            return until.wall // DAY * DAY
        if until.is_date:  # not what the RFC asks for, but what people mean: that day too
            return until.wall + DAY - 1
        return to_wall(until.wall, self.master.start.zone) if until.utc and self.master.start.zone else until.wall

    def _last_wall(self, rule: Rule, meter: Meter) -> int | None:
        assert self.master is not None
        first = self.master.start.wall
        until = self._until(rule)
        if until is None and rule.total is None:
            return None
        end = LAST_WALL + 1 if until is None else until + 1
        begins = [first]
        if until is not None and rule.total is None:
            begins.insert(0, until - (_TAIL_DAYS[rule.frequency] + 1) * rule.interval * DAY)
        for begin in begins:
            found = deque(walls(rule, first, begin, end, meter), 1)
            if found:
                return found[0]
        return first


def _instant(wall: int, zone: tzinfo) -> int:
    """`to_instant`, remembering the days on which a zone keeps its offset: most instances fall on one of these."""
    if zone is UTC:
        return wall
    offset = _offset(zone, wall // DAY)
    return to_instant(wall, zone) if offset is None else wall - offset


@lru_cache(maxsize=8192)
def _offset(zone: tzinfo, day: int) -> int | None:
    """A zone's offset where it is the same all day (none changes it back on the same day), in seconds."""
    begin, end = day * DAY, (day + 1) * DAY
    offset = begin - to_instant(begin, zone)
    return offset if end - to_instant(end, zone) == offset else None
