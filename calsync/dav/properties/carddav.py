"""CardDAV's properties (RFC 6352 §6.2, §7.1)."""

from __future__ import annotations

from calsync.dav.properties.acl import href
from calsync.dav.properties.core import plain_text
from calsync.dav.registry import live, settable
from calsync.dav.resources import Kind, Resource
from calsync.dav.scope import Scope
from calsync.webdav.multistatus import element
from calsync.webdav.names import CR

_BOOK = frozenset({Kind.ADDRESSBOOK})

settable(CR("addressbook-description"), _BOOK, "RFC 6352 §6.2.1", plain_text)


@live(CR("addressbook-home-set"), frozenset({Kind.HOME}), "RFC 6352 §7.1.1")
def addressbook_home_set(scope: Scope, resource: Resource) -> bytes:
    return href(scope.href(resource.path, True))


@live(CR("supported-address-data"), _BOOK, "RFC 6352 §6.2.2")
def supported_address_data(scope: Scope, resource: Resource) -> bytes:
    return b"".join(
        element(CR("address-data-type"), b"", {"content-type": "text/vcard", "version": version})
        for version in ("3.0", "4.0")
    )


@live(CR("supported-collation-set"), _BOOK, "RFC 6352 §8.3.1")
def supported_collation_set(scope: Scope, resource: Resource) -> bytes:
    names = ("i;ascii-casemap", "i;octet", "i;unicode-casemap")
    return b"".join(element(CR("supported-collation"), name) for name in names)
