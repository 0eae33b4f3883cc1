"""PUT of a whole collection, Radicale's own addition: the text of all its members at once.

What stays the same keeps its name, its ETag and its place in the sync order (design D7); what the text no longer holds
is deleted. A new collection gets its kind from its content. One bad member does not sink the rest: it is left out, and
the answer is a 207 that names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from calsync.dav.incoming import object_of
from calsync.dav.preconditions import check_write, etag_of
from calsync.dav.request import Response, multistatus
from calsync.dav.resources import STORED_COLLECTIONS, Kind, Resource, locate, of_collection
from calsync.dav.scope import Scope
from calsync.ical import whole
from calsync.ical.facts import ObjectResource
from calsync.ical.validate import Refused
from calsync.store import collections, items
from calsync.store.collections import Collection
from calsync.webdav.errors import Conflict, DavError, Forbidden
from calsync.webdav.multistatus import element, response_status, stream
from calsync.webdav.names import CR, C, D

_SUFFIX = {"calendar": ".ics", "addressbook": ".vcf"}


def put_whole(scope: Scope) -> Response:
    request = scope.request
    kind = _kind(request.body)
    with scope.read():
        before = scope.locate()
    draft = before.collection if before.kind in STORED_COLLECTIONS else None
    if draft is not None and draft.kind != kind and not (draft.kind == "subscribed" and kind == "calendar"):
        condition = CR("supported-address-data") if draft.kind == "addressbook" else C("supported-calendar-data")
        raise Forbidden(f"a {kind} does not fit a {draft.kind}", condition=condition)
    objects, rejected = _members(scope, draft or collections.draft(kind), request.body)
    properties = _properties(request.body) if kind == "calendar" else {}
    with scope.write() as tx:
        resource = scope.locate()
        _allowed(scope, resource)
        check_write(request, resource)
        if resource.kind is Kind.MISSING:
            parent = resource.collection.id if resource.collection else 0
            created = collections.create(tx, resource.owner, parent, resource.name, kind, (), properties)
            resource = of_collection(resource.owner, resource.path, created)
            status = 201
        else:
            if properties:
                collections.set_properties(tx, resource.container, properties)
            status = 204
        items.replace_all(tx, resource.container, objects)
        after = locate(tx, resource.path)
    etag = etag_of(after)
    headers = {"ETag": etag} if etag else {}
    if not rejected:
        return Response(status, headers)
    base = scope.href(resource.path, True).encode()
    fragments = [response_status(base, 201 if status == 201 else 200)]
    fragments += [
        response_status(base + name.encode(), error.status, error.condition, error.detail, error.hint)
        for name, error in rejected
    ]
    return multistatus(stream(fragments), headers)


def _allowed(scope: Scope, resource: Resource) -> None:
    access, href = scope.access, scope.href(resource.path, True)
    if scope.request.mapping is not None and resource.kind is Kind.MISSING:
        raise Forbidden("nothing can be made inside a shared collection's place")
    if not access.may_create(resource.path, tagged=True):
        raise access.refusal(href, D("bind"))
    if not access.may_replace(resource.path, scope.settings.permit_overwrite_collection):
        raise Forbidden("[rights] permit_overwrite_collection or the rights file forbid it")
    if resource.kind is Kind.MISSING and not resource.parent:
        raise Conflict("the parent collection does not exist")


def _kind(octets: bytes) -> str:
    """`calendar` or `addressbook`, by the first component."""
    text = octets.lstrip(b"\xef\xbb\xbf \t\r\n")[:64].upper()
    if text.startswith(b"BEGIN:VCALENDAR"):
        return "calendar"
    if text.startswith((b"BEGIN:VCARD", b"BEGIN:VLIST")):
        return "addressbook"
    raise Forbidden("neither iCalendar nor vCard", condition=C("supported-calendar-data"))


def _members(
    scope: Scope, collection: Collection, octets: bytes
) -> tuple[list[tuple[str, ObjectResource]], list[tuple[str, DavError]]]:
    """The members with the names they would get, and what was refused under the name it would have had."""
    split = whole.split_cards if collection.kind == "addressbook" else whole.split_calendar
    suffix = _SUFFIX.get(collection.kind, ".ics")
    prefix = CR if collection.kind == "addressbook" else C
    try:
        parts = split(octets)
    except Refused as error:
        raise Forbidden(f"refused: {error.message}", condition=prefix(error.condition)) from error
    except ValueError as error:
        condition = "valid-address-data" if collection.kind == "addressbook" else "valid-calendar-data"
        raise Forbidden(f"refused: {error}", condition=prefix(condition)) from error
    members: list[tuple[str, ObjectResource]] = []
    rejected: list[tuple[str, DavError]] = []
    for part in parts:
        if isinstance(part, whole.Rejected):
            name = _name(part.uid, part.octets, suffix)
            rejected.append((name, Forbidden(part.reason, condition=prefix("valid-calendar-object-resource"))))
            continue
        try:
            obj = object_of(scope, collection, part)
        except DavError as error:
            rejected.append((_name("", part, suffix), error))
            continue
        members.append((_name(obj.facts.uid, part, suffix), obj))
    return members, rejected


def _name(uid: str, octets: bytes, suffix: str) -> str:
    """A name that is the same at every attempt: from the UID, else from the content."""
    return sha256(uid.encode() if uid else octets).hexdigest()[:32] + suffix


def _properties(octets: bytes) -> Mapping[str, str | None]:
    """What a calendar says of itself, as Radicale takes it: X-WR-CALNAME and X-WR-CALDESC."""
    found = whole.calendar_properties(octets)
    names = {"X-WR-CALNAME": D("displayname"), "X-WR-CALDESC": C("calendar-description")}
    return {name: element(name, found[source]).decode() for source, name in names.items() if found.get(source)}
