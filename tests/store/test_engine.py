from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import bindparam, insert, select

from calsync.store import collections, items, meta, principals, sqlite
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.errors import Busy, Full, ReadOnly, StoreError
from calsync.store.filelock import FileLock
from calsync.store.schema import meta as meta_table
from calsync.store.statement import Prepared
from calsync.store.transaction import Transaction
from tests.server.conftest import until
from tests.store.objects import event, names

WRITE = Prepared(insert(meta_table))


def test_a_block_that_raises_writes_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError), store.write() as tx:
        principals.create(tx, "anna")
        raise RuntimeError
    assert names(store) == []
    with store.write() as tx:
        principals.create(tx, "bob")
    assert names(store) == ["bob"]


def test_a_failure_that_somebody_swallowed_is_not_forgotten_at_the_end(store: Store) -> None:
    told = True
    try:
        with store.write() as tx:
            principals.create(tx, "anna")
            with suppress(StoreError):
                tx.define("SELECT 1 FROM nowhere")
    except StoreError:
        told = False
    # PostgreSQL takes back the whole, which must not look as if it were done.
    assert (names(store) == ["anna"]) == told


def test_a_write_inside_a_write_is_a_savepoint(store: Store) -> None:
    with store.write() as outer:
        principals.create(outer, "anna")
        with pytest.raises(RuntimeError), store.write() as inner:
            principals.create(inner, "bob")
            with store.write() as innermost:
                principals.create(innermost, "carl")
            raise RuntimeError
        with store.write() as inner:
            principals.create(inner, "dora")
    assert names(store) == ["anna", "dora"]


def test_a_read_inside_a_write_sees_it_and_others_do_not(store: Store) -> None:
    seen: list[list[str]] = []
    with store.write() as tx:
        principals.create(tx, "anna")
        assert names(store) == ["anna"]
        thread = threading.Thread(target=lambda: seen.append(names(store)))
        thread.start()
        thread.join()
    assert seen == [[]]


def test_a_read_is_a_snapshot(store: Store) -> None:
    with store.read() as tx:
        assert principals.listing(tx) == []
        with store.write() as other:
            principals.create(other, "anna")
        assert principals.listing(tx) == []
        assert names(store) == ["anna"]


def test_a_read_cannot_write(store: Store) -> None:
    with store.read() as tx:
        with pytest.raises(ReadOnly):
            meta.put(tx, "x", b"")
        with pytest.raises(ValueError, match="not committed"):
            tx.after_commit(lambda: None)


def test_what_is_to_be_done_after_the_commit_is_done_after_it(store: Store) -> None:
    done: list[str] = []

    def note(what: str) -> Callable[[], None]:
        def act() -> None:
            with store.write() as tx:  # the locks are free again
                done.append(f"{what} {len(principals.listing(tx))}")

        return act

    with store.write() as tx:
        principals.create(tx, "anna")
        tx.after_commit(note("first"))
        with pytest.raises(RuntimeError), tx.savepoint():
            tx.after_commit(note("undone"))
            raise RuntimeError
        with store.write() as inner:
            inner.after_commit(note("second"))
        assert done == []
    assert done == ["first 1", "second 1"]
    with pytest.raises(RuntimeError), store.write() as tx:
        tx.after_commit(note("never"))
        raise RuntimeError
    assert len(done) == 2


def test_two_stores_on_one_file_are_one(store: Store, url: str) -> None:
    other = Store.open(url)
    with store.write() as tx:
        principals.create(tx, "anna")
        with other.write() as inner:
            assert inner is tx
        assert names(other) == ["anna"]
    other.close()
    other.close()
    assert names(store) == ["anna"]


@pytest.mark.sqlite  # PostgreSQL promises no order
def test_writers_get_their_turn_in_order(store: Store) -> None:
    order: list[int] = []

    def write(number: int) -> None:
        with store.write() as tx:
            order.append(number)
            principals.create(tx, str(number))

    backend = store._shared.backend
    assert isinstance(backend, sqlite.Database)
    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    with store.write():
        for number, thread in enumerate(threads):
            thread.start()
            until(lambda before=number: len(backend._turns._waiting) > before)  # type: ignore[misc]
    for thread in threads:
        thread.join()
    assert order == list(range(8))
    assert len(names(store)) == 8


def test_secrets_are_made_once(store: Store, url: str) -> None:
    first = store.secret("tokens")
    assert len(first) == 32
    assert store.secret("other") != first
    store.close()
    again = Store.open(url)
    assert again.secret("tokens") == first
    again.close()


