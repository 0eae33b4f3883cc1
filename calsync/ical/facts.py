"""The facts of an object: all that the index knows, found once, when it is written.

`calendar_object` and `address_object` are the way in for everything that is stored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from calsync.ical import freebusy, validate, zones
from calsync.ical.bounds import bounds, is_series
from calsync.ical.budget import Budget
from calsync.ical.extent import Extent, MixedKinds, extent, union
from calsync.ical.instants import MAX_INSTANT, MIN_INSTANT, InvalidTime
from calsync.ical.lines import Component
from calsync.ical.recur import DEFAULT_BUDGET
from calsync.ical.rules import RuleError
from calsync.ical.validate import VALID_CALENDAR_DATA, VALID_CALENDAR_OBJECT, CalendarObject, Refused
from calsync.ical.vcard import card_fields

__all__ = ["MAX_INSTANT", "MIN_INSTANT", "Facts", "ObjectResource", "address_object", "calendar_object"]

VERSION: Final = 1
"""Grows when the same octets give other facts than before: then everything stored is derived anew (decision D10)."""

MAX_INSTANCES: Final = 2000
"""Occurrences that are indexed of one object; five years of a daily one."""

_ZONED = frozenset({"DTSTART", "DTEND", "DUE", "RECURRENCE-ID", "RDATE", "EXDATE"})

Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an object without looking at it again.

    `first`, `last` and `occurrences` are made for one comparison: a range [start, end) can only match where
    `first < end and last > start` (see `extent`; exact where `recurring` is False). `occurrences` are those that touch
    the window, in order; None where not recurring, or where finding them costs too much: then it is always a
    candidate. With `floating`, some of these times are wall times read as UTC. `recurring` is also said of several
    overrides without a master. `busy` is the FBTYPE of an event whose busy time these times tell exactly, FREE where
    it has none at all, empty where they do not tell. `tzids` are those its times name; `organizer` is the bare value.
    `window`: for which stretch of time the occurrences were sought.
    """

    kind: str
    component: str
    uid: str
    first: int = MIN_INSTANT
    last: int = MAX_INSTANT
    recurring: bool = False
    floating: bool = False
    tzids: tuple[str, ...] = ()
    organizer: str = ""
    busy: str = ""
    occurrences: Spans | None = None
    fields: tuple[tuple[str, str], ...] = ()
    spans: bytes = b""
    window: tuple[int, int] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ObjectResource:
    """An object that was accepted: its octets as they came, their sha256 in hex, and its facts."""

    octets: bytes
    etag: str
    facts: Facts


def calendar_object(
    octets: bytes,
    *,
    window: tuple[int, int],
    components: Collection[str] | None = None,
    max_instances: int = MAX_INSTANCES,
    allow_method: bool = False,
    budget: Budget = DEFAULT_BUDGET,
) -> ObjectResource:
    """Accept a calendar object. Raises Refused with the precondition of RFC 4791 §5.3.2.1.

    `window`: the instants between which occurrences are indexed. `components`: what the collection takes, None or empty
    for all. `allow_method`: for what is moved from another store, where a METHOD may have been taken once. `budget`:
    what its recurrence may cost; where that is not enough it is always a candidate.
    """
    found = validate.calendar(octets, components=components, allow_method=allow_method)
    facts = _calendar_facts(found, window, budget.up_to(max_instances))
    return ObjectResource(octets, sha256(octets).hexdigest(), facts)


def address_object(octets: bytes) -> ObjectResource:
    """Accept a card or a list of cards. Raises Refused with the precondition of RFC 6352 §6.3.2.1."""
    root = validate.card(octets)
    fields = card_fields(root) if root.name == "VCARD" else ()
    facts = Facts(root.name, root.name, validate.card_uid(root), fields=fields)
    return ObjectResource(octets, sha256(octets).hexdigest(), facts)


def _calendar_facts(found: CalendarObject, window: tuple[int, int], budget: Budget) -> Facts:
    main = found.main
    resolve = zones.resolver(found.calendar)
    occurrences: Spans | None = None
    try:
        extents = [extent(component, resolve) for component in main]
        whole = extents[0] if len(extents) == 1 else union(extents)
        masters = [component for component in main if is_series(component)]
        # Overrides without a rule may replace one another: only their text tells which of them count.
        if masters:
            whole, occurrences = bounds(found.calendar, masters, whole, resolve, window, budget)
    except MixedKinds as error:
        raise Refused(VALID_CALENDAR_OBJECT, str(error)) from None
    except (InvalidTime, RuleError) as error:
        raise Refused(VALID_CALENDAR_DATA, str(error)) from None
    return Facts(
        kind="VCALENDAR",
        component=found.component,
        uid=found.uid,
        first=whole.first,
        last=whole.last,
        recurring=bool(masters) or len(main) > 1,
        floating=whole.floating,
        tzids=tuple(dict.fromkeys([tzid for component in main for tzid in tzids(component)])),
        organizer=_organizer(main),
        busy=_busy(found.calendar, main, whole, occurrences),
        occurrences=occurrences,
        window=window,
    )


def _busy(calendar: Component, main: list[Component], whole: Extent, occurrences: Spans | None) -> str:
    if main[0].name != "VEVENT":
        return ""
    if any(is_series(component) for component in main):
        spans = occurrences
    elif len(main) == 1 and "RECURRENCE-ID" not in main[0].index:
        spans = (whole[:2],)
    else:
        spans = None
    kind = freebusy.known_kind(calendar, main, spans or ())
    return kind if spans is not None or kind == freebusy.FREE else ""


def tzids(component: Component) -> Iterator[str]:
    """The TZIDs of a component's own lines, without blanks around them (Outlook writes some behind)."""
    for line in component.lines:
        if b";" in line.raw and (line.name in _ZONED or b"TZID=" in line.raw):
            tzid = line.param("TZID")
            if tzid and tzid.strip():
                yield tzid.strip()


def _organizer(main: list[Component]) -> str:
    for component in main:
        line = component.first("ORGANIZER")
        if line is not None:
            return line.value.strip()
    return ""
