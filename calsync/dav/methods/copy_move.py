"""COPY and MOVE (RFC 4918 §9.8, §9.9), items and collections; one transaction, so nothing is left half done.

A COPY of a collection leaves out what is damaged in it and says so in a 207: damage does not multiply. A MOVE within a
home renames, and takes what is damaged along as it is. Between homes it would copy and delete: nothing of it is done.
"""

from __future__ import annotations

from collections.abc import Sequence

from calsync.dav import changes, damage, locks
from calsync.dav.access import Access
from calsync.dav.incoming import refused
from calsync.dav.methods.mkcol import check_place
from calsync.dav.preconditions import check_conditions
from calsync.dav.registry import method
from calsync.dav.request import Response
from calsync.dav.resources import EXISTING, ITEMS, STORED_COLLECTIONS, Kind, Resource, locate
from calsync.dav.scope import Scope
from calsync.store import collections, items, principals, quota
from calsync.store.errors import UidConflict
from calsync.store.items import ItemRow
from calsync.store.transaction import Transaction
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
    overwrite = headers.overwrite(request.header("overwrite"))
    depth = headers.depth(request.header("depth"), "infinity")
    with scope.write() as tx:
        inner = scope.towards(request.header("destination"))
        principals.hold(tx, request.path[:1] + inner.request.path[:1])
        source = scope.locate()
        target = locate(tx, inner.request.path)
        _check_source(scope, source, move=move)
        if source.is_collection and (depth == "1" or (move and depth != "infinity")):  # RFC 4918 §9.8.3, §9.9.2
            raise BadRequest(f"{request.method} of a collection with Depth: {depth}")
        if source.path == target.path:  # RFC 4918 §9.8.5
            raise Forbidden("source and destination are the same")
        check_conditions(scope, source)
        try:
            if source.kind in ITEMS:
                _item(scope, inner, tx, source, target, move=move, overwrite=overwrite)
            else:
                left = _collection(scope, inner, tx, source, target, depth, move=move, overwrite=overwrite)
                if left:
                    return damage.answer(scope, left)
        except locks.MembersLocked as error:
            return error.answer()
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
        # Only those who may read learn from the privilege whether something is there.
        known = target.kind is not Kind.MISSING and access.may_read(target)
        raise access.refusal(href, D("write-content") if known else D("bind"))
    if target.kind is Kind.MISSING and (not target.parent or target.principal is None):
        raise Conflict("the parent of the destination does not exist")
    if target.kind is not Kind.MISSING and not overwrite:
        raise PreconditionFailed("the destination exists and Overwrite is F")


def _item(
    scope: Scope, inner: Scope, tx: Transaction, source: Resource, target: Resource, *, move: bool, overwrite: bool
) -> None:
    href = inner.href(target.path, False)
    # RFC 4791 §5.3.2.1, RFC 6352 §6.3.2.1: the preconditions of PUT hold for COPY and MOVE too.
    allowed = inner.access.may_write(target)
    _check_target(inner.access, href, target, allowed, overwrite)
    _check_locks(scope, inner, source, target, move=move)
    if target.kind in STORED_COLLECTIONS and locate(tx, target.path[:-1]).kind is Kind.PLAIN:
        target = _cleared(inner, tx, source, target)
    container = target.collection
    if target.is_collection or container is None:
        raise Forbidden("an item cannot stand there")
    _check_fits(source, target)
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
    if move:
        locks.forget(scope, source)


def _check_locks(scope: Scope, inner: Scope, source: Resource, target: Resource, *, move: bool) -> None:
    """RFC 4918 §7.6: what goes and what is replaced, each with its parent and its members."""
    if move:
        locks.check(scope, source, whole=True)
    locks.check(inner, target, whole=True)


def _cleared(inner: Scope, tx: Transaction, source: Resource, target: Resource) -> Resource:
    """The place of a collection after it was deleted, to be replaced (RFC 4918 §9.8.4, §9.9.3).

    A lock at its own URL stays: what comes to stand there is under it (§7.6).
    """
    if source.path[: len(target.path)] == target.path:
        raise Forbidden("a collection cannot be replaced by what is in it")
    if target.kind is Kind.HOME or not inner.access.may_delete_collection(
        target, inner.settings.permit_delete_collection
    ):
        raise Forbidden("the destination may not be replaced")
    if changes.shared_out(inner, target):
        raise Conflict("the destination is shared; end the share first")
    changes.deleted(inner, tx, target)
    collections.delete(tx, target.container)
    locks.forget_below(inner, target)
    return locate(tx, target.path)


def _check_fits(source: Resource, target: Resource) -> None:
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
) -> Sequence[tuple[Resource, list[ItemRow]]]:
    """Copy or move a collection. What is damaged in it is not copied, and keeps it from going to another home: that."""
    href = inner.href(target.path, True)
    kind = source.container.kind
    if scope.mapping is not None or inner.mapping is not None:
        raise Forbidden("shared collections are moved and copied by their owner")
    allowed = inner.access.may_create(target.path, kind)
    _check_target(inner.access, href, target, allowed, overwrite)
    if target.path[: len(source.path)] == source.path:
        raise Forbidden("a collection cannot go into itself")
    if move and not scope.access.may_delete_collection(source, scope.settings.permit_delete_collection):
        raise Forbidden("[rights] permit_delete_collection or the rights file forbid it")
    _check_locks(scope, inner, source, target, move=move)
    renamed = move and target.path[:1] == source.path[:1]
    left = [] if renamed or depth != "infinity" else damage.below(scope, source)
    if move and left:
        return left
    room = quota.room(tx, target.owner.id) if target.principal is not None else None  # what is replaced makes room
    if target.kind in ITEMS:
        items.delete(tx, target.container, target.member)
        target = locate(tx, target.path)
    elif target.kind is not Kind.MISSING:
        target = _cleared(inner, tx, source, target)
    check_place(target, kind)
    parent = target.collection.id if target.collection else 0
    if move:
        collections.move(tx, source.container, target.owner, parent, target.name, room)
        locks.forget(scope, source)
    else:
        without = {resource.container.id: rows for resource, rows in left}
        collections.copy(tx, source.container, target.owner, parent, target.name, depth, room, without)
    return left
