"""calendar-multiget (RFC 4791 §7.9), addressbook-multiget (RFC 6352 §8.7): named members, each with its own status."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from calsync.dav.answer import Listing
from calsync.dav.registry import report
from calsync.dav.request import Response, multistatus
from calsync.dav.resources import CALENDARS, Kind, Resource
from calsync.dav.scope import Scope
from calsync.store import items
from calsync.webdav.errors import DavError
from calsync.webdav.multistatus import escape, response_status, stream
from calsync.webdav.names import CR, C
from calsync.webdav.requests import AddressbookMultiget, CalendarMultiget, Multiget

_PAGE = 100


@report(C("calendar-multiget"), CalendarMultiget, CALENDARS, "RFC 4791 §7.9")
def calendar_multiget(scope: Scope, wanted: CalendarMultiget) -> Response:
    return _multiget(scope, wanted)


@report(CR("addressbook-multiget"), AddressbookMultiget, frozenset({Kind.ADDRESSBOOK}), "RFC 6352 §8.7")
def addressbook_multiget(scope: Scope, wanted: AddressbookMultiget) -> Response:
    """`Depth` is ignored: the hrefs say what is meant (clients.md 38)."""
    return _multiget(scope, wanted)


def _multiget(scope: Scope, wanted: Multiget) -> Response:
    with scope.read():
        resource = scope.readable()
    return multistatus(stream(_responses(scope, resource, wanted)))


def _responses(scope: Scope, resource: Resource, wanted: Multiget) -> Iterator[bytes]:
    listing = Listing(scope, resource, wanted.properties, data=True)
    hrefs = iter(dict.fromkeys(wanted.hrefs))
    while page := list(islice(hrefs, _PAGE)):
        yield from _page(scope, resource, listing, page)


def _page(scope: Scope, resource: Resource, listing: Listing, hrefs: Sequence[str]) -> list[bytes]:
    """The members named by `hrefs`, in that order; 404 for what is not a member of this collection."""
    names = [_name(scope, resource, href) for href in hrefs]
    wanted = [name for name in names if name is not None]
    with scope.read() as tx:
        found = items.named(tx, resource.container, wanted)
        bodies = None
        if listing.needs_octets:
            bodies = items.page_bodies(tx, resource.container, [item.id for item in found.values()])
        answers: list[bytes] = []
        for href, name in zip(hrefs, names, strict=True):
            item = found.get(name) if name is not None else None
            if item is None:
                answers.append(response_status(escape(href).encode(), 404))
            else:
                answers += listing.page([item], bodies)
    return answers


def _name(scope: Scope, resource: Resource, href: str) -> str | None:
    """The name of the member that `href` means, None where it lies elsewhere."""
    try:
        path = scope.named(href)
    except DavError:
        return None
    shown = scope.shown(resource.path)
    if len(path) != len(shown) + 1 or path[:-1] != shown:
        return None
    return path[-1]
