"""How SQLite goes about the hot statements: through the index that was made for them, and without a detour."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from calsync.store import (
    changes,
    copies,
    forgetting,
    history,
    items,
    making,
    meta,
    occurrences,
    places,
    principals,
    queries,
    removals,
    rows,
    trash,
)
from calsync.store.engine import Store
from calsync.store.statement import Prepared

pytestmark = pytest.mark.sqlite

MODULES = [
    changes,
    copies,
    forgetting,
    history,
    items,
    making,
    meta,
    occurrences,
    places,
    principals,
    queries,
    removals,
    rows,
    trash,
]


def prepared(module: ModuleType) -> Iterator[tuple[str, Prepared]]:
    for name, value in vars(module).items():
        several = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else [value]
        for one in several:
            if isinstance(one, Prepared):
                yield f"{module.__name__}.{name}", one


STATEMENTS = [pair for module in MODULES for pair in prepared(module)]


@pytest.fixture
def connection(store: Store, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(tmp_path / "store" / "calsync.db")
    yield opened
    opened.close()


def plan(connection: sqlite3.Connection, statement: Prepared) -> list[str]:
    sql = statement.compiled("sqlite").sql
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?"))]


@pytest.mark.parametrize(
    ("statement", "step"),
    [
        (rows._PAGE, "SEARCH item USING PRIMARY KEY (owner=? AND collection=? AND id>? AND id<?)"),
        (
            changes._CHANGED,
            "SEARCH item USING COVERING INDEX item_delta (owner=? AND collection=? AND seq>? AND seq<?)",
        ),
        (
            changes._GONE,
            "SEARCH tombstone USING COVERING INDEX tombstone_delta (owner=? AND collection=? AND seq>? AND seq<?)",
        ),
        (rows._BY_UID, "SEARCH item USING INDEX item_uid (owner=? AND uid_key=? AND collection=?)"),
        (
            queries._SINGLE,
            "SEARCH item USING INDEX item_time "
            "(owner=? AND collection=? AND component=? AND span=? AND first>? AND first<?)",
        ),
        (
            queries._OCCURRING,
            "SEARCH occurrence USING PRIMARY KEY (owner=? AND collection=? AND bucket>? AND bucket<?)",
        ),
        (
            queries._BY_OPERATOR["contains"],
            "SEARCH card_field USING COVERING INDEX card_field_value (owner=? AND collection=? AND name=?)",
        ),
        (rows._NAMED, "SEARCH item USING INDEX item_href (owner=? AND collection=? AND href=?)"),
        (history._KEEP, "SEARCH item USING PRIMARY KEY (owner=? AND collection=? AND id=?)"),
        (history._ENDED_AFTER, "SEARCH revision USING INDEX revision_until (owner=? AND until>?)"),
        (forgetting._OLDEST, "SEARCH revision USING INDEX sqlite_autoindex_revision_1 (owner=? AND ended>?)"),
        (rows._BODIES, "SEARCH body USING INDEX sqlite_autoindex_body_1 (owner=? AND item=?)"),
    ],
)
def test_a_hot_statement_uses_its_index(connection: sqlite3.Connection, statement: Prepared, step: str) -> None:
    steps = plan(connection, statement)
    assert step in steps
    assert not [one for one in steps if "TEMP B-TREE" in one]


@pytest.mark.parametrize("name, statement", STATEMENTS)
def test_no_statement_walks_through_a_whole_table(
    connection: sqlite3.Connection, name: str, statement: Prepared
) -> None:
    walks = [step for step in plan(connection, statement) if step.startswith("SCAN") and "VIRTUAL" not in step]
    if name.endswith("principals._LISTING"):
        assert walks == ["SCAN principal USING INDEX principal_name"]
    else:
        # The rows that are copied, found before: SQLite counts its subqueries.
        assert [step for step in walks if not re.fullmatch(r"SCAN (copied|\(subquery-\d\))", step)] == []


@pytest.mark.parametrize("name, statement", STATEMENTS)
def test_every_statement_can_be_said_to_postgresql(name: str, statement: Prepared) -> None:
    sql = statement.compiled("postgresql").sql
    assert "json_each" not in sql and "instr(" not in sql and "?" not in sql
