"""The workplace of one request: its context, its rights, and the read transaction that is open right now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from calsync.accounts import rows as accounts
from calsync.dav.access import Access
from calsync.dav.context import Context, Settings
from calsync.dav.request import Mount, Request, Segments
from calsync.dav.resources import Kind, Resource, locate
from calsync.ical.budget import Purse
from calsync.store.names import folded
from calsync.store.principals import Principal
from calsync.store.quota import Amounts
from calsync.store.replicas import Seen
from calsync.store.transaction import Transaction
from calsync.webdav import headers, urls
from calsync.webdav.errors import NotFound
from calsync.webdav.requests import Property, PropertyRequest

if TYPE_CHECKING:
    from calsync.dav.registry import LiveProperty

    Looked = Sequence[tuple[Property, LiveProperty | None, bool, bytes]]

Result = TypeVar("Result")


class Scope:
    """Passed to every method, report and property.

    `tx` is the transaction in which the resources at hand were read; it is exchanged page by page while an answer is
    streamed (decision D9), so nothing keeps it.
    """

    def __init__(self, context: Context, request: Request) -> None:
        self.context = context
        self.request = request
        self.access = Access(context.rights, request)
        self.prefer = headers.prefer(request.header("prefer"), request.header("brief"))
        #: What `answer` found out of a property request, by the identity of that.
        self.looked_up: dict[int, tuple[PropertyRequest, Looked]] = {}
        #: What the recurrence of all objects that this request looks at may cost.
        self.purse = Purse()
        #: By owner what `properties.quota` found: in which transaction, what there may be and what there is.
        self.quotas: dict[int, tuple[Transaction, Amounts, Amounts]] = {}
        self._tx: Transaction | None = None

    @property
    def mapping(self) -> Mount | None:
        """The mapped collection that the request goes through, if any."""
        return self.request.mapping

    @property
    def settings(self) -> Settings:
        return self.context.settings

    @property
    def tx(self) -> Transaction:
        assert self._tx is not None, "no transaction is open"
        return self._tx

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A short read; inside it `tx` is set."""
        with self.context.store.read() as tx:
            previous, self._tx = self._tx, tx
            try:
                yield tx
            finally:
                self._tx = previous

    def read_since(self, seen: Seen, work: Callable[[Transaction], Result]) -> Result:
        """What `work` gives in a short read, perhaps of a replica (`Store.read_since`); inside it `tx` is set."""

        def inside(tx: Transaction) -> Result:
            previous, self._tx = self._tx, tx
            try:
                return work(tx)
            finally:
                self._tx = previous

        return self.context.store.read_since(seen, inside)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """The writing transaction; preconditions are evaluated in it."""
        with self.context.store.write(alone=False) as tx:
            tx.actor = self.request.actor
            previous, self._tx = self._tx, tx
            try:
                yield tx
            finally:
                self._tx = previous

    def inside(self, mapping: Mount) -> Scope:
        """The same request seen through a mapped collection, in the transaction that is open now."""
        inner = Scope(self.context, replace(self.request, mapping=mapping))
        inner._tx, inner.purse = self._tx, self.purse
        return inner

    def towards(self, destination: str) -> Scope:
        """The scope of a `Destination` header or an href, which may lie in a mapped collection of its own.

        RFC 4918 §10.3. Raises a 4xx for what is no URL, 502 for another server's.
        """
        wanted = headers.destination(destination, host=self.request.host, base=self.request.base)
        path, request = wanted.path, self.request
        if path and path[0].casefold() == request.user.casefold():
            path = (request.user, *path[1:])
        mapping, path = Mount.resolve(self.context.sharing, path, wanted.slash, request.user, request.groups)
        inner = Scope(self.context, replace(request, path=path, slash=wanted.slash, mapping=mapping))
        inner._tx, inner.purse = self._tx, self.purse
        return inner

    def named(self, href: str) -> Segments:
        """The path that an href in a body means, as its asker sees it. Raises a 4xx for one of another server."""
        return headers.destination(href, host=self.request.host, base=self.request.base).path

    def shown(self, path: Segments) -> Segments:
        """The path as its asker sees it: inside a mapped collection, under the mapping."""
        mapping = self.mapping
        if mapping is not None and path[: len(mapping.real)] == mapping.real:
            return mapping.shown + path[len(mapping.real) :]
        return path

    def href(self, path: Segments, collection: bool) -> str:
        """The absolute, encoded href of `path` as its asker sees it."""
        return urls.href(self.request.base, self.shown(path), collection)

    def url(self, resource: Resource) -> str:
        """The href of a resource."""
        return self.href(resource.path, resource.is_collection)

    def email(self, principal: Principal) -> str:
        """The mail address of a principal's account, empty where it has none."""
        row = self.tx.first(accounts.BY_NAME, name_key=folded(principal.name))
        return accounts.account_of(row).email if row else ""

    def locate(self) -> Resource:
        """The resource that the request names, which may be `Kind.MISSING`."""
        return locate(self.tx, self.request.path)

    def readable(self) -> Resource:
        """The resource that the request names, which exists and may be read.

        Raises `Forbidden` or `Unauthorized` before it says whether there is something, then `NotFound`.
        """
        resource = self.locate()
        if not self.access.may_read(resource):
            raise self.access.refusal(self.href(resource.path, self.request.slash), "{DAV:}read")
        if resource.kind is Kind.MISSING:
            raise NotFound(f"nothing at {self.href(resource.path, self.request.slash)}")
        return resource
