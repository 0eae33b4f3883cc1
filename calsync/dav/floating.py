"""Which zone floating and all-day times are in: the request's, else the calendar's, else UTC (RFC 4791 §7.3, §9.8)."""

from __future__ import annotations

from datetime import UTC, tzinfo

from calsync.dav.answer import stored_properties
from calsync.dav.resources import Resource
from calsync.dav.scope import Scope
from calsync.ical import zones
from calsync.webdav.conditions import VALID_CALENDAR_DATA, VALID_TIMEZONE
from calsync.webdav.errors import Forbidden
from calsync.webdav.names import C
from calsync.webdav.parse import text_of


def zone_for(scope: Scope, calendar: Resource, timezone: str | None = None, timezone_id: str | None = None) -> tzinfo:
    """The zone for a request that may name one.

    Raises `valid-calendar-data` for a VTIMEZONE that cannot be read, `valid-timezone` (RFC 7809 §3.1.6) for an unknown
    name.
    """
    if timezone is not None:
        try:
            return zones.zone_of(timezone)
        except ValueError as error:
            raise Forbidden(f"timezone: {error}", condition=VALID_CALENDAR_DATA) from error
    if timezone_id is not None:
        found = zones.find(timezone_id, None)
        if found is None:
            raise Forbidden(f"timezone-id: {timezone_id!r} is not known", condition=VALID_TIMEZONE)
        return found
    properties = stored_properties(scope, calendar)
    named = properties.get(C("calendar-timezone-id"))  # RFC 7809 §5.2
    if named is not None:
        return zones.find(text_of(named).strip(), None) or UTC
    stored = properties.get(C("calendar-timezone"))
    if stored is None:
        return UTC
    try:
        return zones.zone_of(text_of(stored))
    except ValueError:
        return UTC
