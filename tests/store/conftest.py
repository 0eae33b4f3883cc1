"""A store of its own for every test, and objects to put into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from calsync.store import collections, principals
from calsync.store.collections import Collection
from calsync.store.engine import Store
from tests.postgresql import shared
from tests.raw import Raw

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
def store(url: str) -> Iterator[Store]:
    opened = Store.open(url)
    yield opened
    opened.close()


@pytest.fixture
def calendar(store: Store) -> Collection:
    with store.write() as tx:
        return collections.create(tx, principals.create(tx, "anna"), 0, "work", "calendar")


@pytest.fixture
def raw(url: str) -> Raw:
    return Raw(url)
