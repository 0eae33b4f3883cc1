"""A store of its own for every test, and objects to put into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from calsync.store import collections, items, principals
from calsync.store.collections import Collection
from calsync.store.engine import Store
from tests.postgresql import Cluster, running, shared
from tests.raw import Raw
from tests.store.objects import card, event, recurring

#: Files whose tests run on tables with partitions, too (all that use PostgreSQL under CALSYNC_TEST_PARTITIONS=4).
CUT = ("test_changes", "test_collections", "test_items", "test_queries", "test_trash")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that has a store runs on each back end, but those that are marked with the name of one."""
    if "url" in metafunc.fixturenames:
        kinds = ["sqlite", "postgresql"]
        only = [kind for kind in kinds if metafunc.definition.get_closest_marker(kind) is not None]
        kinds = only or kinds
        if not only and metafunc.module.__name__.rpartition(".")[2] in CUT:
            kinds.append("partitions")
        metafunc.parametrize("url", kinds, indirect=True)


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a store in which nothing is."""
    if request.param != "sqlite":
        made = shared().store(partitions=4 if request.param == "partitions" else 0)
        yield made
        shared().drop(made)
    else:
        yield f"sqlite:///{tmp_path / 'store' / 'calsync.db'}"


@pytest.fixture
def busy(store: Store, calendar: Collection) -> Store:
    """A store in which everything has happened once."""
    with store.write() as tx:
        anna = principals.get(tx, calendar.owner)
        assert anna is not None
        plain = collections.create(tx, anna, 0, "plain", "plain")
        book = collections.create(tx, anna, plain.id, "book", "addressbook")
        items.put(tx, book, "c.vcf", card("c", "Carl"))
        first = items.put(tx, calendar, "a.ics", event("a"))
        items.put(tx, calendar, "b.ics", recurring(store, "b", "20260301T100000Z", "20260301T110000Z", "FREQ=DAILY"))
        items.set_properties(tx, calendar, first, {"{x:}y": "<z/>"})
        collections.copy(tx, calendar, anna, plain.id, "copy")
        items.delete(tx, calendar, first)
        collections.move(tx, book, principals.create(tx, "bob"), 0, "book")
        collections.delete(tx, collections.create(tx, anna, 0, "gone", "calendar"))
    return store


@pytest.fixture
def raw(url: str) -> Raw:
    return Raw(url)


@pytest.fixture
def own() -> Iterator[Cluster]:
    """A server that may be stopped."""
    with running(fast=False) as made:
        yield made
