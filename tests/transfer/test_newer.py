"""A second import of an old folder: what was changed here since stays, if it is asked to, and is named in any case."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from calsync.store import items, quarantine
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.transfer.choosing import chosen
from calsync.transfer.newer import is_newer
from calsync.transfer.report import Outcome, Report
from calsync.transfer.taking import Taking
from tests.store.objects import collection_of, event

OLD, NEW = event("a").octets, event("a", summary="new").octets
LATER = NEW.replace(b"SUMMARY", b"LAST-MODIFIED:20260505T000000Z\r\nSUMMARY")
EARLIER = OLD.replace(b"UID", b"LAST-MODIFIED:20260404T000000Z\r\nUID")
HOUR = 3600


@pytest.mark.parametrize(
    ("stored", "changed", "other", "modified", "newer"),
    [
        (LATER, 0, EARLIER, 9, True),  # what they say counts first
        (EARLIER, 9, LATER, 0, False),
        (NEW, 9, OLD, 5, True),  # then when it was written
        (NEW, 5, OLD, 9, False),
        (LATER, 5, OLD, 9, False),  # only one of them says something
        (NEW, 5, OLD, 0, True),  # nobody knows: what is here stays
        (b"REV:20260101T000000Z", 0, b"REV:2025-01-01T00:00:00Z", 9, True),
        (b"REV:20260101", 0, b"REV:20260101T101010Z", 9, False),
    ],
)
def test_which_is_newer(stored: bytes, changed: int, other: bytes, modified: int, newer: bool) -> None:
    assert is_newer(stored, changed, other, modified) == newer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "work"
    home.mkdir()
    for name, octets in (("a", OLD), ("b", event("b").octets)):
        (home / f"{name}.ics").write_bytes(octets)
        os.utime(home / f"{name}.ics", (time.time() - HOUR, time.time() - HOUR))
    return home


def take(store: Store, folder: Path, *, keep: bool = False) -> Report:
    report = Report()
    for user in chosen(folder, report, user="anna", collection="work"):
        Taking(store, report, keep=keep).user(user)
    return report


def work(store: Store) -> Collection:
    with store.read() as tx:
        return collection_of(tx, "anna", "work")


def stored(store: Store, uid: str = "a") -> bytes:
    with store.read() as tx:
        one = items.by_uid(tx, work(store), uid)
        assert one is not None
        return items.body(tx, one)


def edit(store: Store) -> None:
    with store.write() as tx:
        one = items.by_uid(tx, work(store), "a")
        assert one is not None
        items.put(tx, work(store), one.href, event("a", summary="new"))


def test_with_keep_a_newer_edit_stays_and_is_named(store: Store, folder: Path) -> None:
    assert take(store, folder).summary() == "2 taken"
    edit(store)
    report = take(store, folder, keep=True)
    assert report.summary() == "1 already there, 1 kept as stored"
    ((_, result),) = enumerate(report.remarkable)
    assert (result.outcome, "what is stored is newer: changed here 20" in result.reason) == (Outcome.KEPT, True)
    assert stored(store) == NEW


def test_without_keep_it_is_replaced_and_named(store: Store, folder: Path) -> None:
    take(store, folder)
    edit(store)
    report = take(store, folder)
    assert report.summary() == "1 already there, 1 replaced"
    assert [result.reason.endswith("--keep leaves it") for result in report.remarkable] == [True]
    assert stored(store) == OLD


def test_a_newer_file_replaces_without_a_word(store: Store, folder: Path) -> None:
    take(store, folder)
    (folder / "a.ics").write_bytes(NEW)
    os.utime(folder / "a.ics", (time.time() + HOUR, time.time() + HOUR))
    report = take(store, folder, keep=True)
    assert (report.summary(), report.remarkable, stored(store)) == ("1 already there, 1 replaced", [], NEW)


# --- what was refused -------------------------------------------------------------------------------------------------


def test_what_an_import_refuses_is_kept_and_the_report_says_where(store: Store, folder: Path) -> None:
    (folder / "bad.ics").write_bytes(OLD.replace(b"DTSTART:2026", b"DTSTART:no"))
    (folder / "twin.ics").write_bytes(NEW)
    report = take(store, folder)
    assert report.counts[Outcome.REFUSED] == report.quarantined["anna"] == 2
    assert "calsync quarantine list anna" in list(report.lines())[-1]
    with store.read() as tx:
        found = {entry.origin.rpartition("/")[2]: entry for entry in quarantine.listing(tx, work(store).owner)}
        assert quarantine.octets(tx, found["twin.ics"]) == NEW
    assert found["bad.ics"].condition == "{urn:ietf:params:xml:ns:caldav}valid-calendar-data"
    assert {(entry.target, entry.source, entry.actor) for entry in found.values()} == {
        ("work", "import", "calsync import")
    }
    take(store, folder)
    with store.read() as tx:
        assert len(quarantine.listing(tx, work(store).owner)) == 2, "the same again is kept once"
