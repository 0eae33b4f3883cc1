"""`calsync migrate-store` and `calsync mirror` from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from calsync.jobs.keeper import run
from calsync.jobs.retention import Retention
from calsync.jobs.tasks import TASKS
from calsync.store import collections, items, principals
from calsync.store.engine import Store
from tests.moving.filled import fill
from tests.server_process import ROOT
from tests.store.objects import event


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}"}
    return subprocess.run(
        [sys.executable, "-m", "calsync", *arguments], env=environment, capture_output=True, text=True, check=False
    )


def made(url: str) -> None:
    store = Store.open(url)
    fill(store)
    store.close()


def etags(url: str) -> dict[str, str]:
    store = Store.open(url, create=False)
    try:
        with store.read() as tx:
            anna = principals.find(tx, "anna")
            assert anna is not None
            work = collections.child(tx, anna.id, 0, "work")
            assert work is not None
            return {row.url: row.etag for row in items.page(tx, work, 0, 100)}
    finally:
        store.close()


def test_a_move_tells_what_it_did(tmp_path: Path) -> None:
    old, new = f"sqlite:///{tmp_path}/old.db", f"sqlite:///{tmp_path}/new.db"
    made(old)
    before = etags(old)
    done = command("migrate-store", old, new, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["items"] == 30
    assert etags(old) == etags(new) == before
    again = command("migrate-store", old, new)
    assert again.returncode == 0, again.stderr
    other = command("migrate-store", old, f"sqlite:///{tmp_path}/other.db")
    assert other.returncode == 1 and "was moved to" in other.stderr and "Traceback" not in other.stderr
    assert command("migrate-store", old, "--reopen").returncode == 0
    assert command("migrate-store", old, "--reopen").returncode == 2
    assert command("migrate-store", old, "--abandon").returncode == 2
    assert command("migrate-store", old).returncode == 2


def test_out_to_a_folder_and_in_again_keeps_etags(tmp_path: Path) -> None:
    old, new, folder = f"sqlite:///{tmp_path}/old.db", f"sqlite:///{tmp_path}/new.db", f"folder:{tmp_path}/out"
    made(old)
    done = command("migrate-store", old, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    done = command("migrate-store", folder, new)
    assert done.returncode == 0, done.stdout + done.stderr
    assert etags(new) == etags(old)
    assert command("migrate-store", folder, new).returncode == 1  # it is not empty any more
    assert command("migrate-store", folder, folder).returncode == 2


def test_a_mirror_by_command_and_by_the_keeper(tmp_path: Path) -> None:
    url, folder = f"sqlite:///{tmp_path}/store.db", tmp_path / "mirror"
    made(url)
    done = command("mirror", str(folder), "--once", "--store", url, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"written": 30, "removed": 0, "problems": []}
    store = Store.open(url)
    try:
        with store.write() as tx:
            anna = principals.find(tx, "anna")
            assert anna is not None
            work = collections.child(tx, anna.id, 0, "work")
            assert work is not None
            items.put(tx, work, "more.ics", event("more"))
        assert run(TASKS["mirror"], store, Retention(mirror=str(folder)), "test") == 1
        assert (folder / "collection-root" / "anna" / "work" / "more.ics").exists()
        assert not TASKS["mirror"].wanted(Retention())
    finally:
        store.close()
