"""A PostgreSQL database whose tables are made of partitions: nothing else is different, and each statement uses one."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from calsync.store import changes, partitions, queries, rows
from calsync.store.engine import Store
from calsync.store.errors import StoreError
from calsync.store.postgresql import prepare
from calsync.store.prepare import prepare_postgresql
from calsync.store.statement import Prepared
from tests.dav.conftest import make_application
from tests.moving.filled import everything, fill
from tests.moving.test_commands import command
from tests.postgresql import shared
from tests.store.test_prepare import later

COUNT = 4


@pytest.fixture
def cut() -> Iterator[str]:
    """The URL of an empty store with partitions."""
    made = shared().database()
    prepare(made, partitions=COUNT)
    yield made
    shared().drop(made)


def tables(url: str) -> dict[str, int]:
    """The partitions of each table that has some."""
    with psycopg.connect(url) as connection:
        return dict(
            connection.execute(
                "SELECT relname, (SELECT count(*) FROM pg_inherits WHERE inhparent = c.oid) "
                "FROM pg_class c WHERE relkind = 'p'"
            ).fetchall()
        )


def indexes(url: str) -> dict[str, str]:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'").fetchall()
    return {name: text.replace(" ON ONLY ", " ON ") for name, text in found if not re.search(r"_p\d+_", name)}


def test_all_tables_of_owners_are_cut_and_have_their_indexes(cut: str) -> None:
    whole = shared().database()
    prepare(whole)
    assert tables(cut) == {one.name: COUNT for one in partitions.owned()}
    assert {"item", "body", "tombstone", "occurrence", "revision"} <= tables(cut).keys()
    assert tables(whole) == {}
    assert indexes(cut) == indexes(whole)
    shared().drop(whole)


def test_it_is_decided_when_the_database_is_made(cut: str) -> None:
    Store.open(cut, partitions=9).close()
    assert set(tables(cut).values()) == {COUNT}


@pytest.mark.parametrize("count", [-1, partitions.MOST + 1])
def test_a_number_that_cannot_be_makes_nothing(count: int) -> None:
    url = shared().database()
    with pytest.raises(StoreError, match=f"{count} partitions: write a number from 2 to 64"):
        Store.open(url, partitions=count)
    with pytest.raises(StoreError, match="there is no store"):
        Store.open(url, create=False)
    shared().drop(url)


HOT: dict[str, Prepared] = {
    "page": rows._PAGE,
    "named": rows._NAMED,
    "uid": rows._BY_UID,
    "bodies": rows._BODIES,
    "changed": changes._CHANGED,
    "gone": changes._GONE,
    "single": queries._SINGLE,
    "occurring": queries._OCCURRING,
    "contains": queries._BY_OPERATOR["contains"],
}


@pytest.mark.parametrize("name", HOT)
def test_a_hot_statement_looks_into_one_partition(cut: str, name: str) -> None:
    """As it is run: prepared, and planned without the values."""
    numbers = itertools.count(1)
    sql = re.sub("%s", lambda _: f"${next(numbers)}", HOT[name].compiled("postgresql").sql).encode()
    with psycopg.connect(cut, autocommit=True) as connection:
        connection.execute("SET plan_cache_mode = force_generic_plan")
        connection.execute(b"PREPARE hot AS " + sql)
        found = connection.execute("SELECT parameter_types::text[] FROM pg_prepared_statements").fetchone()
        assert found is not None
        values = ", ".join("'[]'" if kind in ("text", "json") else "1" for kind in found[0])
        plan = [row[0] for row in connection.execute(f"EXPLAIN EXECUTE hot({values})".encode())]
    steps = [step for step in plan if re.search(r"Scan (using \w+ )?on \w+_p\d+ ", step)]
    # Each time that the tables are looked into, all partitions but one are left out.
    removed = [step for step in plan if "Subplans Removed" in step]
    assert removed and {step.split(": ")[1] for step in removed} == {str(COUNT - 1)}
    assert len(steps) == len(removed), plan
    assert not [step for step in steps if "Seq Scan" in step]


@pytest.mark.sqlite
def test_a_store_is_moved_into_partitions_and_out_again(url: str, cut: str, tmp_path: Path) -> None:
    other = shared().database()
    old = Store.open(url)
    fill(old)
    before = everything(old)
    old.close()
    for source, target, count in ((url, other, COUNT), (other, cut, 0), (cut, f"sqlite:///{tmp_path}/back.db", 0)):
        done = command("migrate-store", source, target, *(["--partitions", str(count)] if count else []))
        assert done.returncode == 0, done.stderr
        if target.startswith("postgresql"):
            assert set(tables(target).values()) == {COUNT}
            assert indexes(target) == indexes(cut)
            with psycopg.connect(target) as connection:
                invalid = connection.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid").fetchone()
            assert invalid == (0,)
        store = Store.itself(target)
        assert everything(store) == before
        store.close()
    shared().drop(other)


def test_partitions_are_of_postgresql(tmp_path: Path) -> None:
    done = command("migrate-store", f"sqlite:///{tmp_path}/a.db", f"sqlite:///{tmp_path}/b.db", "--partitions", "8")
    assert done.returncode == 1 and "only a PostgreSQL database has partitions" in done.stderr
    assert not (tmp_path / "b.db").exists()


def test_a_first_start_makes_them(tmp_path: Path) -> None:
    made = shared().database()
    storage = {"url": made, "filesystem_folder": str(tmp_path), "partitions": "3"}
    application = make_application(tmp_path, storage=storage)
    assert application.store is not None
    application.store.close()
    assert set(tables(made).values()) == {3}
    shared().drop(made)


def test_a_later_version_migrates_them(cut: str, tmp_path: Path) -> None:
    prepare_postgresql(cut, cut, chain=later(tmp_path))
    with psycopg.connect(cut) as connection:
        columns = connection.execute(
            "SELECT count(*) FROM information_schema.columns WHERE column_name = 'extra' AND table_name LIKE 'item%'"
        ).fetchone()
    assert columns == (COUNT + 1,)
