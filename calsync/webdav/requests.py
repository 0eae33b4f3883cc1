"""What a request body asks for, as frozen values. `parse` makes them, `calsync.dav` answers them.

Names of XML elements are in Clark notation (`{DAV:}getetag`). Instants are seconds since the epoch, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

# --- what to say of each resource -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ComponentSelection:
    """A `C:comp` inside `calendar-data` (RFC 4791 §9.6.1): what of this component is wanted.

    `props` is None for all of them (`allprop`), else (name, novalue) pairs; `comps` is None for all (`allcomp`).
    """

    name: str
    props: tuple[tuple[str, bool], ...] | None = None
    comps: tuple[ComponentSelection, ...] | None = None


@dataclass(frozen=True, slots=True)
class CalendarData:
    """`C:calendar-data` in a request (RFC 4791 §9.6). Ranges are (start, end) instants."""

    content_type: str = "text/calendar"
    version: str = "2.0"
    comp: ComponentSelection | None = None
    expand: tuple[int, int] | None = None
    limit_recurrence_set: tuple[int, int] | None = None
    limit_freebusy_set: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class AddressData:
    """`CR:address-data` in a request (RFC 6352 §10.4); `props` is None for the whole card.

    A `version` of "" asks for none. The RFC's default would be 3.0, but clients that name none (vdirsyncer) expect what
    they PUT, under the ETag that they know.
    """

    content_type: str = "text/vcard"
    version: str = ""
    props: tuple[tuple[str, bool], ...] | None = None


@dataclass(frozen=True, slots=True)
class Property:
    """One requested property: its name, its nested request (RFC 3253 §3.8) and its data selection, if it has one."""

    name: str
    nested: tuple[Property, ...] = ()
    calendar_data: CalendarData | None = None
    address_data: AddressData | None = None


class Wanted(Enum):
    """Which properties: those named, all that `allprop` shows, or names only (RFC 4918 §9.1)."""

    PROP = "prop"
    ALLPROP = "allprop"
    PROPNAME = "propname"


@dataclass(frozen=True, slots=True)
class PropertyRequest:
    """What to say of each resource. With `ALLPROP`, `props` are those of `include`; with `PROPNAME`, it is empty."""

    wanted: Wanted
    props: tuple[Property, ...] = ()


# --- PROPFIND, PROPPATCH, MKCOL ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Propfind:
    """RFC 4918 §9.1; an empty body asks for `allprop`."""

    properties: PropertyRequest


@dataclass(frozen=True, slots=True)
class PropertyUpdate:
    """One instruction of a PROPPATCH or extended MKCOL, in document order.

    `xml` is the property element whole, self-contained (its namespaces and the `xml:lang` in scope declared on it),
    as UTF-8; it is None for a removal. `text` is its text content.
    """

    name: str
    xml: bytes | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Proppatch:
    """RFC 4918 §9.2."""

    updates: tuple[PropertyUpdate, ...]


@dataclass(frozen=True, slots=True)
class Mkcol:
    """Extended MKCOL (RFC 5689) and MKCALENDAR (RFC 4791 §5.3.1).

    `resourcetypes` are the names inside `resourcetype`, empty where the body has none; `components` is the
    `supported-calendar-component-set` asked for, None where absent. Neither repeats in `updates`.
    """

    updates: tuple[PropertyUpdate, ...] = ()
    resourcetypes: tuple[str, ...] = ()
    components: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class LockInfo:
    """RFC 4918 §14.11: a write lock. `owner` is the element whole and self-contained, empty where there is none."""

    shared: bool
    owner: bytes = b""


# --- filters ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Half-open range of instants; None is unbounded (RFC 4791 §9.9)."""

    start: int | None
    end: int | None


@dataclass(frozen=True, slots=True)
class TextMatch:
    """RFC 4791 §9.7.5, RFC 6352 §10.5.4. `match_type`: equals, contains, starts-with or ends-with."""

    text: str
    collation: str = "i;ascii-casemap"
    negate: bool = False
    match_type: str = "contains"


