"""calendar-query (RFC 4791 §7.8): the objects that pass a filter, found by the index, streamed page by page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import tzinfo

from calsync.dav.answer import Listing
from calsync.dav.filters.calendar import matches
from calsync.dav.filters.search import calendar_search
from calsync.dav.floating import zone_for
from calsync.dav.members import child_collections
from calsync.dav.properties.caldav import COMPONENTS
from calsync.dav.registry import report
from calsync.dav.reports.pages import found, within
from calsync.dav.request import Response, multistatus
from calsync.dav.resources import CALENDARS, Kind, Resource, of_collection
from calsync.dav.scope import Scope
from calsync.ical.lines import scan
from calsync.store import items
from calsync.webdav import headers
from calsync.webdav.multistatus import stream
from calsync.webdav.names import C
from calsync.webdav.requests import CalendarQuery, CompFilter


@report(C("calendar-query"), CalendarQuery, CALENDARS | {Kind.HOME, Kind.PLAIN, Kind.EVENT}, "RFC 4791 §7.8")
def calendar_query(scope: Scope, wanted: CalendarQuery) -> Response:
    """`Depth: 0` on a calendar asks about no object; without the header the objects are meant, as clients mean it.

    On an object it is asked about that one, whatever the depth.
    """
    depth = headers.depth(scope.request.header("depth"), "1")
    with scope.read():
        resource = scope.readable()
        if resource.kind is Kind.EVENT:
            return _one(scope, resource, wanted)
        calendars = calendars_in(scope, resource) if depth != "0" else []
        zones = [zone_for(inner, calendar, wanted.timezone, wanted.timezone_id) for inner, calendar in calendars]
    return multistatus(stream(within(wanted.limit, _pages(wanted, calendars, zones), scope.url(resource))))


def calendars_in(scope: Scope, resource: Resource) -> list[tuple[Scope, Resource]]:
    """The calendar itself, or all calendars of a home or plain collection, at any depth."""
    if resource.kind in CALENDARS:
        return [(scope, resource)]
    return [
        found
        for inner, child in child_collections(scope, resource)
        if child.kind in CALENDARS | {Kind.PLAIN}
        for found in calendars_in(inner, child)
    ]


def _one(scope: Scope, resource: Resource, wanted: CalendarQuery) -> Response:
    """The object itself, if it passes."""
    calendar = container(resource)
    zone = zone_for(scope, calendar, wanted.timezone, wanted.timezone_id)
    octets = items.body(scope.tx, resource.member)
    passes = any(
        matches(root, filter, zone) for filter in by_component(wanted.filter) for root in scan(octets).components
    )
    listing = Listing(scope, calendar, wanted.properties, data=True, zone=zone)
    return multistatus(stream(listing.page([resource.member], {resource.member.id: octets}) if passes else []))


def container(resource: Resource) -> Resource:
    """The collection that an object lies in."""
    return of_collection(resource.owner, resource.path[:-1], resource.container)


def _pages(
    wanted: CalendarQuery, calendars: list[tuple[Scope, Resource]], zones: list[tzinfo]
) -> Iterator[list[bytes]]:
    for (inner, calendar), zone in zip(calendars, zones, strict=True):
        listing = Listing(inner, calendar, wanted.properties, data=True, zone=zone)
        for filter in by_component(wanted.filter):
            search = calendar_search(calendar.container, filter, zone, inner.purse, octets=listing.needs_octets)
            yield from found(inner, search, listing)


def by_component(filter: CompFilter) -> tuple[CompFilter, ...]:
    """A time-range on VCALENDAR itself, as one filter for each kind of component: an object has one kind only."""
    if filter.time_range is None:
        return (filter,)
    rest = replace(filter, time_range=None)
    return tuple(
        replace(rest, comps=(CompFilter(name, time_range=filter.time_range), *filter.comps)) for name in COMPONENTS
    )
