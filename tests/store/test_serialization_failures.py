"""What PostgreSQL undoes because of others (40001, 40P01) is begun anew: by commands and by jobs as by requests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from calsync.accounts.accounts import Accounts
from calsync.cli.main import main
from calsync.jobs import keeper, leases
from calsync.jobs.retention import Retention
from calsync.jobs.tasks import TASKS
from calsync.store import collections, items, principals
from calsync.store.engine import Store
from tests.postgresql import shared
from tests.raw import Raw
from tests.store.objects import event

pytestmark = pytest.mark.postgresql


@pytest.fixture
def url() -> str:
    made = shared().store()
    store = Store.open(made)
    Accounts(store).create("zoe", "correct horse")  # what a store makes but once, like its secrets, is there
    store.close()
    return made


@pytest.fixture
def failing(url: str) -> Callable[..., Raw]:
    """Let the first writes of a table fail; a sequence counts them, for it is not undone with the rest."""

    def made(table: str, state: str = "40001", times: int = 2) -> Raw:
        raw = Raw(url)
        raw.run(
            "CREATE SEQUENCE fails",
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF nextval('fails') <= {times} THEN RAISE EXCEPTION 'made to fail' USING ERRCODE = '{state}'; END IF; "
            "RETURN NULL; END $$",
            f'CREATE TRIGGER fails AFTER INSERT OR UPDATE OR DELETE ON "{table}" FOR EACH STATEMENT EXECUTE '
            "FUNCTION fail()",
        )
        return raw

    return made


def tried(raw: Raw) -> int:
    ((count,),) = raw.rows("SELECT last_value FROM fails")
    return int(count)


def filled(url: str) -> None:
    store = Store.open(url)
    with store.write() as tx:
        anna = principals.create(tx, "anna")
        work = collections.create(tx, anna, 0, "work", "calendar")
        items.put(tx, work, "a.ics", event("a"))
    with store.write() as tx:
        items.put(tx, work, "a.ics", event("a", summary="later"))
    store.close()


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_a_user_is_made_once(url: str, failing: Callable[..., Raw], state: str) -> None:
    raw = failing("account", state)
    assert main(["user", "add", "anna", "--generate", "--store", url]) == 0
    assert tried(raw) == 3
    store = Store.open(url)
    assert [one.name for one in Accounts(store).listing()] == ["anna", "zoe"]
    store.close()


def test_items_are_taken_once(url: str, failing: Callable[..., Raw], tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number}.ics").write_bytes(event(f"{number}").octets)
    raw = failing("body")
    assert main(["import", str(tmp_path), "--user", "zoe", "--collection", "work", "--store", url]) == 0
    assert tried(raw) >= 3
    assert raw.rows("SELECT count(*) FROM item") == [(20,)]


def test_the_past_comes_back_once(url: str, failing: Callable[..., Raw]) -> None:
    filled(url)
    raw = failing("revision")
    ((number,),) = raw.rows("SELECT ended FROM revision")
    assert main(["restore", "anna/work/a.ics", "--revision", str(number), "--store", url, "--yes"]) == 0
    assert tried(raw) == 3
    assert raw.rows("SELECT count(*) FROM revision") == [(2,)]


def test_what_is_done_now_and_then_is_done(url: str, failing: Callable[..., Raw]) -> None:
    store = Store.open(url)
    raw = failing("lock")
    keeper.run(TASKS["locks"], store, Retention(), leases.holder())
    assert tried(raw) >= 3
    store.close()
