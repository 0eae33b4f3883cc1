from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from calsync.store import collections, items, meta, principals
from calsync.store.engine import Store
from calsync.transfer import dropin
from calsync.transfer.report import Outcome, Report
from tests import generator
from tests.store.objects import collection_of

LOG = logging.getLogger("tests.dropin")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "collection-root" / "anna" / "home"
    home.mkdir(parents=True)
    (home / ".Radicale.props").write_text('{"tag": "VCALENDAR"}')
    for resource in generator.events(5):
        (home / resource.href).write_bytes(resource.octets)
    return tmp_path


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{folder / 'calsync.db'}")
    yield store
    store.close()


def _take(store: Store, folder: Path) -> Report | None:
    return dropin.take_in(store, folder, logger=LOG)


def _delete_one(store: Store) -> None:
    with store.write() as tx:
        home = collection_of(tx, "anna", "home")
        item = items.get(tx, home, generator.event(0).href)
        assert item is not None
        items.delete(tx, home, item)


def test_it_happens_once(store: Store, folder: Path) -> None:
    report = _take(store, folder)
    assert report is not None and report.summary() == "5 taken"
    _delete_one(store)
    assert _take(store, folder) is None


def test_a_killed_run_is_finished_by_the_next(store: Store, folder: Path) -> None:
    _take(store, folder)
    _delete_one(store)
    with store.write() as tx:
        meta.put(tx, dropin.MARK, dropin.STARTED)
    report = _take(store, folder)
    assert report is not None and report.summary() == "1 taken, 4 already there"
    assert _take(store, folder) is None


def test_a_store_in_use_is_left_alone(store: Store, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    _take(store, folder)
    with store.write() as tx:
        meta.put(tx, dropin.MARK, b"")
        tx.run(meta._DELETE, key=dropin.MARK)
    with caplog.at_level(logging.INFO):
        assert _take(store, folder) is None
    assert "calsync import" in caplog.text


def test_users_alone_do_not_keep_it_from_happening(store: Store, folder: Path) -> None:
    with store.write() as tx:
        principals.create(tx, "anna")
    report = _take(store, folder)
    assert report is not None and report.summary() == "5 taken"


def test_nothing_there_is_nothing_done(store: Store, tmp_path: Path) -> None:
    assert _take(store, tmp_path / "elsewhere") is None


def test_what_is_refused_is_in_the_log(store: Store, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "collection-root" / "anna" / "home" / "bad.ics").write_bytes(b"x")
    _take(store, folder)
    assert "bad.ics" in caplog.text and "1 refused" in caplog.text


def test_a_storage_hook_is_told() -> None:
    assert "git" in dropin.notices(hook="git add -A")[0]
    assert dropin.notices(hook="") == []


def test_kill_9_midway_loses_nothing(folder: Path) -> None:
    home = folder / "collection-root" / "anna" / "home"
    for resource in generator.events(1500, first=100):
        (home / resource.href).write_bytes(resource.octets)
    url = f"sqlite:///{folder / 'calsync.db'}"
    code = (
        "import sys, logging, pathlib; from calsync.store.engine import Store; from calsync.transfer import dropin;"
        "dropin.take_in(Store.open(sys.argv[1]), pathlib.Path(sys.argv[2]), logger=logging.getLogger())"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen([sys.executable, "-c", code, url, str(folder)], env=environ) as process:
        store: Store | None = None
        while process.poll() is None:
            if store is None and (folder / "calsync.db").exists() and (folder / "calsync.db-wal").exists():
                store = Store.open(url)
            if store is not None and 0 < _count(store) < 1505:
                process.kill()
            time.sleep(0.01)
    store = store or Store.open(url)
    report = _take(store, folder)
    if report is not None:  # the other was killed in time
        assert report.counts[Outcome.UNCHANGED] > 0 and report.counts.total() == 1505
    assert _count(store) == 1505
    store.close()


def _count(store: Store) -> int:
    with store.read() as tx:
        anna = principals.find(tx, "anna")
        home = collections.find(tx, anna, ["home"]) if anna else None
        return collections.count_and_size(tx, home)[0] if home else 0
