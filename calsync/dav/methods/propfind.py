"""PROPFIND (RFC 4918 §9.1), streamed: the resource and its collections from one read, the items page by page."""

from __future__ import annotations

from collections.abc import Iterator

from calsync.dav.answer import Listing, describe
from calsync.dav.members import child_collections
from calsync.dav.registry import method
from calsync.dav.request import Response, multistatus
from calsync.dav.resources import EXISTING, STORED_COLLECTIONS, Resource
from calsync.dav.scope import Scope
from calsync.store import items
from calsync.webdav import headers, parse
from calsync.webdav.errors import Forbidden
from calsync.webdav.multistatus import stream
from calsync.webdav.names import RADICALE, D
from calsync.webdav.requests import PropertyRequest

#: Items a page: one short read each (decision D9).
PAGE = 500


@method("PROPFIND", EXISTING, "RFC 4918 §9.1")
def propfind(scope: Scope) -> Response:
    """207. A missing `Depth` means infinity, as the RFC has it, but not for Radicale's page, which never sends it."""
    wanted = parse.propfind(scope.request.body, scope.request.header("content-type")).properties
    from_page = any(prop.name == f"{{{RADICALE}}}version" for prop in wanted.props)
    depth = headers.depth(scope.request.header("depth"), "0" if from_page else "infinity")
    if depth == "infinity" and not scope.settings.propfind_infinity:
        raise Forbidden("[limits] propfind_infinity is off", condition=D("propfind-finite-depth"))
    with scope.read():
        resource = scope.readable()
        first = describe(scope, resource, wanted)
        below = child_collections(scope, resource) if depth != "0" else []
        # Depth 1 ends here for collections: their own responses come from this very read.
        shown = [(inner, describe(inner, child, wanted), child) for inner, child in below]
    if depth == "0":
        return multistatus(stream([first]), _applied(scope))
    return multistatus(stream(_responses(scope, resource, wanted, first, shown, depth)), _applied(scope))


def _applied(scope: Scope) -> dict[str, str]:
    """RFC 7240 §3: which preferences were heeded."""
    applied = [
        name
        for name, on in (
            ("return=minimal", scope.prefer.return_minimal),
            ("depth-noroot", scope.prefer.depth_noroot),
        )
        if on
    ]
    return {"Preference-Applied": ", ".join(applied), "Vary": "Prefer"} if applied else {}


def _responses(
    scope: Scope,
    resource: Resource,
    wanted: PropertyRequest,
    first: bytes,
    below: list[tuple[Scope, bytes, Resource]],
    depth: str,
) -> Iterator[bytes]:
    if not scope.prefer.depth_noroot:  # RFC 8144 §3
        yield first
    for inner, fragment, child in below:
        yield fragment
        if depth == "infinity":
            yield from _below(inner, child, wanted)
    if resource.kind in STORED_COLLECTIONS:
        yield from item_responses(scope, resource, wanted)


def _below(scope: Scope, resource: Resource, wanted: PropertyRequest) -> Iterator[bytes]:
    """Everything below a collection, each level from a read of its own."""
    with scope.read():
        shown = [(inner, describe(inner, child, wanted), child) for inner, child in child_collections(scope, resource)]
    for inner, fragment, child in shown:
        yield fragment
        yield from _below(inner, child, wanted)
    if resource.kind in STORED_COLLECTIONS:
        yield from item_responses(scope, resource, wanted)


def item_responses(scope: Scope, resource: Resource, wanted: PropertyRequest) -> Iterator[bytes]:
    """The items of a collection as it was when `resource` was read: bounded by its `seq` (decision D9)."""
    collection = resource.container
    listing = Listing(scope, resource, wanted)
    after = 0
    while True:
        with scope.read() as tx:
            rows = items.page(tx, collection, after, PAGE, collection.seq)
            fragments = listing.page(rows)
        yield from fragments
        if len(rows) < PAGE:
            return
        after = rows[-1].id
