"""How far a calendar object may reach: the limits that calendars show as properties and that PUT keeps.

RFC 4791 §5.2.6 to §5.2.9 and §5.3.2.1. What begins outside of the years 1 to 9999 (in UTC) could not be expanded, for a
year has four digits; birthdays in the year 1604, as Apple writes them, lie within.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from calsync.ical.bounds import is_series
from calsync.ical.budget import Budget, BudgetExceeded
from calsync.ical.facts import ObjectResource
from calsync.ical.instants import DAY, MAX_INSTANT, MIN_INSTANT
from calsync.ical.lines import Component, scan
from calsync.ical.recur import DEFAULT_BUDGET, occurrences
from calsync.ical.rules import DAILY, Rule, RuleError, parse
from calsync.webdav.conditions import MAX_ATTENDEES_PER_INSTANCE, MAX_DATE_TIME, MAX_INSTANCES, MIN_DATE_TIME
from calsync.webdav.errors import Forbidden

EARLIEST: Final = "00010101T000000Z"
LATEST: Final = "99991231T235959Z"
#: Attendees of one instance: more than any meeting has, few enough to answer for each of them.
MAX_ATTENDEES: Final = 5000

_LARGE: Final = 100_000
_FIRST: Final = int(datetime(1, 1, 1, tzinfo=UTC).timestamp())
_LAST: Final = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())


def check(obj: ObjectResource, max_instances: int, budget: Budget = DEFAULT_BUDGET) -> None:
    """Raise Forbidden with the precondition that a calendar object fails. `max_instances`: 0 for no limit."""
    facts = obj.facts
    if MIN_INSTANT < facts.first < _FIRST:
        raise Forbidden(f"begins before {EARLIEST}", condition=MIN_DATE_TIME)
    if _LAST < facts.first < MAX_INSTANT:
        raise Forbidden(f"begins after {LATEST}", condition=MAX_DATE_TIME)
    crowded = obj.octets.upper().count(b"\nATTENDEE") > MAX_ATTENDEES
    if not crowded and not facts.recurring:
        return
    (calendar,) = scan(obj.octets).components
    if crowded and any(len(component.all("ATTENDEE")) > MAX_ATTENDEES for component in calendar.components):
        raise Forbidden(f"more than {MAX_ATTENDEES} attendees", condition=MAX_ATTENDEES_PER_INSTANCE)
    if facts.recurring and max_instances and (dates := _dates(calendar)) > max_instances:
        raise Forbidden(
            f"{dates} dates and overrides ([server] max_vevent_rrule_occurrence is {max_instances})",
            condition=MAX_INSTANCES,
        )
    if facts.recurring and max_instances and _is_longer(calendar, facts.first, max_instances, budget):
        raise Forbidden(
            f"more than {max_instances} occurrences ([server] max_vevent_rrule_occurrence)", condition=MAX_INSTANCES
        )


def check_lines(octets: bytes, max_instances: int) -> None:
    """The same for what is large and plainly too much, before anybody has read it."""
    if len(octets) < _LARGE or not max_instances:
        return
    upper = octets.upper()
    for name in (b"\nRECURRENCE-ID", b"\nRDATE", b"\nEXDATE"):
        if upper.count(name) > max_instances:
            raise Forbidden(f"more than {max_instances} lines of {name.decode().strip()}", condition=MAX_INSTANCES)


def _dates(calendar: Component) -> int:
    """Instances that are named one by one: each is read again whenever somebody asks about a range."""
    found = 0
    for component in calendar.components:
        found += "RECURRENCE-ID" in component.index
        for name in ("RDATE", "EXDATE"):
            found += sum(line.value.count(",") + 1 for line in component.all(name))
    return found


def _is_longer(calendar: Component, first: int, limit: int, budget: Budget) -> bool:
    """Whether a series that ends has more occurrences than the limit.

    One without end has no number; what is kept of it is bounded by the window of the index. So is what is kept of one
    that happens once a day at most and ends on a far date, as clients write that know no "for ever" (`UNTIL=99991231`).
    """
    rules = [rule for component in calendar.components if is_series(component) for rule in _rules(component)]
    if any(rule.total is None and (rule.until is None or _is_calm(rule)) for rule in rules):
        return False
    if any(rule.total is not None and rule.total > limit for rule in rules):
        return True
    if sum(_at_most(rule, first) for rule in rules) <= limit:
        return False
    try:
        larger = replace(budget, instances=limit, seconds=5 * budget.seconds)
        occurrences(calendar, MIN_INSTANT, MAX_INSTANT, budget=larger)
    except BudgetExceeded:
        return True
    return False


def _rules(component: Component) -> list[Rule]:
    found: list[Rule] = []
    for line in component.all("RRULE"):
        try:
            found.append(parse(line.value))
        except RuleError:
            continue  # of a calendar that is not known (RFC 7529): kept as it is
    return found


def _is_calm(rule: Rule) -> bool:
    """Whether it gives one occurrence a day at most, for it does not speak of hours."""
    return rule.frequency <= DAILY and not (rule.hours or rule.minutes or rule.seconds)


def _at_most(rule: Rule, first: int) -> float:
    """No rule gives more: its number, or one a day."""
    if rule.total is not None:
        return rule.total
    if rule.until is None or not _is_calm(rule):
        return float("inf")
    return (rule.until.wall - first) / DAY + 2
