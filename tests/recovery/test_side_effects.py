"""Jobs that a backup holds, after it was restored: nothing is done twice, nothing that waits is forgotten."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

from calsync.jobs import queue
from calsync.recovery.restore import Report, Wish, restore
from calsync.store import principals
from calsync.store.engine import Store
from calsync.store.transaction import Transaction


def _put(tx: Transaction, name: str, owner: int) -> int:
    return queue.put(tx, "hook", {"name": name}, owner, topic="calendar")


def _stores(folder: Path) -> tuple[Path, Path]:
    """A copy of a store with three jobs in a row, and the store itself, where the first was done since."""
    path, copy = folder / "calsync.db", folder / "copy.db"
    with closing(Store.open(f"sqlite:///{path}")) as store:
        with store.write() as tx:
            anna = principals.create(tx, "anna").id
            for name in ("first", "second", "third"):
                _put(tx, name, anna)
        with store.write() as tx:
            held = queue.take(tx, ["hook"], "somebody", 1 << 40)
            assert held is not None and held.payload["name"] == "first"
    shutil.copy(path, copy)
    with closing(Store.open(f"sqlite:///{path}")) as store, store.write() as tx:
        queue.done(tx, held, "somebody")
    return copy, path


def _restored(copy: Path, target: Path, *, use_salvage: bool = True) -> tuple[Report, list[tuple[str, str]]]:
    report = restore(Wish(copy, target, use_salvage=use_salvage))
    with closing(Store.open(f"sqlite:///{target}")) as store, store.read() as tx:
        return report, [(one.payload["name"], one.state(1 << 41)) for one in queue.listing(tx)]


def test_what_was_done_since_is_not_done_again_and_what_waits_goes_on(tmp_path: Path) -> None:
    report, jobs = _restored(*_stores(tmp_path))
    assert jobs == [("second", "waiting"), ("third", "blocked")]
    assert "jobs: 2 still wait, 1 of the backup were done since" in report.lines()


def test_where_nobody_knows_they_are_given_up_with_the_reason(tmp_path: Path) -> None:
    report, jobs = _restored(*_stores(tmp_path), use_salvage=False)
    assert {state for _, state in jobs} == {"dead"} and len(jobs) == 3
    assert any("given up" in line for line in report.lines())
    with closing(Store.open(f"sqlite:///{tmp_path / 'calsync.db'}")) as store, store.write() as tx:
        assert all("backup" in one.error for one in queue.listing(tx))
        assert queue.retry(tx, queue.listing(tx)[0].id, 1 << 40)
