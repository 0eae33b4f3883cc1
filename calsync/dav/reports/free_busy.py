"""free-busy-query (RFC 4791 §7.10): when the owner is busy, for those who may know no more."""

from __future__ import annotations

import time

from calsync.dav.floating import zone_for
from calsync.dav.members import child_collections
from calsync.dav.registry import report
from calsync.dav.request import Response
from calsync.dav.resources import CALENDARS, Kind, Resource
from calsync.dav.scope import Scope
from calsync.ical import freebusy
from calsync.ical.budget import Budget, BudgetExceeded
from calsync.ical.freebusy import BusyPeriod
from calsync.ical.lines import ScanError, scan
from calsync.store import items, queries
from calsync.store.errors import Damaged
from calsync.upstream import logger
from calsync.webdav.names import C
from calsync.webdav.requests import FreeBusyQuery

_PAGE = 500
_BUSY = ("VEVENT", "VFREEBUSY", "VAVAILABILITY")


@report(C("free-busy-query"), FreeBusyQuery, CALENDARS | {Kind.HOME}, "RFC 4791 §7.10")
def free_busy_query(scope: Scope, wanted: FreeBusyQuery) -> Response:
    """A VFREEBUSY of the range, merged and clipped; of a home, over all calendars whose busy times may be read."""
    start, end = wanted.time_range.start, wanted.time_range.end
    assert start is not None
    assert end is not None
    with scope.read():
        resource = scope.locate()
        if resource.kind in CALENDARS:
            calendars = [(scope, resource)]
        else:
            calendars = [
                (inner, child) for inner, child in child_collections(scope, resource) if child.kind in CALENDARS
            ]
    found: list[BusyPeriod] = []
    for inner, calendar in calendars:
        found += _of_calendar(inner, calendar, start, end)
    octets = freebusy.vfreebusy(start, end, freebusy.merge(found), stamp=int(time.time()))
    return Response(200, {"Content-Type": "text/calendar; charset=utf-8"}, octets)


def _of_calendar(scope: Scope, calendar: Resource, start: int, end: int) -> list[BusyPeriod]:
    found: list[BusyPeriod] = []
    collection, budget, after = calendar.container, Budget(), 0
    with scope.read():
        zone = zone_for(scope, calendar)
    while True:
        with scope.read() as tx:
            rows = [one.row for one in queries.in_range(tx, collection, _BUSY, start, end, after, _PAGE)]
            bodies = items.page_bodies(tx, collection, [row.id for row in rows])
        for row in rows:
            try:
                document = scan(items.checked(row, bodies.get(row.id)))
                for component in document.components:
                    found += freebusy.busy_periods(component, start, end, zone, budget)
            except (Damaged, ScanError, BudgetExceeded) as error:
                # One object must not keep the others' busy times from being told.
                logger.warning("free-busy-query: %s: %s", row.url, error)
        if len(rows) < _PAGE:
            return found
        after = rows[-1].id