@pytest.mark.sqlite
def test_who_holds_the_store_too_long_keeps_nobody_waiting_for_ever(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "PATIENCE", 0.05)
    lock = FileLock(tmp_path / "store" / "calsync.db-lock")
    assert lock.take(0)
    with pytest.raises(Busy, match="another process"), store.write():
        pass
    assert names(store) == []  # readers do not wait
    lock.close()
    with store.write():
        errors: list[Exception] = []

        def write() -> None:
            try:
                with store.write():
                    pass
            except Busy as error:
                errors.append(error)

        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert "another writer" in str(errors[0])


def fill(tx: Transaction) -> None:
    for number in range(2000):
        tx.run(WRITE, key=f"big {number}", value=b"x" * 4000)


@pytest.mark.sqlite
def test_a_full_disk_undoes_the_whole_and_spares_the_readers(store: Store) -> None:
    with store.write() as tx:
        principals.create(tx, "anna")
        tx._connection.execute("PRAGMA max_page_count = 200")
    with pytest.raises(Full, match="no space left"), store.write() as tx:
        principals.create(tx, "bob")
        fill(tx)
    assert names(store) == ["anna"]
    # Caught inside, as Radicale does: the rest does not go on as if nothing had happened.
    with pytest.raises(Full), store.write() as tx:
        principals.create(tx, "carl")
        with pytest.raises(Full), store.write() as inner:
            fill(inner)
        with pytest.raises(Full):
            principals.create(tx, "dora")
    assert names(store) == ["anna"]


def test_a_child_after_a_fork_has_connections_of_its_own(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        items.put(tx, calendar, "a.ics", event("a"))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with store.write() as tx:
                items.put(tx, calendar, "b.ics", event("b"))
            with store.read() as tx:
                code = 0 if items.get(tx, calendar, "a.ics") and items.get(tx, calendar, "b.ics") else 2
            store.close()
        finally:
            os._exit(code)
    with store.write() as tx:
        items.put(tx, calendar, "c.ics", event("c"))
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    with store.read() as tx:
        assert sorted(row.url for row in items.page(tx, calendar, 0, 10)) == ["a.ics", "b.ics", "c.ics"]


def test_a_fork_while_another_thread_writes_does_not_lock_the_child(store: Store) -> None:
    holding, release = threading.Event(), threading.Event()

    def hold() -> None:
        with store.write():
            holding.set()
            release.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if names(store) == [] else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    release.set()
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 0


WRITER = """
import sys
from calsync.store import collections, items
from calsync.store.engine import Store
from tests.store.objects import event
url, owner, id, name = sys.argv[1:]
store = Store.open(url)
number = 0
while True:
    def work():
        with store.write(alone=False) as tx:
            collection = collections.get(tx, int(owner), int(id))
            items.put(tx, collection, f"{name}{number}.ics", event(f"{name}{number}"))
    store.attempt(work)
    print(number, flush=True)
    number += 1
"""


def test_what_was_committed_survives_a_kill_and_processes_share_one_counter(
    store: Store, url: str, calendar: Collection
) -> None:
    arguments = [url, str(calendar.owner), str(calendar.id)]
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, *arguments, name], stdout=subprocess.PIPE, text=True)
        for name in "xyz"
    ]
    told: set[str] = set()
    for name, writer in zip("xyz", writers, strict=True):
        assert writer.stdout is not None
        for _ in range(20):
            told.add(f"{name}{writer.stdout.readline().strip()}.ics")
    for name, writer in zip("xyz", writers, strict=True):
        writer.send_signal(signal.SIGKILL)
        rest, _ = writer.communicate()
        told |= {f"{name}{line}.ics" for line in rest.split()}
    with store.read() as tx:
        rows = items.page(tx, calendar, 0, 100_000)
        now = collections.get(tx, calendar.owner, calendar.id)
    assert told <= {row.url for row in rows}
    assert now is not None and now.items == len(rows) == len({row.seq for row in rows})
    assert max(row.seq for row in rows) == now.seq


def test_a_long_list_is_one_parameter(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        items.put_many(tx, calendar, [(f"{number}.ics", event(str(number))) for number in range(50)])
        found = items.named(tx, calendar, [f"{number}.ics" for number in range(3000)])
    assert len(found) == 50


def test_a_missing_parameter_is_an_error_and_not_a_null() -> None:
    two = Prepared(
        select(meta_table.c.key).where(meta_table.c.key == bindparam("a"), meta_table.c.value == bindparam("b"))
    )
    with pytest.raises(KeyError):
        two.compiled("sqlite").bind({"a": 1})
    with pytest.raises(KeyError):
        WRITE.compiled("sqlite").bind({"key": "x"})


def test_the_store_describes_itself(store: Store, url: str) -> None:
    told = store.describe()
    if url.startswith("sqlite"):
        assert told["back end"] == "SQLite"
        assert "wal-reset bug" in told
    else:
        assert told["back end"] == "PostgreSQL"
        assert told["database"] == url
    assert store.problems() == []
