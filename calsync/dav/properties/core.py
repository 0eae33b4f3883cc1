"""WebDAV's own properties (RFC 4918 §15), and what a resource says of its abilities (RFC 3253 §3.1)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

from calsync.dav import registry
from calsync.dav.registry import Row, live
from calsync.dav.resources import (
    COLLECTIONS,
    EXISTING,
    ITEMS,
    STORED_COLLECTIONS,
    Kind,
    Resource,
)
from calsync.dav.scope import Scope
from calsync.webdav.errors import Conflict
from calsync.webdav.headers import http_date
from calsync.webdav.multistatus import element, escape
from calsync.webdav.names import CALDAV, CARDDAV, CS, C, D
from calsync.webdav.requests import PropertyUpdate


def as_sent(scope: Scope, resource: Resource, update: PropertyUpdate) -> str:
    """Accept a property with its attributes and markup, as it was sent."""
    assert update.xml is not None
    return update.xml.decode()


def plain_text(scope: Scope, resource: Resource, update: PropertyUpdate) -> str:
    """Accept a property whose value is text; markup inside it is refused."""
    assert update.xml is not None
    if update.xml.count(b"<") > 2:
        raise Conflict(f"{update.name}: text expected")
    return update.xml.decode()


_RESOURCETYPES = {
    Kind.ROOT: (D("collection"),),
    Kind.HOME: (D("collection"), D("principal")),
    Kind.PLAIN: (D("collection"),),
    # clients.md 16: iPhones stop querying a calendar with further resource types.
    Kind.CALENDAR: (D("collection"), f"{{{CALDAV}}}calendar"),
    Kind.ADDRESSBOOK: (D("collection"), f"{{{CARDDAV}}}addressbook"),
    Kind.SUBSCRIBED: (D("collection"), f"{{{CS}}}subscribed"),
}


@live(D("resourcetype"), EXISTING, "RFC 4918 §15.9", row=lambda row, octets: b"", allprop=True)
def resourcetype(scope: Scope, resource: Resource) -> bytes:
    return b"".join(element(name) for name in _RESOURCETYPES.get(resource.kind, ()))


@live(D("displayname"), COLLECTIONS, "RFC 4918 §15.2", allprop=True, accept=plain_text)
def displayname(scope: Scope, resource: Resource) -> bytes | None:
    """A principal always has one (RFC 3744 §4); a collection has what was set."""
    if resource.kind is Kind.HOME:
        return escape(resource.owner.name).encode()
    return None


def etag(row: Row, octets: bytes | None = None) -> bytes:
    """The strong ETag of an item (RFC 4791 §5.3.4): sha256 of its octets, in quotes (decision D8)."""
    return b'"%s"' % row.etag.encode()


def collection_etag(resource: Resource) -> str:
    """The ETag of a collection: it changes with every change of a member or property."""
    if resource.collection is not None:
        return f'"{resource.collection.epoch}-{resource.collection.id}-{resource.collection.seq}"'
    return f'"{resource.owner.epoch}-{resource.owner.seq}"'


@live(D("getetag"), ITEMS | STORED_COLLECTIONS | {Kind.HOME}, "RFC 4918 §15.6", row=etag, allprop=True)
def getetag(scope: Scope, resource: Resource) -> bytes:
    return etag(resource.item) if resource.item is not None else collection_etag(resource).encode()


_CONTENT_TYPES = {
    component: f"text/calendar;charset=utf-8;component={component}".encode()
    for component in ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY")
} | {"VCARD": b"text/vcard;charset=utf-8", "VLIST": b"text/x-vlist;charset=utf-8"}


_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+[ -~]*", re.ASCII).fullmatch


def content_type(row: Row) -> bytes:
    """The media type of an item, with the component as Radicale tells it; that of a file as it was sent."""
    known = _CONTENT_TYPES.get(row.component)
    if known is None:
        return row.content_type.encode() if _MEDIA_TYPE(row.content_type) else b"application/octet-stream"
    return known


def _content_type(row: Row, octets: bytes | None = None) -> bytes:
    return _CONTENT_TYPES.get(row.component) or escape(content_type(row).decode()).encode()


_COLLECTION_TYPES = {
    Kind.CALENDAR: b"text/calendar",
    Kind.SUBSCRIBED: b"text/calendar",
    Kind.ADDRESSBOOK: b"text/vcard",
}


@live(
    D("getcontenttype"),
    ITEMS | frozenset(_COLLECTION_TYPES),
    "RFC 4918 §15.5",
    row=_content_type,
    allprop=True,
)
def getcontenttype(scope: Scope, resource: Resource) -> bytes:
    return _content_type(resource.item) if resource.item is not None else _COLLECTION_TYPES[resource.kind]


@live(D("getcontentlength"), ITEMS, "RFC 4918 §15.4", row=lambda row, octets: b"%d" % row.size, allprop=True)
def getcontentlength(scope: Scope, resource: Resource) -> bytes:
    return b"%d" % resource.member.size


def modified(resource: Resource) -> int:
    """When a resource changed last, in seconds UTC."""
    changed = resource.item or resource.collection or resource.owner
    return changed.modified


@live(
    D("getlastmodified"),
    ITEMS | STORED_COLLECTIONS | {Kind.HOME},
    "RFC 4918 §15.7",
    row=lambda row, octets: http_date(row.modified).encode(),
    allprop=True,
)
def getlastmodified(scope: Scope, resource: Resource) -> bytes:
    return http_date(modified(resource)).encode()


@live(
    D("creationdate"),
    ITEMS | STORED_COLLECTIONS | {Kind.HOME},
    "RFC 4918 §15.1",
    row=lambda row, octets: _iso(row.created),
    allprop=True,
)
def creationdate(scope: Scope, resource: Resource) -> bytes:
    return _iso((resource.item or resource.collection or resource.owner).created)


def _iso(seconds: int) -> bytes:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()


@live(D("supported-report-set"), EXISTING, "RFC 3253 §3.1.5")
def supported_report_set(scope: Scope, resource: Resource) -> bytes:
    return _reports(registry.reports_of(resource.kind))


@lru_cache(maxsize=32)
def _reports(names: tuple[str, ...]) -> bytes:
    return b"".join(element(D("supported-report"), element(D("report"), element(name))) for name in names)


@live(D("supported-method-set"), EXISTING, "RFC 3253 §3.1.3")
def supported_method_set(scope: Scope, resource: Resource) -> bytes:
    return b"".join(element(D("supported-method"), b"", {"name": name}) for name in registry.methods_of(resource.kind))


@live(D("supported-live-property-set"), EXISTING, "RFC 3253 §3.1.4")
def supported_live_property_set(scope: Scope, resource: Resource) -> bytes:
    return b"".join(
        element(D("supported-live-property"), element(D("prop"), element(one.name)))
        for one in registry.properties_of(resource.kind)
    )


@live(C("max-resource-size"), frozenset({Kind.CALENDAR}), "RFC 4791 §5.2.5")
def max_resource_size(scope: Scope, resource: Resource) -> bytes:
    return b"%d" % scope.settings.max_resource_size


@live(f"{{{CARDDAV}}}max-resource-size", frozenset({Kind.ADDRESSBOOK}), "RFC 6352 §6.2.3")
def max_card_size(scope: Scope, resource: Resource) -> bytes:
    return b"%d" % scope.settings.max_resource_size
