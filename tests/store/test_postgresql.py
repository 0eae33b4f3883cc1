"""What only a database server can do: go away and come back, refuse, deadlock, run out of connections."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest

from calsync.accounts.accounts import Accounts
from calsync.store import collections, items, meta, postgresql, principals
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.errors import Again, Busy, Full, ReadOnly, StoreError
from calsync.store.principals import Principal
from calsync.store.transaction import Transaction
from tests.dav.conftest import PASSWORD, Client, make_application
from tests.dav.conftest import event as text
from tests.postgresql import Cluster, shared
from tests.raw import Raw
from tests.server.conftest import until
from tests.store.objects import event, names

pytestmark = pytest.mark.postgresql


def add(store: Store, name: str) -> Principal:
    with store.write() as tx:
        return principals.create(tx, name)


def together(*works: object) -> list[object]:
    """Do all at once; what each gave or raised."""
    told: list[object] = [None] * len(works)

    def run(place: int) -> None:
        try:
            told[place] = works[place]()  # type: ignore[operator]
        except Exception as error:  # noqa: BLE001 - told
            told[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


# --- the server goes away ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_is_stopped_is_busy_and_one_that_is_back_is_used(own: Cluster, mode: str, tmp_path: Path) -> None:
    application = make_application(tmp_path / "data", storage={"url": own.database()})
    assert application.store is not None
    Accounts(application.store).create("anna", PASSWORD)
    anna = Client(application)
    path = "/anna/calendar/a.ics"
    assert anna.put(path, text("a")).status == 201
    own.stop(mode)
    for answer in (anna.get(path), anna.put(path, text("a", "SUMMARY:x")), anna.sync("/anna/calendar/")):
        assert (answer.status, answer.headers["Retry-After"]) == (503, "30")
        assert "calsync@" not in answer.text
    own.start()
    # No error reaches anybody, though the idle connections have died once more unseen.
    assert anna.get(path).status == 200
    own.stop(mode)
    own.start()
    assert anna.put(path, text("a", "SUMMARY:x")).status == 204
    own.stop(mode)
    own.start()
    assert anna.sync("/anna/calendar/").status == 207
    application.close()


def test_a_transaction_whose_connection_is_lost_is_undone_and_says_so(store: Store, url: str) -> None:
    add(store, "anna")
    with pytest.raises(Busy), store.write() as tx:
        principals.create(tx, "bob")
        Raw(url).rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'calsync'")
        with pytest.raises(Busy):
            principals.create(tx, "carl")
        # What is caught inside does not let the rest go on.
        with pytest.raises(Busy):
            principals.create(tx, "dora")
    assert names(store) == ["anna"]


def test_what_failed_inside_and_was_caught_is_not_taken_for_done(store: Store) -> None:
    with pytest.raises(StoreError), store.write() as tx:
        principals.create(tx, "anna")
        with pytest.raises(StoreError):
            tx.define("SELECT 1/0")
    assert names(store) == []
    with store.write() as tx:
        principals.create(tx, "anna")
        with pytest.raises(StoreError), tx.savepoint():
            tx.define("SELECT 1/0")
    assert names(store) == ["anna"]


def test_no_more_connections_than_the_url_allows(url: str) -> None:
    store = Store.open(f"{url}?connections=2")
    with store.read(), store.read():
        sessions = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'calsync'"
        )
        until(lambda: Raw(url).rows(sessions) == [(2,)])  # those that were closed may take a moment to go
        waiting = threading.Thread(target=names, args=(store,))
        waiting.start()
        time.sleep(0.05)
        assert waiting.is_alive() and Raw(url).rows(sessions) == [(2,)]
    waiting.join()
    store.close()
    with pytest.raises(StoreError, match="connections=many"):
        Store.open(f"{url}?connections=many")


def test_where_none_comes_free_it_is_busy(url: str) -> None:
    database = postgresql.Database(f"{url}?connections=1", patience=0.05)
    with database.snapshot(), pytest.raises(Busy, match="all 1 connections"), database.snapshot():
        pass
    database.close()


def test_a_pooler_that_exchanges_sessions_is_named_and_runs_nobody_elses_statements(url: str) -> None:
    first, second = postgresql.Database(url), postgresql.Database(url)
    with first.snapshot() as one, second.snapshot() as other:
        for connection in (one, other):
            connection.execute("SELECT name FROM pg_prepared_statements", ())
        assert one.execute("SELECT name FROM pg_prepared_statements", ()).fetchall() != (
            other.execute("SELECT name FROM pg_prepared_statements", ()).fetchall()
        )
    with pytest.raises(Busy, match="pool_mode = session"), first.snapshot() as connection:
        connection.real.plain(b"DEALLOCATE ALL")  # as in a session that is another one since the last transaction
        connection.execute("SELECT name FROM pg_prepared_statements", ())
    first.close()
    second.close()


def test_a_standby_is_read_and_not_written(store: Store, url: str) -> None:
    add(store, "anna")
    store.close()
    name = url.rpartition("/")[2]
    Raw(url).run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    standby = Store.open(url)
    assert names(standby) == ["anna"]
    with pytest.raises(ReadOnly):
        add(standby, "bob")
    standby.close()


def test_a_full_disk_is_told_as_such() -> None:
    error = psycopg.errors.DiskFull("could not extend file")
    assert isinstance(postgresql.failure(error, "there"), Full)


# --- who may not ------------------------------------------------------------------------------------------------------


def test_what_is_wrong_with_a_url_is_said_without_the_password(own: Cluster) -> None:
    (own.folder / "data" / "pg_hba.conf").write_text(
        "host all calsync 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
    )
    url = own.database()
    Raw(url).run("CREATE ROLE other LOGIN PASSWORD 'right horse'")
    name = url.rpartition("/")[2]
    Raw(url).run(f"ALTER DATABASE {name} OWNER TO other")
    own.stop()
    own.start()
    server = f"127.0.0.1:{own.port}"
    for wrong, told in (
        (f"postgresql://other:wr0ng@{server}/{name}", "password authentication failed"),
        (f"postgresql://calsync:wr0ng@{server}/nowhere", "createdb --owner USER nowhere"),
        (f"postgresql://calsync:wr0ng@127.0.0.1:1/{name}", "refused"),
        (f"postgresql://calsync:wr0ng@{server}/{name}?connections=0", "no number from 1"),
        (f"postgresql://{server}/{name}?user=other&password=wr0ng", "password authentication failed"),
        (f"postgresql://calsync:wr0ng@{server}/{name}?nonsense=1", "nonsense"),
    ):
        with pytest.raises(StoreError) as raised:
            Store.open(wrong)
        assert told in str(raised.value)
        assert "wr0ng" not in str(raised.value)
    right = Store.open(f"postgresql://other:right%20horse@{server}/{name}")
    assert names(right) == []
    assert "horse" not in str(right.describe())
    right.close()


# --- writers meet -----------------------------------------------------------------------------------------------------


def test_writers_of_different_owners_do_not_wait_for_each_other(store: Store) -> None:
    anna, bert = add(store, "anna"), add(store, "bert")
    with store.write(alone=False) as tx:
        collections.create(tx, anna, 0, "work", "calendar")

        def other() -> Collection:
            with store.write(alone=False) as tx:
                return collections.create(tx, bert, 0, "work", "calendar")

        (made,) = together(other)
        assert isinstance(made, Collection), made


def who_waits(url: str) -> int:
    """How many sessions wait until they may write."""
    return len(Raw(url).rows("SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'meta'::regclass"))


def test_what_stands_still_waits_for_all_and_keeps_all_waiting(store: Store, url: str) -> None:
    anna = add(store, "anna")
    order: list[str] = []
    entered = threading.Event()

    def beside() -> None:
        with store.write(alone=False) as tx:
            entered.set()
            until(lambda: who_waits(url) == 1)
            collections.create(tx, anna, 0, "work", "calendar")
            order.append("beside")

    def still() -> None:
        entered.wait()
        with store.write(still=True) as tx:
            order.append("still")
            assert collections.find(tx, anna, ["work"]) is not None  # committed, not only begun
            meta.put(tx, "journal", b"/nowhere")
            after.start()
            until(lambda: who_waits(url) == 1)
            meta.remove(tx, "journal")

    def later() -> None:
        with store.write(alone=False) as tx:
            order.append("later")
            assert tx.journal is None

    after = threading.Thread(target=later)
    told = together(beside, still)
    assert told == [None, None]
    after.join()
    assert order == ["beside", "still", "later"]


def test_two_who_want_the_same_two_in_opposite_order_both_get_them(store: Store) -> None:
    both = [add(store, name) for name in ("anna", "bert")]
    barrier = threading.Barrier(2)
    tries: list[int] = []

    def work(first: Principal, second: Principal) -> int:
        def attempt() -> int:
            tries.append(1)
            with store.write(alone=False) as tx:
                principals.get(tx, first.id)
                if len(tries) <= 2:
                    barrier.wait()
                principals.get(tx, second.id)
                return principals.advance(tx, first.id) + principals.advance(tx, second.id)

        return store.attempt(attempt)

    told = together(lambda: work(both[0], both[1]), lambda: work(both[1], both[0]))
    assert sorted(told) == [4, 6]  # type: ignore[type-var]
    assert len(tries) >= 3, "one of them was undone, and done again"


def test_what_is_held_in_one_order_does_not_meet(store: Store) -> None:
    for name in ("anna", "bert"):
        add(store, name)

    def work(first: str, second: str) -> None:
        for _ in range(20):
            with store.write(alone=False) as tx:
                principals.hold(tx, (first, second))
                for name in (first, second):
                    found = principals.find(tx, name)
                    assert found is not None
                    principals.advance(tx, found.id)

    assert together(lambda: work("anna", "bert"), lambda: work("bert", "anna")) == [None, None]
    with store.read() as tx:
        assert {one.seq for one in principals.listing(tx)} == {41}


def test_who_has_committed_something_is_not_done_again(store: Store) -> None:
    done: list[str] = []

    def work() -> None:
        add(store, f"user{len(done)}")
        done.append("once")
        raise Again("somebody came between")

    with pytest.raises(Again):
        store.attempt(work)
    assert done == ["once"]


def test_what_was_locked_in_a_savepoint_that_was_undone_is_locked_anew(store: Store, url: str) -> None:
    anna = add(store, "anna")
    with store.write(alone=False) as tx:
        with pytest.raises(RuntimeError), tx.savepoint():
            principals.lock_owner(tx, anna.id)
            raise RuntimeError
        Raw(url).run("UPDATE principal SET seq = 40")
        assert principals.advance(tx, anna.id) == 41


def test_counters_and_switches_under_many_writers(store: Store) -> None:
    def count(tx: Transaction) -> int:
        return meta.count(tx, "test")

    def work() -> list[int]:
        got = []
        for _ in range(25):

            def one() -> int:
                with store.write(alone=False) as tx:
                    return count(tx)

            got.append(store.attempt(one))
        return got

    told = together(*[work] * 4)
    assert sorted(number for got in told for number in got) == list(range(1, 101))  # type: ignore[attr-defined]


def test_many_writers_of_one_calendar_lose_nothing(store: Store, calendar: Collection) -> None:
    def work(name: str) -> None:
        for number in range(15):

            def one(number: int = number) -> None:
                with store.write(alone=False) as tx:
                    found = collections.get(tx, calendar.owner, calendar.id)
                    assert found is not None
                    before = items.get(tx, found, "shared.ics")
                    items.put(tx, found, f"{name}{number}.ics", event(f"{name}{number}"))
                    said = before.etag[:8] if before else ""
                    items.put(tx, found, "shared.ics", event("shared", summary=f"{name}{number} after {said}"))

            store.attempt(one)

    assert together(*[lambda name=name: work(name) for name in "wxyz"]) == [None] * 4  # type: ignore[misc]
    with store.read() as tx:
        now = collections.get(tx, calendar.owner, calendar.id)
        rows = items.page(tx, calendar, 0, 1000)
    assert now is not None and now.items == len(rows) == 61
    assert now.owner_seq == now.seq == max(row.seq for row in rows)
    assert len({row.seq for row in rows}) == 61


OPENING = """
import sys
from calsync.store.engine import Store
Store.open(sys.argv[1]).close()
"""


def test_many_processes_may_be_the_first() -> None:
    url = shared().database()
    running = [
        subprocess.Popen([sys.executable, "-c", OPENING, url], stderr=subprocess.PIPE, text=True) for _ in range(4)
    ]
    told = [one.communicate()[1] for one in running]
    assert [one.returncode for one in running] == [0] * 4, told
    assert Raw(url).rows("SELECT count(*) FROM meta WHERE key = 'window'") == [(1,)]
    shared().drop(url)
