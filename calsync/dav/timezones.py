"""Objects with or without the VTIMEZONEs that everybody has (RFC 7809 §7.1, `CalDAV-Timezones`).

Without the header objects are given as they were stored: what was PUT is what is got.
"""

from __future__ import annotations

from calsync.dav.request import Request
from calsync.dav.tzdist import names
from calsync.ical.lines import Component, ScanError, scan
from calsync.ical.vtimezone import vtimezone

HEADER = "CalDAV-Timezones"

#: Of a representation without, and one with all of them: a mark in its ETag (decision D17).
WITHOUT, WITH = "F", "T"


def wanted(request: Request) -> str:
    """WITHOUT, WITH, or empty where the request does not say."""
    value = request.header("caldav-timezones").strip().upper()
    return value if value in (WITHOUT, WITH) else ""


def adapted(octets: bytes, choice: str) -> bytes:
    """The object as it was asked for; verbatim where that is how it is, and where it cannot be read."""
    if not choice:
        return octets
    try:
        (calendar,) = scan(octets).components
    except (ScanError, ValueError):
        return octets
    return _without(octets, calendar) if choice == WITHOUT else _with(octets, calendar)


def _without(octets: bytes, calendar: Component) -> bytes:
    found: list[bytes] = []
    position = 0
    for component in calendar.components:
        if component.name == "VTIMEZONE" and (component.text("TZID") or "").strip() in names.known():
            found.append(octets[position : component.start])
            position = component.end
    return b"".join((*found, octets[position:])) if found else octets


def _with(octets: bytes, calendar: Component) -> bytes:
    """The VTIMEZONEs of names that are used and come without, before the first component."""
    there = {(one.text("TZID") or "").strip() for one in calendar.components if one.name == "VTIMEZONE"}
    used = {
        tzid
        for component in calendar.walk()
        if component.name != "VTIMEZONE"
        for line in component.lines
        if b"TZID" in line.raw.upper() and (tzid := line.param("TZID")) is not None
    }
    missing = sorted((used - there) & names.known())
    if not missing or not calendar.components:
        return octets
    at = calendar.components[0].start
    return octets[:at] + b"".join(map(vtimezone, missing)) + octets[at:]
