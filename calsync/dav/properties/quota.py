"""How much there is, and how much more there may be (RFC 4331), from the counters of the collections."""

from __future__ import annotations

import shutil
import time
from functools import lru_cache
from pathlib import Path

from calsync.dav.registry import live
from calsync.dav.resources import STORED_COLLECTIONS, Kind, Resource
from calsync.dav.scope import Scope
from calsync.store import collections, quota
from calsync.store.names import folded
from calsync.store.quota import Amounts
from calsync.webdav.names import D

# RFC 4331 §2: not in allprop, but in propname.
_WITH_QUOTA = STORED_COLLECTIONS | {Kind.HOME}


@live(D("quota-used-bytes"), _WITH_QUOTA, "RFC 4331 §4")
def quota_used_bytes(scope: Scope, resource: Resource) -> bytes:
    """To one who has a quota, what counts against it, everywhere the same: with what is available it is the bound.

    Else the octets of all objects in it, at any depth; so too for those who share it, whom the rest does not concern.
    """
    tx = scope.tx
    bound, there = _quota(scope, resource)
    if bound.octets and folded(resource.owner.name) == folded(scope.request.user):
        return b"%d" % there.octets
    top = [resource.collection] if resource.collection is not None else collections.children(tx, resource.owner.id, 0)
    used = sum(one.octets + sum(inner.octets for inner in _inside(scope, one)) for one in top)
    return b"%d" % used


def _inside(scope: Scope, one: collections.Collection) -> list[collections.Collection]:
    return list(collections.below(scope.tx, one)) if one.kind == "plain" else []


@live(D("quota-available-bytes"), _WITH_QUOTA, "RFC 4331 §3")
def quota_available_bytes(scope: Scope, resource: Resource) -> bytes | None:
    """What is left of the owner's quota or free on the disk of an embedded store, whichever is less.

    Told to those who may write. Unknown where there is no quota and the store is not embedded.
    """
    if not scope.access.may_write(resource):
        return None
    found: list[int] = []
    bound, there = _quota(scope, resource)
    if bound.octets:
        found.append(max(0, bound.octets - there.octets))
    file = scope.context.store.describe().get("file")
    if file is not None:
        found.append(_free(file, int(time.monotonic())))
    return b"%d" % min(found) if found else None


def _quota(scope: Scope, resource: Resource) -> tuple[Amounts, Amounts]:
    """What the owner may have and has; asked once a transaction: a home asks for each of its collections."""
    owner = resource.owner.id if resource.collection is None else resource.collection.owner
    known = scope.quotas.get(owner)
    if known is None or known[0] is not scope.tx:
        bound = quota.bounds(scope.tx, owner)
        there = quota.used(scope.tx, owner) if bound.octets else quota.UNBOUNDED
        known = scope.quotas[owner] = scope.tx, bound, there
    return known[1:]


@lru_cache(maxsize=1)
def _free(file: str, second: int) -> int:
    """Asked once a second: a home asks for each of its collections."""
    return shutil.disk_usage(Path(file).parent).free
