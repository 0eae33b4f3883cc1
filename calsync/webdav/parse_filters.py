"""Filters of calendar-query (RFC 4791 §9.7) and addressbook-query (RFC 6352 §10.5).

What breaks a rule of RFC 4791 is 403 `valid-filter`; CardDAV has no such precondition, there it is 400. What follows
the rules and cannot be answered is 403 `supported-filter` and names the element that asks for it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from lxml import etree

from calsync.webdav.collations import COLLATIONS, MATCH_TYPES
from calsync.webdav.conditions import (
    SUPPORTED_COLLATION_CALENDAR,
    SUPPORTED_COLLATION_CARD,
    SUPPORTED_FILTER_CALENDAR,
    SUPPORTED_FILTER_CARD,
    VALID_FILTER,
)
from calsync.webdav.errors import BadRequest, Forbidden
from calsync.webdav.multistatus import element as written
from calsync.webdav.names import CR, C
from calsync.webdav.parse_tree import bounds, clark, name_attribute, text_content, yes
from calsync.webdav.requests import (
    CalendarPropFilter,
    CardFilter,
    CardPropFilter,
    CompFilter,
    ParamFilter,
    TextMatch,
    TimeRange,
)

# Where RFC 5545 §3.6 and RFC 7953 §3.1 have each component; components that are not here may stand anywhere.
_PARENTS: Final[dict[str, frozenset[str]]] = {
    "VCALENDAR": frozenset(),
    "VEVENT": frozenset({"VCALENDAR"}),
    "VTODO": frozenset({"VCALENDAR"}),
    "VJOURNAL": frozenset({"VCALENDAR"}),
    "VFREEBUSY": frozenset({"VCALENDAR"}),
    "VTIMEZONE": frozenset({"VCALENDAR"}),
    "VAVAILABILITY": frozenset({"VCALENDAR"}),
    "VALARM": frozenset({"VEVENT", "VTODO"}),
    "STANDARD": frozenset({"VTIMEZONE"}),
    "DAYLIGHT": frozenset({"VTIMEZONE"}),
    "AVAILABLE": frozenset({"VAVAILABILITY"}),
}
# RFC 4791 §9.9 says when these touch a range, RFC 7953 §7.2 adds VAVAILABILITY. A range on VCALENDAR itself breaks the
# letter, but stock Radicale takes it for one on whatever component the object has, and python-caldav sends it.
_TIMED: Final = frozenset({"VCALENDAR", "VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VALARM", "VAVAILABILITY"})
# Properties of RFC 5545, 7986 and 9073 that are text, addresses or numbers: they have no time.
# fmt: off
_TIMELESS: Final = frozenset({
    "ACTION", "ATTACH", "ATTENDEE", "CALSCALE", "CATEGORIES", "CLASS", "COLOR", "COMMENT", "CONFERENCE",
    "CONTACT", "DESCRIPTION", "GEO", "IMAGE", "LOCATION", "METHOD", "NAME", "ORGANIZER", "PERCENT-COMPLETE",
    "PRIORITY", "PRODID", "RELATED-TO", "REPEAT", "REQUEST-STATUS", "RESOURCES", "RRULE", "SEQUENCE", "SOURCE",
    "STATUS", "SUMMARY", "TRANSP", "TZID", "TZNAME", "TZOFFSETFROM", "TZOFFSETTO", "TZURL", "UID", "URL",
    "VERSION",
})
# fmt: on


#: Elements of a filter. Each is asked of each object that the index does not decide; clients send some ten.
MOST: Final = 400


class _Invalid(ValueError):
    """A filter that breaks the grammar; becomes the answer of the kind of query it stands in."""


# --- calendars --------------------------------------------------------------------------------------------------------


def calendar_filter(element: etree._Element | None) -> CompFilter:
    """`C:filter`. A query without one matches everything, as in stock Radicale."""
    if element is None:
        return CompFilter("VCALENDAR")
    _bounded(element, SUPPORTED_FILTER_CALENDAR)
    try:
        inside = element.findall(C("comp-filter"))
        if len(inside) != 1 or name_attribute(inside[0]) != "VCALENDAR":
            raise _Invalid("a filter holds one comp-filter, of VCALENDAR")
        return _comp_filter(inside[0], None)
    except ValueError as error:
        raise Forbidden(f"filter: {error}", condition=VALID_FILTER) from error


def _comp_filter(element: etree._Element, parent: str | None) -> CompFilter:
    """RFC 4791 §9.7.1."""
    name = name_attribute(element)
    if parent is not None and parent in _PARENTS and name in _PARENTS and parent not in _PARENTS[name]:
        raise _Invalid(f"{name} cannot stand in {parent}")
    only_these = ("time-range", "prop-filter", "comp-filter")
    absent = _is_not_defined(element, [C(local) for local in only_these])
    time_range = _time_range(element)
    if time_range is not None and name not in _TIMED:
        if name in _PARENTS:
            raise _Invalid(f"{name} has no time")
        raise _unsupported(element, f"time-range on {name}")
    props = tuple(_calendar_prop_filter(inner) for inner in element.findall(C("prop-filter")))
    comps = tuple(_comp_filter(inner, name) for inner in element.findall(C("comp-filter")))
    if len(props) + len(comps) + (time_range is not None) > 1:
        _all_of(element)
    return CompFilter(name, absent, time_range, props, comps)


def _calendar_prop_filter(element: etree._Element) -> CalendarPropFilter:
    """RFC 4791 §9.7.2."""
    name = name_attribute(element)
    absent = _is_not_defined(element, [C(local) for local in ("time-range", "text-match", "param-filter")])
    time_range, text_match = _time_range(element), _calendar_text_match(element)
    if time_range is not None:
        if text_match is not None:
            raise _Invalid(f"{name} is matched by time or by text, not both")
        if name in _TIMELESS:
            raise _Invalid(f"{name} has no time")
    params = []
    for inner in element.findall(C("param-filter")):
        missing = _is_not_defined(inner, [C("text-match")])
        params.append(ParamFilter(name_attribute(inner), missing, _calendar_text_match(inner)))
    if len(params) + (time_range is not None) + (text_match is not None) > 1:
        _all_of(element)
    return CalendarPropFilter(name, absent, time_range, text_match, tuple(params))


def _time_range(element: etree._Element) -> TimeRange | None:
    """RFC 4791 §9.9."""
    found = element.findall(C("time-range"))
    if len(found) > 1:
        raise _Invalid("more than one time-range")
    return TimeRange(*bounds(found[0])) if found else None


def _calendar_text_match(element: etree._Element) -> TextMatch | None:
    """RFC 4791 §9.7.5."""
    found = element.findall(C("text-match"))
    if len(found) > 1:
        raise _Invalid("more than one text-match")
    return _text_match(found[0], "i;ascii-casemap", SUPPORTED_COLLATION_CALENDAR) if found else None


def _all_of(element: etree._Element) -> None:
    """RFC 4791 joins conditions by "and"; the `test` of later drafts is not supported where it says otherwise."""
    if element.get("test", "allof").strip().lower() != "allof":
        raise _unsupported(element, "test other than allof")


def _unsupported(element: etree._Element, hint: str) -> Forbidden:
    detail = written(clark(element), b"", {"name": name_attribute(element)})
    return Forbidden(f"filter: {hint}", condition=SUPPORTED_FILTER_CALENDAR, detail=detail)


# --- both -------------------------------------------------------------------------------------------------------------


def _bounded(element: etree._Element, condition: str) -> None:
    """Refuse a filter that is longer than anybody's; `supported-filter` is what RFC 4791 and RFC 6352 have for it."""
    count = sum(1 for _ in element.iter()) - 1
    if count > MOST:
        raise Forbidden(f"a filter of {count} elements, {MOST} are answered", condition=condition)


