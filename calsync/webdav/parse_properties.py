"""Which properties a request names, with their selections, and which it sets or removes."""

from __future__ import annotations

from copy import deepcopy
from typing import Final

from lxml import etree

from calsync.webdav.errors import BadRequest
from calsync.webdav.multistatus import document
from calsync.webdav.names import CR, XML_LANG, C, D
from calsync.webdav.parse_tree import (
    child,
    clark,
    closed_bounds,
    name_attribute,
    text_content,
    xml,
    yes,
)
from calsync.webdav.requests import (
    AddressData,
    CalendarData,
    ComponentSelection,
    Property,
    PropertyRequest,
    PropertyUpdate,
    Wanted,
)

# Each is written for each resource again, found or not.
_MOST_PROPERTIES: Final = 1000


# --- what is asked for ------------------------------------------------------------------------------------------------


def property_request(root: etree._Element, *, required: bool = False) -> PropertyRequest:
    """`prop`, or `allprop` with `include`, or `propname` (RFC 4918 §9.1); what is not known is ignored (§17).

    Without any of them nothing is asked of the resources but their names, or BadRequest where one is `required`.
    """
    prop, allprop, propname = (child(root, D(local)) for local in ("prop", "allprop", "propname"))
    if sum(found is not None for found in (prop, allprop, propname)) > 1:
        raise BadRequest("only one of prop, allprop and propname can be asked for")
    include = child(root, D("include"))
    if include is not None and allprop is None:
        raise BadRequest("include without allprop")
    if propname is not None:
        return PropertyRequest(Wanted.PROPNAME)
    if allprop is not None:
        return PropertyRequest(Wanted.ALLPROP, _properties(include) if include is not None else ())
    if prop is None and required:
        raise BadRequest("neither prop nor allprop nor propname")
    return PropertyRequest(Wanted.PROP, _properties(prop) if prop is not None else ())


def _properties(container: etree._Element) -> tuple[Property, ...]:
    """In order, each name once."""
    found: dict[str, Property] = {}
    for element in container:
        name = clark(element)
        if name not in found:
            found[name] = _property(name, element)
    return _bounded(found)


def _bounded(found: dict[str, Property]) -> tuple[Property, ...]:
    if len(found) > _MOST_PROPERTIES:
        raise BadRequest(f"{len(found)} properties, {_MOST_PROPERTIES} can be asked for")
    return tuple(found.values())


def _property(name: str, element: etree._Element) -> Property:
    try:
        if name == C("calendar-data"):
            return Property(name, calendar_data=_calendar_data(element))
        if name == CR("address-data"):
            return Property(name, address_data=_address_data(element))
    except ValueError as error:
        raise BadRequest(str(error)) from error
    return Property(name)


def nested_properties(container: etree._Element) -> tuple[Property, ...]:
    """`D:property` elements with a name, a namespace and properties inside (RFC 3253 §3.8)."""
    found: dict[str, Property] = {}
    asked = sum(1 for _ in container.iterdescendants(D("property"))) if container.getparent() is None else 0
    if asked > _MOST_PROPERTIES:
        raise BadRequest(f"{asked} properties, {_MOST_PROPERTIES} can be asked for")
    for element in container.iterchildren(D("property")):
        namespace, local = element.get("namespace", "DAV:"), element.get("name", "")
        try:
            name = etree.QName(namespace or None, local).text
        except ValueError as error:
            raise BadRequest(f"property with the name {local[:40]!r}") from error
        # The answer has an element of this name: it must be one that parses.
        xml(document(name))
        found.setdefault(name, Property(name, nested_properties(element)))
    return _bounded(found)


def _calendar_data(element: etree._Element) -> CalendarData:
    """RFC 4791 §9.6."""
    comp, expand, recurrence, freebusy = (
        child(element, C(local)) for local in ("comp", "expand", "limit-recurrence-set", "limit-freebusy-set")
    )
    if expand is not None and recurrence is not None:
        raise BadRequest("calendar-data can be expanded or limited, not both")
    return CalendarData(
        content_type=(element.get("content-type") or "text/calendar").strip().lower(),
        version=(element.get("version") or "2.0").strip(),
        comp=_selection(comp) if comp is not None else None,
        expand=closed_bounds(expand) if expand is not None else None,
        limit_recurrence_set=closed_bounds(recurrence) if recurrence is not None else None,
        limit_freebusy_set=closed_bounds(freebusy) if freebusy is not None else None,
    )


def _selection(element: etree._Element) -> ComponentSelection:
    """RFC 4791 §9.6.1: what is not named is not wanted, except where a `comp` names nothing at all."""
    props, comps = element.findall(C("prop")), element.findall(C("comp"))
    allprop, allcomp = element.find(C("allprop")) is not None, element.find(C("allcomp")) is not None
    if (props and allprop) or (comps and allcomp):
        raise BadRequest("calendar-data: all of them and named ones exclude each other")
    # `<C:comp name="VTIMEZONE"/>` asks for the whole component, as the examples of RFC 4791 §7.8.1 have it.
    whole = not (props or comps or allprop or allcomp)
    return ComponentSelection(
        name=name_attribute(element),
        props=None if allprop or whole else _named(props),
        comps=None if allcomp or whole else tuple(_selection(comp) for comp in comps),
    )


def _named(props: list[etree._Element]) -> tuple[tuple[str, bool], ...]:
    """(name, novalue), each name once."""
    named: dict[str, bool] = {}
    for prop in props:
        named.setdefault(name_attribute(prop), yes(prop, "novalue"))
    return tuple(named.items())


def _address_data(element: etree._Element) -> AddressData:
    """RFC 6352 §10.4."""
    props = element.findall(CR("prop"))
    if props and element.find(CR("allprop")) is not None:
        raise BadRequest("address-data: allprop and prop exclude each other")
    return AddressData(
        content_type=(element.get("content-type") or "text/vcard").strip().lower(),
        version=(element.get("version") or "").strip(),
        props=_named(props) if props else None,
    )


# --- what is set and removed ------------------------------------------------------------------------------------------


def updates(root: etree._Element, *, removals: bool = True) -> tuple[PropertyUpdate, ...]:
    """The instructions of a PROPPATCH or MKCOL, in document order (RFC 4918 §9.2, §14.26)."""
    done: list[PropertyUpdate] = []
    for instruction in root:
        if clark(instruction) == D("set"):
            done += (_setting(element) for element in _targets(instruction))
        elif clark(instruction) == D("remove") and removals:
            done += (PropertyUpdate(clark(element), None) for element in _targets(instruction))
    if len(done) > _MOST_PROPERTIES:
        raise BadRequest(f"{len(done)} properties, {_MOST_PROPERTIES} can be set at once")
    return tuple(done)


def _targets(instruction: etree._Element) -> list[etree._Element]:
    return [element for prop in instruction.iterchildren(D("prop")) for element in prop]


def _setting(element: etree._Element) -> PropertyUpdate:
    return PropertyUpdate(clark(element), self_contained(element), text_content(element))


def self_contained(element: etree._Element) -> bytes:
    """The element as a fragment that means the same anywhere: namespaces and `xml:lang` in scope declared on it."""
    alone = deepcopy(element)
    alone.tail = None
    if XML_LANG not in alone.attrib:
        # RFC 4918 §4.3: the language in scope belongs to the value
        language = next((up.get(XML_LANG) for up in element.iterancestors() if XML_LANG in up.attrib), None)
        if language:
            alone.set(XML_LANG, language)
    etree.cleanup_namespaces(alone)
    return etree.tostring(alone, encoding="utf-8", xml_declaration=False)
