"""The principal and the collections that an import goes into: made where there are none, else completed.

Properties that are there already stay as they are. A dry run makes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from calsync.store import collections, principals
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.principals import Principal
from calsync.transfer.source import SourceCollection, SourceUser


def principal(store: Store, source: SourceUser, actor: str, *, dry_run: bool) -> Principal | None:
    """The principal of a user; None in a dry run that would make it."""
    with store.read() as tx:
        found = principals.find(tx, source.name)
    missing = _missing(found.properties if found else {}, source.properties)
    if dry_run or (found and not missing):
        return found

    def make() -> Principal:
        with store.write() as tx:
            tx.actor = actor
            made = principals.find(tx, source.name) or principals.create(tx, source.name)
            return principals.set_properties(tx, made, missing) if missing else made

    return store.attempt(make)


def collection(
    store: Store, owner: Principal, names: Sequence[str], source: SourceCollection, actor: str, *, dry_run: bool
) -> Collection | None:
    """The collection `names` below the home of `owner`; None in a dry run that would make it. Raises `OverQuota`."""
    with store.read() as tx:
        found = collections.find(tx, owner, names)
    missing = _missing(found.properties if found else {}, source.properties)
    if dry_run or (found and (not missing or found.kind != source.kind)):
        return found

    def make() -> Collection:
        with store.write() as tx:
            tx.actor = actor
            if found is not None:
                return collections.set_properties(tx, found, missing)
            parent = 0
            for depth in range(1, len(names)):
                above = collections.find(tx, owner, names[:depth])
                if above is None:
                    above = collections.create(tx, owner, parent, names[depth - 1], "plain")
                parent = above.id
            return collections.create(tx, owner, parent, names[-1], source.kind, source.components, source.properties)

    return store.attempt(make)


def _missing(there: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str | None]:
    return {name: xml for name, xml in wanted.items() if name not in there}
