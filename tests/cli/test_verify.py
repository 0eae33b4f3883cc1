from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from calsync.cli import reindex, verify
from calsync.store import collections, items, principals
from calsync.store.engine import Store
from tests.cli.run import run
from tests.store.objects import event, recurring


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'calsync.db'}"
    store = Store.open(url)
    for name in ("anna", "bob"):
        with store.write() as tx:
            work = collections.create(tx, principals.create(tx, name), 0, "work", "calendar")
            items.put(tx, work, "a.ics", event("a"))
            items.put(tx, work, "b.ics", recurring(store, "b", "20260301T100000Z", "20260301T110000Z", "FREQ=DAILY"))
    store.backup(tmp_path / "backup.db")
    store.close()
    return url


def damage(tmp_path: Path, statement: str) -> None:
    with closing(sqlite3.connect(tmp_path / "calsync.db")) as connection, connection:
        connection.execute(statement)


COUNT = "UPDATE collection SET item_count = 9 WHERE owner = 1"
ROT = "UPDATE body SET octets = x'00' WHERE owner = 1 AND instr(octets, 'UID:a')"


def test_a_sound_store(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--deep"], ["--repair"], ["anna"]):
        assert run(verify, "verify", *words, "--store", url) == 0
        assert "all is well" in capsys.readouterr().out


def test_problems_are_named_and_mended(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damage(tmp_path, COUNT)
    assert run(verify, "verify", "bob", "--store", url) == 0
    assert run(verify, "verify", "--store", url) == 1
    assert "anna/work: holds 2 items" in capsys.readouterr().out
    assert run(verify, "verify", "--repair", "--dry-run", "--store", url) == 1
    assert "→ would be: counted anew" in capsys.readouterr().out
    assert run(verify, "verify", "--repair", "--json", "--store", url) == 0
    problem, whole = map(json.loads, capsys.readouterr().out.splitlines())
    assert (problem["path"], problem["kind"], problem["mended"]) == ("anna/work", "counts", True)
    assert whole == {"checked": 4, "problems": 1, "left": 0}
    assert run(verify, "verify", "--store", url) == 0


def test_octets_come_back_from_a_backup(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damage(tmp_path, ROT)
    damage(tmp_path, "UPDATE body SET octets = x'00' WHERE instr(octets, 'UID:a')")
    assert run(verify, "verify", "--repair", "--store", url) == 1
    assert "left: no intact copy" in capsys.readouterr().out
    assert run(verify, "verify", "--repair", "--from", str(tmp_path / "backup.db"), "--store", url) == 0
    assert run(verify, "verify", "--store", url) == 0


def test_what_cannot_be_looked_at_is_status_2(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(verify, "verify", "nobody", "--store", url) == 2
    assert run(verify, "verify", "--store", f"sqlite:///{tmp_path}/missing.db") == 2
    assert run(verify, "verify", "--from", "x", "--store", url) == 2
    damage(tmp_path, ROT)
    damage(tmp_path, "UPDATE body SET octets = x'00'")
    assert run(verify, "verify", "--repair", "--from", f"{tmp_path}/missing.db", "--store", url) == 2
    assert capsys.readouterr().err.count("calsync: ") == 4


def test_reindex(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damage(tmp_path, "DELETE FROM occurrence")
    assert run(verify, "verify", "--deep", "--store", url) == 1
    assert run(reindex, "reindex", "anna/work", "--store", url) == 0
    assert run(verify, "verify", "--deep", "anna", "--store", url) == 0
    assert run(verify, "verify", "--deep", "--store", url) == 1
    capsys.readouterr()
    assert run(reindex, "reindex", "--json", "--store", url) == 0
    assert json.loads(capsys.readouterr().out) == {"done": 4, "problems": []}
    assert run(verify, "verify", "--deep", "--store", url) == 0
    for what in ("nobody", "anna/nothing"):
        assert run(reindex, "reindex", what, "--store", url) == 2
    damage(tmp_path, ROT)
    assert run(reindex, "reindex", "anna", "--store", url) == 1
    assert "anna/work/a.ics: damaged" in capsys.readouterr().err
