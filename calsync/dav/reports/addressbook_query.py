"""addressbook-query (RFC 6352 §8.6): the cards that pass a filter, with a limit that is told (§8.6.2)."""

from __future__ import annotations

from collections.abc import Iterator

from calsync.dav.answer import Listing
from calsync.dav.filters.search import card_search
from calsync.dav.registry import report
from calsync.dav.reports.pages import found, within
from calsync.dav.request import Response, multistatus
from calsync.dav.resources import Kind, Resource
from calsync.dav.scope import Scope
from calsync.webdav.multistatus import stream
from calsync.webdav.names import CR
from calsync.webdav.requests import AddressbookQuery


@report(CR("addressbook-query"), AddressbookQuery, frozenset({Kind.ADDRESSBOOK}), "RFC 6352 §8.6")
def addressbook_query(scope: Scope, wanted: AddressbookQuery) -> Response:
    with scope.read():
        resource = scope.readable()
    return multistatus(stream(within(wanted.limit, _pages(scope, resource, wanted), scope.url(resource))))


def _pages(scope: Scope, resource: Resource, wanted: AddressbookQuery) -> Iterator[list[bytes]]:
    listing = Listing(scope, resource, wanted.properties, data=True)
    search = card_search(resource.container, wanted.filter, scope.purse, octets=listing.needs_octets)
    return found(scope, search, listing)
