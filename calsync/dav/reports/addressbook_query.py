"""addressbook-query (RFC 6352 §8.6): the cards that pass a filter, with a limit that is told (§8.6.2)."""

from __future__ import annotations

from collections.abc import Iterator

from calsync.dav.answer import Listing
from calsync.dav.filters.search import card_search
from calsync.dav.registry import report
from calsync.dav.reports.calendar_query import found
from calsync.dav.request import Response, multistatus
from calsync.dav.resources import Kind, Resource
from calsync.dav.scope import Scope
from calsync.webdav.conditions import NUMBER_OF_MATCHES_WITHIN_LIMITS
from calsync.webdav.multistatus import response_status, stream
from calsync.webdav.names import CR
from calsync.webdav.requests import AddressbookQuery


@report(CR("addressbook-query"), AddressbookQuery, frozenset({Kind.ADDRESSBOOK}), "RFC 6352 §8.6")
def addressbook_query(scope: Scope, wanted: AddressbookQuery) -> Response:
    with scope.read():
        resource = scope.readable()
    return multistatus(stream(_responses(scope, resource, wanted)))


def _responses(scope: Scope, resource: Resource, wanted: AddressbookQuery) -> Iterator[bytes]:
    listing = Listing(scope, resource, wanted.properties, data=True)
    search = card_search(resource.container, wanted.filter, octets=listing.needs_octets)
    left = wanted.limit
    for fragments in found(scope, search, listing):
        if left is not None and len(fragments) > left:
            yield from fragments[:left]
            yield response_status(scope.url(resource).encode(), 507, NUMBER_OF_MATCHES_WITHIN_LIMITS)
            return
        left = None if left is None else left - len(fragments)
        yield from fragments
