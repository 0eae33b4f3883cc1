from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from calsync.ical.facts import ObjectResource
from calsync.store import collections, items, principals
from calsync.store.collections import Collection
from calsync.store.engine import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path_factory.mktemp('store') / 'calsync.db'}")
    with opened.write() as tx:
        principals.create(tx, "anna")
    yield opened
    opened.close()


Fill = Callable[[str, list[ObjectResource]], Collection]


@pytest.fixture(scope="module")
def fill(store: Store) -> Fill:
    """A new collection of a kind with these objects, named by their place."""
    count = 0

    def made(kind: str, objects: list[ObjectResource]) -> Collection:
        nonlocal count
        count += 1
        with store.write() as tx:
            anna = principals.find(tx, "anna")
            assert anna is not None
            collection = collections.create(tx, anna, 0, f"c{count}", kind)
            items.put_many(tx, collection, [(str(place), one) for place, one in enumerate(objects)])
        with store.read() as tx:
            found = collections.get(tx, collection.owner, collection.id)
            assert found is not None
            return found

    return made
