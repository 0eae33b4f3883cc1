"""Which of a collection's properties come along, and how the store writes them.

What people set comes: name, colour, description, time zone, order, and dead properties of programs. What the other
server computes stays there: it would be wrong here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from calsync.remote.client import Client, RemoteError
from calsync.webdav.names import CALDAV, CARDDAV, CS, DAV, ICAL, INF, ME, RADICALE, C, split
from calsync.webdav.parse import self_contained
from calsync.webdav.reader import Response

#: Octets of one property.
_LARGEST: Final = 65_536
_MOST: Final = 100
#: Of the namespaces in which there are both, those that people set.
_SET: Final = {
    DAV: {"displayname"},
    CALDAV: {"calendar-description", "calendar-timezone", "default-alarm-vevent-datetime"}
    | {"default-alarm-vevent-date", "default-alarm-vtodo-datetime", "default-alarm-vtodo-date"},
    CARDDAV: {"addressbook-description"},
    CS: {"refreshrate"},
    ICAL: {"calendar-color", "calendar-order"},
    INF: {"addressbook-color"},
    ME: set(),
    RADICALE: set(),
}
#: Servers' own, of which nothing means anything elsewhere.
_FOREIGN: Final = (
    "http://owncloud.org/",
    "http://nextcloud.",
    "http://sabredav.org/",
    "http://sabre.io/",
    "http://davical.org/",
    "http://xmlns.davical.org/",
    "http://xandikos.org/",
    "http://apache.org/dav/",
    "http://www.inverse.ca/",
    "urn:inverse:",
    "http://calendarserver.org/",
    "http://cal.me.com/",
    "urn:calsync:",
    "urn:ietf:params:xml:ns:",
    "urn:com:apple:",
)


def kept(response: Response) -> dict[str, str]:
    """The properties of a response that come along: the element, as the store keeps it, by Clark name."""
    found: dict[str, str] = {}
    for name, (status, element) in response.props.items():
        if status != 200 or not _comes(name) or len(found) >= _MOST:
            continue
        if not len(element) and not (element.text or "").strip():
            continue
        octets = self_contained(element)
        if len(octets) <= _LARGEST and (name != C("calendar-timezone") or b"BEGIN:VTIMEZONE" in octets):
            found[name] = octets.decode()
    return found


def everything(client: Client, url: str) -> Mapping[str, str]:
    """What a collection shows when it is asked for all (RFC 4918 §9.1.2); nothing where that cannot be asked."""
    try:
        _, answer = client.propfind(url, None)
    except RemoteError:
        return {}
    return kept(answer.responses[0]) if len(answer.responses) == 1 else {}


def _comes(name: str) -> bool:
    namespace, local = split(name)
    if namespace in _SET:
        return local in _SET[namespace]
    return bool(namespace) and not namespace.startswith(_FOREIGN)


def text_of(response: Response, name: str) -> str:
    """The text of a property, without white space around it; empty where it has none."""
    return (response.text(name) or "").strip()
