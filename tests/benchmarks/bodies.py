"""The request bodies, as clients write them."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape

from tests.generator import MONTH

_NAMESPACES = (
    'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CR="urn:ietf:params:xml:ns:carddav" '
    'xmlns:CS="http://calendarserver.org/ns/" xmlns:ICAL="http://apple.com/ns/ical/" '
    'xmlns:ME="http://me.com/_namespace/"'
)
_RANGE = f'<C:time-range start="{MONTH[0]}" end="{MONTH[1]}"/>'


def _document(root: str, content: str) -> bytes:
    return f'<?xml version="1.0" encoding="utf-8"?><{root} {_NAMESPACES}>{content}</{root}>'.encode()


def propfind(*names: str) -> bytes:
    return _document("D:propfind", "<D:prop>" + "".join(f"<{name}/>" for name in names) + "</D:prop>")


def sync(token: str) -> bytes:
    return _document(
        "D:sync-collection",
        f"<D:sync-token>{escape(token)}</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop>",
    )


def calendar_multiget(hrefs: Iterable[str]) -> bytes:
    return _document("C:calendar-multiget", "<D:prop><D:getetag/><C:calendar-data/></D:prop>" + _hrefs(hrefs))


def addressbook_multiget(hrefs: Iterable[str]) -> bytes:
    return _document("CR:addressbook-multiget", "<D:prop><D:getetag/><CR:address-data/></D:prop>" + _hrefs(hrefs))


def _hrefs(hrefs: Iterable[str]) -> str:
    return "".join(f"<D:href>{escape(href)}</D:href>" for href in hrefs)


def month_query(properties: str) -> bytes:
    component = f'<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">{_RANGE}</C:comp-filter></C:comp-filter>'
    return _document("C:calendar-query", f"<D:prop>{properties}</D:prop><C:filter>{component}</C:filter>")


def uid_query(uid: str) -> bytes:
    match = f'<C:prop-filter name="UID"><C:text-match collation="i;octet">{escape(uid)}</C:text-match></C:prop-filter>'
    component = f'<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">{match}</C:comp-filter></C:comp-filter>'
    return _document("C:calendar-query", f"<D:prop><D:getetag/></D:prop><C:filter>{component}</C:filter>")


EXPANDED = f'<D:getetag/><C:calendar-data><C:expand start="{MONTH[0]}" end="{MONTH[1]}"/></C:calendar-data>'
FREE_BUSY = _document("C:free-busy-query", _RANGE)
POLL = propfind("CS:getctag", "D:sync-token")

BOOK_QUERY = _document(
    "CR:addressbook-query",
    '<D:prop><D:getetag/></D:prop><CR:filter test="anyof">'
    '<CR:prop-filter name="FN"><CR:text-match match-type="contains">dvořák</CR:text-match></CR:prop-filter>'
    '<CR:prop-filter name="EMAIL"><CR:text-match match-type="contains">@verein12.</CR:text-match></CR:prop-filter>'
    "</CR:filter>",
)

# What iOS asks of each collection in a home.
IOS_HOME = propfind(
    *("D:add-member", "D:current-user-privilege-set", "D:displayname", "D:owner", "D:quota-available-bytes"),
    *("D:quota-used-bytes", "D:resource-id", "D:resourcetype", "D:supported-report-set", "D:sync-token"),
    *("C:calendar-description", "C:calendar-timezone", "C:default-alarm-vevent-date", "C:max-attendees-per-instance"),
    *("C:default-alarm-vevent-datetime", "C:schedule-calendar-transp", "C:schedule-default-calendar-URL"),
    *("C:supported-calendar-component-set", "C:supported-calendar-component-sets", "CS:allowed-sharing-modes"),
    *("CS:getctag", "CS:pre-publish-url", "CS:publish-url", "CS:push-transports", "CS:pushkey", "CS:source"),
    *("CS:subscribed-strip-alarms", "CS:subscribed-strip-attachments", "CS:subscribed-strip-todos", "CS:xmpp-server"),
    *("CS:xmpp-uri", "ICAL:autoprovisioned", "ICAL:calendar-color", "ICAL:calendar-order", "ICAL:language-code"),
    *("ICAL:location-code", "ICAL:refreshrate", "ME:bulk-requests"),
)
