"""PUT (RFC 9110 §9.3.4, RFC 4791 §5.3.2, RFC 6352 §6.3.2): an item, or (as Radicale has it) a whole collection.

The body is parsed and checked before the writing transaction begins; preconditions are evaluated in it (decision D9).
"""

from __future__ import annotations

from calsync.dav import changes
from calsync.dav.incoming import Received, check_same_uid, object_of, received, refused
from calsync.dav.methods.put_whole import put_whole
from calsync.dav.preconditions import check_schedule_tag, check_write
from calsync.dav.properties.core import content_type
from calsync.dav.registry import method
from calsync.dav.request import Response
from calsync.dav.resources import ITEMS, STORED_COLLECTIONS, TAGGED, Kind, Resource
from calsync.dav.scope import Scope
from calsync.store import items
from calsync.store.errors import UidConflict
from calsync.store.items import Item
from calsync.webdav.errors import BadRequest, Conflict, ContentTooLarge, Forbidden, MethodNotAllowed, PreconditionFailed
from calsync.webdav.names import D


@method("PUT", ITEMS | TAGGED | {Kind.MISSING}, "RFC 9110 §9.3.4")
def put(scope: Scope) -> Response:
    request = scope.request
    if request.header("content-range"):  # RFC 9110 §14.5
        raise BadRequest("PUT of a part is not supported")
    with scope.read():
        resource = scope.locate()
        _allowed(scope, resource)
    if _is_whole(scope, resource):
        return put_whole(scope)
    return _put_item(scope, resource)


def _allowed(scope: Scope, resource: Resource) -> None:
    """Raise where the resource may not be written, or where there is nothing to write into."""
    href = scope.href(resource.path, scope.request.slash)
    if not scope.access.may_write(resource):
        # Only those who may read learn from the privilege whether something is there.
        known = resource.kind in ITEMS and scope.access.may_read(resource)
        raise scope.access.refusal(href, D("write-content") if known else D("bind"))
    if resource.kind is Kind.MISSING and (not resource.parent or resource.principal is None):
        raise Conflict(f"the parent of {href} does not exist")  # RFC 4918 §9.7.1
    if resource.kind in (Kind.ROOT, Kind.HOME, Kind.PLAIN):
        raise MethodNotAllowed("PUT on a collection that is neither a calendar nor an address book")


def _is_whole(scope: Scope, resource: Resource) -> bool:
    """A PUT on a calendar or address book, or on a new name where one could be, writes it whole."""
    if resource.kind in STORED_COLLECTIONS:
        return True
    if resource.kind is not Kind.MISSING:
        return False
    if resource.collection is None:
        return True
    return resource.collection.kind == "plain" and not scope.settings.permit_files


def _put_item(scope: Scope, before: Resource) -> Response:
    request = scope.request
    container = before.container
    if container.kind == "plain":
        return _put_file(scope)
    text = received(request)
    obj = object_of(scope, container, text.octets, request.header("content-type"))
    with scope.write() as tx:
        resource = scope.locate()
        _allowed(scope, resource)
        if resource.collection is None or resource.container.id != container.id:
            raise Conflict("the collection was replaced meanwhile")
        try:
            check_write(scope, resource, strict=scope.settings.strict_preconditions)
            check_schedule_tag(scope, resource)
        except PreconditionFailed as error:
            return _current(scope, resource, error)
        check_same_uid(scope, resource, obj)
        changes.written(scope, tx, resource, obj.octets)
        try:
            item = items.put(tx, resource.container, resource.name, obj)
        except UidConflict as conflict:
            raise refused(scope, resource, conflict) from conflict
    return answer(scope, item, text, scope.href(request.path, False), created=resource.item is None)


def _current(scope: Scope, resource: Resource, error: PreconditionFailed) -> Response:
    """RFC 8144 §3.2: with `return=representation`, a 412 brings what stands there instead."""
    item = resource.item
    if item is None or not scope.prefer.return_representation or not scope.access.may_read(resource):
        raise error
    return Response(412, _shown(item, scope.href(resource.path, False)), items.body(scope.tx, item))


def _put_file(scope: Scope) -> Response:
    """Any content in a plain collection, where `[storage] permit_files` allows it."""
    request = scope.request
    if request.slash:
        raise Conflict("a file has no slash at its end")
    if len(request.body) > scope.settings.max_resource_size:
        raise ContentTooLarge(f"[server] max_resource_size is {scope.settings.max_resource_size}")
    with scope.write() as tx:
        resource = scope.locate()
        _allowed(scope, resource)
        if resource.is_collection:
            raise MethodNotAllowed("PUT on a collection")
        check_write(scope, resource, strict=scope.settings.strict_preconditions)
        if not scope.settings.permit_files:
            raise Forbidden("[storage] permit_files is off")
        kind = request.header("content-type")
        item = items.put_file(tx, resource.container, resource.name, request.body, kind)
    href = scope.href(request.path, False)
    return answer(scope, item, Received(request.body), href, created=resource.item is None)


def answer(scope: Scope, item: Item, text: Received, href: str, *, created: bool) -> Response:
    """201 or 204. The ETag says that what was sent is what is stored (decision D8), so it stands only where that is so.

    RFC 8144 §3.1: with `return=representation` the stored object itself, and its ETag with it.
    """
    status = 201 if created else 204
    if scope.prefer.return_representation:
        return Response(status if created else 200, _shown(item, href), text.octets)
    headers = {} if text.changed else {"ETag": f'"{item.etag}"'}
    if scope.prefer.return_minimal:  # RFC 7240 §4.2: as it is anyway
        headers |= {"Preference-Applied": "return=minimal", "Vary": "Prefer"}
    return Response(status, headers)


def _shown(item: Item, href: str) -> dict[str, str]:
    return {
        "ETag": f'"{item.etag}"',
        "Content-Type": content_type(item).decode(),
        "Content-Location": href,
        "Preference-Applied": "return=representation",
        "Vary": "Prefer",
    }
