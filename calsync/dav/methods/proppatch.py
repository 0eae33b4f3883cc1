"""PROPPATCH (RFC 4918 §9.2): in document order, all or nothing, each property with its own status."""

from __future__ import annotations

from calsync.dav import registry
from calsync.dav.registry import method
from calsync.dav.request import Response, multistatus
from calsync.dav.resources import EXISTING, ITEMS, Kind, Resource
from calsync.dav.scope import Scope
from calsync.store import collections, items, principals
from calsync.webdav import parse
from calsync.webdav.errors import DavError, Forbidden, NotFound
from calsync.webdav.multistatus import element, propstat, response, stream
from calsync.webdav.names import D
from calsync.webdav.requests import PropertyUpdate


@method("PROPPATCH", EXISTING - {Kind.ROOT}, "RFC 4918 §9.2")
def proppatch(scope: Scope) -> Response:
    updates = parse.proppatch(scope.request.body, scope.request.header("content-type")).updates
    with scope.write() as tx:
        resource = scope.locate()
        href = scope.href(resource.path, scope.request.slash)
        if not scope.access.may_write_properties(resource):
            raise scope.access.refusal(href, D("write-properties"))
        if resource.kind is Kind.MISSING:
            raise NotFound(f"nothing at {href}")
        changes, failures = accept(scope, resource, updates)
        if not failures and changes:
            if resource.kind in ITEMS:
                items.set_properties(tx, resource.container, resource.member, changes)
            elif resource.collection is not None:
                collections.set_properties(tx, resource.collection, changes)
            else:
                principals.set_properties(tx, resource.owner, changes)
    answer = response(scope.url(resource).encode(), *outcome(updates, failures))
    return multistatus(stream([answer]))


def accept(
    scope: Scope, resource: Resource, updates: tuple[PropertyUpdate, ...]
) -> tuple[dict[str, str | None], dict[str, DavError]]:
    """What would be stored (Clark name → element, None to remove), and what was refused and why."""
    changes: dict[str, str | None] = {}
    failures: dict[str, DavError] = {}
    for update in updates:
        one = registry.PROPERTIES.get(update.name)
        live = one is not None and resource.kind in one.kinds
        try:
            if (one is not None and live and one.accept is None) or update.name in registry.DATA:
                # RFC 4918 §16; resourcetype among them: a calendar stays one.
                raise Forbidden(f"{update.name} is protected", condition=D("cannot-modify-protected-property"))
            if update.xml is None:
                changes[update.name] = None
            elif one is not None and live and one.accept is not None:
                changes[update.name] = one.accept(scope, resource, update)
            else:
                changes[update.name] = update.xml.decode()
        except DavError as error:
            failures[update.name] = error
    return changes, failures


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
