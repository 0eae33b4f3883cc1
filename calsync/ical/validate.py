"""What is refused at PUT: only what could not be served, found or merged later, each with its precondition.

RFC 4791 §5.3.2.1 and RFC 6352 §6.3.2.1 name the preconditions. Everything else that clients are known to send is taken
as it is. Two choices beyond the letter: a card without a UID is taken (its UID is then ""), as is an object without
VERSION; METHOD is refused, as the RFC asks and other servers do, so that no client depends on it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from calsync.ical.lines import Component, Document, ScanError, crowded, scan, unescape, unfold

VALID_CALENDAR_DATA: Final = "valid-calendar-data"
VALID_CALENDAR_OBJECT: Final = "valid-calendar-object-resource"
SUPPORTED_COMPONENT: Final = "supported-calendar-component"
VALID_ADDRESS_DATA: Final = "valid-address-data"

WITH_UID: Final = frozenset({"VEVENT", "VTODO", "VJOURNAL"})
"""Components that clients tell apart by UID; it must be there."""

KINDS: Final = WITH_UID | {"VFREEBUSY", "VAVAILABILITY", "VPOLL"}
"""Components that an object can be about; others beside them come along as they are."""

CARD_VERSIONS: Final = frozenset({"3.0", "4.0"})

_ROOTS: Final = frozenset({"VCALENDAR", "VCARD", "VLIST"})
_CONTROLS: Final = bytes([*range(9), 11, 12, *range(14, 32), 127])
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# U+FFFE and U+FFFF are the only letters of valid UTF-8 left that XML 1.0 §2.2 cannot carry, escaped or not.
_NONCHARACTERS: Final = (b"\xef\xbf\xbe", b"\xef\xbf\xbf")


class Refused(ValueError):
    """An object that is not taken. `condition`: local name of the precondition; `message`: for people, one line."""

    def __init__(self, condition: str, message: str) -> None:
        super().__init__(message)
        self.condition = condition
        self.message = message


@dataclass(frozen=True, slots=True)
class CalendarObject:
    """A calendar object that passed: `main` are its components of one kind and UID, master and overrides."""

    calendar: Component
    main: list[Component]
    component: str
    uid: str


def calendar(octets: bytes, *, components: Collection[str] | None = None, allow_method: bool = False) -> CalendarObject:
    """Judge a calendar object. `components`: those its collection takes; None or empty means all. Raises Refused.

    `allow_method`: for objects that already lie in somebody's store and are moved, never for a PUT.
    """
    document = _text(octets, VALID_CALENDAR_DATA)
    root = _only(document, {"VCALENDAR"}, VALID_CALENDAR_DATA, VALID_CALENDAR_OBJECT)
    version = root.first("VERSION")
    if version is not None and version.value.strip() == "1.0":
        raise Refused(VALID_CALENDAR_DATA, "VERSION:1.0 is vCalendar, not iCalendar")
    if not allow_method and root.first("METHOD") is not None:  # RFC 4791 §4.1
        raise Refused(VALID_CALENDAR_OBJECT, "METHOD is for messages, not for stored objects")
    if any(component.name in _ROOTS for component in root.components):
        raise Refused(VALID_CALENDAR_DATA, "an object within the object")
    main = [component for component in root.components if component.name in KINDS] or [
        component for component in root.components if component.name != "VTIMEZONE"
    ]
    if not main:
        raise Refused(VALID_CALENDAR_OBJECT, "nothing in it beside time zones")
    kind = main[0].name
    if any(component.name != kind for component in main):
        names = ", ".join(sorted({component.name[:40] for component in main}))
        raise Refused(VALID_CALENDAR_OBJECT, f"components of more than one kind: {names}")
    if components and kind not in components:
        raise Refused(SUPPORTED_COMPONENT, f"{kind[:40]} is not taken here ({', '.join(sorted(components))} is)")
    return CalendarObject(root, main, kind, _calendar_uid(kind, main))


def card(octets: bytes) -> Component:
    """Judge an address object: one vCard 3.0 or 4.0, or one VLIST of the SOGo connector. Raises Refused."""
    document = _text(octets, VALID_ADDRESS_DATA)
    root = _only(document, {"VCARD", "VLIST"}, VALID_ADDRESS_DATA, VALID_ADDRESS_DATA)
    if root.name == "VCARD":
        for version in root.all("VERSION"):
            if version.value.strip() not in CARD_VERSIONS:
                raise Refused(VALID_ADDRESS_DATA, f"vCard VERSION:{version.value[:20]} is neither 3.0 nor 4.0")
    return root


def card_uid(root: Component) -> str:
    """A card's UID, or "". Raises Refused where it has two."""
    return _one_uid([root], VALID_ADDRESS_DATA)


def _calendar_uid(kind: str, main: list[Component]) -> str:
    uid = _one_uid(main, VALID_CALENDAR_OBJECT)  # RFC 4791 §4.1
    if kind in WITH_UID and not all((component.text("UID") or "").strip() for component in main):
        raise Refused(VALID_CALENDAR_OBJECT, f"{kind} without UID")
    return uid


def _one_uid(components: list[Component], condition: str) -> str:
    lines = [line for component in components for line in component.all("UID")]
    uids = {uid for line in lines if (uid := unescape(line.value)).strip()}
    if len(uids) > 1:
        raise Refused(condition, f"more than one UID: {', '.join(repr(uid[:80]) for uid in sorted(uids)[:3])}")
    return uids.pop() if uids else ""


def _text(octets: bytes, condition: str) -> Document:
    if len(octets.translate(None, _CONTROLS)) != len(octets):
        found = _CONTROL.search(octets)
        position, code = (found.start(), found[0][0]) if found else (0, 0)
        line = octets.count(b"\n", 0, position) + 1
        raise Refused(condition, f"line {line}: control character 0x{code:02X}")
    if reason := crowded(octets):
        raise Refused(condition, reason)
    try:
        document = scan(octets)
    except ScanError as error:
        raise Refused(condition, str(error)) from None
    if b"\xef" in octets:
        unfolded = unfold(octets)
        if any(letter in unfolded for letter in _NONCHARACTERS):
            raise Refused(condition, "U+FFFE and U+FFFF are no letters")
    return document


def _only(document: Document, names: Collection[str], none: str, several: str) -> Component:
    roots = document.components
    if not roots or any(root.name not in names for root in roots):
        found = ", ".join(sorted({root.name[:40] for root in roots})) or "nothing"
        raise Refused(none, f"{' or '.join(sorted(names))} expected, {found} found")
    if len(roots) > 1:
        raise Refused(several, f"{len(roots)} objects in one resource")
    return roots[0]
