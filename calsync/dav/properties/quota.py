"""How much there is, and how much more there may be (RFC 4331), from the counters of the collections."""

from __future__ import annotations

import shutil
import time
from functools import lru_cache
from pathlib import Path

from calsync.dav.registry import live
from calsync.dav.resources import STORED_COLLECTIONS, Kind, Resource
from calsync.dav.scope import Scope
from calsync.store import collections
from calsync.webdav.names import D

_WITH_QUOTA = STORED_COLLECTIONS | {Kind.HOME}


@live(D("quota-used-bytes"), _WITH_QUOTA, "RFC 4331 §4")
def quota_used_bytes(scope: Scope, resource: Resource) -> bytes:
    """The octets of all objects in it, at any depth."""
    tx = scope.tx
    top = [resource.collection] if resource.collection is not None else collections.children(tx, resource.owner.id, 0)
    used = sum(one.octets + sum(inner.octets for inner in _inside(scope, one)) for one in top)
    return b"%d" % used


def _inside(scope: Scope, one: collections.Collection) -> list[collections.Collection]:
    return list(collections.below(scope.tx, one)) if one.kind == "plain" else []


@live(D("quota-available-bytes"), _WITH_QUOTA, "RFC 4331 §3")
def quota_available_bytes(scope: Scope, resource: Resource) -> bytes | None:
    """What is free on the disk of an embedded store, where whoever asks may write; unknown for other stores."""
    file = scope.context.store.describe().get("file")
    if file is None or not scope.access.may_write(resource):
        return None
    return b"%d" % _free(file, int(time.monotonic()))


@lru_cache(maxsize=1)
def _free(file: str, second: int) -> int:
    """Asked once a second: a home asks for each of its collections."""
    return shutil.disk_usage(Path(file).parent).free
