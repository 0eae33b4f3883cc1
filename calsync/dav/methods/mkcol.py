"""MKCOL (RFC 4918 §9.3, RFC 5689) and MKCALENDAR (RFC 4791 §5.3.1): a collection with its properties, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from calsync.dav.methods.proppatch import accept, outcome
from calsync.dav.preconditions import check_write
from calsync.dav.properties.caldav import COMPONENTS
from calsync.dav.registry import method
from calsync.dav.request import XML, Response, multistatus
from calsync.dav.resources import EXISTING, ITEMS, Kind, Resource
from calsync.dav.scope import Scope
from calsync.store import collections
from calsync.store.errors import Exists
from calsync.webdav import parse
from calsync.webdav.conditions import (
    ADDRESSBOOK_COLLECTION_LOCATION_OK,
    CALENDAR_COLLECTION_LOCATION_OK,
    RESOURCE_MUST_BE_NULL,
    SUPPORTED_CALENDAR_COMPONENT,
    VALID_RESOURCETYPE,
)
from calsync.webdav.errors import Conflict, Forbidden, MethodNotAllowed
from calsync.webdav.multistatus import element, mkcol_response, propstat, response, stream
from calsync.webdav.names import CALDAV, CARDDAV, CS, C, D
from calsync.webdav.requests import Mkcol

#: Names of our own inside a home (decision D3).
RESERVED = frozenset({"inbox", "outbox", "notifications", "freebusy", "trash"})

_KINDS = {
    frozenset({D("collection")}): "plain",
    frozenset({D("collection"), f"{{{CALDAV}}}calendar"}): "calendar",
    frozenset({D("collection"), f"{{{CARDDAV}}}addressbook"}): "addressbook",
    frozenset({D("collection"), f"{{{CS}}}subscribed"}): "subscribed",
}


@method("MKCALENDAR", frozenset({Kind.MISSING}), "RFC 4791 §5.3.1")
def mkcalendar(scope: Scope) -> Response:
    _survey(scope, tagged=True)
    wanted = parse.mkcalendar(scope.request.body, scope.request.header("content-type"))
    return _make(scope, wanted, "calendar", _refused_calendar)


@method("MKCOL", frozenset({Kind.MISSING}), "RFC 4918 §9.3, RFC 5689 §3")
def mkcol(scope: Scope) -> Response:
    _survey(scope, tagged=False)
    wanted = parse.mkcol(scope.request.body, scope.request.header("content-type"))
    kind = "plain"
    if wanted.resourcetypes:
        found = _KINDS.get(frozenset(wanted.resourcetypes) | {D("collection")})
        if found is None or D("collection") not in wanted.resourcetypes:
            raise Forbidden(f"no collection of {wanted.resourcetypes}", condition=VALID_RESOURCETYPE)
        kind = found
    return _make(scope, wanted, kind, _refused_collection)


def _survey(scope: Scope, *, tagged: bool) -> None:
    """Refuse before the body is read what no body could make right."""
    with scope.read():
        resource = scope.locate()
        container = resource.collection
        inside = container is not None and container.kind != "plain" and resource.kind in {Kind.MISSING, *ITEMS}
        if inside and "w" in scope.access.letters(resource.path[:-1]):
            check_place(resource, "calendar" if tagged else "plain")
        letters = scope.access.letters(resource.path)
        if not letters & {"w", "W"}:
            raise scope.access.refusal(scope.href(resource.path, True), D("bind"))


def _refused_calendar(href: str, stats: Sequence[bytes]) -> Response:
    """RFC 4791 §5.3.1.1: a 207, which names the calendar that was not made."""
    return multistatus(stream([response(href.encode(), *stats)]))


def _refused_collection(href: str, stats: Sequence[bytes]) -> Response:
    """RFC 5689 §3: a 403 with a document of its own."""
    return Response(403, {"Content-Type": XML}, mkcol_response(*stats))


def _make(scope: Scope, wanted: Mkcol, kind: str, refused: Callable[[str, Sequence[bytes]], Response]) -> Response:
    request = scope.request
    with scope.write() as tx:
        resource = scope.locate()
        href = scope.href(resource.path, True)
        if not scope.access.may_create(resource.path, kind):
            raise scope.access.refusal(href, D("bind"))
        check_place(resource, kind)
        check_write(scope, resource)
        if request.mapping is not None:
            raise Forbidden("nothing can be made inside a shared collection's place")
        components = _components(wanted, kind)
        draft = Resource(Kind(kind), resource.path, resource.principal, collections.draft(kind))
        changes, failures = accept(scope, draft, wanted.updates)
        if components is None or failures:
            # Nothing is made, each property says why.
            stats = outcome(wanted.updates, failures) if failures else []
            if components is None:
                stats.append(_refused_components())
            return refused(href, stats)
        parent = resource.collection.id if resource.collection else 0
        properties = {name: xml for name, xml in changes.items() if xml is not None}
        try:
            collections.create(tx, resource.owner, parent, resource.name, kind, components, properties)
        except Exists as error:
            raise MethodNotAllowed(f"{href} exists", condition=RESOURCE_MUST_BE_NULL) from error
    return Response(201, {"Cache-Control": "no-cache"})


def check_place(resource: Resource, kind: str) -> None:
    """A collection may stand in a home or in a plain collection, under a free name."""
    location = {"calendar": CALENDAR_COLLECTION_LOCATION_OK, "addressbook": ADDRESSBOOK_COLLECTION_LOCATION_OK}.get(
        kind
    )
    if resource.kind in EXISTING:
        raise MethodNotAllowed(f"{resource.name} exists", condition=RESOURCE_MUST_BE_NULL)
    container = resource.collection
    if container is not None and container.kind != "plain":
        raise Forbidden("calendars and address books hold no collections", condition=location)
    if len(resource.path) == 1:
        raise Forbidden("homes are made with the account", condition=location)
    if not resource.parent or resource.principal is None:
        raise Conflict("the parent collection does not exist")  # RFC 4918 §9.3.1
    if container is None and resource.name.lower() in RESERVED:
        raise Forbidden(f"{resource.name} is a reserved name", condition=location)


def _components(wanted: Mkcol, kind: str) -> tuple[str, ...] | None:
    """The calendar's component set; None where it asks for what cannot be stored."""
    if kind not in ("calendar", "subscribed") or wanted.components is None:
        return ()
    names = tuple(dict.fromkeys(name.upper() for name in wanted.components))
    return names if names and set(names) <= set(COMPONENTS) else None


def _refused_components() -> bytes:
    return propstat(element(C("supported-calendar-component-set")), 409, SUPPORTED_CALENDAR_COMPONENT)
