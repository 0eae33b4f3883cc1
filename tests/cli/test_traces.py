"""What was removed for good is nowhere in the database's files, while the server runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from calsync.accounts.accounts import Accounts
from calsync.cli import users
from calsync.store import principals, sqlite
from calsync.store.engine import Store
from tests.cli.run import run
from tests.dav.conftest import event
from tests.server_process import ServerProcess


def found(folder: Path, text: bytes) -> list[str]:
    return [path.name for path in sorted(folder.glob("calsync.db*")) if text in path.read_bytes()]


@pytest.mark.parametrize("word", ["user", "history"])
def test_nothing_is_left_in_the_files(tmp_path: Path, word: str) -> None:
    store = f"sqlite:///{tmp_path}/calsync.db"
    with ServerProcess(tmp_path, store=store) as server:
        for name in ("anna", "ben"):
            server.add_user(name, "secret")
            home = f"{server.url}{name}/"
            assert requests.request("MKCALENDAR", f"{home}work/", auth=(name, "secret"), timeout=60).status_code == 201
            for number, size in enumerate((1, 500, 5000)):
                body = event(f"{name}-{number}", f"SUMMARY:Confidential of {name}" + " and so on" * size)
                path = f"{home}work/{number}.ics"
                assert requests.put(path, body, auth=(name, "secret"), timeout=60).status_code == 201
        assert "calsync.db-wal" in found(tmp_path, b"Confidential of ben")
        if word == "user":
            done = server.command("user", "remove", "ben", "--purge", "--yes")
        else:
            requests.delete(f"{server.url}ben/work/", auth=("ben", "secret"), timeout=60)
            done = server.command("history", "purge", "ben", "--yes")
        assert done.returncode == 0, done.stderr
        assert found(tmp_path, b"Confidential of ben") == []
        assert "calsync.db" in found(tmp_path, b"Confidential of anna")


def test_who_reads_for_long_is_spoken_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sqlite, "_EMPTYING", 0.0)
    url = f"sqlite:///{tmp_path}/calsync.db"
    store = Store.open(url)
    Accounts(store).create("anna", None)
    with store.read() as tx:
        principals.listing(tx)  # from here on it is a snapshot
        assert run(users, "user", "remove", "anna", "--purge", "--yes", "--store", url) == 0
    assert "calsync.db-wal" in capsys.readouterr().err
    assert store.wipe()
    assert not (tmp_path / "calsync.db-wal").stat().st_size
    store.close()
