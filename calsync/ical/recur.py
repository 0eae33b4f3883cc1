"""When a calendar object happens: its occurrences in a range, its first and last instant.

All numbers are instants (seconds since 1970, UTC). Floating and all-day times are read in `floating_zone`; a local time
that a zone skips is read with the offset before the gap and one that comes twice is the first (RFC 5545 §3.3.5), for
recurring instances too: §3.3.10 would drop the skipped ones, which no calendar in use does.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, tzinfo
from typing import Final

from calsync.ical import zones
from calsync.ical.budget import Budget, BudgetExceeded, Meter
from calsync.ical.extent import ALWAYS, Extent, MixedKinds, extent, union
from calsync.ical.instants import MAX_INSTANT, InvalidTime
from calsync.ical.lines import Component
from calsync.ical.recurrence import group, read_series
from calsync.ical.series import Occurrence, Series

__all__ = [
    "DEFAULT_BUDGET",
    "Budget",
    "BudgetExceeded",
    "Occurrence",
    "all_series",
    "first_last",
    "instances",
    "notes",
    "occurrences",
]

DEFAULT_BUDGET: Final = Budget()
RECURRING: Final = frozenset({"VEVENT", "VTODO", "VJOURNAL"})


def all_series(calendar: Component, floating_zone: tzinfo = UTC, names: frozenset[str] = RECURRING) -> list[Series]:
    """The series in a VCALENDAR: of an object resource, one. Components without any time are in none.

    Raises BudgetExceeded where thousands of dates and overrides make one up.
    """
    resolve = zones.resolver(calendar)
    found: list[Series] = []
    for components in group(calendar.components, names):
        found += read_series(components, resolve, floating_zone)
    return found


def occurrences(
    calendar: Component, start: int, end: int, *, floating_zone: tzinfo = UTC, budget: Budget = DEFAULT_BUDGET
) -> list[Occurrence]:
    """All instances that are in the range by RFC 4791 §9.9, in order of their start. Raises BudgetExceeded.

    Tasks and journals without any date are not here: `ranges` knows when they match.
    """
    return instances(all_series(calendar, floating_zone), start, end, budget)


def instances(every: Iterable[Series], start: int, end: int, budget: Budget = DEFAULT_BUDGET) -> list[Occurrence]:
    """The same for series that were read before."""
    meter = Meter(budget)
    found: list[Occurrence] = []
    for series in every:
        found += series.between(start, end, meter)
    found.sort(key=_by_start)
    return found


def _by_start(occurrence: Occurrence) -> tuple[int, int]:
    return occurrence.start, occurrence.end


def first_last(
    calendar: Component, *, budget: Budget = DEFAULT_BUDGET, series: list[Series] | None = None
) -> tuple[int, int, bool, bool]:
    """First and last instant of an object, whether it recurs, and whether any of its times is floating or all-day.

    As in `extent`, nothing matches a range outside of `first < end and last > start`, and wall times are read as UTC.
    `series`: those of the object, where they were read before. `last` is MAX_INSTANT for a rule without end or one
    that costs more than the budget, and what EXDATE took from the end may still count.
    """
    resolve = zones.resolver(calendar)
    meter = Meter(budget)
    extents: list[Extent] = []
    for component in calendar.components:
        if component.name != "VTIMEZONE":
            try:
                extents.append(extent(component, resolve))
            except (InvalidTime, MixedKinds):
                extents.append(ALWAYS)
    recurring = False
    try:
        found = all_series(calendar) if series is None else series
    except BudgetExceeded:
        found = []
        recurring = True
        extents.append(ALWAYS)
    for one in found:
        if one.recurring:
            recurring = True
            first = min([start for start, _ in one.dates], default=MAX_INSTANT)
            extents.append(Extent(first, one.last(meter) + 1, False))
    whole = union(extents) if extents else ALWAYS
    return whole.first, min(whole.last, MAX_INSTANT), recurring, whole.floating


def notes(calendar: Component) -> list[str]:
    """What of the recurrence could not be understood and is left out, for the log and the doctor."""
    return [note for series in all_series(calendar) for note in series.notes]
