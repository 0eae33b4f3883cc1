"""A store of its own for every test, and objects to put into it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from calsync.store import collections, principals
from calsync.store.collections import Collection
from calsync.store.engine import Store, path_of
from calsync.store.schema import METADATA
from tests.postgresql import shared


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that has a store runs on each back end, but those that are marked `sqlite`."""
    if "url" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("sqlite") is not None
        metafunc.parametrize("url", ["sqlite"] if only else ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a store in which nothing is."""
    if request.param == "postgresql":
        made = shared().store()
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


@dataclass(frozen=True)
class Raw:
    """Statements past the store, on whichever database it is. Octets are written as in SQLite."""

    url: str

    def run(self, *statements: str) -> None:
        """Run them in one transaction."""
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(path_of(self.url))) as connection, connection:
                for statement in statements:
                    connection.execute(statement)
            return
        with psycopg.connect(self.url) as connected:
            for statement in statements:
                connected.execute(_translated(statement).encode())

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """What a query gives."""
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(path_of(self.url))) as connection:
                return list(connection.execute(statement))
        with psycopg.connect(self.url) as connected:
            return connected.execute(_translated(statement).encode()).fetchall()

    def columns(self, table: str) -> list[str]:
        """The names of a table's columns."""
        return [column.name for column in METADATA.tables[table].columns]


def _translated(statement: str) -> str:
    """x'00' is a string of bits in PostgreSQL, and `instr` is called otherwise."""
    statement = re.sub(r"\bx'([0-9a-f]*)'", r"'\\x\1'::bytea", statement)
    return re.sub(r"\binstr\((\w+), ('[^']*')\)", r"position(\2::bytea in \1) > 0", statement)


@pytest.fixture
def raw(url: str) -> Raw:
    return Raw(url)
