"""The bodies of REPORT, one function a report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lxml import etree

from calsync.webdav.collations import COLLATIONS, MATCH_TYPES
from calsync.webdav.conditions import SUPPORTED_REPORT
from calsync.webdav.errors import BadRequest, Forbidden
from calsync.webdav.names import CR, C, D
from calsync.webdav.parse_filters import calendar_filter, card_filter
from calsync.webdav.parse_properties import nested_properties, property_request
from calsync.webdav.parse_tree import child, clark, closed_bounds, hrefs, nresults, text_content
from calsync.webdav.requests import (
    AclPrincipalPropSet,
    AddressbookMultiget,
    AddressbookQuery,
    CalendarMultiget,
    CalendarQuery,
    ExpandProperty,
    FreeBusyQuery,
    PrincipalMatch,
    PrincipalPropertySearch,
    PrincipalSearchPropertySet,
    PropertySearch,
    Report,
    SyncCollection,
    TextMatch,
    TimeRange,
)


def from_tree(root: etree._Element) -> Report:
    """The report that the root element names (RFC 3253 §3.6)."""
    read = _REPORTS.get(clark(root))
    if read is None:
        raise Forbidden(f"no report {clark(root)}", condition=SUPPORTED_REPORT)
    return read(root)


def _calendar_query(root: etree._Element) -> CalendarQuery:
    """RFC 4791 §7.8; timezone-id is RFC 7809 §6.1's."""
    timezone, timezone_id = child(root, C("timezone")), child(root, C("timezone-id"))
    if timezone is not None and timezone_id is not None:
        raise BadRequest("timezone and timezone-id exclude each other")
    return CalendarQuery(
        property_request(root),
        calendar_filter(child(root, C("filter"))),
        text_content(timezone) if timezone is not None else None,
        text_content(timezone_id).strip() if timezone_id is not None else None,
        nresults(root),
    )


def _addressbook_query(root: etree._Element) -> AddressbookQuery:
    """RFC 6352 §8.6."""
    return AddressbookQuery(property_request(root), card_filter(child(root, CR("filter"))), nresults(root))


def _calendar_multiget(root: etree._Element) -> CalendarMultiget:
    """RFC 4791 §7.9. Without hrefs it asks for nothing."""
    return CalendarMultiget(property_request(root), tuple(hrefs(root)))


def _addressbook_multiget(root: etree._Element) -> AddressbookMultiget:
    """RFC 6352 §8.7. Without hrefs it asks for nothing."""
    return AddressbookMultiget(property_request(root), tuple(hrefs(root)))


def _sync_collection(root: etree._Element) -> SyncCollection:
    """RFC 6578 §3.2. `Depth` plays no part (clients.md 38).

    An empty or absent token is a first sync (clients.md 29), an absent level is 1: the drafts had none.
    """
    token, level = child(root, D("sync-token")), child(root, D("sync-level"))
    wanted = text_content(level).strip().lower() if level is not None else "1"
    if wanted not in ("1", "infinite", "infinity"):
        raise BadRequest(f"sync-level is {wanted[:40]!r}, neither 1 nor infinite")
    return SyncCollection(
        property_request(root),
        text_content(token).strip() if token is not None else "",
        wanted != "1",
        nresults(root),
    )


def _free_busy_query(root: etree._Element) -> FreeBusyQuery:
    """RFC 4791 §7.10."""
    time_range = child(root, C("time-range"))
    if time_range is None:
        raise BadRequest("free-busy-query without time-range")
    return FreeBusyQuery(TimeRange(*closed_bounds(time_range)))


def _expand_property(root: etree._Element) -> ExpandProperty:
    """RFC 3253 §3.8."""
    return ExpandProperty(nested_properties(root))


def _principal_property_search(root: etree._Element) -> PrincipalPropertySearch:
    """RFC 3744 §9.4. Without a `property-search` everybody is meant: python-caldav asks so (clients.md 36)."""
    test = (root.get("test") or "allof").strip().lower()
    if test not in ("allof", "anyof"):
        raise BadRequest(f"test is {test[:40]!r}, neither allof nor anyof")
    searches = tuple(_property_search(element) for element in root.iterchildren(D("property-search")))
    if len(searches) > _MOST_SEARCHES:
        raise BadRequest(f"{len(searches)} property-search elements, {_MOST_SEARCHES} are answered")
    prop = child(root, D("prop"))
    if prop is not None and not len(prop):
        # clients.md 36: python-caldav names the properties beside an empty `prop`
        prop.extend([one for one in root if clark(one) not in _SEARCH_PARTS])
    return PrincipalPropertySearch(
        property_request(root),
        searches,
        test == "allof",
        root.find(D("apply-to-principal-collection-set")) is not None,
        nresults(root),
    )


# Each is asked of each principal; clients send a handful.
_MOST_SEARCHES: Final = 100

#: What a principal-property-search is made of.
_SEARCH_PARTS: Final = frozenset(
    {D("prop"), D("property-search"), D("apply-to-principal-collection-set"), D("limit"), D("allprop"), D("propname")}
)


def _property_search(element: etree._Element) -> PropertySearch:
    prop, match = child(element, D("prop")), child(element, D("match"))
    if prop is None or not len(prop) or match is None:
        raise BadRequest("property-search needs prop and match")
    # RFC 3744 §9.4: a caseless substring match; Apple's clients say how with attributes
    collation = (match.get("collation") or "i;unicode-casemap").strip().lower()
    match_type = (match.get("match-type") or "contains").strip().lower()
    if match_type not in MATCH_TYPES:
        raise BadRequest(f"match-type {match_type[:40]!r}")
    return PropertySearch(
        tuple(dict.fromkeys(clark(one) for one in prop)),
        TextMatch(
            text_content(match), collation if collation in COLLATIONS else "i;unicode-casemap", match_type=match_type
        ),
    )


def _principal_match(root: etree._Element) -> PrincipalMatch:
    """RFC 3744 §9.3."""
    named, own = child(root, D("principal-property")), child(root, D("self"))
    if (named is None) == (own is None):
        raise BadRequest("principal-match needs either self or principal-property")
    if named is not None and len(named) != 1:
        raise BadRequest("principal-property names one property")
    return PrincipalMatch(property_request(root), clark(named[0]) if named is not None else None)


def _principal_search_property_set(root: etree._Element) -> PrincipalSearchPropertySet:
    """RFC 3744 §9.5."""
    return PrincipalSearchPropertySet()


def _acl_principal_prop_set(root: etree._Element) -> AclPrincipalPropSet:
    """RFC 3744 §9.2."""
    return AclPrincipalPropSet(property_request(root))


_REPORTS: Final[dict[str, Callable[[etree._Element], Report]]] = {
    C("calendar-query"): _calendar_query,
    C("calendar-multiget"): _calendar_multiget,
    C("free-busy-query"): _free_busy_query,
    CR("addressbook-query"): _addressbook_query,
    CR("addressbook-multiget"): _addressbook_multiget,
    D("sync-collection"): _sync_collection,
    D("expand-property"): _expand_property,
    D("principal-property-search"): _principal_property_search,
    D("principal-match"): _principal_match,
    D("principal-search-property-set"): _principal_search_property_set,
    D("acl-principal-prop-set"): _acl_principal_prop_set,
}
REPORTS: Final = frozenset(_REPORTS)
