"""COPY and MOVE (RFC 4918 §9.8, §9.9), items and collections; one transaction, so nothing is left half done."""

from __future__ import annotations

from calsync.dav import changes
from calsync.dav.access import Access
from calsync.dav.incoming import refused
from calsync.dav.methods.mkcol import check_place
from calsync.dav.preconditions import check_write
from calsync.dav.registry import method
from calsync.dav.request import Response
from calsync.dav.resources import EXISTING, ITEMS, Kind, Resource, locate
from calsync.dav.scope import Scope
from calsync.store import collections, items
from calsync.store.engine import Transaction
from calsync.store.errors import UidConflict
from calsync.webdav import headers
from calsync.webdav.errors import BadRequest, Conflict, Forbidden, NotFound, PreconditionFailed
from calsync.webdav.names import CR, C, D

_MOVABLE = EXISTING - {Kind.ROOT, Kind.HOME}


@method("COPY", _MOVABLE, "RFC 4918 §9.8")
def copy(scope: Scope) -> Response:
    return _transfer(scope, move=False)


@method("MOVE", _MOVABLE, "RFC 4918 §9.9")
def move(scope: Scope) -> Response:
    return _transfer(scope, move=True)


def _transfer(scope: Scope, *, move: bool) -> Response:
    request = scope.request
    inner = scope.towards(request.header("destination"))
    overwrite = headers.overwrite(request.header("overwrite"))
    depth = headers.depth(request.header("depth"), "infinity")
    with scope.write() as tx:
        source = scope.locate()
        target = locate(tx, inner.request.path)
        _check_source(scope, source, move=move)
        if source.is_collection and (depth == "1" or (move and depth != "infinity")):  # RFC 4918 §9.8.3, §9.9.2
            raise BadRequest(f"{request.method} of a collection with Depth: {depth}")
        if source.path == target.path:  # RFC 4918 §9.8.5
            raise Forbidden("source and destination are the same")
        check_write(request, source)
        if source.kind in ITEMS:
            _item(scope, inner, tx, source, target, move=move, overwrite=overwrite)
        else:
            _collection(scope, inner, tx, source, target, depth, move=move, overwrite=overwrite)
    created = target.kind is Kind.MISSING
    return Response(201 if created else 204)


def _check_source(scope: Scope, source: Resource, *, move: bool) -> None:
    access, href = scope.access, scope.href(source.path, scope.request.slash)
    if not access.may_read(source):
        raise access.refusal(href, D("read"))
    if move and not access.may_write(source):
        raise access.refusal(href, D("unbind"))
    if source.kind is Kind.MISSING:
        raise NotFound(f"nothing at {href}")
    if source.kind not in _MOVABLE:
        raise Forbidden("homes stay where they are")


def _check_target(access: Access, href: str, target: Resource, allowed: bool, overwrite: bool) -> None:
    if not allowed:
        raise access.refusal(href, D("bind") if target.kind is Kind.MISSING else D("write-content"))
    if target.kind is Kind.MISSING and (not target.parent or target.principal is None):
        raise Conflict("the parent of the destination does not exist")
    if target.kind is not Kind.MISSING and not overwrite:
        raise PreconditionFailed("the destination exists and Overwrite is F")


def _item(
    scope: Scope, inner: Scope, tx: Transaction, source: Resource, target: Resource, *, move: bool, overwrite: bool
) -> None:
    href = inner.href(target.path, False)
    # RFC 4791 §5.3.2.1, RFC 6352 §6.3.2.1: the preconditions of PUT hold for COPY and MOVE too.
    container = target.collection
    allowed = inner.access.may_write(target)
    _check_target(inner.access, href, target, allowed, overwrite)
    if target.is_collection or container is None:
        raise Forbidden("an item cannot stand there")
    _check_fits(scope, source, target)
    octets = items.body(tx, source.member)
    changes.written(inner, tx, target, octets)
    if move:
        changes.deleted(scope, tx, source)
    if target.item is not None and source.kind is not Kind.FILE and target.item.uid != source.member.uid:
        # Another object with another UID stands there: clients that sync by UID would lose it unseen.
        raise refused(inner, target, UidConflict(target.item.href))
    try:
        transfer = items.move if move else items.copy
        transfer(tx, source.container, source.member, container, target.name)
    except UidConflict as conflict:
        raise refused(inner, target, conflict) from conflict


def _check_fits(scope: Scope, source: Resource, target: Resource) -> None:
    have, want = source.container, target.container
    if have.kind != want.kind:
        condition = {
            "calendar": C("supported-calendar-data"),
            "subscribed": C("supported-calendar-data"),
            "addressbook": CR("supported-address-data"),
        }.get(want.kind)
        raise Forbidden(f"a member of a {have.kind} does not fit a {want.kind}", condition=condition)
    if want.components and source.member.component not in want.components:
        raise Forbidden(
            f"{source.member.component} is not in the calendar's set", condition=C("supported-calendar-component")
        )


def _collection(
    scope: Scope,
    inner: Scope,
    tx: Transaction,
    source: Resource,
    target: Resource,
    depth: str,
    *,
    move: bool,
    overwrite: bool,
) -> None:
    href = inner.href(target.path, True)
    kind = source.container.kind
    if scope.mapping is not None or inner.mapping is not None:
        raise Forbidden("shared collections are moved and copied by their owner")
    allowed = inner.access.may_create(target.path, tagged=kind != "plain")
    _check_target(inner.access, href, target, allowed, overwrite)
    if target.path[: len(source.path)] == source.path or source.path[: len(target.path)] == target.path:
        raise Forbidden("a collection cannot go into itself, nor replace what holds it")
    if move and not scope.access.may_delete_collection(source, scope.settings.permit_delete_collection):
        raise Forbidden("[rights] permit_delete_collection or the rights file forbid it")
    if target.kind in ITEMS:
        items.delete(tx, target.container, target.member)
        target = locate(tx, target.path)
    elif target.kind is not Kind.MISSING:
        if target.kind is Kind.HOME or not inner.access.may_delete_collection(
            target, scope.settings.permit_delete_collection
        ):
            raise Forbidden("the destination may not be replaced")
        changes.deleted(inner, tx, target)
        collections.delete(tx, target.container)
        target = locate(tx, target.path)
    check_place(target, kind)
    parent = target.collection.id if target.collection else 0
    if move:
        collections.move(tx, source.container, target.owner, parent, target.name)
    else:
        collections.copy(tx, source.container, target.owner, parent, target.name, depth)