def _is_not_defined(element: etree._Element, others: Collection[str]) -> bool:
    """`is-not-defined` stands alone (RFC 4791 §9.7.4, RFC 6352 §10.5.3)."""
    namespace = clark(element).rpartition("}")[0]
    if element.find(f"{namespace}}}is-not-defined") is None:
        return False
    if any(clark(inner) in others for inner in element):
        raise _Invalid("is-not-defined excludes other conditions")
    return True


def _text_match(element: etree._Element, default: str, condition: str) -> TextMatch:
    collation = (element.get("collation") or "default").strip().lower()
    # RFC 4791 §7.5, RFC 6352 §8.3: `default` is the server's choice
    collation = default if collation == "default" else collation
    if collation not in COLLATIONS:
        raise Forbidden(f"collation {collation[:40]!r}", condition=condition)
    match_type = (element.get("match-type") or "contains").strip().lower()
    if match_type not in MATCH_TYPES:
        raise _Invalid(f"match-type {match_type[:40]!r}")
    return TextMatch(text_content(element), collation, yes(element, "negate-condition"), match_type)


# --- cards ------------------------------------------------------------------------------------------------------------


def card_filter(element: etree._Element | None) -> CardFilter:
    """`CR:filter`. A query without one matches every card: KDE sends it so (clients.md 24)."""
    if element is None:
        return CardFilter()
    _bounded(element, SUPPORTED_FILTER_CARD)
    try:
        props = tuple(_card_prop_filter(inner) for inner in element.findall(CR("prop-filter")))
        return CardFilter(_any_of(element), props)
    except ValueError as error:
        raise BadRequest(f"filter: {error}") from error


def _card_prop_filter(element: etree._Element) -> CardPropFilter:
    """RFC 6352 §10.5.1."""
    absent = _is_not_defined(element, [CR("text-match"), CR("param-filter")])
    params = []
    for inner in element.findall(CR("param-filter")):
        matches = _card_text_matches(inner)
        if len(matches) > 1:
            raise _Invalid("more than one text-match in a param-filter")
        missing = _is_not_defined(inner, [CR("text-match")])
        params.append(ParamFilter(name_attribute(inner), missing, matches[0] if matches else None))
    return CardPropFilter(name_attribute(element), absent, _any_of(element), _card_text_matches(element), tuple(params))


def _card_text_matches(element: etree._Element) -> tuple[TextMatch, ...]:
    """RFC 6352 §10.5.4."""
    return tuple(
        _text_match(inner, "i;unicode-casemap", SUPPORTED_COLLATION_CARD) for inner in element.findall(CR("text-match"))
    )


def _any_of(element: etree._Element) -> bool:
    test = (element.get("test") or "anyof").strip().lower()
    if test not in ("anyof", "allof"):
        raise _Invalid(f"test {test[:40]!r}")
    return test == "anyof"
