"""Many members of a collection changed by one request, each with a response of its own: a bad one costs only itself.

CalendarServer's "Bulk Change Requests" (August 2011), which Apple's clients use: §3 makes members of a text, §4 makes,
changes and deletes them. Beyond its letter an `href` that names nothing yet is made there, as by PUT. What is written
goes in chunks, so that nobody waits long for the store; whole-collection PUT takes its members from here too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Final
from urllib.parse import unquote

from calsync.dav import changes, locks, refusals
from calsync.dav.incoming import check_same_uid, object_of, over_quota, refused
from calsync.dav.methods.proppatch import accept, outcome
from calsync.dav.preconditions import check_conditions
from calsync.dav.properties.sync import token
from calsync.dav.request import Response, multistatus
from calsync.dav.resources import MEMBERS, TAGGED, Kind, Resource, locate
from calsync.dav.scope import Scope
from calsync.ical import whole
from calsync.ical.facts import ObjectResource
from calsync.ical.lines import unescape, unfold
from calsync.ical.validate import Refused
from calsync.store import items
from calsync.store.collections import Collection
from calsync.store.errors import Busy, Full, OverQuota, ReadOnly, UidConflict
from calsync.store.items import Item
from calsync.store.transaction import Transaction
from calsync.webdav.conditions import CTAG_OK, MAX_RESOURCES
from calsync.webdav.errors import (
    BadRequest,
    Conflict,
    DavError,
    Forbidden,
    InsufficientStorage,
    NotFound,
    PreconditionFailed,
    ServiceUnavailable,
)
from calsync.webdav.etags import etag_list
from calsync.webdav.multistatus import element, escape, escape_octets, propstat, response, response_status, stream
from calsync.webdav.names import CR, CS_, C, D
from calsync.webdav.parse_bulk import MOST, BulkChange
from calsync.webdav.urls import encode_segment

# Refusals that the object has earned, not the moment.
_OF_THE_OBJECT: Final = frozenset({C("no-uid-conflict"), CR("no-uid-conflict")})

# Changes of one transaction.
_CHUNK: Final = 200

_SUFFIX: Final = {"addressbook": ".vcf"}
_UID: Final = re.compile(rb"(?:^|[\r\n])UID(?:;[^:\r\n]*)?:([^\r\n]+)", re.IGNORECASE)


# --- the members of a text --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """One member of a whole text; `fault` says why it is none."""

    octets: bytes
    fault: str = ""

    @property
    def uids(self) -> tuple[str, ...]:
        """Those that stand in it, as far as they can be read."""
        found = _UID.findall(unfold(self.octets))
        return tuple(dict.fromkeys(unescape(uid.decode(errors="replace")) for uid in found))


def split(book: bool, octets: bytes) -> list[Part]:
    """Cut a whole calendar or address book. Raises Forbidden where it is neither."""
    try:
        found = whole.split_cards(octets) if book else whole.split_calendar(octets)
    except Refused as error:
        raise Forbidden(f"refused: {error.message}", condition=(CR if book else C)(error.condition)) from error
    except ValueError as error:
        condition = CR("valid-address-data") if book else C("valid-calendar-data")
        raise Forbidden(f"refused: {error}", condition=condition) from error
    return [Part(one.octets, one.reason) if isinstance(one, whole.Rejected) else Part(one) for one in found]


def checked(scope: Scope, collection: Collection, part: Part) -> ObjectResource | DavError:
    """The object of a part, or why it is refused."""
    if part.fault:
        condition = (
            CR("valid-address-data") if collection.kind == "addressbook" else C("valid-calendar-object-resource")
        )
        return Forbidden(part.fault, condition=condition)
    try:
        return object_of(scope, collection, part.octets)
    except DavError as error:
        return error


def name_of(collection: Collection, uid: str, octets: bytes) -> str:
    """A name that is the same at every attempt: from the UID, else from the content."""
    return sha256(uid.encode() if uid else octets).hexdigest()[:32] + _SUFFIX.get(collection.kind, ".ics")


def free_name(tx: Transaction, collection: Collection, obj: ObjectResource) -> str:
    """A name for a new member."""
    octets, tries = obj.octets, 0
    name = name_of(collection, obj.facts.uid, octets)
    while items.get(tx, collection, name) is not None:
        tries += 1
        name = name_of(collection, "", b"%d:" % tries + octets)
    return name


# --- changes ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Draft:
    """A change that was looked at: the name that its href says, its object, or why it is refused; `uid` if known."""

    change: BulkChange
    name: str = ""
    obj: ObjectResource | None = None
    error: DavError | None = None
    uid: str = ""


class _PropertiesRefused(Exception):
    """Some property cannot be set, so nothing of the change is done."""

    def __init__(self, *propstats: bytes) -> None:
        super().__init__()
        self.propstats = propstats


def simple(scope: Scope, octets: bytes, *, changed: bool) -> Response:
    """§3: make each member of a text. `changed`: what is stored is not what was sent."""
    with scope.read():
        collection = _target(scope).container
    book = collection.kind == "addressbook"
    name = CR("address-data") if book else C("calendar-data")
    parts = split(book, octets)
    if not parts:
        raise BadRequest("nothing is in it")
    return _run(scope, [BulkChange(data=one.octets, name=name, fault=one.fault) for one in parts], changed)


def crud(scope: Scope, wanted: Sequence[BulkChange]) -> Response:
    """§4: make, change and delete members."""
    with scope.read():
        _target(scope)
    if len(wanted) > MOST:
        raise Forbidden(f"{len(wanted)} resources, {MOST} are taken at once", condition=MAX_RESOURCES)
    return _run(scope, wanted, changed=False)


def _target(scope: Scope) -> Resource:
    resource = scope.locate()
    if not scope.access.may_write(resource):
        raise scope.access.refusal(scope.href(resource.path, True), D("bind"))
    if resource.kind not in TAGGED:
        raise Conflict("no calendar or address book is there")
    return resource


def _run(scope: Scope, wanted: Sequence[BulkChange], changed: bool) -> Response:
    """Chunk after chunk. What ends the work after the first one is told in the responses of those that are left."""
    with scope.read():
        collection = scope.locate().container
    asked = scope.request.header("x-mobileme-dav-options").lower()
    told = _Told(scope, changed, "return-changed-data" in asked)
    fragments: list[bytes] = []
    state = ""
    for start in range(0, len(wanted), _CHUNK):
        drafts = [_draft(scope, collection, one) for one in wanted[start : start + _CHUNK]]
        work = partial(_chunk, scope, collection, drafts, told, state if start else None)
        try:
            done, state = scope.context.store.attempt(work)
        except (DavError, Full, Busy, ReadOnly) as error:
            if not start:
                raise
            reason = _as_answer(error)
            fragments += [told.failed(_Draft(one), reason) for one in wanted[start:]]
            break
        fragments += done
    return multistatus(stream(fragments), {"CTag": state})


def _chunk(
    scope: Scope, collection: Collection, drafts: Sequence[_Draft], told: _Told, state: str | None
) -> tuple[list[bytes], str]:
    """`state`: which the chunk before has left, None for the first one. Gives the responses and the new state."""
    with scope.write() as tx:
        resource = _target(scope)
        if state is None:
            check_conditions(scope, resource)
        elif scope.request.header("if") and token(resource) != state:
            raise PreconditionFailed("somebody else has changed the collection", condition=CTAG_OK)
        if resource.container.id != collection.id:
            raise Conflict("the collection was replaced meanwhile")
        done = [_apply(scope, tx, resource, one, told) for one in drafts]
        return done, token(locate(tx, resource.path))


def _as_answer(error: Exception) -> DavError:
    if isinstance(error, DavError):
        return error
    return InsufficientStorage("no space left") if isinstance(error, Full) else ServiceUnavailable("come back later")


def _draft(scope: Scope, collection: Collection, change: BulkChange) -> _Draft:
    """Look at a change before the store is held (decision D9)."""
    uid = ""
    try:
        if change.fault and change.data is None:
            raise BadRequest(change.fault)
        name = _name_in(scope, change.href) if change.href else ""
        if change.data is None:
            return _Draft(change, name)
        book = collection.kind == "addressbook"
        if change.name != (CR("address-data") if book else C("calendar-data")):
            condition = CR("supported-address-data") if book else C("supported-calendar-data")
            raise Forbidden(f"{change.name} does not fit here", condition=condition)
        part = Part(change.data, change.fault)
        found = checked(scope, collection, part)
        if isinstance(found, DavError):
            uid = next(iter(part.uids), "")
            raise found
        return _Draft(change, name, found, uid=found.facts.uid)
    except DavError as error:
        return _Draft(change, error=error, uid=uid)


def _name_in(scope: Scope, href: str) -> str:
    """The name of a member of the collection at hand, from its href."""
    path, here = scope.named(href), scope.shown(scope.request.path)
    if path and path[0].casefold() == scope.request.user.casefold():
        path = (scope.request.user, *path[1:])  # clients.md 41
    if path[:-1] != here:
        raise Forbidden(f"{href[:200]} is not a member of the collection")
    return path[-1]


def _apply(scope: Scope, tx: Transaction, resource: Resource, draft: _Draft, told: _Told) -> bytes:
    """Do one change, and say how it went."""
    data = draft.change.data or b""
    wanted = unquote(draft.change.href.rpartition("/")[2])
    if draft.error is not None:
        refusals.keep(scope, tx, resource, data, draft.error, wanted)
        return told.failed(draft, draft.error)
    try:
        with tx.savepoint():
            item = _done(scope, tx, resource, draft)
    except DavError as error:
        if error.condition in _OF_THE_OBJECT:
            refusals.keep(scope, tx, resource, data, error, wanted)
        return told.failed(draft, error)
    except _PropertiesRefused as error:
        return response(told.href(draft), *error.propstats)
    return told.written(draft, item) if item is not None else response_status(told.href(draft), 200)


def _done(scope: Scope, tx: Transaction, resource: Resource, draft: _Draft) -> Item | None:
    """The item as it is then; None for one that is gone."""
    collection, change, obj = resource.container, draft.change, draft.obj
    name = draft.name or (free_name(tx, collection, obj) if obj is not None else "")
    item = items.get(tx, collection, name)
    kind = MEMBERS[collection.kind]
    path = (*resource.path, name)
    member = Resource(kind if item else Kind.MISSING, path, resource.principal, collection, item)
    locks.check(scope, member, whole=change.delete)
    _check_match(scope, change, item)
    if change.delete or (item is None and obj is None):
        if item is None:
            raise NotFound(f"nothing at {scope.url(member)}")
        changes.deleted(scope, tx, member)
        items.delete(tx, collection, item)
        locks.forget(scope, member)
        return None
    if obj is not None:
        check_same_uid(scope, member, obj)
        changes.written(scope, tx, member, obj.octets)
        try:
            item = items.put(tx, collection, name, obj)
        except UidConflict as conflict:
            raise refused(scope, member, conflict) from conflict
        except OverQuota as error:
            raise over_quota(error) from error
    assert item is not None
    if change.updates:
        _set_properties(scope, tx, Resource(kind, path, resource.principal, collection, item), change)
    return item


def _check_match(scope: Scope, change: BulkChange, item: Item | None) -> None:
    if change.if_match:
        if item is None or not etag_list(change.if_match).strong_match(f'"{item.etag}"'):
            has = f'the resource has "{item.etag}"' if item else "there is no resource"
            raise PreconditionFailed(f"if-match {change.if_match[:100]}: {has}")
    elif item is not None and scope.settings.strict_preconditions:
        raise PreconditionFailed("strict_preconditions: if-match is missing")


def _set_properties(scope: Scope, tx: Transaction, member: Resource, change: BulkChange) -> None:
    """All or nothing, the data with them (§4.1, §4.2)."""
    if not scope.access.may_write_properties(member):
        raise scope.access.refusal(scope.url(member), D("write-properties"))
    found, failures = accept(scope, member, change.updates)
    if failures:
        hung = [propstat(element(change.name), 424)] if change.data is not None else []
        raise _PropertiesRefused(*outcome(change.updates, failures), *hung)
    items.set_properties(tx, member.container, member.member, found)


class _Told:
    """How each change went, as responses. What was sent and is stored as it is has its ETag (§3)."""

    def __init__(self, scope: Scope, changed: bool, with_data: bool) -> None:
        self._base = scope.href(scope.request.path, True).encode()
        self._etag = not changed or with_data
        self._data = changed and with_data

    def href(self, draft: _Draft) -> bytes:
        """That of the resource; empty for one that was not made."""
        return self._base + encode_segment(draft.name).encode() if draft.name else escape(draft.change.href).encode()

    def written(self, draft: _Draft, item: Item) -> bytes:
        props = element(D("getetag"), f'"{item.etag}"') if self._etag else b""
        if item.uid:
            props += element(CS_("uid"), item.uid)
        if self._data and draft.obj is not None:
            props += element(draft.change.name, escape_octets(draft.obj.octets))
        return response(self._base + item.url.encode(), propstat(props, 200))

    def failed(self, draft: _Draft, error: DavError) -> bytes:
        beside = element(CS_("uid"), draft.uid) if draft.uid and not draft.change.href else b""
        hint = error.hint if error.status < 500 else ""
        return response_status(
            self.href(draft), error.status, error.condition, error.detail, description=hint, beside=beside
        )
