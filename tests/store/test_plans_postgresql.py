"""How PostgreSQL goes about the hot statements where there is much of everything: through an index, never the whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from calsync.store import changes, items, queries, rows
from calsync.store.statement import Prepared
from calsync.store.wire import numbered
from tests.postgresql import shared
from tests.store.test_plans import STATEMENTS

#: Owners, collections of each, and items of each collection: 100 000 items.
OWNERS, COLLECTIONS, ITEMS = 50, 4, 500

FILL = f"""
INSERT INTO principal SELECT o, 'user' || o, 'user' || o, 'user', 5000, 'e' || o, 0, '{{}}', 0, 0
  FROM generate_series(1, {OWNERS}) o;
INSERT INTO collection SELECT o, c, 'calendar', '', '{{}}', 5000, 0, {ITEMS}, 0, 0, 0
  FROM generate_series(1, {OWNERS}) o, generate_series(1, {COLLECTIONS}) c;
INSERT INTO mount SELECT o, 0, 'c' || c, 'c' || c, o, c, 1, 0, NULL, NULL
  FROM generate_series(1, {OWNERS}) o, generate_series(1, {COLLECTIONS}) c;
INSERT INTO item SELECT o, c, c * 1000 + i, i || '.ics', i || '.ics', 'uid' || c || '-' || i, 'uid' || c || '-' || i, 8,
    'VEVENT', md5(i::text), 400, 1700000000 + i * 86400, 1700003600 + i * 86400, 2, 0, 0, '', '', NULL, '',
    c * 1000 + i, 0, 0, 1
  FROM generate_series(1, {OWNERS}) o, generate_series(1, {COLLECTIONS}) c, generate_series(1, {ITEMS}) i;
INSERT INTO body SELECT owner, id, decode(repeat('00', 400), 'hex'), '\\x' FROM item;
INSERT INTO occurrence SELECT owner, collection, 20 + id % 60, id, '\\x00' FROM item;
INSERT INTO card_field SELECT owner, id, 0, collection, 'FN', 'name ' || id FROM item;
INSERT INTO tombstone SELECT owner, collection, 'gone' || id, 'gone' || id, seq, 0 FROM item;
INSERT INTO revision SELECT owner, seq, collection, id, href, uid, component, etag, size, '', '{{}}', 1, seq, 'changed',
    '', '\\x00' FROM item;
INSERT INTO dead_property SELECT owner, id, '{{x:}}y', '<y/>' FROM item;
"""

BIG = {"item", "body", "occurrence", "card_field", "tombstone", "revision", "dead_property"}


@pytest.fixture(scope="module")
def connection() -> Iterator[psycopg.Connection[Any]]:
    url = shared().store()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(FILL.encode())
        connection.execute("ANALYZE")
        # As the back end has it: the plan must be good without the values.
        connection.execute("SET plan_cache_mode = force_generic_plan")
        yield connection
    shared().drop(url)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def plan(connection: psycopg.Connection[Any], statement: Prepared) -> list[dict[str, Any]]:
    compiled = statement.compiled("postgresql")
    count = compiled.sql.count("%s")
    connection.execute(b"PREPARE asked AS " + numbered(compiled.sql))
    try:
        values = ", ".join(["NULL"] * count)
        row = connection.execute(
            f"EXPLAIN (FORMAT JSON) EXECUTE asked{f'({values})' if count else ''}".encode()
        ).fetchone()
    finally:
        connection.execute("DEALLOCATE asked")
    assert row is not None
    return list(nodes(row[0][0]["Plan"]))


@pytest.mark.parametrize("name, statement", STATEMENTS)
def test_no_statement_walks_through_a_whole_table(
    connection: psycopg.Connection[Any], name: str, statement: Prepared
) -> None:
    walks = [one["Relation Name"] for one in plan(connection, statement) if one["Node Type"] == "Seq Scan"]
    assert not BIG & set(walks), name


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (rows._PAGE, "item_key"),
        (changes._CHANGED, "item_changed"),
        (changes._GONE, "tombstone_delta"),
        (rows._BY_UID, "item_uid"),
        (rows._NAMED, "item_href"),
        (rows._BODIES, "body_key"),
        (queries._SINGLE, "item_time"),
        (queries._OCCURRING, "occurrence_key"),
        (queries._BY_OPERATOR["contains"], "card_field_value"),
        (items._UPDATE, "item_key"),
    ],
)
def test_a_hot_statement_uses_its_index(connection: psycopg.Connection[Any], statement: Prepared, index: str) -> None:
    steps = plan(connection, statement)
    assert index in {one.get("Index Name") for one in steps}, steps


def test_what_has_gone_is_read_from_the_index_alone(connection: psycopg.Connection[Any]) -> None:
    connection.execute("VACUUM ANALYZE tombstone")
    assert "Index Only Scan" in {one["Node Type"] for one in plan(connection, changes._GONE)}
