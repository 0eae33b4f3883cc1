"""free-busy-query (RFC 4791 §7.10): when the owner is busy, for those who may know no more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, tzinfo

from calsync.dav.floating import zone_for
from calsync.dav.members import child_collections
from calsync.dav.registry import report
from calsync.dav.request import Response
from calsync.dav.resources import CALENDARS, Kind, Resource, of_collection
from calsync.dav.scope import Scope
from calsync.ical import freebusy
from calsync.ical.budget import BudgetExceeded
from calsync.ical.freebusy import BusyPeriod
from calsync.ical.lines import Component, ScanError, scan
from calsync.store import collections, items, queries
from calsync.store.busy import Busy, busy
from calsync.store.collections import Collection
from calsync.store.errors import Damaged
from calsync.store.items import ItemRow
from calsync.upstream import logger
from calsync.webdav import headers
from calsync.webdav.conditions import NUMBER_OF_MATCHES_WITHIN_LIMITS
from calsync.webdav.errors import Forbidden
from calsync.webdav.names import C
from calsync.webdav.parse import text_of
from calsync.webdav.requests import FreeBusyQuery

_PAGE = 500
_BUSY = ("VEVENT", "VFREEBUSY", "VAVAILABILITY")


@report(C("free-busy-query"), FreeBusyQuery, CALENDARS | {Kind.HOME, Kind.PLAIN}, "RFC 4791 §7.10")
def free_busy_query(scope: Scope, wanted: FreeBusyQuery) -> Response:
    """A VFREEBUSY of the range, merged and clipped, over all calendars whose busy times may be read.

    `Depth: 0` asks about no object; without the header all are meant, as clients mean it.
    """
    start, end = wanted.time_range.start, wanted.time_range.end
    assert start is not None
    assert end is not None
    depth = headers.depth(scope.request.header("depth"), "infinity")
    with scope.read():
        resource = scope.locate()
        calendars = list(_calendars(scope, resource)) if depth != "0" else []
        zones = [zone_for(inner, calendar) for inner, calendar in calendars]
        available = _availability(scope, resource) if depth != "0" and scope.access.may_read_busy(resource) else []
    found: list[BusyPeriod] = []
    for (inner, calendar), zone in zip(calendars, zones, strict=True):
        found += _of_calendar(inner, calendar, start, end, zone, available)
    try:
        found += freebusy.unavailable(available, start, end, zones[0] if zones else UTC, scope.purse.budget())
    except BudgetExceeded as error:
        logger.info("free-busy-query: VAVAILABILITY: %s", error)
        found.append((start, end, freebusy.TENTATIVE))
    octets = freebusy.vfreebusy(start, end, freebusy.merge(found), stamp=int(time.time()))
    return Response(200, {"Content-Type": "text/calendar; charset=utf-8"}, octets)


def _calendars(scope: Scope, resource: Resource) -> Iterator[tuple[Scope, Resource]]:
    """Those of which the asker may read busy times, which may be all that may be read of them (RFC 4791 §6.1.1)."""
    if resource.kind in CALENDARS:
        yield scope, resource
        return
    parent = resource.collection.id if resource.collection else 0
    for one in collections.children(scope.tx, resource.owner.id, parent):
        child = of_collection(resource.owner, (*resource.path, one.name), one)
        if child.kind is Kind.PLAIN or (child.kind in CALENDARS and scope.access.may_read_busy(child)):
            yield from _calendars(scope, child)
    for inner, child in child_collections(scope, resource):
        if inner is not scope and child.kind in CALENDARS:
            yield inner, child


def _availability(scope: Scope, resource: Resource) -> list[Component]:
    """What a home's owner set as `calendar-availability` (RFC 7953 §7.2.4)."""
    stored = resource.owner.properties.get(C("calendar-availability")) if resource.kind is Kind.HOME else None
    return list(scan(text_of(stored).encode()).components) if stored else []


def _of_calendar(
    scope: Scope, calendar: Resource, start: int, end: int, zone: tzinfo, available: list[Component]
) -> list[BusyPeriod]:
    """The busy periods of one calendar: what the index knows, and of the rest what each object tells.

    Objects with VAVAILABILITY are put aside: they decide together.
    """
    collection, purse = calendar.container, scope.purse
    with scope.read() as tx:
        known = busy(tx, collection, start, end)
    found = known.periods if known else []
    for row, octets in _objects(scope, collection, known, start, end):
        begun = time.thread_time()
        try:
            document = scan(items.checked(row, octets))
            if row.component == "VAVAILABILITY":
                available += document.components
                continue
            for component in document.components:
                found += freebusy.busy_periods(component, start, end, zone, purse.budget())
        except BudgetExceeded as error:
            # Nobody knows when it is: better told as perhaps busy than as free.
            logger.info("free-busy-query: %s: %s", row.url, error)
            found.append((start, end, freebusy.TENTATIVE))
        except (Damaged, ScanError) as error:
            # One object must not keep the others' busy times from being told.
            logger.warning("free-busy-query: %s: %s", row.url, error)
        purse.pay(begun)
        if purse.empty:
            raise Forbidden("too many objects recur too often", condition=NUMBER_OF_MATCHES_WITHIN_LIMITS)
    return found


def _objects(
    scope: Scope, collection: Collection, known: Busy | None, start: int, end: int
) -> Iterator[tuple[ItemRow, bytes | None]]:
    """The objects that have to be looked at, with their octets, page by page."""
    doubtful = known.doubtful if known else []
    for place in range(0, len(doubtful), _PAGE):
        with scope.read() as tx:
            rows = items.rows(tx, collection, doubtful[place : place + _PAGE])
            bodies = items.page_bodies(tx, collection, [row.id for row in rows])
        yield from ((row, bodies.get(row.id)) for row in rows)
    components, after = (_BUSY if known is None else _BUSY[1:]), 0
    while True:
        with scope.read() as tx:
            rows = [one.row for one in queries.in_range(tx, collection, components, start, end, after, _PAGE)]
            bodies = items.page_bodies(tx, collection, [row.id for row in rows])
        yield from ((row, bodies.get(row.id)) for row in rows)
        if len(rows) < _PAGE:
            return
        after = rows[-1].id
