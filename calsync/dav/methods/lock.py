"""LOCK and UNLOCK (RFC 4918 §9.10, §9.11): exclusive and shared write locks, Depth 0 and infinity."""

from __future__ import annotations

import uuid

from calsync.dav import locks as dav_locks
from calsync.dav.locks import covering, holder, now, roots, url_of
from calsync.dav.preconditions import check_conditions
from calsync.dav.registry import method
from calsync.dav.request import XML, Response, multistatus
from calsync.dav.resources import ITEMS, STORED_COLLECTIONS, Kind, Resource
from calsync.dav.scope import Scope
from calsync.store import items, locks, principals
from calsync.store.locks import Lock
from calsync.store.transaction import Transaction
from calsync.webdav import headers, parse
from calsync.webdav.conditions import LOCK_TOKEN_MATCHES_REQUEST_URI, NO_CONFLICTING_LOCK
from calsync.webdav.errors import (
    BadRequest,
    Conflict,
    ContentTooLarge,
    DavError,
    Forbidden,
    InsufficientStorage,
    Locked,
    MethodNotAllowed,
    PreconditionFailed,
)
from calsync.webdav.multistatus import element, prop, response_status, stream
from calsync.webdav.names import D
from calsync.webdav.requests import LockInfo

_KINDS = STORED_COLLECTIONS | ITEMS | {Kind.MISSING}

#: Locks that one principal can hold in a home, locks that can reach a resource, and octets of an `owner` element: all
#: of it is told in every listing that asks for `lockdiscovery`.
_MOST = 1000
_MOST_ON_ONE = 50
_LONGEST_OWNER = 2048


@method("LOCK", _KINDS, "RFC 4918 §9.10")
def lock(scope: Scope) -> Response:
    request = scope.request
    wanted = parse.lockinfo(request.body, request.header("content-type"))
    depth = headers.depth(request.header("depth"), "infinity")
    if depth == "1":  # RFC 4918 §9.10.3
        raise BadRequest("LOCK is Depth: 0 or infinity")
    if wanted is not None and len(wanted.owner) > _LONGEST_OWNER:
        raise ContentTooLarge(f"an owner element of {len(wanted.owner)} octets, {_LONGEST_OWNER} are kept")
    seconds = headers.timeout(request.header("timeout"))
    with scope.write() as tx:
        resource = scope.locate()
        _allowed(scope, resource)
        if wanted is None:
            return _refresh(scope, tx, resource, seconds)
        check_conditions(scope, resource)
        try:
            return _lock(scope, tx, resource, wanted, depth, seconds)
        except _ConflictBelow as conflict:
            return conflict.answer(scope.href(resource.path, True))


def _allowed(scope: Scope, resource: Resource) -> None:
    """Raise where the resource may not be written, or where no lock can be."""
    href = scope.href(resource.path, scope.request.slash)
    if not scope.access.may_write(resource):
        # Only those who may read learn from the privilege whether something is there.
        known = resource.kind is not Kind.MISSING and scope.access.may_read(resource)
        raise scope.access.refusal(href, D("write-content") if known else D("bind"))
    if resource.kind not in _KINDS:
        raise MethodNotAllowed("homes are not locked")
    if resource.kind is Kind.MISSING and (not resource.parent or resource.principal is None):
        raise Conflict(f"the parent of {href} does not exist")  # RFC 4918 §9.10.6


class _ConflictBelow(Locked):
    """A lock of Depth infinity meets others inside the collection."""

    def __init__(self, hrefs: list[str]) -> None:
        super().__init__(f"locked inside: {hrefs[0]}", condition=NO_CONFLICTING_LOCK)
        self.hrefs = hrefs

    def answer(self, href: str) -> Response:
        """RFC 4918 §9.10.9: 423 for those, 424 for the collection."""
        parts = [response_status(one.encode(), 423, NO_CONFLICTING_LOCK) for one in self.hrefs]
        return multistatus(stream([*parts, response_status(href.encode(), 424)]))


