"""What Apple's clients and those that follow them ask for (CalendarServer extensions)."""

from __future__ import annotations

from calsync.dav.properties.core import as_sent
from calsync.dav.properties.sync import token
from calsync.dav.registry import live, settable
from calsync.dav.resources import CALENDARS, STORED_COLLECTIONS, TAGGED, Kind, Resource
from calsync.dav.scope import Scope
from calsync.ical.lines import ScanError, scan
from calsync.webdav.errors import Forbidden
from calsync.webdav.names import CS_, ICAL, C
from calsync.webdav.requests import PropertyUpdate
from calsync_storage.properties import element


@live(CS_("getctag"), STORED_COLLECTIONS | {Kind.HOME}, "caldav-ctag §4")
def getctag(scope: Scope, resource: Resource) -> bytes:
    """The same as the sync token: it changes with every change."""
    return token(resource).encode()


def source(scope: Scope, resource: Resource, update: PropertyUpdate) -> str:
    """A subscription's address is an href inside; Radicale's page sends it as text."""
    if update.text.strip() and update.xml is not None and update.xml.count(b"<") <= 2:
        return element(CS_("source"), update.text.strip())
    return as_sent(scope, resource, update)


def alarm(scope: Scope, resource: Resource, update: PropertyUpdate) -> str:
    """Accept VALARM components as text, or nothing: no alarm then."""
    text = update.text.strip()
    try:
        found = {component.name for component in scan(text.encode()).components} if text else {"VALARM"}
    except ScanError as error:
        raise Forbidden(f"{update.name}: {error}", condition=C("valid-calendar-data")) from error
    if found != {"VALARM"}:
        raise Forbidden(f"{update.name}: VALARM expected", condition=C("valid-calendar-data"))
    return as_sent(scope, resource, update)


for _kind in ("vevent-datetime", "vevent-date", "vtodo-datetime", "vtodo-date"):
    settable(C(f"default-alarm-{_kind}"), CALENDARS | {Kind.HOME}, "CalendarServer", alarm)

# clients.md 11: `#RRGGBBAA`, `#RRGGBB`, with or without `symbolic-color`: kept as it was sent.
settable(f"{{{ICAL}}}calendar-color", TAGGED, "CalendarServer", as_sent)
settable(f"{{{ICAL}}}calendar-order", TAGGED, "CalendarServer", as_sent)
settable(CS_("source"), CALENDARS, "CalendarServer", source)
settable(CS_("refreshrate"), CALENDARS, "CalendarServer", as_sent)
settable(CS_("me-card"), frozenset({Kind.ADDRESSBOOK, Kind.HOME}), "CalendarServer", as_sent)
