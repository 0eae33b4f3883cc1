"""Content on its way in: octets → a checked object with its facts, and refusals → responses."""

from __future__ import annotations

from dataclasses import dataclass
from time import thread_time

from calsync.dav import limits
from calsync.dav.request import Request
from calsync.dav.resources import Resource
from calsync.dav.scope import Scope
from calsync.ical.facts import ObjectResource, address_object, calendar_object
from calsync.ical.validate import Refused
from calsync.store.collections import Collection
from calsync.store.errors import OverQuota, UidConflict
from calsync.webdav.conditions import QUOTA_NOT_EXCEEDED
from calsync.webdav.errors import Conflict, DavError, Forbidden, InsufficientStorage
from calsync.webdav.headers import media_type
from calsync.webdav.multistatus import element
from calsync.webdav.names import CR, C, D
from calsync.webdav.parse_tree import encoding_of

#: Refusals whose precondition names another condition when the media type was not even the right one.
_UNSUPPORTED = {"valid-calendar-data": "supported-calendar-data", "valid-address-data": "supported-address-data"}


@dataclass(frozen=True, slots=True)
class Received:
    """A text as it is stored; `changed` where those are not the octets that were sent."""

    octets: bytes
    changed: bool = False


def received(request: Request) -> Received:
    """The body as UTF-8, by the `charset` of its type.

    Without one, and with one that UTF-8 holds, it is taken as it is. Raises UnsupportedMediaType (415) for a charset
    that is not known, Forbidden for a body that is not in the one declared.
    """
    declared = media_type(request.header("content-type"))
    label = declared.parameter("charset")
    encoding = encoding_of(label) if label else "utf-8"
    if encoding in ("utf-8", "ascii"):
        return Received(request.body)
    try:
        octets = request.body.decode(encoding).removeprefix("\ufeff").encode()
    except UnicodeError as error:
        condition = CR("valid-address-data") if "vcard" in declared.name else C("valid-calendar-data")
        raise Forbidden(f"the body is not {label[:40]}", condition=condition) from error
    return Received(octets, octets != request.body)


def object_of(scope: Scope, collection: Collection, octets: bytes, content_type: str = "") -> ObjectResource:
    """Check `octets` as a member of `collection`.

    Raises `Forbidden` with the precondition of RFC 4791 §5.3.2.1 or RFC 6352 §6.3.2.1.
    """
    book = collection.kind == "addressbook"
    prefix = CR if book else C
    if len(octets) > scope.settings.max_resource_size:
        raise Forbidden(
            f"{len(octets)} octets, [server] max_resource_size is {scope.settings.max_resource_size}",
            condition=prefix("max-resource-size"),
        )
    begun = thread_time()
    try:
        if book:
            return address_object(octets)
        limits.check_lines(octets, scope.settings.max_instances)
        found = calendar_object(
            octets,
            window=scope.context.store.window,
            components=collection.components or None,
            budget=scope.purse.budget(),
        )
    except Refused as error:
        condition = error.condition
        expected = "text/vcard" if book else "text/calendar"
        sent = media_type(content_type).name
        if sent and sent not in (expected, "text/x-vcard", "text/directory", "application/octet-stream", "text/plain"):
            condition = _UNSUPPORTED.get(condition, condition)
        raise Forbidden(f"refused: {error.message}", condition=prefix(condition)) from error
    limits.check(found, scope.settings.max_instances, scope.purse.budget())
    scope.purse.pay(begun)
    return found


def check_same_uid(scope: Scope, resource: Resource, obj: ObjectResource) -> None:
    """Another object with another UID is not overwritten (RFC 4791 §5.3.2.1, RFC 6352 §6.3.2.1).

    Clients that sync by UID would lose it unseen. A card may get its UID later.
    """
    item = resource.item
    if item is not None and item.uid and obj.facts.uid and item.uid != obj.facts.uid:
        raise refused(scope, resource, UidConflict(item.href))


def refused(scope: Scope, resource: Resource, conflict: UidConflict) -> DavError:
    """`no-uid-conflict` with the href of the member that holds the UID (RFC 4791 §5.3.2.1, RFC 6352 §6.3.2.1)."""
    book = resource.container.kind == "addressbook"
    prefix = CR if book else C
    base = resource.path if resource.is_collection else resource.path[:-1]
    href = scope.href((*base, conflict.href), False)
    return Conflict(
        f"the UID is used by {href}",
        condition=prefix("no-uid-conflict"),
        detail=element(D("href"), href),
    )


def over_quota(error: OverQuota) -> DavError:
    """507 that says it is the quota, not the disk (RFC 4331 §6)."""
    return InsufficientStorage(str(error), condition=QUOTA_NOT_EXCEEDED)
