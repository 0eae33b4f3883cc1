"""PUT of a whole collection, Radicale's own addition: the text of all its members at once.

What stays the same keeps its name, its ETag and its place in the sync order (decision D7); what the text does not hold
is deleted. A new collection gets its kind from its content. One bad member does not sink the rest: it is left out, what
is stored under its UID stays as it is, and the answer is a 207 that names it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from calsync.dav import bulk, changes, refusals
from calsync.dav.incoming import Received, over_quota, received, refused
from calsync.dav.methods.mkcol import check_place
from calsync.dav.preconditions import check_write, etag_of
from calsync.dav.request import Response, multistatus
from calsync.dav.resources import ITEMS, MEMBERS, STORED_COLLECTIONS, TAGGED, Kind, Resource, locate, of_collection
from calsync.dav.scope import Scope
from calsync.ical import whole
from calsync.store import collections, items
from calsync.store.collections import Collection
from calsync.store.errors import Damaged, OverQuota, UidConflict
from calsync.store.transaction import Transaction
from calsync.webdav.errors import Conflict, DavError, Forbidden
from calsync.webdav.multistatus import element, response_status, stream
from calsync.webdav.names import CR, CS_, C, D
from calsync.webdav.urls import encode_segment

# Members compared in one read.
_PAGE = 200


@dataclass(frozen=True, slots=True)
class _Rejected:
    """A member that was left out: the name it would have had, its UIDs (an empty one where none can be read), why."""

    name: str
    uids: Sequence[str]
    error: DavError
    octets: bytes


def put_whole(scope: Scope) -> Response:
    request = scope.request
    text = received(request)
    kind = _kind(text.octets)
    if not whole.is_ended(text.octets, cards=kind == "addressbook"):
        # What stands behind the break would be deleted.
        condition = CR("valid-address-data") if kind == "addressbook" else C("valid-calendar-data")
        raise Forbidden("refused: the text breaks off before its last END", condition=condition)
    with scope.read():
        before = scope.locate()
    draft = before.collection if before.kind in STORED_COLLECTIONS else None
    if draft is not None and draft.kind != kind and not (draft.kind == "subscribed" and kind == "calendar"):
        condition = CR("supported-address-data") if draft.kind == "addressbook" else C("supported-calendar-data")
        raise Forbidden(f"a {kind} does not fit a {draft.kind}", condition=condition)
    objects, rejected = _members(scope, draft or collections.draft(kind), text)
    if rejected and not objects:
        raise rejected[0].error  # nothing in it could be understood: then it says nothing of the others, either
    if draft is not None and kind == "calendar":
        objects = [
            pair
            for start in range(0, len(objects), _PAGE)
            for pair in _as_they_are(scope, draft, objects[start : start + _PAGE])
        ]
    properties = _properties(text.octets) if kind == "calendar" else {}
    with scope.write() as tx:
        resource = scope.locate()
        _allowed(scope, resource, kind)
        now = resource.collection if resource.kind in STORED_COLLECTIONS else None
        if resource.kind in ITEMS or (now and now.id) != (draft and draft.id):
            raise Conflict("the collection was made, replaced or deleted meanwhile")
        check_write(scope, resource, whole=True)
        if resource.kind is Kind.MISSING:
            check_place(resource, kind)
            parent = resource.collection.id if resource.collection else 0
            created = collections.create(tx, resource.owner, parent, resource.name, kind, (), properties)
            resource = of_collection(resource.owner, resource.path, created)
            status = 201
        else:
            if properties and scope.access.may_write_properties(resource):
                collections.set_properties(tx, resource.container, properties)
            status = 204
        _tell(scope, tx, resource, objects)
        spared = frozenset(uid for one in rejected for uid in one.uids)
        # A refused member whose UID nobody can read may be any of those that are stored: then none is deleted.
        keep = None if "" in spared else spared
        replaced = items.replace_all(tx, resource.container, objects, keep=keep)
        for (_, obj), result in zip(objects, replaced.items, strict=True):
            if isinstance(result, UidConflict):
                name = bulk.name_of(resource.container, "", obj.octets)
                rejected.append(_Rejected(name, (obj.facts.uid,), refused(scope, resource, result), obj.octets))
            elif isinstance(result, OverQuota):
                name = bulk.name_of(resource.container, obj.facts.uid, obj.octets)
                rejected.append(_Rejected(name, (obj.facts.uid,), over_quota(result), obj.octets))
        for one in rejected:
            refusals.keep(scope, tx, resource, one.octets, one.error)
        rejected = [_as_stored(tx, resource, one) for one in rejected]
        after = locate(tx, resource.path)
    etag = etag_of(after)
    headers = {"ETag": etag} if etag else {}
    if not rejected:
        return Response(status, headers)
    base = scope.href(resource.path, True).encode()
    fragments = [response_status(base, 201 if status == 201 else 200)]
    fragments += [_response(base, one) for one in rejected]
    return multistatus(stream(fragments), headers)


def _as_stored(tx: Transaction, resource: Resource, one: _Rejected) -> _Rejected:
    """Named as the member that stays in its place, if there is one."""
    if isinstance(one.error, Conflict) or not one.uids[0]:
        return one
    item = items.by_uid(tx, resource.container, one.uids[0])
    return one if item is None else replace(one, name=item.href)


def _response(base: bytes, one: _Rejected) -> bytes:
    error, uid = one.error, one.uids[0]
    beside = element(CS_("uid"), uid) if uid else b""
    href = base + encode_segment(one.name).encode()
    hint = error.hint if error.status < 500 else ""
    return response_status(href, error.status, error.condition, error.detail, hint, beside=beside)


def _tell(scope: Scope, tx: Transaction, resource: Resource, objects: Sequence[items.Pair]) -> None:
    """Tell a hook of what is new or changed; the text of what goes is not told, as in Radicale."""
    if not scope.context.hook.enabled:
        return
    kind = MEMBERS[resource.container.kind]
    for name, obj in objects:
        item = items.by_uid(tx, resource.container, obj.facts.uid) if obj.facts.uid else None
        if item is None or item.etag != obj.etag:
            path = (*resource.path, item.href if item else name)
            changes.written(scope, tx, Resource(kind, path, resource.principal, resource.collection, item), obj.octets)


def _allowed(scope: Scope, resource: Resource, kind: str) -> None:
    access, href = scope.access, scope.href(resource.path, True)
    if scope.request.mapping is not None and resource.kind is Kind.MISSING:
        raise Forbidden("nothing can be made inside a shared collection's place")
    if not (access.may_write(resource) if resource.kind in TAGGED else access.may_create(resource.path, kind)):
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


def _members(scope: Scope, collection: Collection, text: Received) -> tuple[list[items.Pair], list[_Rejected]]:
    """The members with the names they would get, and what was refused."""
    members: list[items.Pair] = []
    rejected: list[_Rejected] = []
    for part in bulk.split(collection.kind == "addressbook", text.octets):
        found = bulk.checked(scope, collection, part)
        if isinstance(found, DavError):
            uids = part.uids or ("",)
            rejected.append(_Rejected(bulk.name_of(collection, uids[0], part.octets), uids, found, part.octets))
        else:
            members.append((bulk.name_of(collection, found.facts.uid, part.octets), found))
    return members, rejected


def _as_they_are(scope: Scope, collection: Collection, pairs: Sequence[items.Pair]) -> list[items.Pair]:
    """With what is stored in place of what says the same: a calendar that went out whole comes back unchanged."""
    stored: list[bytes | None] = []
    with scope.read() as tx:
        for _, obj in pairs:
            item = items.by_uid(tx, collection, obj.facts.uid) if obj.facts.uid else None
            stored.append(_body(tx, item) if item is not None and item.etag != obj.etag else None)
    found: list[items.Pair] = []
    for (name, obj), octets in zip(pairs, stored, strict=True):
        if octets is not None and whole.same_member(octets, obj.octets):
            again = bulk.checked(scope, collection, bulk.Part(octets))
            obj = obj if isinstance(again, DavError) else again
        found.append((name, obj))
    return found


def _body(tx: Transaction, item: items.Item) -> bytes | None:
    """The octets; None for damaged ones, which are written anew."""
    try:
        return items.body(tx, item)
    except Damaged:
        return None


def _properties(octets: bytes) -> Mapping[str, str | None]:
    """What a calendar says of itself, as Radicale takes it: X-WR-CALNAME and X-WR-CALDESC."""
    found = whole.calendar_properties(octets)
    names = {"X-WR-CALNAME": D("displayname"), "X-WR-CALDESC": C("calendar-description")}
    return {name: element(name, found[source]).decode() for source, name in names.items() if found.get(source)}