@dataclass(frozen=True, slots=True)
class ParamFilter:
    """RFC 4791 §9.7.3, RFC 6352 §10.5.2. `name` is upper case."""

    name: str
    is_not_defined: bool = False
    text_match: TextMatch | None = None


@dataclass(frozen=True, slots=True)
class CalendarPropFilter:
    """RFC 4791 §9.7.2. `name` is upper case."""

    name: str
    is_not_defined: bool = False
    time_range: TimeRange | None = None
    text_match: TextMatch | None = None
    params: tuple[ParamFilter, ...] = ()


@dataclass(frozen=True, slots=True)
class CompFilter:
    """RFC 4791 §9.7.1. `name` is upper case."""

    name: str
    is_not_defined: bool = False
    time_range: TimeRange | None = None
    props: tuple[CalendarPropFilter, ...] = ()
    comps: tuple[CompFilter, ...] = ()


@dataclass(frozen=True, slots=True)
class CardPropFilter:
    """RFC 6352 §10.5.1; `name` is upper case. `anyof` says how its own matches are combined."""

    name: str
    is_not_defined: bool = False
    anyof: bool = True
    text_matches: tuple[TextMatch, ...] = ()
    params: tuple[ParamFilter, ...] = ()


@dataclass(frozen=True, slots=True)
class CardFilter:
    """RFC 6352 §10.5. Without `props` it matches every card (clients.md: KDE sends none)."""

    anyof: bool = True
    props: tuple[CardPropFilter, ...] = ()


# --- reports ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CalendarQuery:
    """RFC 4791 §7.8. `timezone` is the text of a VCALENDAR with one VTIMEZONE, `timezone_id` RFC 7809 §6.2's."""

    properties: PropertyRequest
    filter: CompFilter
    timezone: str | None = None
    timezone_id: str | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class AddressbookQuery:
    """RFC 6352 §8.6."""

    properties: PropertyRequest
    filter: CardFilter = field(default_factory=CardFilter)
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Multiget:
    """RFC 4791 §7.9 and RFC 6352 §8.7. `hrefs` as sent, stripped of white space."""

    properties: PropertyRequest
    hrefs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CalendarMultiget(Multiget):
    """RFC 4791 §7.9."""


@dataclass(frozen=True, slots=True)
class AddressbookMultiget(Multiget):
    """RFC 6352 §8.7."""


@dataclass(frozen=True, slots=True)
class SyncCollection:
    """RFC 6578 §3.2. `token` is empty for a first sync."""

    properties: PropertyRequest
    token: str
    infinite: bool = False
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class FreeBusyQuery:
    """RFC 4791 §7.10; both ends are set."""

    time_range: TimeRange


@dataclass(frozen=True, slots=True)
class ExpandProperty:
    """RFC 3253 §3.8."""

    props: tuple[Property, ...]


@dataclass(frozen=True, slots=True)
class PropertySearch:
    """One `property-search` of RFC 3744 §9.4: any of `props` matches `match`."""

    props: tuple[str, ...]
    match: TextMatch


@dataclass(frozen=True, slots=True)
class PrincipalPropertySearch:
    """RFC 3744 §9.4. `allof` joins the searches (`test="anyof"` is the CalendarServer extension iOS and macOS send)."""

    properties: PropertyRequest
    searches: tuple[PropertySearch, ...]
    allof: bool = True
    apply_to_principal_collection_set: bool = False
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class PrincipalMatch:
    """RFC 3744 §9.3. `principal_property` is None for `self`."""

    properties: PropertyRequest
    principal_property: str | None = None


@dataclass(frozen=True, slots=True)
class PrincipalSearchPropertySet:
    """RFC 3744 §9.5."""


@dataclass(frozen=True, slots=True)
class AclPrincipalPropSet:
    """RFC 3744 §9.2."""

    properties: PropertyRequest


Report = (
    CalendarQuery
    | AddressbookQuery
    | CalendarMultiget
    | AddressbookMultiget
    | SyncCollection
    | FreeBusyQuery
    | ExpandProperty
    | PrincipalPropertySearch
    | PrincipalMatch
    | PrincipalSearchPropertySet
    | AclPrincipalPropSet
)
