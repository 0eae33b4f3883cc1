"""PROPPATCH (RFC 4918 §9.2): in document order, all or nothing, each property with its own status."""

from __future__ import annotations

from calsync.dav import overlay, registry
from calsync.dav.answer import stored_properties
from calsync.dav.preconditions import check_write
from calsync.dav.properties.caldav import COMPONENTS
from calsync.dav.registry import method
from calsync.dav.request import Response, multistatus
from calsync.dav.resources import CALENDARS, EXISTING, ITEMS, Kind, Resource
from calsync.dav.scope import Scope
from calsync.store import collections, items, principals
from calsync.webdav import parse
from calsync.webdav.conditions import SUPPORTED_CALENDAR_COMPONENT
from calsync.webdav.errors import Conflict, DavError, Forbidden, InsufficientStorage, NotFound
from calsync.webdav.multistatus import element, propstat, response, stream
from calsync.webdav.names import C, D
from calsync.webdav.requests import PropertyUpdate

COMPONENT_SET = C("supported-calendar-component-set")

#: Octets of one property, and of all that a resource has: they are read whenever somebody comes by.
LARGEST = 256 * 1024
LARGEST_TOGETHER = 1024 * 1024


@method("PROPPATCH", EXISTING - {Kind.ROOT}, "RFC 4918 §9.2")
def proppatch(scope: Scope) -> Response:
    updates = parse.proppatch(scope.request.body, scope.request.header("content-type")).updates
    if scope.mapping is not None and scope.request.path == scope.mapping.real:
        through_share = _through_share(scope, updates)
        if through_share is not None:
            return through_share
    with scope.write() as tx:
        resource = scope.locate()
        href = scope.href(resource.path, scope.request.slash)
        if not scope.access.may_write_properties(resource):
            raise scope.access.refusal(href, D("write-properties"))
        if resource.kind is Kind.MISSING:
            raise NotFound(f"nothing at {href}")
        check_write(scope, resource)
        changes, failures = accept(scope, resource, updates)
        components = _components(resource, updates, failures)
        if not failures and components is not None:
            collections.set_kind(tx, resource.container, resource.container.kind, components)
        if not failures and changes:
            if resource.kind in ITEMS:
                items.set_properties(tx, resource.container, resource.member, changes)
            elif resource.collection is not None:
                collections.set_properties(tx, resource.collection, changes)
            else:
                principals.set_properties(tx, resource.owner, changes)
    answer = response(scope.url(resource).encode(), *outcome(updates, failures))
    return multistatus(stream([answer]))


def _through_share(scope: Scope, updates: tuple[PropertyUpdate, ...]) -> Response | None:
    """The answer where what is set stays with the share; None where it is the collection's."""
    with scope.read():
        resource = scope.locate()
        where = overlay.place(scope, resource)
        if where is overlay.Place.NOWHERE:
            raise scope.access.refusal(scope.href(resource.path, scope.request.slash), D("write-properties"))
    if where is overlay.Place.COLLECTION:
        return None
    failures = overlay.write(scope, updates)
    return multistatus(stream([response(scope.url(resource).encode(), *outcome(updates, failures))]))


def accept(
    scope: Scope, resource: Resource, updates: tuple[PropertyUpdate, ...]
) -> tuple[dict[str, str | None], dict[str, DavError]]:
    """What would be stored (Clark name → element, None to remove), and what was refused and why."""
    changes: dict[str, str | None] = {}
    failures: dict[str, DavError] = {}
    for update in updates:
        one = registry.PROPERTIES.get(update.name)
        live = one is not None and resource.kind in one.kinds
        if update.name == COMPONENT_SET and live and resource.collection and resource.collection.id:
            continue
        # What is live elsewhere would not be found again where an item keeps it; to remove it is no error (§14.23).
        protects = live or (resource.kind in ITEMS and update.xml is not None)
        try:
            if (one is not None and one.accept is None and protects) or update.name in registry.DATA:
                # RFC 4918 §16; resourcetype among them: a calendar stays one.
                raise Forbidden(f"{update.name} is protected", condition=D("cannot-modify-protected-property"))
            if one is not None and live and one.instead_of:
                changes[one.instead_of] = None
            if update.xml is None:
                changes[update.name] = None
            elif one is not None and live and one.accept is not None:
                changes[update.name] = one.accept(scope, resource, update)
            else:
                changes[update.name] = update.xml.decode()
            _check_size(changes.get(update.name), LARGEST)
        except DavError as error:
            failures[update.name] = error
    kept = {**stored_properties(scope, resource), **changes} if changes else {}
    if sum(len(text) for text in kept.values() if text) > LARGEST_TOGETHER:
        full = InsufficientStorage(f"more than {LARGEST_TOGETHER} octets of properties")
        failures |= {name: full for name, text in changes.items() if text}
    return changes, failures


def _check_size(text: str | None, most: int) -> None:
    """RFC 4918 §9.2.1: 507 for what there is no room for."""
    if text is not None and len(text) > most:
        raise InsufficientStorage(f"a property of {len(text)} octets, {most} are kept")


def _components(
    resource: Resource, updates: tuple[PropertyUpdate, ...], failures: dict[str, DavError]
) -> tuple[str, ...] | None:
    """The component set that was asked for, None where it stays.

    RFC 4791 §5.2.3 has it protected. Radicale lets it be changed, and its page names it in every edit.
    """
    asked = [one for one in updates if one.name == COMPONENT_SET]
    if not asked or resource.kind not in CALENDARS:
        return None
    xml = asked[-1].xml
    names = () if xml is None else parse.components(xml)
    if xml is not None and not (names and set(names) <= set(COMPONENTS)):
        failures[COMPONENT_SET] = Conflict("no such components", condition=SUPPORTED_CALENDAR_COMPONENT)
    return names


def outcome(updates: tuple[PropertyUpdate, ...], failures: dict[str, DavError]) -> list[bytes]:
    """The propstats: 200 for all, or each failure's own status and 424 for what hung on it (RFC 4918 §9.2.1)."""
    names = list(dict.fromkeys(update.name for update in updates))
    if not failures:
        return [propstat(b"".join(map(element, names)), 200)]
    by_cause: dict[tuple[int, str | None], list[bytes]] = {}
    for name in names:
        error = failures.get(name)
        cause = (error.status, error.condition) if error else (424, None)
        by_cause.setdefault(cause, []).append(element(name))
    return [propstat(b"".join(elements), *cause) for cause, elements in by_cause.items()]
