"""DELETE (RFC 4918 §9.6): an item, or a collection whole; both are one transaction, so nothing is left half done."""

from __future__ import annotations

from calsync.dav import changes, locks
from calsync.dav.preconditions import check_schedule_tag, check_write
from calsync.dav.registry import method
from calsync.dav.request import Response
from calsync.dav.resources import EXISTING, ITEMS, Kind
from calsync.dav.scope import Scope
from calsync.store import collections, items
from calsync.webdav import headers
from calsync.webdav.errors import BadRequest, Conflict, Forbidden, NotFound
from calsync.webdav.names import D


@method("DELETE", EXISTING - {Kind.ROOT, Kind.HOME}, "RFC 4918 §9.6")
def delete(scope: Scope) -> Response:
    """204, also for a collection with all its members: they go or stay together, a 207 names those that are locked."""
    request, access = scope.request, scope.access
    with scope.write() as tx:
        resource = scope.locate()
        href = scope.href(resource.path, request.slash)
        if not access.may_write(resource):
            raise access.refusal(href, D("unbind"))
        if resource.kind is Kind.MISSING:
            raise NotFound(f"nothing at {href}")
        if resource.kind in (Kind.ROOT, Kind.HOME):
            raise Forbidden("a home is not deleted over DAV")
        try:
            check_write(scope, resource, whole=True)
        except locks.MembersLocked as error:
            return error.answer()
        check_schedule_tag(scope, resource)
        if resource.kind in ITEMS:
            changes.deleted(scope, tx, resource)
            items.delete(tx, resource.container, resource.member)
            locks.forget(scope, resource)
            return Response(204)
        if headers.depth(request.header("depth"), "infinity") != "infinity":  # RFC 4918 §9.6.1
            raise BadRequest("DELETE of a collection is Depth: infinity")
        if request.mapping is not None:
            raise Forbidden("a shared collection is deleted by its owner only")
        if not access.may_delete_collection(resource, scope.settings.permit_delete_collection):
            raise Forbidden("[rights] permit_delete_collection or the rights file forbid it")
        if changes.shared_out(scope, resource):
            raise Conflict("the collection is shared; end the share first")
        changes.deleted(scope, tx, resource)
        collections.delete(tx, resource.container)
        locks.forget(scope, resource)
    return Response(204)
