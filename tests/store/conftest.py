"""A store of its own for every test, and objects to put into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from calsync.store import collections, principals
from calsync.store.collections import Collection
from calsync.store.engine import Store


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store' / 'calsync.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store.open(url)
    yield opened
    opened.close()


@pytest.fixture
def calendar(store: Store) -> Collection:
    with store.write() as tx:
        return collections.create(tx, principals.create(tx, "anna"), 0, "work", "calendar")
