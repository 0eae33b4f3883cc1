"""What there is: methods, reports, live properties. `Allow`, `DAV:`, `supported-report-set` and others follow from it.

A declaration stands beside the code that does it; importing `calsync.dav.methods`, `.reports` and `.properties` fills
the tables. Nothing is advertised that is not in them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from calsync.dav.resources import Kind, Resource

if TYPE_CHECKING:
    from calsync.dav.request import Response
    from calsync.dav.scope import Scope
    from calsync.webdav.requests import Property, PropertyUpdate


class Row(Protocol):
    """What a listing knows of an item without touching its body; `Item` has it too."""

    @property
    def id(self) -> int: ...
    @property
    def url(self) -> str: ...
    @property
    def etag(self) -> str: ...
    @property
    def component(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def modified(self) -> int: ...
    @property
    def created(self) -> int: ...
    @property
    def content_type(self) -> str: ...


#: The content of a property's element, escaped; None where the resource does not have it.
Render = Callable[["Scope", Resource], bytes | None]
#: The same for an item of a listing, from its row and, where it was asked for, its octets.
RowRender = Callable[[Row, bytes | None], bytes | None]
#: The same for a property that differs from item to item and is no column: compiled for the collection's listing.
Listed = Callable[["Scope", Resource], RowRender]
#: The element to store, or a `DavError`; from the update as it was sent.
Accept = Callable[["Scope", Resource, "PropertyUpdate"], str]


@dataclass(frozen=True, slots=True)
class LiveProperty:
    """One live property.

    `render` serves single resources, `row` or `listed` those of listings. With `accept` it can be set: its element is
    kept with the resource and shown as sent, `render` then gives the value where nothing was set. `nested` marks
    properties whose value holds hrefs (RFC 3253 §3.8 expands them).
    """

    name: str
    kinds: frozenset[Kind]
    source: str
    render: Render | None = None
    row: RowRender | None = None
    allprop: bool = False
    accept: Accept | None = None
    listed: Listed | None = None
    #: Another property that says the same in another way: setting the one removes the other.
    instead_of: str = ""


class Compile(Protocol):
    """A property whose value depends on the request (`calendar-data`): makes the row renderer for it.

    `zone` is that of floating times.
    """

    def __call__(self, scope: Scope, prop: Property, zone: tzinfo) -> RowRender: ...


@dataclass(frozen=True, slots=True)
class DataProperty:
    """`calendar-data` and `address-data`: they exist in reports only, and need the octets."""

    name: str
    kinds: frozenset[Kind]
    source: str
    compile: Compile


@dataclass(frozen=True, slots=True)
class Method:
    """One HTTP method and the kinds of resource that allow it."""

    name: str
    kinds: frozenset[Kind]
    source: str
    run: Callable[[Scope], Response]


@dataclass(frozen=True, slots=True)
class ReportType:
    """One REPORT: its element, the parsed request it answers, and the kinds of resource that have it."""

    name: str
    request: type
    kinds: frozenset[Kind]
    source: str
    run: Callable[[Scope, Any], Response]


@dataclass(frozen=True, slots=True)
class Call:
    """A request to a service: `place` is the path of the service, `rest` what follows it, undecoded.

    Header names are lower case. `base` is the prefix of all our URLs; `scheme` and `host` are those that the client
    used, as far as a proxy told them, and `remote` is the client's address.
    """

    method: str
    place: str
    rest: str
    query: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    base: str = ""
    scheme: str = "http"
    host: str = ""
    remote: str = ""

    @property
    def agent(self) -> str:
        """What the client calls itself."""
        return self.headers.get("user-agent", "")


@dataclass(frozen=True, slots=True)
class Service:
    """What answers below `/.calsync/NAME` to anybody, logged in or not (decision D3).

    `largest`: octets that a body may have; nobody has logged in when it is read.
    """

    name: str
    source: str
    run: Callable[[Call], Response]
    largest: int = 65_536


METHODS: dict[str, Method] = {}
REPORTS: dict[type, ReportType] = {}
PROPERTIES: dict[str, LiveProperty] = {}
DATA: dict[str, DataProperty] = {}
SERVICES: dict[str, Service] = {}

_Run = TypeVar("_Run", bound=Callable[..., Any])


def method(name: str, kinds: frozenset[Kind], source: str) -> Callable[[_Run], _Run]:
    """Declare the function that answers a method."""

    def declare(run: _Run) -> _Run:
        METHODS[name] = Method(name, kinds, source, run)
        return run

    return declare


def report(name: str, request: type, kinds: frozenset[Kind], source: str) -> Callable[[_Run], _Run]:
    """Declare the function that answers a report."""

    def declare(run: _Run) -> _Run:
        REPORTS[request] = ReportType(name, request, kinds, source, run)
        return run

    return declare


def live(
    name: str,
    kinds: frozenset[Kind],
    source: str,
    *,
    row: RowRender | None = None,
    allprop: bool = False,
    accept: Accept | None = None,
    listed: Listed | None = None,
) -> Callable[[_Run], _Run]:
    """Declare a live property by the function that renders it for a single resource."""

    def declare(render: _Run) -> _Run:
        PROPERTIES[name] = LiveProperty(name, kinds, source, render, row, allprop, accept, listed)
        return render

    return declare


def settable(
    name: str,
    kinds: frozenset[Kind],
    source: str,
    accept: Accept,
    *,
    render: Render | None = None,
    allprop: bool = False,
    instead_of: str = "",
) -> None:
    """Declare a live property that can be set; until then it has no value, or the one that `render` gives."""
    PROPERTIES[name] = LiveProperty(name, kinds, source, render, None, allprop, accept, instead_of=instead_of)


def data(name: str, kinds: frozenset[Kind], source: str) -> Callable[[_Run], _Run]:
    """Declare a data property by the function that compiles it."""

    def declare(compile_: _Run) -> _Run:
        DATA[name] = DataProperty(name, kinds, source, compile_)
        return compile_

    return declare


def service(name: str, source: str) -> Callable[[_Run], _Run]:
    """Declare the function that answers below `/.calsync/NAME`."""

    def declare(run: _Run) -> _Run:
        SERVICES[name] = Service(name, source, run)
        return run

    return declare


def methods_of(kind: Kind) -> tuple[str, ...]:
    """The names for `Allow` and `supported-method-set`, sorted."""
    return tuple(sorted(name for name, one in METHODS.items() if kind in one.kinds))


def reports_of(kind: Kind) -> tuple[str, ...]:
    """The Clark names for `supported-report-set`, sorted."""
    return tuple(sorted(one.name for one in REPORTS.values() if kind in one.kinds))


def properties_of(kind: Kind) -> tuple[LiveProperty, ...]:
    """The live properties of a kind, in order of their declaration."""
    return tuple(one for one in PROPERTIES.values() if kind in one.kinds)


@dataclass(frozen=True, slots=True)
class Compliance:
    """A token of the `DAV:` header, and what must be registered for it to be true."""

    token: str
    source: str
    methods: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()


_DAV, _CALDAV, _CARDDAV = "{DAV:}", "{urn:ietf:params:xml:ns:caldav}", "{urn:ietf:params:xml:ns:carddav}"

COMPLIANCE = (
    Compliance("1", "RFC 4918 §18.1", ("PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "DELETE", "PUT", "GET")),
    Compliance("2", "RFC 4918 §18.2", ("LOCK", "UNLOCK"), (), (f"{_DAV}lockdiscovery", f"{_DAV}supportedlock")),
    Compliance("3", "RFC 4918 §18.3", ("PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "DELETE", "PUT", "GET")),
    Compliance(
        "access-control",
        "RFC 3744 §7.2",
        (),
        (f"{_DAV}expand-property", f"{_DAV}principal-property-search", f"{_DAV}principal-search-property-set"),
        (f"{_DAV}acl", f"{_DAV}current-user-privilege-set", f"{_DAV}supported-privilege-set"),
    ),
    Compliance("extended-mkcol", "RFC 5689 §3.1", ("MKCOL",)),
    Compliance(
        "calendar-access",
        "RFC 4791 §5.1",
        ("MKCALENDAR", "PUT", "REPORT"),
        (f"{_CALDAV}calendar-query", f"{_CALDAV}calendar-multiget", f"{_CALDAV}free-busy-query"),
        (f"{_CALDAV}calendar-home-set",),
    ),
    Compliance(
        "addressbook",
        "RFC 6352 §6.1",
        ("MKCOL", "PUT", "REPORT"),
        (f"{_CARDDAV}addressbook-query", f"{_CARDDAV}addressbook-multiget"),
        (f"{_CARDDAV}addressbook-home-set",),
    ),
)


def compliance() -> tuple[str, ...]:
    """The tokens of the `DAV:` header that hold."""
    reports = {one.name for one in REPORTS.values()}
    return tuple(
        one.token
        for one in COMPLIANCE
        if set(one.methods) <= METHODS.keys()
        and set(one.reports) <= reports
        and set(one.properties) <= PROPERTIES.keys()
    )
