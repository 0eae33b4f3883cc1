"""A PostgreSQL server that is frozen: it answers nobody, and its connections stand."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from calsync.accounts.accounts import Accounts
from calsync.store import principals, watch
from calsync.store.engine import Store
from calsync.store.errors import Busy
from tests.dav.conftest import PASSWORD, Client, make_application
from tests.dav.conftest import event as text
from tests.postgresql import Cluster
from tests.raw import Raw

pytestmark = pytest.mark.postgresql


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look soon, and give a server that is only slow all the time it may need on a busy machine."""
    monkeypatch.setattr(watch, "LOOK", 0.1)
    monkeypatch.setattr(watch, "SLOW", 0.5)
    monkeypatch.setattr(watch, "ANSWER", 60)


@contextmanager
def frozen(process: psutil.Process, *, family: bool = False) -> Iterator[None]:
    """Stop a process; `family`: with all that it has begun, after which it begins no more."""
    process.suspend()
    stopped = [process, *(process.children() if family else ())]
    try:
        for one in stopped[1:]:
            with suppress(psutil.NoSuchProcess):  # it was ending anyway
                one.suspend()
        yield
    finally:
        for one in stopped:
            with suppress(psutil.NoSuchProcess):
                one.resume()


def test_clients_are_told_to_come_back_and_nothing_is_left_behind(
    own: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = make_application(tmp_path / "data", storage={"url": own.database()})
    assert application.store is not None
    Accounts(application.store).create("anna", PASSWORD)
    anna = Client(application)
    path = "/anna/calendar/a.ics"
    assert anna.put(path, text("a")).status == 201
    root = psutil.Process(int((own.folder / "data" / "postmaster.pid").read_text().split()[0]))
    with frozen(root, family=True), monkeypatch.context() as quick:
        quick.setattr(watch, "ANSWER", 1)
        for answer in (anna.put(path, text("a", "SUMMARY:x")), anna.get(path)):
            assert (answer.status, answer.headers["Retry-After"]) == (503, "30")
    # Whether what was not acknowledged was done, the server decides; either way it goes on.
    while (answer := anna.put(path, text("a", "SUMMARY:y"))).status == 503:
        time.sleep(0.1)
    assert answer.status == 204
    assert b"SUMMARY:y" in anna.get(path).body
    application.close()


def test_one_process_that_hangs_holds_up_one_who_waits(own: Cluster) -> None:
    url = own.database()
    Store.open(url).close()  # makes the tables
    store = Store.open(f"{url}?longest=5")  # as long as a machine may sleep
    with store.write() as tx:
        principals.create(tx, "anna")
    told: list[object] = []
    begun, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        try:
            with store.read() as tx:
                tx.define("SELECT 1")
                begun.set()
                go_on.wait(60)
                told.append(principals.listing(tx))
        except Busy as error:
            told.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert begun.wait(60)
    (found,) = Raw(url).rows(
        "SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction' AND application_name = 'calsync'"
    )
    with frozen(psutil.Process(int(found[0]))):
        go_on.set()
        with store.read() as tx:
            assert [one.name for one in principals.listing(tx)] == ["anna"]
        waiting.join(60)
    assert [type(one) for one in told] == [Busy]
    store.close()


def test_what_only_takes_long_is_waited_for(own: Cluster) -> None:
    store = Store.open(own.database())
    with store.read() as tx:
        began = time.monotonic()
        assert tx.define("SELECT 1 FROM pg_sleep(1.5)") == [(1,)]
    assert time.monotonic() - began > 1.4
    store.close()
