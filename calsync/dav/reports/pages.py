"""What the query reports share: a search as pages of responses, and a limit that is told (RFC 6352 §8.6.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from calsync.dav.answer import Listing
from calsync.dav.filters.search import Search
from calsync.dav.scope import Scope
from calsync.webdav.conditions import NUMBER_OF_MATCHES_WITHIN_LIMITS
from calsync.webdav.multistatus import response_status


def found(scope: Scope, search: Search, listing: Listing) -> Iterator[list[bytes]]:
    """The responses of a search, each page from a short read of its own."""
    while not search.done:
        with scope.read() as tx:
            page = search.page(tx)
            fragments = listing.page(page.rows, page.bodies)
        yield fragments


def within(limit: int | None, pages: Iterable[list[bytes]], href: str) -> Iterator[bytes]:
    """The responses up to the limit; where there are more, a 507 for `href`, the resource that was asked."""
    left = limit
    for fragments in pages:
        if left is not None and len(fragments) > left:
            yield from fragments[:left]
            yield response_status(href.encode(), 507, NUMBER_OF_MATCHES_WITHIN_LIMITS)
            return
        left = None if left is None else left - len(fragments)
        yield from fragments