def _lock(scope: Scope, tx: Transaction, resource: Resource, wanted: LockInfo, depth: str, seconds: int) -> Response:
    owner, url, moment = resource.owner.id, url_of(resource), now()
    found = covering(scope, resource)
    conflicts = _conflicts(wanted, found)
    if conflicts:
        detail = b"".join(element(D("href"), one) for one in roots(scope, resource, conflicts))
        raise Locked("locked by another lock", condition=NO_CONFLICTING_LOCK, detail=detail)
    if depth == "infinity" and resource.is_collection:
        conflicts = _conflicts(wanted, locks.below(tx, owner, url, moment))
        if conflicts:
            raise _ConflictBelow(roots(scope, resource, conflicts))
    created = resource.kind is Kind.MISSING
    if created:
        _make(scope, tx, resource)
    asker = _principal(scope, tx)
    locks.forget_expired(tx, owner, moment)
    if len(found) >= _MOST_ON_ONE or locks.count(tx, owner, asker) >= _MOST:
        raise InsufficientStorage(f"more than {_MOST_ON_ONE} locks here, or {_MOST} of one holder")
    made = Lock(
        owner=owner,
        token=f"urn:uuid:{uuid.uuid4()}",
        url=url,
        scope="shared" if wanted.shared else "exclusive",
        depth=depth,
        description=wanted.owner.decode(),
        principal=asker,
        expires=moment + seconds,
        created=moment,
    )
    locks.add(tx, made)
    answer = _answer(scope, scope.locate(), [*found, made])
    answer.status = 201 if created else 200
    answer.headers["Lock-Token"] = f"<{made.token}>"
    return answer


def _conflicts(wanted: LockInfo, found: list[Lock]) -> list[Lock]:
    """RFC 4918 §6.2: shared locks bear each other, an exclusive one bears no other."""
    return [one for one in found if not wanted.shared or one.scope == "exclusive"]


def _make(scope: Scope, tx: Transaction, resource: Resource) -> None:
    """RFC 4918 §7.3: a lock on an unmapped URL makes an empty resource, where such a one can be."""
    container = resource.collection
    if container is None or container.kind != "plain":
        raise Forbidden("what does not exist cannot be locked here: an empty resource cannot stand in its place")
    if not scope.settings.permit_files:
        raise Forbidden("[storage] permit_files is off")
    if scope.request.slash:
        raise Conflict("a file has no slash at its end")
    dav_locks.check(scope, resource)
    items.put_file(tx, container, resource.name, b"", "")


def _principal(scope: Scope, tx: Transaction) -> int:
    """The asker as a holder of locks; one who never had a home gets a row, but no home."""
    user = scope.request.user
    return holder(scope) or (principals.create(tx, user).id if user else 0)


def _answer(scope: Scope, resource: Resource, found: list[Lock]) -> Response:
    body = prop(element(D("lockdiscovery"), dav_locks.discovery(scope, resource, found)))
    return Response(200, {"Content-Type": XML, "Cache-Control": "no-cache"}, body)


def _refresh(scope: Scope, tx: Transaction, resource: Resource, seconds: int) -> Response:
    """RFC 4918 §9.10.2: an empty body, and the lock named by `If`; the request may name any resource under it."""
    lists = headers.if_header(scope.request.header("if"))
    submitted = headers.submitted_tokens(lists)
    if not submitted:
        raise BadRequest("LOCK without a body refreshes the lock that the If header names, and it names none")
    check_conditions(scope, resource)
    asker = holder(scope)
    named = [one for one in covering(scope, resource) if one.token in submitted]
    if not named:
        raise PreconditionFailed("no such lock here", condition=LOCK_TOKEN_MATCHES_REQUEST_URI)
    if any(one.principal != asker for one in named):
        raise Forbidden("the lock is another's")
    if len(named) > 1:
        raise BadRequest("only one lock can be refreshed at a time")
    locks.extend(tx, named[0], now() + seconds)
    return _answer(scope, resource, covering(scope, resource))


@method("UNLOCK", _KINDS, "RFC 4918 §9.11")
def unlock(scope: Scope) -> Response:
    """204. A lock is taken off by its holder, or by whom it stands in the home of (RFC 3744 §3.5)."""
    token = headers.lock_token(scope.request.header("lock-token"))
    with scope.write() as tx:
        resource = scope.locate()
        found = next((one for one in covering(scope, resource) if one.token == token), None)
        if found is None:
            raise _unmatched(scope, resource)
        check_conditions(scope, resource)
        own = found.principal == holder(scope) and scope.access.may_touch(resource)
        if not own and not scope.access.may_unlock(resource):
            raise scope.access.refusal(scope.url(resource), D("unlock"))
        locks.remove(tx, found)
    return Response(204)


def _unmatched(scope: Scope, resource: Resource) -> DavError:
    if not scope.access.may_read(resource):
        return scope.access.refusal(scope.href(resource.path, scope.request.slash), D("unlock"))
    return Conflict("no lock with this token reaches the resource", condition=LOCK_TOKEN_MATCHES_REQUEST_URI)
