from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from calsync.accounts.accounts import Accounts
from calsync.cli import users
from calsync.store import principals
from calsync.store.engine import Store
from tests.cli.run import run


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'calsync.db'}"


def _add(url: str, *words: str, monkeypatch: pytest.MonkeyPatch, password: str = "corn horse\n") -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(password))
    return run(users, "user", "add", *words, "--password-file", "-", "--store", url)


def _holds(url: str, name: str, password: str) -> bool:
    store = Store.open(url)
    try:
        return Accounts(store).authenticate(name, password) is not None
    finally:
        store.close()


def test_a_user_can_log_in(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _add(url, "anna", monkeypatch=monkeypatch) == 0
    assert _holds(url, "Anna", "corn horse")


def test_a_generated_password_is_printed_alone(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(users, "user", "add", "anna", "--generate", "--store", url) == 0
    assert _holds(url, "anna", capsys.readouterr().out.rstrip("\n"))


def test_a_name_that_is_there(url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _add(url, "anna", monkeypatch=monkeypatch)
    assert _add(url, "ANNA", monkeypatch=monkeypatch) == 1
    assert "calsync: there is an account" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "a/b", "a:b", ".x"])
def test_a_name_that_cannot_be(url: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _add(url, name, monkeypatch=monkeypatch) == 1


def test_no_terminal_and_no_password(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert run(users, "user", "add", "anna", "--store", url) == 1
    assert "--password-file" in capsys.readouterr().err


def test_the_list(url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _add(url, "bob", "--email", "bob@example.org", monkeypatch=monkeypatch)
    _add(url, "anna", monkeypatch=monkeypatch)
    assert run(users, "user", "list", "--store", url) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["anna", "bob"]
    assert run(users, "user", "list", "--json", "--store", url) == 0
    assert json.loads(capsys.readouterr().out)[1]["email"] == "bob@example.org"


def test_a_changed_password(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _add(url, "anna", monkeypatch=monkeypatch)
    (tmp_path / "secret").write_text("new one\nignored\n")
    assert run(users, "user", "passwd", "anna", "--password-file", str(tmp_path / "secret"), "--store", url) == 0
    assert _holds(url, "anna", "new one") and not _holds(url, "anna", "corn horse")


def test_removing_asks_first(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _add(url, "anna", monkeypatch=monkeypatch)
    assert run(users, "user", "remove", "anna", "--store", url) == 1
    assert _holds(url, "anna", "corn horse")


@pytest.mark.parametrize(("words", "left"), [((), True), (("--purge",), False)])
def test_removing(url: str, words: tuple[str, ...], left: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    _add(url, "anna", monkeypatch=monkeypatch)
    assert run(users, "user", "remove", "anna", "--yes", *words, "--store", url) == 0
    assert not _holds(url, "anna", "corn horse")
    store = Store.open(url)
    with store.read() as tx:
        assert (principals.find(tx, "anna") is not None) == left
    store.close()


def test_nobody_is_removed(url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    _add(url, "bob", monkeypatch=monkeypatch)
    assert run(users, "user", "remove", "anna", "--yes", "--store", url) == 1
    assert "no user 'anna'" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("list",), ("passwd", "anna", "--generate"), ("remove", "anna", "--yes")])
def test_a_mistyped_store_is_not_made(
    url: str, words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(users, "user", *words, "--store", url) == 1
    assert f"{tmp_path}/calsync.db: there is no store" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_account_there_is_already(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _add(url, "anna", monkeypatch=monkeypatch)
    assert _add(url, "Anna", monkeypatch=monkeypatch) == 1
    assert "there is an account 'anna' already (calsync user passwd anna)" in capsys.readouterr().err
