"""What the index keeps of an object that recurs: its bounds and its occurrences in the window."""

from __future__ import annotations

import re

from calsync.ical import recur, rules
from calsync.ical.budget import Budget, BudgetExceeded
from calsync.ical.extent import Extent
from calsync.ical.instants import MAX_INSTANT, Resolver, read_times
from calsync.ical.lines import Component
from calsync.ical.recurrence import MAX_DATES
from calsync.ical.series import Series

Span = tuple[int, int]
Bounds = tuple[Extent, tuple[Span, ...] | None]
"""From when until when, as `extent` has it, and the occurrences; None where listing them costs too much."""

_SERIES = ("RRULE", "RDATE", "EXDATE", "EXRULE")
_SLACK = 26 * 3600  # how far a floating time may be from where it stands here: zones, and a day's light saving
_FOREIGN_SCALE = re.compile(r"RSCALE=(?!GREGOR)", re.IGNORECASE)


def is_series(component: Component) -> bool:
    """Whether a component recurs. A rule inside an override, known from Simple Calendar, says nothing."""
    index = component.index
    return "RECURRENCE-ID" not in index and not index.keys().isdisjoint(_SERIES)


def bounds(
    calendar: Component,
    masters: list[Component],
    whole: Extent,
    resolve: Resolver,
    window: Span,
    budget: Budget,
) -> Bounds:
    """Bounds and occurrences of an object. `whole`: the union of the extents of its components, overrides too.

    Raises rules.RuleError for a rule that says nothing, InvalidTime for an RDATE or EXDATE that is none.
    """
    if not _is_understood(masters, resolve):
        return whole._replace(last=MAX_INSTANT), None
    if any("DTSTART" not in master.index and "DUE" not in master.index for master in masters):
        return whole, None  # tasks without a date (RFC 4791 §9.9): nothing says when they recur
    series = _all_series(calendar)
    first, last, _, floating = recur.first_last(calendar, budget=budget, series=series)
    floating = floating or whole.floating
    # What has no length lasts a second here.
    extent = Extent(min(whole.first, first), max(whole.last, min(last + 1, MAX_INSTANT)), floating)
    if series is None:
        return extent, None
    slack = _SLACK if floating else 0
    try:
        found = recur.instances(series, window[0] - slack, window[1] + slack, budget)
    except BudgetExceeded:
        return extent, None
    early = int(masters[0].name == "VTODO")  # the DUE of a task may equal the end of a range, and its start the begin
    spans = [(min(one.start, one.end - early), max(one.end, one.start + 1 - early) + early) for one in found]
    return extent, tuple(sorted(spans))


def _all_series(calendar: Component) -> list[Series] | None:
    try:
        return recur.all_series(calendar)
    except BudgetExceeded:
        return None


def _is_understood(masters: list[Component], resolve: Resolver) -> bool:
    """Look at rules and dates; False for a rule by another calendar (RFC 7529), as Apple's clients can make."""
    understood = True
    for master in masters:
        for name in ("RDATE", "EXDATE"):
            lines = master.all(name)
            if sum([line.value.count(",") + 1 for line in lines]) <= MAX_DATES:  # of more, none is ever looked at
                for line in lines:
                    read_times(line, resolve)
        for name in ("RRULE", "EXRULE"):
            for line in master.all(name):
                try:
                    rules.parse(line.value)
                except rules.RuleError:
                    if not _FOREIGN_SCALE.search(line.value):
                        raise
                    understood = False
    return understood
