from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from calsync.accounts.accounts import Accounts
from calsync.cli import transfer
from calsync.store import collections, principals
from calsync.store.engine import Store
from tests import generator
from tests.cli.run import run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "people.vcf"
    file.write_bytes(b"".join(one.octets for one in generator.contacts(5)))
    return file


def _import(url: str, *words: str) -> int:
    return run(transfer, "import", *words, "--store", url)


def test_all_taken(url: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _import(url, str(file), "--user", "anna") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "calsync: import: 5 taken"


def test_something_refused_is_status_1(url: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with file.open("ab") as more:
        more.write(b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nno colon\r\nEND:VCARD\r\n")
    assert _import(url, str(file), "--user", "anna") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "calsync: import: 5 taken, 1 refused"
    assert any(line.startswith("refused: ") and "(object 6)" in line for line in lines)


@pytest.mark.parametrize("words", [["nowhere", "--user", "anna"], ["{}"], ["{}", "--user", "a", "--collection", "a/b"]])
def test_nothing_to_do_is_status_2(url: str, file: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert _import(url, *(word.format(file) for word in words)) == 2
    assert capsys.readouterr().err.startswith("calsync: ")


def test_json_has_a_line_for_each_item(url: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _import(url, str(file), "--user", "anna", "--json")
    *told, whole = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["outcome"] for one in told] == ["taken"] * 5
    assert told[0]["target"].startswith("/anna/people/")
    assert whole["counts"] == {"taken": 5}


def test_a_dry_run_takes_nothing(url: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _import(url, str(file), "--user", "anna", "--dry-run") == 0
    _import(url, str(file), "--user", "anna")
    assert capsys.readouterr().out.splitlines()[-1] == "calsync: import: 5 taken"


def test_standard_input(url: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))
    assert _import(url, "-", "--user", "anna", "--collection", "people") == 0


def test_a_typing_error_makes_no_user(url: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store.open(url)
    Accounts(store).create("anna", None)
    store.close()
    assert _import(url, str(file), "--user", "ana") == 2
    assert "no user 'ana'" in capsys.readouterr().err


def test_export_and_import_again(url: str, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _import(url, str(file), "--user", "anna")
    assert run(transfer, "export", str(tmp_path / "out"), "--store", url) == 0
    assert "export: 5 written" in capsys.readouterr().out
    other = f"sqlite:///{tmp_path / 'other.db'}"
    assert _import(other, str(tmp_path / "out")) == 0
    assert "import: 5 taken" in capsys.readouterr().out
    assert run(transfer, "export", str(tmp_path / "out"), "--store", url) == 2


def test_one_collection_as_a_file(url: str, file: Path, tmp_path: Path) -> None:
    _import(url, str(file), "--user", "anna")
    out = tmp_path / "all.vcf"
    assert run(transfer, "export", str(out), "--user", "anna", "--collection", "people", "--store", url) == 0
    assert out.read_bytes() == file.read_bytes()


def test_a_whole_calendar_as_a_file(url: str, tmp_path: Path) -> None:
    source, out = tmp_path / "home.ics", tmp_path / "out.ics"
    source.write_bytes(generator.whole_calendar(generator.events(10)))
    _import(url, str(source), "--user", "anna")
    assert run(transfer, "export", str(out), "--user", "anna", "--collection", "home", "--store", url) == 0
    written = out.read_bytes()
    assert written.count(b"BEGIN:VCALENDAR") == 1
    assert written.count(b"BEGIN:VEVENT") == source.read_bytes().count(b"BEGIN:VEVENT")
    assert written.count(b"TZID:Europe/Berlin") <= 1


def test_files_for_a_new_user_come_beside_the_first_collections(url: str, file: Path) -> None:
    _import(url, str(file), "--user", "anna")
    store = Store.open(url)
    with store.read() as tx:
        anna = principals.find(tx, "anna")
        assert anna is not None
        names = [collection.name for collection in collections.children(tx, anna.id)]
    store.close()
    assert names == ["contacts", "calendar", "tasks", "people"]
