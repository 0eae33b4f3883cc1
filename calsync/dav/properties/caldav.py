"""CalDAV's properties (RFC 4791 §5.2, §6.2, §7.5)."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from calsync.dav import limits
from calsync.dav.properties.acl import href
from calsync.dav.properties.core import as_sent, plain_text
from calsync.dav.registry import live, settable
from calsync.dav.resources import CALENDARS, Kind, Resource
from calsync.dav.scope import Scope
from calsync.dav.tzdist import names, service
from calsync.dav.tzdist.service import calendar_of
from calsync.ical.facts import calendar_object
from calsync.ical.lines import ScanError, scan
from calsync.ical.validate import Refused
from calsync.ical.zones import zone_of
from calsync.webdav.conditions import VALID_TIMEZONE
from calsync.webdav.errors import Forbidden
from calsync.webdav.multistatus import element, escape
from calsync.webdav.names import C, D
from calsync.webdav.parse import text_of
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


def timezone_id(scope: Scope, resource: Resource, update: PropertyUpdate) -> str:
    """Accept the name of a zone in the time zone service (RFC 7809 §5.2)."""
    if update.text.strip() not in names.known():
        raise Forbidden(f"calendar-timezone-id: {update.text[:80]!r} is not known", condition=VALID_TIMEZONE)
    return plain_text(scope, resource, update)


def timezone_of_id(scope: Scope, resource: Resource) -> bytes | None:
    """The VTIMEZONE of the name that was set (RFC 7809 §5.2: both properties say the same)."""
    tzid = _text(resource, C("calendar-timezone-id"))
    return escape(calendar_of(tzid).decode()).encode() if tzid in names.known() else None


def id_of_timezone(scope: Scope, resource: Resource) -> bytes | None:
    """The name of the VTIMEZONE that was set, where it is one that everybody knows."""
    try:
        zone = zone_of(_text(resource, C("calendar-timezone")))
    except ValueError:
        return None
    name = zone.key if isinstance(zone, ZoneInfo) else ""
    return escape(name).encode() if name in names.known() else None


def _text(resource: Resource, name: str) -> str:
    stored = resource.container.properties.get(name)
    return text_of(stored).strip() if stored else ""


settable(C("calendar-description"), CALENDARS, "RFC 4791 §5.2.1", plain_text)
settable(
    C("calendar-timezone"),
    CALENDARS,
    "RFC 4791 §5.2.2",
    timezone,
    render=timezone_of_id,
    instead_of=C("calendar-timezone-id"),
)
settable(
    C("calendar-timezone-id"),
    CALENDARS,
    "RFC 7809 §5.2",
    timezone_id,
    render=id_of_timezone,
    instead_of=C("calendar-timezone"),
)


@live(C("timezone-service-set"), frozenset({Kind.HOME}), "RFC 7809 §5.1")
def timezone_service_set(scope: Scope, resource: Resource) -> bytes:
    return href(f"{scope.request.base}/.calsync/{service.NAME}")


def availability(scope: Scope, resource: Resource, update: PropertyUpdate) -> str:
    """Accept a VCALENDAR with VAVAILABILITY components, all of one UID, or nothing (RFC 7953 §7.2.4)."""
    if update.text.strip():
        try:
            obj = calendar_object(update.text.encode(), window=scope.context.store.window, components=_AVAILABILITY)
        except Refused as error:
            raise Forbidden(f"calendar-availability: {error.message}", condition=C("valid-calendar-data")) from error
        if obj.facts.component not in _AVAILABILITY:
            raise Forbidden("calendar-availability: VAVAILABILITY expected", condition=C("valid-calendar-data"))
    return as_sent(scope, resource, update)


_AVAILABILITY = ("VAVAILABILITY",)

# It is of the scheduling inbox; there is none, so the home has it, and its busy times follow it.
settable(C("calendar-availability"), frozenset({Kind.HOME}), "RFC 7953 §7.2.4", availability)


@live(C("supported-calendar-component-set"), CALENDARS, "RFC 4791 §5.2.3")
def supported_calendar_component_set(scope: Scope, resource: Resource) -> bytes:
    components = resource.container.components or COMPONENTS
    return b"".join(element(C("comp"), b"", {"name": name}) for name in components)


@live(C("supported-calendar-data"), CALENDARS, "RFC 4791 §5.2.4")
def supported_calendar_data(scope: Scope, resource: Resource) -> bytes:
    return element(C("calendar-data"), b"", {"content-type": "text/calendar", "version": "2.0"})


@live(C("min-date-time"), _CALENDAR, "RFC 4791 §5.2.6")
def min_date_time(scope: Scope, resource: Resource) -> bytes:
    return limits.EARLIEST.encode()


@live(C("max-date-time"), _CALENDAR, "RFC 4791 §5.2.7")
def max_date_time(scope: Scope, resource: Resource) -> bytes:
    return limits.LATEST.encode()


@live(C("max-instances"), _CALENDAR, "RFC 4791 §5.2.8")
def max_instances(scope: Scope, resource: Resource) -> bytes | None:
    """Of a rule that ends; one without end has no number."""
    return b"%d" % scope.settings.max_instances if scope.settings.max_instances else None


@live(C("max-attendees-per-instance"), _CALENDAR, "RFC 4791 §5.2.9")
def max_attendees_per_instance(scope: Scope, resource: Resource) -> bytes:
    return b"%d" % limits.MAX_ATTENDEES


@live(C("supported-collation-set"), _CALENDAR, "RFC 4791 §7.5.1")
def supported_collation_set(scope: Scope, resource: Resource) -> bytes:
    collations = ("i;ascii-casemap", "i;octet", "i;unicode-casemap")
    return b"".join(element(C("supported-collation"), name) for name in collations)


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
