"""The exact test of a calendar-query's filter (RFC 4791 §9.7).

Conditions inside a comp-filter are asked of one and the same component: of an event with overrides, the one that has
an instance in the range is the one whose SUMMARY has to match. `parse` has refused what RFC 4791 gives no meaning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import cache
from typing import Final

from calsync.dav.filters.text import matches_any, param_matches, texts
from calsync.ical import ranges, recur
from calsync.ical.budget import Budget, BudgetExceeded
from calsync.ical.lines import Component, Line
from calsync.ical.recur import DEFAULT_BUDGET
from calsync.upstream import logger
from calsync.webdav.requests import CalendarPropFilter, CompFilter, TimeRange

# Lists of texts (RFC 5545 §3.8.1.2, §3.8.1.10): a match may be with the whole value or with one of them.
_SEPARATORS: Final = {"CATEGORIES": ",", "RESOURCES": ","}

# How far a floating time may be from what it says when it is read as UTC, in seconds (decision D10).
_SLACK: Final = 26 * 3600

InRange = Callable[[str, str, TimeRange], frozenset[int]]
"""Which components of a name, within those of a parent's name, are in a range: their `id`s."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """What all levels of a filter share."""

    calendar: Component
    zone: tzinfo
    in_range: InRange


def matches(calendar: Component, filter: CompFilter, zone: tzinfo = UTC, budget: Budget = DEFAULT_BUDGET) -> bool:
    """Whether an object is found. `zone` is that of floating and all-day times (RFC 4791 §7.3).

    Recurrence that costs more than the budget counts as in range wherever its first and last instant allow it.
    """
    if calendar.name != filter.name or filter.is_not_defined:
        return filter.is_not_defined and calendar.name != filter.name
    if filter.time_range is not None:
        return False  # a VCALENDAR has no time

    @cache
    def in_range(parent: str, name: str, wanted: TimeRange) -> frozenset[int]:
        try:
            return _in_range(calendar, parent, name, wanted, zone, budget)
        except BudgetExceeded as error:
            logger.info("filter: UID %s: %s; its first and last instant decide", _uid(calendar), error)
            return _by_bounds(calendar, name, wanted, budget)

    return _conditions(filter, calendar, _Frame(calendar, zone, in_range))


def _conditions(filter: CompFilter, component: Component, frame: _Frame) -> bool:
    return all(_prop_matches(one, component, frame) for one in filter.props) and all(
        _comp_matches(one, component, frame) for one in filter.comps
    )


def _comp_matches(filter: CompFilter, parent: Component, frame: _Frame) -> bool:
    """RFC 4791 §9.7.1."""
    found = [component for component in parent.components if component.name == filter.name]
    if filter.is_not_defined or not found:
        return filter.is_not_defined and not found
    if filter.time_range is not None:
        touched = frame.in_range(parent.name, filter.name, filter.time_range)
        found = [component for component in found if id(component) in touched]
    return any(_conditions(filter, component, frame) for component in found)


def _prop_matches(filter: CalendarPropFilter, component: Component, frame: _Frame) -> bool:
    """RFC 4791 §9.7.2."""
    lines = component.all(filter.name)
    if filter.is_not_defined:
        return not lines
    return any(_line_matches(filter, line, frame) for line in lines)


def _line_matches(filter: CalendarPropFilter, line: Line, frame: _Frame) -> bool:
    wanted, match = filter.time_range, filter.text_match
    if wanted is not None and not ranges.property_overlaps(
        line, frame.calendar, wanted.start, wanted.end, floating_zone=frame.zone
    ):
        return False
    if match is not None and not matches_any(match, texts(line, _SEPARATORS.get(filter.name, ""))):
        return False
    return all(param_matches(param, line) for param in filter.params)


def _in_range(
    calendar: Component, parent: str, name: str, wanted: TimeRange, zone: tzinfo, budget: Budget
) -> frozenset[int]:
    """RFC 4791 §9.9. Raises BudgetExceeded."""
    start, end = wanted.start, wanted.end
    if name == "VALARM":
        alarms = ranges.overlapping_alarms(calendar, parent, start, end, floating_zone=zone, budget=budget)
        return frozenset(id(alarm) for _, alarm in alarms)
    found = ranges.overlapping_components(calendar, name, start, end, floating_zone=zone, budget=budget)
    return frozenset(id(component) for component in found)


def _by_bounds(calendar: Component, name: str, wanted: TimeRange, budget: Budget) -> frozenset[int]:
    """Of an alarm not even the bounds are known: it may go off long before."""
    first, last, _, floating = recur.first_last(calendar, budget=budget)
    slack = _SLACK if floating else 0
    before = wanted.end is not None and first - slack >= wanted.end
    after = wanted.start is not None and last + slack <= wanted.start
    if name != "VALARM" and (before or after):
        return frozenset()
    return frozenset(id(component) for component in calendar.walk() if component.name == name)


def _uid(calendar: Component) -> str:
    return next((uid for component in calendar.components if (uid := component.text("UID"))), "?")
