"""What the query reports share: a search as pages of responses, and a limit that is told (RFC 6352 §8.6.2).

The limit is the client's, or that of the processor time which dear objects may take together (`Purse`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from calsync.dav.answer import Listing
from calsync.dav.filters.search import Search
from calsync.dav.scope import Scope
from calsync.webdav.conditions import NUMBER_OF_MATCHES_WITHIN_LIMITS
from calsync.webdav.multistatus import response_status


class Cut(Exception):
    """There is more, but it would cost too much to find."""


def found(scope: Scope, search: Search, listing: Listing) -> Iterator[list[bytes]]:
    """The responses of a search, each page from a short read of its own. Raises Cut behind the last that are known."""
    while not search.done:
        with scope.read() as tx:
            page = search.page(tx)
            fragments = listing.page(page.rows, page.bodies)
        yield fragments
        if scope.purse.empty:
            raise Cut


def within(limit: int | None, pages: Iterable[list[bytes]], href: str) -> Iterator[bytes]:
    """The responses up to the limit; where there are more, a 507 for `href`, the resource that was asked."""
    left = limit
    try:
        for fragments in pages:
            if left is not None and len(fragments) > left:
                yield from fragments[:left]
                raise Cut
            left = None if left is None else left - len(fragments)
            yield from fragments
    except Cut:
        yield response_status(href.encode(), 507, NUMBER_OF_MATCHES_WITHIN_LIMITS)
