"""CalDAV's properties (RFC 4791 §5.2, §6.2, §7.5)."""

from __future__ import annotations

from calsync.dav.properties.acl import href
from calsync.dav.properties.core import as_sent, plain_text
from calsync.dav.registry import live, settable
from calsync.dav.resources import CALENDARS, Kind, Resource
from calsync.dav.scope import Scope
from calsync.ical.lines import ScanError, scan
from calsync.ical.zones import zone_of
from calsync.webdav.errors import Forbidden
from calsync.webdav.multistatus import element
from calsync.webdav.names import C, D
from calsync.webdav.requests import PropertyUpdate

_CALENDAR = frozenset({Kind.CALENDAR})

#: The components that a calendar may be made for; a calendar without a set takes all of them (RFC 4791 §5.2.3).
COMPONENTS = ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY")


def timezone(scope: Scope, resource: Resource, update: PropertyUpdate) -> str:
    """Accept a VCALENDAR with exactly one VTIMEZONE (RFC 4791 §5.2.2)."""
    try:
        found = [part.name for calendar in scan(update.text.encode()).components for part in calendar.components]
        if found != ["VTIMEZONE"]:
            raise ScanError(f"one VTIMEZONE expected, found {found}", 0)
        zone_of(update.text)
    except ValueError as error:
        raise Forbidden(f"calendar-timezone: {error}", condition=C("valid-calendar-data")) from error
    return as_sent(scope, resource, update)


settable(C("calendar-description"), CALENDARS, "RFC 4791 §5.2.1", plain_text)
settable(C("calendar-timezone"), CALENDARS, "RFC 4791 §5.2.2", timezone)


@live(C("supported-calendar-component-set"), CALENDARS, "RFC 4791 §5.2.3")
def supported_calendar_component_set(scope: Scope, resource: Resource) -> bytes:
    names = resource.container.components or COMPONENTS
    return b"".join(element(C("comp"), b"", {"name": name}) for name in names)


@live(C("supported-calendar-data"), CALENDARS, "RFC 4791 §5.2.4")
def supported_calendar_data(scope: Scope, resource: Resource) -> bytes:
    return element(C("calendar-data"), b"", {"content-type": "text/calendar", "version": "2.0"})


@live(C("min-date-time"), _CALENDAR, "RFC 4791 §5.2.6")
def min_date_time(scope: Scope, resource: Resource) -> bytes:
    return b"00010101T000000Z"


@live(C("max-date-time"), _CALENDAR, "RFC 4791 §5.2.7")
def max_date_time(scope: Scope, resource: Resource) -> bytes:
    return b"99991231T235959Z"


@live(C("supported-collation-set"), _CALENDAR, "RFC 4791 §7.5.1")
def supported_collation_set(scope: Scope, resource: Resource) -> bytes:
    names = ("i;ascii-casemap", "i;octet", "i;unicode-casemap")
    return b"".join(element(C("supported-collation"), name) for name in names)


@live(C("calendar-home-set"), frozenset({Kind.HOME}), "RFC 4791 §6.2.1")
def calendar_home_set(scope: Scope, resource: Resource) -> bytes:
    return href(scope.href(resource.path, True))


@live(C("calendar-user-address-set"), frozenset({Kind.HOME}), "RFC 6638 §2.4.1")
def calendar_user_address_set(scope: Scope, resource: Resource) -> bytes:
    """Clients take the first, the last or the preferred entry (clients.md 15, 19): the address is all three."""
    own = href(scope.href(resource.path, True))
    email = scope.email(resource.owner)
    if not email:
        return own

    first = element(D("href"), f"mailto:{email}", {"preferred": "1"})
    return first + own + first
