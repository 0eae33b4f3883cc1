from __future__ import annotations

import argparse
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from calsync.accounts import audit as trail
from calsync.accounts.accounts import Accounts
from calsync.cli import audit, transfer, users
from calsync.store import principals
from calsync.store.engine import Store
from tests.cli.run import run


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'calsync.db'}"
    store = Store.open(url)
    accounts = Accounts(store)
    for name in ("anna", "bert"):
        accounts.create(name, "secret", actor="calsync user")
    accounts.add_token("anna", "phone", actor="anna")
    with store.write() as tx:
        trail.note(tx, "signed-in", account="anna", actor="anna", address="192.0.2.1", client="Evil\nClient")
    store.close()
    return url


def _told(url: str, capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, object]]:
    capsys.readouterr()
    assert run(audit, "audit", *words, "--json", "--store", url) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def test_the_last_is_at_the_end(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    actions = [one["action"] for one in _told(url, capsys)]
    assert actions == ["user-added", "user-added", "token-added", "signed-in"]
    assert [one["action"] for one in _told(url, capsys, "--limit", "1")] == ["signed-in"]


def test_what_is_asked_for(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert {one["account"] for one in _told(url, capsys, "BERT")} == {"bert"}
    assert len(_told(url, capsys, "--action", "token-added", "--action", "signed-in")) == 2
    assert len(_told(url, capsys, "--since", "1h")) == 4 and _told(url, capsys, "nobody") == []


def test_an_entry_is_a_line(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(audit, "audit", "anna", "--store", url) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and "by calsync user" in lines[0] and "label=phone" in lines[1]
    assert "from 192.0.2.1" in lines[2] and "secret" not in "".join(lines)


def test_since(url: str) -> None:
    assert abs(audit.since("2h") - time.time() + 7200) < 60
    assert datetime.fromtimestamp(audit.since("2026-01-31"), UTC) == datetime(2026, 1, 31, tzinfo=UTC)
    with pytest.raises(argparse.ArgumentTypeError):
        audit.since("yesterday")


@pytest.mark.parametrize("words", [("--limit", "0"), ("--limit", "x"), ("--since", "x")])
def test_no_number_and_no_time(url: str, words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit):
        run(audit, "audit", *words, "--store", url)


def test_both_stores_where_logins_have_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config"
    config.write_text(
        f"[storage]\nfilesystem_folder = {tmp_path}\n[auth]\ncalsync_url = sqlite:///{tmp_path}/logins.db\n"
    )
    assert run(users, "user", "add", "anna", "--generate", "--config", str(config)) == 0
    store = Store.open(f"sqlite:///{tmp_path}/calsync.db")
    with store.write() as tx:
        principals.create(tx, "anna")
    store.close()
    assert run(transfer, "export", str(tmp_path / "out"), "--user", "anna", "--config", str(config)) == 0
    capsys.readouterr()
    assert run(audit, "audit", "--json", "--config", str(config)) == 0
    assert [one["action"] for one in json.loads(capsys.readouterr().out)] == ["user-added", "exported"]
