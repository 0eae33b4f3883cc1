from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from calsync.accounts import audit, newcomer
from calsync.accounts.accounts import Accounts
from calsync.cli import users
from calsync.store import principals
from calsync.store.engine import Store
from tests.cli.run import run
from tests.server_process import CHEAP_PASSWORDS


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


def test_a_short_password_is_taken_and_warned_of(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _add(url, "anna", monkeypatch=monkeypatch) == 0
    assert "warning" not in capsys.readouterr().err
    assert _add(url, "bert", monkeypatch=monkeypatch, password="x\n") == 0
    assert "the password is short: 1 characters" in capsys.readouterr().err
    assert _holds(url, "bert", "x")


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
    assert f"{tmp_path}/store/calsync.db: there is no store" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_account_there_is_already(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _add(url, "anna", monkeypatch=monkeypatch)
    assert _add(url, "Anna", monkeypatch=monkeypatch) == 1
    assert "there is an account 'anna' already (calsync user passwd anna)" in capsys.readouterr().err


def test_roles_and_groups_are_listed(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _add(url, "anna", "--role", "admin", "--group", "staff", "--group", "club", monkeypatch=monkeypatch)
    _add(url, "gast", "--role", "guest", monkeypatch=monkeypatch)
    assert run(users, "user", "role", "gast", "user", "--store", url) == 0
    assert run(users, "user", "role", "gast", "king", "--store", url) == 1
    assert "admin, user, guest" in capsys.readouterr().err
    run(users, "user", "list", "--json", "--store", url)
    told = {one["name"]: (one["role"], one["groups"]) for one in json.loads(capsys.readouterr().out)}
    assert told == {"anna": ("admin", ["club", "staff"]), "gast": ("user", [])}
    run(users, "user", "list", "--store", url)
    assert "admin  in club, staff" in capsys.readouterr().out


def test_a_disabled_user_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _add(url, "anna", monkeypatch=monkeypatch)
    assert run(users, "user", "disable", "anna", "--store", url) == 0
    assert not _holds(url, "anna", "corn horse")
    assert run(users, "user", "enable", "anna", "--store", url) == 0
    assert _holds(url, "anna", "corn horse")
    assert run(users, "user", "disable", "bob", "--store", url) == 1


def test_a_generated_password_in_json(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(users, "user", "add", "anna", "--generate", "--json", "--store", url) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["name"] == "anna" and _holds(url, "anna", told["password"])


def test_passwords_are_never_arguments(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("passwd", "anna", "secret"), ("add", "anna", "--password", "secret")):
        with pytest.raises(SystemExit):
            run(users, "user", *words, "--store", url)


@pytest.fixture
def apart(tmp_path: Path) -> tuple[str, str, str]:
    """A configuration whose logins are in another store than its collections, and both stores."""
    config = tmp_path / "config"
    logins = f"sqlite:///{tmp_path}/logins.db"
    config.write_text(f"[storage]\nfilesystem_folder = {tmp_path}\n[auth]\ncalsync_url = {logins}\n")
    return str(config), logins, f"sqlite:///{tmp_path}/calsync.db"


def test_a_purge_reaches_the_store_of_the_collections(
    apart: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    config, logins, collections = apart
    assert run(users, "user", "add", "anna", "--generate", "--config", config) == 0
    store = Store.open(collections)
    with store.write() as tx:
        newcomer.provision(tx, principals.create(tx, "anna"))
    store.close()
    assert run(users, "user", "remove", "Anna", "--purge", "--yes", "--config", config) == 0
    assert "backups keep what they have" in capsys.readouterr().err
    for url in (logins, collections):
        store = Store.open(url)
        with store.read() as tx:
            assert principals.listing(tx) == []
            assert all("anna" not in (one.account, one.actor) for one in audit.listing(tx))
        store.close()


def test_without_a_purge_the_collections_stay(apart: tuple[str, str, str]) -> None:
    config, _, collections = apart
    assert run(users, "user", "add", "anna", "--generate", "--config", config) == 0
    store = Store.open(collections)
    with store.write() as tx:
        principals.create(tx, "anna")
    assert run(users, "user", "remove", "anna", "--yes", "--config", config) == 0
    with store.read() as tx:
        assert principals.find(tx, "anna") is not None
    store.close()


def test_the_configured_cost_is_the_one_of_new_passwords(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CHEAP_PASSWORDS:
        monkeypatch.delenv(name)
    config = tmp_path / "config"
    config.write_text(f"[storage]\nfilesystem_folder = {tmp_path}\n[auth]\npassword_memory = 64\npassword_passes = 1\n")
    assert run(users, "user", "add", "anna", "--generate", "--config", str(config)) == 0
    assert b"$argon2id$v=19$m=64,t=1,p=1$" in b"".join(file.read_bytes() for file in tmp_path.glob("calsync.db*"))
