"""calendar-multiget (RFC 4791 §7.9), addressbook-multiget (RFC 6352 §8.7): named members, each with its own status."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from calsync.dav.answer import Listing
from calsync.dav.registry import report
from calsync.dav.reports.calendar_query import calendars_in, container
from calsync.dav.request import Response, multistatus
from calsync.dav.resources import CALENDARS, Kind, Resource
from calsync.dav.scope import Scope
from calsync.store import items
from calsync.webdav.errors import DavError
from calsync.webdav.multistatus import escape, response_status, stream
from calsync.webdav.names import CR, C
from calsync.webdav.requests import AddressbookMultiget, CalendarMultiget, Multiget

_PAGE = 100

# The end of an href that means itself: most are what this server gave out.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9_.~-]*").fullmatch


@report(C("calendar-multiget"), CalendarMultiget, CALENDARS | {Kind.PLAIN, Kind.EVENT}, "RFC 4791 §7.9")
def calendar_multiget(scope: Scope, wanted: CalendarMultiget) -> Response:
    return _multiget(scope, wanted)


@report(CR("addressbook-multiget"), AddressbookMultiget, frozenset({Kind.ADDRESSBOOK, Kind.CARD}), "RFC 6352 §8.7")
def addressbook_multiget(scope: Scope, wanted: AddressbookMultiget) -> Response:
    """`Depth` is ignored: the hrefs say what is meant (clients.md 38)."""
    return _multiget(scope, wanted)


def _multiget(scope: Scope, wanted: Multiget) -> Response:
    with scope.read():
        resource = scope.readable()
        calendars = calendars_in(scope, resource) if resource.kind is Kind.PLAIN else []
    if resource.kind is Kind.PLAIN:
        return multistatus(stream(_of_many(calendars, wanted)))
    if resource.item is not None:
        return multistatus(stream(_of_one(scope, resource, wanted)))
    return multistatus(stream(_responses(scope, resource, wanted)))


def _of_one(scope: Scope, resource: Resource, wanted: Multiget) -> Iterator[bytes]:
    """Of an object, its own href alone can be asked (RFC 4791 §7.9)."""
    collection = container(resource)
    own = [href for href in dict.fromkeys(wanted.hrefs) if _name(scope, collection, href) == resource.name]
    yield from (response_status(escape(href).encode(), 404) for href in dict.fromkeys(wanted.hrefs) if href not in own)
    yield from _responses(scope, collection, replace(wanted, hrefs=tuple(own)))


def _of_many(calendars: list[tuple[Scope, Resource]], wanted: Multiget) -> Iterator[bytes]:
    """Members of any of these calendars, one calendar after the other."""
    left = dict.fromkeys(wanted.hrefs)
    for scope, calendar in calendars:
        own = [href for href in left if _name(scope, calendar, href) is not None]
        for href in own:
            del left[href]
        yield from _responses(scope, calendar, replace(wanted, hrefs=tuple(own)))
    yield from (response_status(escape(href).encode(), 404) for href in left)


def _responses(scope: Scope, resource: Resource, wanted: Multiget) -> Iterator[bytes]:
    listing = Listing(scope, resource, wanted.properties, data=True)
    hrefs = iter(dict.fromkeys(wanted.hrefs))
    while page := list(islice(hrefs, _PAGE)):
        yield from _page(scope, resource, listing, page)


def _page(scope: Scope, resource: Resource, listing: Listing, hrefs: Sequence[str]) -> list[bytes]:
    """The members named by `hrefs`, in that order; 404 for what is not a member of this collection."""
    prefix = scope.href(resource.path, True)
    names = [
        rest if href.startswith(prefix) and _PLAIN(rest := href[len(prefix) :]) else _name(scope, resource, href)
        for href in hrefs
    ]
    wanted = [name for name in names if name is not None]
    with scope.read() as tx:
        found = items.named(tx, resource.container, wanted)
        bodies = None
        if listing.needs_octets:
            bodies = items.page_bodies(tx, resource.container, [item.id for item in found.values()])
        present = [found.get(name) if name is not None else None for name in names]
        answers = iter(listing.page([item for item in present if item is not None], bodies))
    return [
        response_status(escape(href).encode(), 404) if item is None else next(answers)
        for href, item in zip(hrefs, present, strict=True)
    ]


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
