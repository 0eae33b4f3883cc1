"""POST on a calendar or address book: a new member that the server names (RFC 5995), or many changes at once."""

from __future__ import annotations

from calsync.dav import bulk, changes, locks
from calsync.dav.incoming import object_of, received, refused
from calsync.dav.methods.put import answer
from calsync.dav.preconditions import check_conditions
from calsync.dav.properties.bulk import ADD_MEMBER
from calsync.dav.registry import method
from calsync.dav.request import Response
from calsync.dav.resources import TAGGED, Kind, Resource
from calsync.dav.scope import Scope
from calsync.store import items
from calsync.store.errors import UidConflict
from calsync.webdav.errors import Conflict, MethodNotAllowed, NotFound, UnsupportedMediaType
from calsync.webdav.headers import media_type
from calsync.webdav.names import D
from calsync.webdav.parse_bulk import multiput

_TEXTS = {
    Kind.CALENDAR: ("text/calendar",),
    Kind.SUBSCRIBED: ("text/calendar",),
    Kind.ADDRESSBOOK: ("text/vcard", "text/x-vcard", "text/directory"),
}


@method("POST", TAGGED, "RFC 5995 §3, CalendarServer bulk changes")
def post(scope: Scope) -> Response:
    """By the URL and the type of the body: `?add-member` takes one, XML and plain text are bulk changes."""
    request = scope.request
    with scope.read():
        resource = scope.locate()
        _allowed(scope, resource)
    if request.query == ADD_MEMBER:
        return _add(scope, resource)
    if request.query:
        raise NotFound("nothing is at this query")
    kind = media_type(request.header("content-type")).name
    if kind.endswith(("/xml", "+xml")):
        return bulk.crud(scope, multiput(request.body, request.header("content-type")))
    if kind not in _TEXTS[resource.kind]:
        raise UnsupportedMediaType(
            f"a body of type {kind[:60] or 'unknown'!r}", headers={"Accept-Post": _accepted(resource)}
        )
    text = received(request)
    return bulk.simple(scope, text.octets, changed=text.changed)


def _accepted(resource: Resource) -> str:
    return ", ".join((*_TEXTS[resource.kind], "application/xml"))


def _allowed(scope: Scope, resource: Resource) -> None:
    if not scope.access.may_write(resource):
        raise scope.access.refusal(scope.href(resource.path, scope.request.slash), D("bind"))
    if resource.kind is Kind.MISSING:
        raise NotFound("nothing to POST to")
    if resource.kind not in TAGGED:
        raise MethodNotAllowed("POST on something other than a calendar or address book")


def _add(scope: Scope, before: Resource) -> Response:
    """RFC 5995 §3: 201, and `Location` says where; what is refused is what PUT would refuse."""
    request = scope.request
    text = received(request)
    obj = object_of(scope, before.container, text.octets, request.header("content-type"))
    with scope.write() as tx:
        resource = scope.locate()
        _allowed(scope, resource)
        if resource.container.id != before.container.id:
            raise Conflict("the collection was replaced meanwhile")
        check_conditions(scope, resource)
        name = bulk.free_name(tx, resource.container, obj)
        member = Resource(Kind.MISSING, (*resource.path, name), resource.principal, resource.collection)
        locks.check(scope, member)
        changes.written(scope, tx, member, obj.octets)
        try:
            item = items.put(tx, resource.container, name, obj)
        except UidConflict as conflict:
            raise refused(scope, member, conflict) from conflict
    href = scope.href(member.path, False)
    made = answer(scope, item, text, href, created=True)
    made.headers["Location"] = href
    return made
