"""sync-collection (RFC 6578 §3): what changed since a token, from the index, streamed in the order of the changes."""

from __future__ import annotations

from collections.abc import Iterator

from calsync import counters
from calsync.counters import families
from calsync.dav.answer import Listing, describe
from calsync.dav.members import child_collections
from calsync.dav.registry import report
from calsync.dav.request import Response, multistatus
from calsync.dav.resources import STORED_COLLECTIONS, Kind, Resource, of_collection
from calsync.dav.scope import Scope
from calsync.store import changes, items
from calsync.store.changes import Change, SyncToken
from calsync.store.replicas import Seen
from calsync.store.transaction import Transaction
from calsync.webdav.conditions import NUMBER_OF_MATCHES_WITHIN_LIMITS, SYNC_TRAVERSAL_SUPPORTED, VALID_SYNC_TOKEN
from calsync.webdav.errors import Forbidden
from calsync.webdav.multistatus import element, response_status, stream
from calsync.webdav.names import D
from calsync.webdav.requests import SyncCollection

_PAGE = 500


@report(D("sync-collection"), SyncCollection, STORED_COLLECTIONS | {Kind.HOME}, "RFC 6578 §3.2")
def sync_collection(scope: Scope, wanted: SyncCollection) -> Response:
    """`Depth` is ignored: sync-level decides (clients.md 38)."""
    with scope.read():
        resource = scope.readable()
        since = _since(resource, wanted.token)
        walk = _Walk(scope, resource, wanted, since)
        if wanted.infinite and resource.kind in (Kind.HOME, Kind.PLAIN):
            return _everything(scope, walk, resource, wanted, since)
    return multistatus(stream(walk.fragments(), tail=walk.tail))


def _since(resource: Resource, text: str) -> SyncToken:
    """The token that a delta starts from; an empty one starts a first sync (clients.md 29).

    Raises `valid-sync-token` for one that is foreign, from the future, or older than the tombstones reach.
    """
    state = resource.collection or resource.owner
    if not text:
        counters.add(families.SYNCS, ("first",))
        return changes.first(state)
    try:
        token = SyncToken.parse(text)
    except ValueError as error:
        counters.add(families.SYNCS, ("refused",))
        raise Forbidden(str(error), condition=VALID_SYNC_TOKEN) from error
    if not token.holds_for(state):
        counters.add(families.SYNCS, ("refused",))
        raise Forbidden(f"sync-token {text}: its history is not known", condition=VALID_SYNC_TOKEN)
    counters.add(families.SYNCS, ("changes",))
    return token


class _Walk:
    """The changes of a collection or home, page by page up to the `seq` read first; at the end it knows its token."""

    def __init__(self, scope: Scope, resource: Resource, wanted: SyncCollection, since: SyncToken) -> None:
        self._scope, self._resource, self._wanted, self._since = scope, resource, wanted, since
        self.upto = (resource.collection or resource.owner).seq
        # The seq at which the collection came under its name, where that is later than what the client knows.
        self.moved = resource.container.sync_floor if resource.collection is not None and not since.position else 0
        self._prefix = scope.href(resource.path, True).encode()
        self._listing = None
        if resource.collection is not None:
            self._listing = Listing(scope, resource, wanted.properties, data=True)
        self._token = SyncToken(since.epoch, self.upto)

    def fragments(self) -> Iterator[bytes]:
        position, left = self._since.position, self._wanted.limit
        while True:
            size = _PAGE if left is None else min(_PAGE, left)
            page, more, fragments = self._read(position, size)
            yield from fragments
            if not more:
                return
            position = page[-1].seq
            if left is not None:
                left -= len(page)
                if left == 0:
                    # RFC 6578 §3.6: cut here, and the token continues.
                    self._token = self._since.at(position)
                    yield self.truncated()
                    return

    def _read(self, position: int, size: int) -> tuple[list[Change], bool, list[bytes]]:
        """A page, whether there is more, and its responses: of a replica that has all up to what the token will say.

        Who may read what was found out before, in the database itself. Collections inside a home or a collection, and
        locks, are asked for there, too: a right or a lock that was taken away must not be seen again.
        """

        def read(tx: Transaction) -> tuple[list[Change], bool, list[bytes]]:
            # One more than is named tells whether the answer is cut.
            found = self._changes(tx, position, size + 1)
            return found[:size], len(found) > size, self.told(tx, found[:size])

        collection = self._resource.collection
        if collection is None or collection.kind == "plain" or self._listing is None or self._listing.beside:
            with self._scope.read() as tx:
                return read(tx)
        return self._scope.read_since(Seen(collection.owner, collection.epoch, collection.owner_seq), read)

    def truncated(self) -> bytes:
        """RFC 6578 §3.6: said of the collection itself."""
        counters.add(families.TRUNCATED)
        return response_status(self._prefix, 507, NUMBER_OF_MATCHES_WITHIN_LIMITS)

    def first_changes(self, tx: Transaction, limit: int) -> list[Change]:
        return self._changes(tx, self._since.position, limit)

    def _changes(self, tx: Transaction, after: int, limit: int) -> list[Change]:
        gone_after = self._since.tombstones_after
        if self._resource.collection is not None:
            return changes.changes(tx, self._resource.collection, after, gone_after, limit, self.upto)
        return changes.home_changes(tx, self._resource.owner, after, gone_after, limit, self.upto)

    def told(self, tx: Transaction, page: list[Change]) -> list[bytes]:
        """A response for each change: 404 for what is gone, its properties for what is there."""
        lines: Iterator[bytes] = iter(())
        if self._listing is not None:
            rows = [one.item for one in page if one.item is not None]
            bodies = None
            if self._listing.needs_octets:
                bodies = items.page_bodies(tx, self._resource.container, [row.id for row in rows])
            lines = iter(self._listing.page(rows, bodies))
        told: list[bytes] = []
        for one in page:
            if one.item is not None:
                told.append(next(lines))
            elif one.collection is None:
                if self._listing is not None or self._scope.access.may_hear_of(
                    (*self._resource.path, one.href.rstrip("/"))
                ):
                    told.append(response_status(self._prefix + one.url.encode(), 404))
            else:
                path = (*self._resource.path, one.collection.name)
                inner = of_collection(self._resource.owner, path, one.collection)
                if self._scope.access.may_read(inner):
                    told.append(describe(self._scope, inner, self._wanted.properties))
        return told

    def tail(self) -> bytes:
        return element(D("sync-token"), str(self._token))


