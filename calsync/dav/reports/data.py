"""`calendar-data` and `address-data` (RFC 4791 §9.6, RFC 6352 §10.4): the text of an object inside a report."""

from __future__ import annotations

from datetime import tzinfo
from time import thread_time

from calsync.dav import timezones
from calsync.dav.data import address_data as cards
from calsync.dav.data import calendar_data as calendars
from calsync.dav.registry import Row, RowRender, data
from calsync.dav.resources import Kind
from calsync.dav.scope import Scope
from calsync.webdav.multistatus import escape_octets
from calsync.webdav.names import CR, C
from calsync.webdav.requests import AddressData, CalendarData, Property


@data(C("calendar-data"), frozenset({Kind.EVENT}), "RFC 4791 §9.6")
def calendar_data(scope: Scope, prop: Property, zone: tzinfo) -> RowRender:
    wanted = prop.calendar_data or CalendarData()
    calendars.check(wanted)
    choice = timezones.wanted(scope.request)
    if calendars.is_whole(wanted) and not choice:
        return _whole

    def rendered(row: Row, octets: bytes | None) -> bytes | None:
        if octets is None:
            return None
        begun = thread_time()
        text = timezones.adapted(calendars.render(octets, wanted, zone, scope.purse.budget()), choice)
        scope.purse.pay(begun)
        return escape_octets(text)

    return rendered


@data(CR("address-data"), frozenset({Kind.CARD}), "RFC 6352 §10.4")
def address_data(scope: Scope, prop: Property, zone: tzinfo) -> RowRender:
    wanted = prop.address_data or AddressData()
    cards.check(wanted)
    if not wanted.version and wanted.props is None:
        return _whole
    return lambda row, octets: None if octets is None else escape_octets(cards.render(octets, wanted))


def _whole(row: Row, octets: bytes | None) -> bytes | None:
    return None if octets is None else escape_octets(octets)
