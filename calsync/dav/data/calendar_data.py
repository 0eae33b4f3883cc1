"""`calendar-data` (RFC 4791 §9.6): an object whole, in part, expanded or limited to a range."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, tzinfo

from calsync.ical import subset
from calsync.ical.budget import Budget, BudgetExceeded
from calsync.ical.lines import ScanError, scan
from calsync.ical.recur import DEFAULT_BUDGET
from calsync.upstream import logger
from calsync.webdav.conditions import SUPPORTED_CALENDAR_DATA
from calsync.webdav.errors import Forbidden
from calsync.webdav.requests import CalendarData


def check(wanted: CalendarData) -> None:
    """Raises Forbidden `supported-calendar-data` (RFC 4791 §7.8); asked before anything is sent."""
    media = wanted.content_type.partition(";")[0].strip().lower()
    if media != "text/calendar" or wanted.version != "2.0":
        hint = f"calendar-data: {wanted.content_type[:60]} version {wanted.version[:20]}"
        raise Forbidden(hint, condition=SUPPORTED_CALENDAR_DATA)


def is_whole(wanted: CalendarData) -> bool:
    """Whether objects are wanted as they are stored."""
    comp = wanted.comp
    limited = wanted.expand or wanted.limit_recurrence_set or wanted.limit_freebusy_set
    return not limited and (comp is None or (comp.props is None and comp.comps is None))


def render(octets: bytes, wanted: CalendarData, zone: tzinfo = UTC, budget: Budget = DEFAULT_BUDGET) -> bytes:
    """The object's octets, verbatim where nothing is cut. `zone` is that of floating and all-day times.

    Recurrence that costs more than the budget is given by its rule instead of its instances: clients know rules.
    """
    if is_whole(wanted):
        return octets
    try:
        calendar = scan(octets).components[0]
    except (ScanError, IndexError):
        return octets
    try:
        return subset.calendar_data(calendar, wanted, zone, budget)
    except BudgetExceeded as error:
        uid = next((text for one in calendar.components if (text := one.text("UID"))), "?")
        logger.info("calendar-data: UID %s: not expanded: %s", uid, error)
    return subset.calendar_data(calendar, replace(wanted, expand=None), zone, budget)
