from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from calsync.cli import quarantine as command
from calsync.store import collections, items, principals, quarantine
from calsync.store.engine import Store
from calsync.store.quarantine import Refusal
from tests.cli.run import run
from tests.store.objects import collection_of, event

GOOD = event("a").octets
NO_UID = GOOD.replace(b"UID:a\r\n", b"")
HOPELESS = GOOD.replace(b"DTSTART:2026", b"DTSTART:no")


@pytest.fixture
def url(url: str) -> str:
    with closing(Store.open(url)) as store, store.write() as tx:
        anna = principals.create(tx, "anna")
        collections.create(tx, anna, 0, "work", "calendar")
        for href, octets in (("a.ics", NO_UID), ("b.ics", HOPELESS)):
            quarantine.keep(tx, anna.id, Refusal("work", href, "import", f"/old/{href}", "refused", octets), None)
        bob = principals.create(tx, "bob")
        quarantine.keep(tx, bob.id, Refusal("gone", "", "bulk", "POST", "refused", GOOD), None)
    return url


def listed(url: str, capsys: pytest.CaptureFixture[str], *user: str) -> list[int]:
    assert run(command, "quarantine", "list", *user, "--json", "--store", url) == 0
    return [one["id"] for one in json.loads(capsys.readouterr().out)]


def in_work(url: str) -> dict[str, bytes]:
    store = Store.open(url)
    with store.read() as tx:
        work = collection_of(tx, "anna", "work")
        rows = [items.get_by_id(tx, work, row.id) for row in items.page(tx, work, 0, 9)]
        found = {one.href: items.body(tx, one) for one in rows if one is not None}
    store.close()
    return found


def test_they_are_listed_shown_and_dropped(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(url, capsys) == [1, 2, 3]
    assert listed(url, capsys, "bob") == [3]
    assert run(command, "quarantine", "list", "anna", "--store", url) == 0
    assert "anna/work" in capsys.readouterr().out
    assert run(command, "quarantine", "show", "1", "--store", url) == 0
    told = capsys.readouterr()
    assert told.out == NO_UID.decode()
    assert "origin: /old/a.ics" in told.err
    assert run(command, "quarantine", "drop", "1", "3", "--store", url) == 0
    assert listed(url, capsys) == [2]
    for words in (["show", "1"], ["drop", "1"], ["list", "nobody"]):
        assert run(command, "quarantine", *words, "--store", url) == 2


def test_what_can_be_mended_is_taken_in_and_each_repair_named(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "quarantine", "repair", "anna", "--dry-run", "--store", url) == 1
    assert "1: would become anna/work/a.ics (given a UID)" in capsys.readouterr().out
    assert in_work(url) == {}
    assert run(command, "quarantine", "repair", "anna", "--json", "--store", url) == 1
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["place"], first["repairs"]) == ("anna/work/a.ics", ["given a UID"])
    assert second["place"] == ""
    assert second["reason"]
    assert set(in_work(url)) == {"a.ics"}
    assert listed(url, capsys) == [2, 3]


def test_one_is_taken_as_it_is_to_where_it_is_told(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "quarantine", "take", "3", "--store", url) == 1
    assert "no calendar or address book 'gone'" in capsys.readouterr().out
    store = Store.open(url)
    with store.write() as tx:
        bob = principals.find(tx, "bob")
        assert bob is not None
        collections.create(tx, bob, 0, "here", "calendar")
    store.close()
    assert run(command, "quarantine", "take", "3", "--into", "here", "--store", url) == 0
    assert "3: is now bob/here/a.ics" in capsys.readouterr().out
    assert listed(url, capsys) == [1, 2]


def test_what_somebody_has_put_there_since_is_not_overwritten(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store.open(url)
    with store.write() as tx:
        work = collection_of(tx, "anna", "work")
        items.put(tx, work, "a.ics", event("other"))
    store.close()
    assert run(command, "quarantine", "repair", "1", "--store", url) == 0
    assert len(in_work(url)) == 2
    assert in_work(url)["a.ics"] == event("other").octets


def test_they_are_exported_with_their_reasons(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"
    assert run(command, "quarantine", "export", "anna", str(folder), "--store", url) == 0
    assert (folder / "1.ics").read_bytes() == NO_UID
    assert json.loads((folder / "2.json").read_text())["reason"] == "refused"
    assert run(command, "quarantine", "export", str(folder), "--store", url) == 2
    assert "choose an empty folder" in capsys.readouterr().err
