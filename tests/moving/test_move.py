"""Everything arrives as it was, whatever breaks off; and who opens the old store is led to the new one."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from calsync.moving import log
from calsync.moving.move import Moving, NotMoved, Told, abandon, reopen
from calsync.moving.tables import TABLES
from calsync.store import changes, collections, items, principals
from calsync.store.engine import Store
from calsync.store.errors import StoreError
from calsync.store.schema import METADATA, body
from calsync.store.statement import Prepared
from tests.moving.conftest import KINDS
from tests.moving.filled import everything, fill
from tests.raw import Raw
from tests.server.conftest import until
from tests.server_process import ROOT
from tests.store.objects import event

Place = Callable[[str, str], str]

ALL = [(here, there) for here in KINDS for there in KINDS]
WAYS = pytest.mark.parametrize(("here", "there"), ALL, ids=lambda kind: kind[:2])
ACROSS = pytest.mark.parametrize(("here", "there"), ALL[1:3], ids=lambda kind: kind[:2])


@contextlib.contextmanager
def opened(url: str, *, itself: bool = True, create: bool = False) -> Iterator[Store]:
    store = Store.itself(url, create=create) if itself else Store.open(url, create=create)
    try:
        yield store
    finally:
        store.close()


@contextlib.contextmanager
def begun(here: str, there: str, *, anew: bool = False) -> Iterator[Moving]:
    with opened(here) as source, opened(there, create=True) as target:
        yield Moving.begun(source, target, whence=here, to=there, anew=anew)


def moved(here: str, there: str) -> Told:
    with begun(here, there) as moving:
        return moving.run()


def filled(url: str) -> dict[str, list[tuple[object, ...]]]:
    with opened(url, itself=False, create=True) as store:
        fill(store)
        return everything(store)


def test_no_table_is_left_behind() -> None:
    assert set(TABLES) == set(METADATA.tables)
    assert all(one.keys for one in TABLES.values()), "a table without a primary key cannot be moved"


@WAYS
def test_every_row_of_every_table_arrives(here: str, there: str, place: Place) -> None:
    old, new = place(here, "old"), place(there, "new")
    before = filled(old)
    assert all(before.values()), "every table is to hold something"
    told = moved(old, new)
    assert told.bodies == told.items == 30
    with opened(new, itself=False) as store:
        assert everything(store) == before
    with opened(old, itself=False) as followed, followed.read() as tx:
        assert tx.dialect == there


@ACROSS
def test_the_new_store_can_be_written(here: str, there: str, place: Place) -> None:
    """Its counters, also those of the database, go on where they were, and its indexes are there."""
    from calsync.accounts import audit

    old, new = place(here, "old"), place(there, "new")
    filled(old)
    moved(old, new)
    fresh = place(there, "fresh")
    with opened(new, itself=False) as store, opened(fresh, itself=False, create=True) as other:
        from calsync.moving import indexes

        with store.write() as tx, other.read() as untouched:
            audit.note(tx, "tested")
            principals.create(tx, "bert")
            assert set(indexes.known(tx)) == set(indexes.known(untouched))
        assert store.problems() == []


@ACROSS
def test_a_token_goes_on(here: str, there: str, place: Place) -> None:
    old, new = place(here, "old"), place(there, "new")
    filled(old)
    with opened(old, itself=False) as store:
        with store.read() as tx:
            anna = principals.find(tx, "anna")
            assert anna is not None
            work = collections.child(tx, anna.id, 0, "work")
            assert work is not None
            token = changes.SyncToken.of(work)
        moved(old, new)
        with store.write() as tx:  # the one that was open all the time: it follows
            items.put(tx, work, "later.ics", event("later"))
        with store.read() as tx:
            now = collections.child(tx, anna.id, 0, "work")
            assert now is not None and token.holds_for(now)
            found = changes.changes(tx, now, token.position, token.position, 10, now.seq)
        assert [change.href for change in found] == ["later.ics"]


@WAYS
def test_what_is_written_meanwhile_arrives(here: str, there: str, place: Place) -> None:
    """Between any two steps somebody writes, in any table; names go from one item to another."""
    dice = random.Random(7)
    old, new = place(here, "old"), place(there, "new")
    filled(old)
    with opened(old, itself=False) as store, begun(old, new) as moving:

        def disturb() -> None:
            if dice.random() < 0.8:
                return
            with store.write() as tx:
                anna = principals.find(tx, "anna")
                assert anna is not None
                for _ in range(5):
                    work = collections.child(tx, anna.id, 0, "work")
                    assert work is not None
                    href = f"{dice.randrange(30)}.ics"
                    there = items.get(tx, work, href)
                    if there is not None and dice.random() < 0.5:
                        items.delete(tx, work, there)
                    else:
                        items.put(tx, work, href, event(f"n{dice.random()}"))
                principals.create(tx, f"user{dice.random()}")

        moving.progress = lambda _what, _done, _total: disturb()
        moving.run()
        reopened = everything(moving.source)
        assert moving.told.changes > 100
        assert everything(store) == reopened == everything(moving.target)


def test_a_half_made_store_is_not_served_and_goes_on(place: Place) -> None:
    old, new = place("sqlite", "old"), place("sqlite", "new")
    before = filled(old)
    with begun(old, new) as moving:
        moving.copy()
    with pytest.raises(StoreError, match="half made"):
        Store.open(new)
    with begun(old, new) as moving:
        assert moving.run().items == 0  # all were there
    with opened(new, itself=False) as store:
        assert everything(store) == before


@ACROSS
def test_a_copy_that_differs_is_not_switched_to(here: str, there: str, place: Place) -> None:
    old, new = place(here, "old"), place(there, "new")
    before = filled(old)
    with begun(old, new) as moving:
        moving.copy()
        with moving.target.write() as tx:
            assert tx.run(Prepared(update(body).where(body.c.item == 5).values(octets=b"rot")))
    with begun(old, new) as moving, pytest.raises(NotMoved, match=r"1 rows .* \(body 1,5 differs\)"):
        moving.run()
    with opened(old, itself=False) as store:
        assert everything(store) == before | {"meta": everything(store)["meta"]}
        with store.read() as tx:
            assert tx.dialect == here
    with begun(old, new, anew=True) as moving:
        moving.run()
    with opened(new, itself=False) as store:
        assert everything(store) == before


@pytest.mark.parametrize("kind", KINDS)
def test_abandoned_and_reopened(kind: str, place: Place) -> None:
    old, new, other = place(kind, "old"), place("sqlite", "new"), place("sqlite", "other")
    before = filled(old)
    with begun(old, new) as moving:
        moving.copy()
    with pytest.raises(NotMoved, match="under way"), begun(old, other):
        pass
    with opened(old) as source:
        assert abandon(source) and not abandon(source)
        with source.read() as tx:
            assert not log.running(tx)
        assert everything(source) == before
    moved(old, other)
    with pytest.raises(NotMoved, match="moved to"), begun(old, new):
        pass
    with opened(old) as source:
        assert reopen(source) is not None
    with opened(old, itself=False) as store:
        assert everything(store) == before


def test_a_used_store_is_not_written_over(place: Place) -> None:
    old, new = place("sqlite", "old"), place("sqlite", "new")
    filled(old)
    there = filled(new)
    for anew in (False, True):
        with pytest.raises(NotMoved, match="not empty"), begun(old, new, anew=anew):
            pass
    with opened(new, itself=False) as store:
        assert everything(store) == there


def test_the_mark_leads_only_to_the_store_that_was_made(place: Place, tmp_path: object) -> None:
    """A new and empty store under the old address would let every phone delete what it has."""
    from calsync.store.urls import path_of

    old, new = place("sqlite", "old"), place("sqlite", "new")
    filled(old)
    moved(old, new)
    for file in path_of(new).parent.iterdir():
        file.unlink()
    with pytest.raises(StoreError, match="no store"):
        Store.open(old)
    with opened(new, itself=False, create=True), pytest.raises(StoreError, match="another store now"):
        Store.open(old)


@pytest.mark.parametrize("kind", KINDS)
def test_killed_anywhere_it_goes_on(kind: str, place: Place) -> None:
    old, new = place("sqlite", "old"), place(kind, "new")
    with opened(old, itself=False, create=True) as store:
        fill(store, 3000)
        before = everything(store)
    command = [sys.executable, "-m", "calsync", "migrate-store", old, new]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}"}
    dice = random.Random(3)
    kills = 0
    for attempt in range(12):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            process.wait(0.2 + attempt * 0.3 + dice.random() * 0.3)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            kills += 1
        _, said = process.communicate()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, said.decode()
        if kind == "postgresql":  # what it had sent is still carried out, or not
            until(Raw(new).is_left)
    else:
        assert subprocess.run(command, env=environment, check=False).returncode == 0
    assert kills
    with opened(new, itself=False) as store:
        assert everything(store) == before


def test_what_a_killed_run_still_commits_counts(place: Place) -> None:
    """A server does not see at once that its client is gone: it ends what it was given, a commit too."""
    old, new = place("sqlite", "old"), place("postgresql", "new")
    filled(old)
    waiting = (
        "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database"
        " WHERE datname = current_database() AND NOT granted"
    )

    def copied() -> dict[str, str]:
        with begun(old, new) as moving:
            return moving.state.tables

    with begun(old, new) as killed, ThreadPoolExecutor(1) as pool:
        with killed.target.write() as tx:
            killed.state.tables["item"] = ""
            killed.state.write(tx)
            again = pool.submit(copied)
            until(lambda: again.done() or Raw(new).rows(waiting) != [(0,)])
        assert again.result(60) == {"item": ""}
