"""What Apple's clients and those that follow them ask for (CalendarServer extensions)."""

from __future__ import annotations

from calsync.dav.properties.core import as_sent
from calsync.dav.properties.sync import token
from calsync.dav.registry import live, settable
from calsync.dav.resources import CALENDARS, STORED_COLLECTIONS, TAGGED, Kind, Resource
from calsync.dav.scope import Scope
from calsync.webdav.names import CS_, ICAL


@live(CS_("getctag"), STORED_COLLECTIONS | {Kind.HOME}, "caldav-ctag §4")
def getctag(scope: Scope, resource: Resource) -> bytes:
    """The same as the sync token: it changes with every change."""
    return token(resource).encode()


# clients.md 11: `#RRGGBBAA`, `#RRGGBB`, with or without `symbolic-color`: kept as it was sent.
settable(f"{{{ICAL}}}calendar-color", TAGGED, "CalendarServer", as_sent)
settable(f"{{{ICAL}}}calendar-order", TAGGED, "CalendarServer", as_sent)
settable(CS_("source"), CALENDARS, "CalendarServer", as_sent)
settable(CS_("refreshrate"), CALENDARS, "CalendarServer", as_sent)
settable(CS_("me-card"), frozenset({Kind.ADDRESSBOOK, Kind.HOME}), "CalendarServer", as_sent)
