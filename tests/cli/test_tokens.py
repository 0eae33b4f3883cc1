from __future__ import annotations

import argparse
import json
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from calsync.accounts.accounts import Accounts
from calsync.cli import tokens
from calsync.store.engine import Store
from tests.cli.run import run


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'calsync.db'}"
    store = Store.open(url)
    Accounts(store).create("anna", None)
    store.close()
    return url


def _logs_in(url: str, secret: str) -> bool:
    store = Store.open(url)
    accounts = Accounts(store)
    found = accounts.authenticate("anna", secret)
    accounts.flush()
    store.close()
    return found is not None


def _added(url: str, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(tokens, "token", "add", "anna", "--label", "phone", *words, "--store", url) == 0
    return capsys.readouterr().out.rstrip("\n")


def test_it_is_printed_alone_and_logs_in(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _logs_in(url, _added(url, capsys))


def test_the_list_has_no_secret(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    secret = _added(url, capsys, "--expires", "90d")
    run(tokens, "token", "list", "anna", "--store", url)
    shown = capsys.readouterr().out
    assert "phone" in shown and "never used" in shown and secret not in shown
    run(tokens, "token", "list", "anna", "--json", "--store", url)
    (told,) = json.loads(capsys.readouterr().out)
    assert told["label"] == "phone" and abs(told["expires"] - time.time() - 90 * 86400) < 60
    assert "hash" not in told


def test_a_revoked_one_is_void(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    secret = _added(url, capsys)
    run(tokens, "token", "list", "anna", "--json", "--store", url)
    (told,) = json.loads(capsys.readouterr().out)
    assert run(tokens, "token", "revoke", "anna", told["id"], "--store", url) == 0
    assert not _logs_in(url, secret)
    run(tokens, "token", "list", "anna", "--store", url)
    assert "revoked" in capsys.readouterr().out


def test_one_that_is_not_there(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tokens, "token", "revoke", "anna", "zzzz", "--store", url) == 1
    assert run(tokens, "token", "list", "bob", "--store", url) == 1
    assert capsys.readouterr().err.count("calsync: ") == 2


@pytest.mark.parametrize(("text", "seconds"), [("12h", 43200), ("8w", 4838400), ("1y", 31536000)])
def test_times_from_now(text: str, seconds: int) -> None:
    assert abs(tokens.expiry(text) - time.time() - seconds) < 60


def test_a_date() -> None:
    day = date(datetime.now(UTC).year + 1, 1, 31)
    assert datetime.fromtimestamp(tokens.expiry(day.isoformat()), UTC).date() == day


@pytest.mark.parametrize("text", ["soon", "90", "-1d", "2001-01-01"])
def test_no_time(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        tokens.expiry(text)
