"""`lockdiscovery` and `supportedlock` (RFC 4918 §15.8, §15.10), on what can be locked."""

from __future__ import annotations

from collections.abc import Mapping

from calsync.dav.locks import covering, discovery, now, reaches, url_of
from calsync.dav.registry import Row, RowRender, live
from calsync.dav.resources import ITEMS, STORED_COLLECTIONS, Resource
from calsync.dav.scope import Scope
from calsync.store import locks
from calsync.webdav.multistatus import element
from calsync.webdav.names import D

_LOCKABLE = STORED_COLLECTIONS | ITEMS


def _listed(scope: Scope, collection: Resource) -> RowRender:
    """The locks of a listing, read once, with the first item: most often there are none."""
    known: Mapping[str, bytes] = {}
    inherited: bytes | None = None
    base = url_of(collection)

    def value(row: Row, octets: bytes | None) -> bytes:
        nonlocal known, inherited
        if inherited is None:
            inherited = discovery(scope, collection, [one for one in covering(scope, collection) if _passed_on(one)])
            known = _by_name(scope, collection, base)
        return inherited + known.get(row.url, b"")

    return value


def _passed_on(lock: locks.Lock) -> bool:
    return reaches(lock, lock.url + "/x")


def _by_name(scope: Scope, collection: Resource, base: str) -> Mapping[str, bytes]:
    """Encoded name of a member → its own locks."""
    found: dict[str, bytes] = {}
    for one in locks.below(scope.tx, collection.owner.id, base, now()):
        name = one.url[len(base) + 1 :]
        found[name] = found.get(name, b"") + discovery(scope, collection, [one])
    return found


@live(D("lockdiscovery"), _LOCKABLE, "RFC 4918 §15.8", listed=_listed, allprop=True)
def lockdiscovery(scope: Scope, resource: Resource) -> bytes:
    return discovery(scope, resource, covering(scope, resource))


_SUPPORTED = b"".join(
    element(
        D("lockentry"),
        element(D("lockscope"), element(D(scope))) + element(D("locktype"), element(D("write"))),
    )
    for scope in ("exclusive", "shared")
)


@live(D("supportedlock"), _LOCKABLE, "RFC 4918 §15.10", row=lambda row, octets: _SUPPORTED, allprop=True)
def supportedlock(scope: Scope, resource: Resource) -> bytes:
    return _SUPPORTED