#: Changes that one answer of level infinite with a limit names at most: RFC 6578 §3.6 lets the server cut, too.
_MOST = 2000


def _everything(scope: Scope, walk: _Walk, top: Resource, wanted: SyncCollection, since: SyncToken) -> Response:
    """sync-level infinite: the collections inside, and what changed in each (RFC 6578 §3.3)."""
    walks: list[_Walk] = []
    foreign: list[bytes] = []
    for inner, child in _inside(scope, top):
        if inner is not scope:
            # A collection of somebody else has a history of its own.
            foreign.append(response_status(inner.url(child).encode(), 403, SYNC_TRAVERSAL_SUPPORTED))
        elif child.container.seq > since.position:
            walks.append(_Walk(scope, child, wanted, _of_child(since, child)))
    if wanted.limit is not None:
        return _limited(scope, [walk, *walks], foreign, since, min(wanted.limit, _MOST))

    def fragments() -> Iterator[bytes]:
        yield from walk.fragments()
        yield from foreign
        for one in walks:
            yield from one.fragments()

    return multistatus(stream(fragments(), tail=walk.tail))


def _inside(scope: Scope, top: Resource) -> Iterator[tuple[Scope, Resource]]:
    for inner, child in child_collections(scope, top):
        yield inner, child
        if inner is scope:
            yield from _inside(scope, child)


def _of_child(since: SyncToken, child: Resource) -> SyncToken:
    """What a client with the outer token knows of a collection: nothing, where its name became this one later."""
    floor = child.container.sync_floor
    known = max(since.tombstones_after, floor)
    position = 0 if floor > since.tombstones_after else since.position
    return SyncToken(since.epoch, position, known if known > position else None)


def _limited(scope: Scope, walks: list[_Walk], foreign: list[bytes], since: SyncToken, limit: int) -> Response:
    """All changes in one order, cut after `limit`; the token continues after the last that is named.

    What came with a moved collection counts as changed when that moved. It cannot be cut: where it is more than
    the limit, that is said.
    """
    found: list[tuple[int, int, Change]] = []
    for place, walk in enumerate(walks):
        found += [(max(one.seq, walk.moved), place, one) for one in walk.first_changes(scope.tx, limit + 1)]
    found.sort(key=lambda one: one[0])
    tail, token = b"", SyncToken(since.epoch, walks[0].upto)
    if len(found) > limit:
        cut = found[limit][0]
        found = [one for one in found if one[0] < cut]
        if not found:
            raise Forbidden("more changed at once than the limit", condition=NUMBER_OF_MATCHES_WITHIN_LIMITS)
        token = since.at(found[-1][0])
        foreign = []
        tail = walks[0].truncated()
    told = [
        fragment
        for place, walk in enumerate(walks)
        for fragment in walk.told(scope.tx, [change for _, at, change in found if at == place])
    ]
    return multistatus(stream([*told, *foreign, tail], tail=element(D("sync-token"), str(token))))
