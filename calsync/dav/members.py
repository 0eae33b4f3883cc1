"""The collections inside a collection, as their asker may see them."""

from __future__ import annotations

from calsync import upstream
from calsync.dav.request import Mount
from calsync.dav.resources import Kind, Resource, locate, of_collection
from calsync.dav.scope import Scope
from calsync.store import collections, principals


def child_collections(scope: Scope, resource: Resource) -> list[tuple[Scope, Resource]]:
    """Members that are collections and may be read, each with the scope in which it is shown.

    The root holds the homes, a home its collections and those that Radicale's sharing maps into it, a plain collection
    what was made inside.
    """
    if resource.kind is Kind.ROOT:
        homes = (Resource(Kind.HOME, (one.name,), one) for one in principals.listing(scope.tx))
        return [(scope, home) for home in homes if scope.access.may_read(home)]
    if resource.kind not in (Kind.HOME, Kind.PLAIN):
        return []
    parent = resource.collection.id if resource.collection else 0
    children = [
        of_collection(resource.owner, (*resource.path, one.name), one)
        for one in collections.children(scope.tx, resource.owner.id, parent)
    ]
    shown = [(scope, child) for child in children if scope.access.may_read(child)]
    if resource.kind is Kind.HOME and resource.name == scope.request.user:
        shown += _shared(scope)
    return shown


def _shared(scope: Scope) -> list[tuple[Scope, Resource]]:
    request = scope.request
    found: list[tuple[Scope, Resource]] = []
    for share in upstream.shares_of(scope.context.sharing, request.user, request.groups):
        mount = Mount.of(share)
        inner = scope.inside(mount)
        target = locate(scope.tx, mount.real)
        if target.is_collection and inner.access.may_read(target):
            found.append((inner, target))
    return found
