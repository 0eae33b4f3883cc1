from __future__ import annotations

import json
from pathlib import Path

import pytest

from calsync.accounts.accounts import Accounts
from calsync.cli import groups
from calsync.store.engine import Store
from tests.cli.run import run


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'calsync.db'}"
    store = Store.open(url)
    for name in ("anna", "bert"):
        Accounts(store).create(name, None)
    store.close()
    return url


def _listed(url: str, capsys: pytest.CaptureFixture[str]) -> dict[str, list[str]]:
    capsys.readouterr()
    assert run(groups, "group", "list", "--json", "--store", url) == 0
    found: dict[str, list[str]] = json.loads(capsys.readouterr().out)
    return found


def test_in_and_out(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(groups, "group", "add", "club", "anna", "Bert", "--store", url) == 0
    assert run(groups, "group", "add", "staff", "bert", "--store", url) == 0
    assert _listed(url, capsys) == {"club": ["anna", "bert"], "staff": ["bert"]}
    assert run(groups, "group", "remove", "club", "anna", "--store", url) == 0
    assert run(groups, "group", "remove", "staff", "anna", "bert", "--store", url) == 0
    assert "anna was not in it: staff" in capsys.readouterr().err
    assert _listed(url, capsys) == {"club": ["bert"]}


def test_the_members_of_one(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(groups, "group", "add", "club", "anna", "bert", "--store", url)
    run(groups, "group", "list", "club", "--store", url)
    assert capsys.readouterr().out == "anna\nbert\n"
    run(groups, "group", "list", "--store", url)
    assert capsys.readouterr().out == "club  anna, bert\n"


def test_all_or_nobody(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(groups, "group", "add", "club", "anna", "nobody", "--store", url) == 1
    assert "there is no account 'nobody'" in capsys.readouterr().err
    assert run(groups, "group", "add", "a,b", "anna", "--store", url) == 1
    assert _listed(url, capsys) == {}
