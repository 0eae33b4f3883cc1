from __future__ import annotations

import argparse
import json
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from calsync.accounts.accounts import Accounts
from calsync.cli import tokens
from calsync.store import collections, principals
from calsync.store.engine import Store
from calsync.store.places import HOME
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


def test_what_it_opens(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    _added(url, capsys, "--scope", "contacts", "--read-only")
    _added(url, capsys, "--scope", "work", "/bert/team/")
    run(tokens, "token", "list", "anna", "--json", "--store", url)
    told = json.loads(capsys.readouterr().out)
    assert [(one["scope"], one["read_only"]) for one in told] in (
        [("contacts", True), ({"collections": ["/anna/work/", "/bert/team/"]}, False)],
        [({"collections": ["/anna/work/", "/bert/team/"]}, False), ("contacts", True)],
    )
    run(tokens, "token", "list", "anna", "--store", url)
    shown = capsys.readouterr().out
    assert "contacts  read-only\n" in shown and "/anna/work/ /bert/team/\n" in shown


def test_a_scope_of_what_is_not_there_is_warned_of(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store.open(url)
    with store.write() as tx:
        anna = principals.find(tx, "anna")
        assert anna is not None
        collections.create(tx, anna, HOME, "work", "calendar", ["VEVENT"])
    store.close()
    assert run(tokens, "token", "add", "anna", "--label", "x", "--store", url, "--scope", "work") == 0
    assert "warning" not in capsys.readouterr().err
    assert run(tokens, "token", "add", "anna", "--label", "x", "--store", url, "--scope", "wrok", "/nobody/x/") == 0
    out, told = capsys.readouterr()
    assert out.strip() and told.count("warning") == 2
    assert "there is no /anna/wrok/ yet, so nothing opens there; there are /anna/work/" in told


@pytest.mark.parametrize("words", [("calendars", "work"), ("/anna/",), ("..",), ("/anna/../b/",)])
def test_what_is_no_scope(url: str, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tokens, "token", "add", "anna", "--label", "x", "--store", url, "--scope", *words) == 1
    assert capsys.readouterr().err.startswith("calsync: ")


def test_all_of_a_user(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    secrets = [_added(url, capsys) for _ in range(2)]
    assert run(tokens, "token", "revoke", "anna", "--all", "--store", url) == 0
    assert "2 app passwords" in capsys.readouterr().err
    assert not any(_logs_in(url, secret) for secret in secrets)


def test_json_is_all_there_is_on_standard_output(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(tokens, "token", "add", "Anna", "--label", "phone", "--json", "--store", url)
    told = json.loads(capsys.readouterr().out)
    assert told["user"] == "anna" and _logs_in(url, told["password"])


def test_a_code_for_the_camera_is_beside_the_password(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(tokens, "token", "add", "anna", "--label", "phone", "--qr", "https://dav.example.org/", "--store", url)
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 1 and "█" in said.err
    assert _logs_in(url, said.out.strip())


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://dav.example.org", "davx5://a%40b:x-1@dav.example.org/"),
        ("https://dav.example.org:443/cal/", "davx5://a%40b:x-1@dav.example.org/cal/"),
        ("https://[2001:db8::1]/", "davx5://a%40b:x-1@[2001:db8::1]/"),
        ("https://dav.example.org:8443/", None),
        ("http://dav.example.org/", None),
        ("dav.example.org", None),
    ],
)
def test_what_davx5_reads_out_of_a_code(url: str, link: str | None) -> None:
    assert tokens.setup_link(url, "a@b", "x-1") == link
