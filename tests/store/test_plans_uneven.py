"""PostgreSQL's plans where ids of collections differ from owner to owner, as they do after an import.

Each column by itself is rare then, and PostgreSQL took a whole collection for a single item: GET of one item walked
through all of the calendar.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from calsync.store import items, rows
from calsync.store.statement import Prepared
from tests.postgresql import shared
from tests.store.test_plans_postgresql import FILL, plan


@pytest.fixture(scope="module")
def uneven() -> Iterator[psycopg.Connection[Any]]:
    url = shared().store()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(FILL.encode())
        connection.execute("UPDATE item SET collection = owner * 1000 + collection * 40 + id % 40")
        # Twice, for all to be visible in the indexes: then reading an index alone looks cheapest.
        connection.execute("VACUUM ANALYZE item")
        connection.execute("VACUUM ANALYZE item")
        connection.execute("SET plan_cache_mode = force_generic_plan")
        yield connection
    shared().drop(url)


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (rows._GET, "item_href"),
        (rows._BY_ID, "item_key"),
        (rows._BY_UID, "item_uid"),
        (rows._NAMED, "item_href"),
        (rows._NAMED_BODIES, "item_href"),
        (rows._HOLDERS, "item_uid"),
        (rows._ROWS, "item_key"),
        (items._UPDATE, "item_key"),
    ],
)
def test_an_item_is_looked_up_and_not_searched_for(
    uneven: psycopg.Connection[Any], statement: Prepared, index: str
) -> None:
    (step,) = (one for one in plan(uneven, statement) if str(one.get("Index Name")).startswith("item_"))
    assert step["Index Name"] == index
    assert step["Index Cond"].count(" = ") == 3
