"""`calendar-data` and `address-data` (RFC 4791 §9.6, RFC 6352 §10.4): the text of an object inside a report."""

from __future__ import annotations

from datetime import tzinfo

from calsync.dav.registry import Row, RowRender, data
from calsync.dav.resources import Kind
from calsync.dav.scope import Scope
from calsync.ical import subset
from calsync.ical.budget import Budget, BudgetExceeded
from calsync.ical.lines import scan
from calsync.upstream import logger
from calsync.webdav.conditions import SUPPORTED_ADDRESS_DATA_CONVERSION, SUPPORTED_CALENDAR_DATA
from calsync.webdav.errors import Forbidden
from calsync.webdav.multistatus import escape_octets
from calsync.webdav.names import CR, C
from calsync.webdav.requests import AddressData, CalendarData, Property


@data(C("calendar-data"), frozenset({Kind.EVENT}), "RFC 4791 §9.6")
def calendar_data(scope: Scope, prop: Property, zone: tzinfo) -> RowRender:
    wanted = prop.calendar_data or CalendarData()
    if (wanted.content_type, wanted.version) != ("text/calendar", "2.0"):  # RFC 4791 §7.8, §7.9
        raise Forbidden(f"{wanted.content_type} {wanted.version}", condition=SUPPORTED_CALENDAR_DATA)
    if wanted == CalendarData():
        return _whole
    budget = Budget()

    def render(row: Row, octets: bytes | None) -> bytes | None:
        if octets is None:
            return None
        try:
            return escape_octets(subset.calendar_data(scan(octets).components[0], wanted, zone, budget))
        except BudgetExceeded as error:
            # A rule that explodes is not expanded: the object is given as it is (design §7).
            logger.info("calendar-data: %s: %s", row.url, error)
            return escape_octets(octets)

    return render


@data(CR("address-data"), frozenset({Kind.CARD}), "RFC 6352 §10.4")
def address_data(scope: Scope, prop: Property, zone: tzinfo) -> RowRender:
    wanted = prop.address_data or AddressData()
    if wanted.content_type != "text/vcard":  # RFC 6352 §8.6, §8.7
        raise Forbidden(f"{wanted.content_type}", condition=SUPPORTED_ADDRESS_DATA_CONVERSION)
    props = wanted.props
    if props is None:
        return _whole

    def render(row: Row, octets: bytes | None) -> bytes | None:
        return None if octets is None else escape_octets(subset.card_subset(scan(octets).components[0], props))

    return render


def _whole(row: Row, octets: bytes | None) -> bytes | None:
    return None if octets is None else escape_octets(octets)
