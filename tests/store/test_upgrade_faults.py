"""A migration that ends too soon, wherever it does: the old store is whole, the old version serves it, the next start
upgrades it."""

from __future__ import annotations

import itertools
import os
import resource
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
import pytest
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError

from calsync.store.engine import Store
from calsync.store.errors import Full, StoreError
from calsync.store.migrations import CHAIN, Chain
from calsync.store.prepare import check, prepare, prepare_postgresql
from calsync.store.verify import verify
from tests.postgresql import shared
from tests.store import old_stores
from tests.store.test_prepare import later

FIRST: Final = CHAIN.revisions[0]
#: What knew the first schema and no other.
OLD: Final = Chain(CHAIN.revisions[:1], CHAIN.folder)


@dataclass(frozen=True)
class Troubled(Chain):
    """Something happens before the statement of that number; without one, they are counted in `sent`."""

    at: int = 0
    trouble: Callable[[Connection], None] = print
    sent: tuple[list[int], ...] = ([],)

    def upgrade(self, connection: Connection) -> None:
        numbers = itertools.count(1)

        @event.listens_for(connection, "before_cursor_execute")
        def before(*_: object) -> None:
            number = next(numbers)
            self.sent[0].append(number)
            if number == self.at:
                self.trouble(connection)

        super().upgrade(connection)


def troubled(chain: Chain, at: int, trouble: Callable[[Connection], None]) -> Troubled:
    return Troubled(chain.revisions, chain.folder, at, trouble, ([],))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    old_stores.load(FIRST, f"sqlite:///{tmp_path / 'calsync.db'}")
    return tmp_path / "calsync.db"


@pytest.fixture
def database() -> Iterator[str]:
    url = shared().database()
    old_stores.load(FIRST, url)
    yield url
    shared().drop(url)


def whole(url: str) -> None:
    """The upgrade that nothing disturbs, after all."""
    store = Store.open(url)
    assert list(verify(store)) == []
    store.close()


def test_a_kill_at_every_statement_leaves_the_old_store(path: Path) -> None:
    url = f"sqlite:///{path}"
    before = old_stores.contents(url)
    for at in itertools.count(1):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                prepare(path, chain=troubled(CHAIN, at, lambda _: os._exit(9)))
                code = 0
            finally:
                os._exit(code)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == 0:
            break
        assert status == 9
        prepare(path, chain=OLD)
        assert old_stores.contents(url) == before
        # However often it is tried, there is one copy.
        assert len(list(path.parent.glob("calsync.db.before-*"))) == 1
    assert at > 20
    whole(url)
    assert len(list(path.parent.glob("calsync.db.before-*"))) == 1


def test_a_full_disk_anywhere_leaves_the_old_store(path: Path) -> None:
    url = f"sqlite:///{path}"
    before = old_stores.contents(url)
    with closing(sqlite3.connect(path)) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
    refused = 0
    for more in itertools.count(0, 3):

        def fill(connection: Connection, most: int = pages + more) -> None:
            connection.exec_driver_sql(f"PRAGMA max_page_count = {most}")

        try:
            prepare(path, chain=troubled(CHAIN, 1, fill))
            break
        except Full as error:
            refused += 1
            assert "no space left for the store" in str(error)
        prepare(path, chain=OLD)
        assert old_stores.contents(url) == before
        assert not list(path.parent.glob("calsync.db.before-*"))
    assert refused > 5
    whole(url)


def test_a_disk_without_room_for_the_copy_is_told(path: Path) -> None:
    before = old_stores.contents(f"sqlite:///{path}")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(StoreError, match=r"calsync\.db"):
            prepare(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert old_stores.contents(f"sqlite:///{path}") == before
    assert not list(path.parent.glob("calsync.db.before-*"))
    whole(f"sqlite:///{path}")


def test_a_lost_connection_anywhere_leaves_the_old_database(database: str) -> None:
    before = old_stores.contents(database)

    def lose(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        with psycopg.connect(database, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [driver.info.backend_pid])

    for at in itertools.count(1, 4):
        chain = troubled(CHAIN, at, lose)
        try:
            prepare_postgresql(database, database, chain=chain)
            break
        except (DBAPIError, psycopg.Error) as error:
            assert "terminating connection" in str(error) or "closed" in str(error)
        prepare_postgresql(database, database, chain=OLD)
        assert old_stores.contents(database) == before
    assert at > 20
    whole(database)


def test_the_last_of_several_revisions_takes_all_of_them_back(path: Path, database: str, tmp_path: Path) -> None:
    chain = later(tmp_path)
    with (chain.folder / "versions" / "r9999_later.py").open("a") as script:
        script.write("    op.execute('SELECT nonsense')\n")
    before = old_stores.contents(f"sqlite:///{path}"), old_stores.contents(database)
    with pytest.raises(StoreError, match="nonsense"):
        prepare(path, chain=chain)
    with pytest.raises(Exception, match="nonsense"):
        prepare_postgresql(database, database, chain=chain)
    assert (old_stores.contents(f"sqlite:///{path}"), old_stores.contents(database)) == before
    check(path, OLD)
    whole(f"sqlite:///{path}")
    whole(database)
