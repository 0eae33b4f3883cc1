"""Stores to move between, on each back end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calsync.store.postgresql import prepare
from tests.postgresql import Cluster, running

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with running() as made:
        yield made


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str, str], str]:
    """The URL of a store that does not exist yet, by kind and name."""

    def made(kind: str, name: str) -> str:
        if kind == "postgresql":
            cluster: Cluster = request.getfixturevalue("cluster")
            url = cluster.database()
            if os.environ.get("CALSYNC_TEST_PARTITIONS"):
                prepare(url, partitions=int(os.environ["CALSYNC_TEST_PARTITIONS"]))
            return url
        return f"sqlite:///{tmp_path / name / 'calsync.db'}"

    return made
