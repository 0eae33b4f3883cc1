"""Content on its way in: octets → a checked object with its facts, and refusals → responses."""

from __future__ import annotations

from calsync.dav.resources import Resource
from calsync.dav.scope import Scope
from calsync.ical.facts import ObjectResource, address_object, calendar_object
from calsync.ical.validate import Refused
from calsync.store.collections import Collection
from calsync.store.errors import UidConflict
from calsync.webdav.errors import Conflict, DavError, Forbidden
from calsync.webdav.multistatus import element
from calsync.webdav.names import CR, C, D

#: Refusals whose precondition names another condition when the media type was not even the right one.
_UNSUPPORTED = {"valid-calendar-data": "supported-calendar-data", "valid-address-data": "supported-address-data"}


def object_of(scope: Scope, collection: Collection, octets: bytes, media_type: str = "") -> ObjectResource:
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
    try:
        if book:
            return address_object(octets)
        return calendar_object(
            octets,
            window=scope.context.store.window,
            components=collection.components or None,
        )
    except Refused as error:
        condition = error.condition
        expected = "text/vcard" if book else "text/calendar"
        sent = media_type.partition(";")[0].strip().lower()
        if sent and sent not in (expected, "text/x-vcard", "text/directory", "application/octet-stream", "text/plain"):
            condition = _UNSUPPORTED.get(condition, condition)
        raise Forbidden(f"refused: {error.message}", condition=prefix(condition)) from error


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
