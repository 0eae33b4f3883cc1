"""What is found wrong is put right, with its reason, or left and named; never in silence."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from calsync.store import collections, items, journal, principals, quarantine
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.errors import Damaged
from calsync.store.mending import Mended, mend
from calsync.store.verify import Kind, Problem, verify
from tests.raw import Raw
from tests.store.objects import card, collection_of, event, recurring


def mended(store: Store, copies: Sequence[Path] = (), *, dry_run: bool = False) -> list[Mended]:
    return list(mend(store, list(verify(store, deep=True)), copies=copies, dry_run=dry_run))


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("DELETE FROM collection WHERE kind = 'addressbook'", Kind.HOMELESS),
        ("DELETE FROM mount WHERE name = 'work'", Kind.UNPLACED),
        ("UPDATE mount SET parent = 4711 WHERE name = 'copy'", Kind.UNPLACED),
        ("UPDATE collection SET item_count = 7, octet_count = 1 WHERE kind = 'addressbook'", Kind.COUNTS),
        ("UPDATE principal SET seq = 1 WHERE name = 'anna'", Kind.ORDER),
        ("UPDATE collection SET seq = 1", Kind.ORDER),
        ("INSERT INTO tombstone SELECT owner, collection, href, url, seq, 0 FROM item", Kind.BURIED),
        ("UPDATE card_field SET item = 4711", Kind.STRAY),
        ("UPDATE dead_property SET xml = '<z'", Kind.PROPERTY),
        ('UPDATE collection SET properties = \'{"{x:}y": "<z"}\' WHERE owner = 2', Kind.PROPERTY),
        ("INSERT INTO tombstone SELECT DISTINCT owner, 4711, href, url, 1, 0 FROM item", Kind.STRAY),
        ("DELETE FROM occurrence", Kind.DERIVED),
        ("UPDATE item SET first = 0, span = 0", Kind.DERIVED),
        ("UPDATE card_field SET value = 'somebody'", Kind.DERIVED),
        (
            "INSERT INTO trash (owner, collection, parent, name, path, deleted)"
            " SELECT owner, collection, parent, name, name, 1 FROM mount WHERE name = 'work'",
            Kind.TRASH,
        ),
    ],
)
def test_what_is_wrong_is_put_right_and_said(busy: Store, raw: Raw, statement: str, kind: Kind) -> None:
    raw.run(statement)
    told = mended(busy, dry_run=True)
    assert kind in {one.problem.kind for one in told}
    assert all(one.done and one.text for one in told)
    assert [one.problem for one in told] == [one.problem for one in mended(busy)], "a dry run changes nothing"
    mended(busy)  # what was removed may have been needed: strays that stood for something else
    assert list(verify(busy, deep=True)) == []


def test_a_collection_without_a_place_is_shown_to_its_owner(busy: Store, raw: Raw) -> None:
    raw.run("DELETE FROM mount WHERE name = 'work'")
    (told,) = mended(busy)
    with busy.read() as tx:
        found = collection_of(tx, "anna", told.text.split("'")[1])
        assert [row.url for row in items.page(tx, found, 0, 10)] == ["b.ics"]


def test_an_empty_one_goes_to_the_trash(store: Store, calendar: Collection, raw: Raw) -> None:
    raw.run("DELETE FROM mount")
    assert [one.text for one in mended(store)] == [f"it is empty, and goes to the trash as 'recovered-{calendar.id}'"]
    assert list(verify(store)) == []


def test_octets_that_no_item_claims_are_kept_in_quarantine(busy: Store, raw: Raw) -> None:
    raw.run("DELETE FROM item WHERE href = 'c.vcf'")
    mended(busy)
    mended(busy)
    assert list(verify(busy)) == []
    with busy.read() as tx:
        bob = principals.find(tx, "bob")
        assert bob is not None
        (entry,) = quarantine.listing(tx, bob.id)
        octets = quarantine.octets(tx, entry)
    assert (entry.source, octets) == ("verify", card("c", "Carl").octets)


# --- octets -----------------------------------------------------------------------------------------------------------

ROT = "UPDATE body SET octets = x'00' WHERE instr(octets, 'UID:a')"


@pytest.fixture
def rotten(store: Store, calendar: Collection, raw: Raw, tmp_path: Path) -> Store:
    """An event that has rotted since it was copied to the folder `backup`."""
    with store.write() as tx:
        items.put(tx, calendar, "a.ics", event("a"))
        items.put(tx, calendar, "b.ics", recurring(store, "b", "20260301T100000Z", "20260301T110000Z", "FREQ=DAILY"))
    (tmp_path / "backup").mkdir()
    if raw.url.startswith("sqlite"):
        store.backup(tmp_path / "backup" / "calsync.db")
    else:
        (tmp_path / "backup" / "a.ics").write_bytes(event("a").octets)
    raw.run(ROT)
    return store


def sound(store: Store, calendar: Collection) -> bool:
    with store.read() as tx:
        one = items.get(tx, calendar, "a.ics")
        assert one is not None
        return list(verify(store)) == [] and items.body(tx, one) == event("a").octets


def test_without_a_copy_it_is_left_and_named(rotten: Store, calendar: Collection) -> None:
    (told,) = mended(rotten)
    assert not told.done
    assert told.text.startswith("left: ")
    assert [one.path for one in verify(rotten)] == ["anna/work/a.ics"]


@pytest.mark.sqlite
def test_it_comes_back_from_a_backup(rotten: Store, calendar: Collection, raw: Raw, tmp_path: Path) -> None:
    before = rotten_state(raw)
    for copies in ([tmp_path / "backup"], [tmp_path / "backup" / "calsync.db"]):
        (told,) = mended(rotten, copies)
        assert told.done
        assert sound(rotten, calendar)
        assert rotten_state(raw) == before, "neither ETag nor seq has changed"
        raw.run(ROT)


def rotten_state(raw: Raw) -> list[tuple[object, ...]]:
    return raw.rows("SELECT etag, item.seq, principal.seq FROM item, principal ORDER BY 2")


def test_it_comes_back_from_a_folder_of_files(rotten: Store, calendar: Collection, tmp_path: Path) -> None:
    (tmp_path / "files" / "inner").mkdir(parents=True)
    (tmp_path / "files" / "inner" / "whatever.ics").write_bytes(event("a").octets)
    (tmp_path / "files" / "other.ics").write_bytes(event("other").octets)
    (told,) = mended(rotten, [tmp_path / "files"])
    assert (told.done, sound(rotten, calendar)) == (True, True)


def test_it_comes_back_from_another_copy_in_the_store(store: Store, calendar: Collection, raw: Raw) -> None:
    with store.write() as tx:
        anna = principals.get(tx, calendar.owner)
        assert anna is not None
        items.put(tx, calendar, "a.ics", event("a"))
        collections.copy(tx, calendar, anna, 0, "copy")
    raw.run("UPDATE body SET octets = x'00' WHERE item = (SELECT min(item) FROM body)")
    (told,) = mended(store)
    assert (told.done, sound(store, calendar)) == (True, True)


def test_a_body_that_is_lost_comes_back_too(rotten: Store, calendar: Collection, raw: Raw, tmp_path: Path) -> None:
    raw.run("DELETE FROM body WHERE octets = x'00'")
    (told,) = mended(rotten, [tmp_path / "backup"])
    assert (told.done, sound(rotten, calendar)) == (True, True)


def test_what_was_written_meanwhile_is_not_overwritten(rotten: Store, calendar: Collection, tmp_path: Path) -> None:
    problems = list(verify(rotten))
    with rotten.write() as tx:
        items.put(tx, calendar, "a.ics", event("a", summary="new"))
    list(mend(rotten, problems, copies=[tmp_path / "backup"]))
    with rotten.read() as tx:
        one = items.get(tx, calendar, "a.ics")
        assert one is not None
        assert items.body(tx, one) == event("a", summary="new").octets


def test_damaged_history_is_found_and_mended(store: Store, calendar: Collection, raw: Raw) -> None:
    with store.write() as tx:
        items.put(tx, calendar, "a.ics", event("a"))
        items.put(tx, calendar, "b.ics", event("b"))
    raw.run(
        "INSERT INTO revision (owner, ended, collection, item, href, uid, component, etag, size, since, until, reason,"
        " octets) SELECT owner, seq, collection, id, href, uid, component, etag, size, 1, 2, '', x'00' FROM item",
        "DELETE FROM item WHERE href = 'b.ics'",
    )
    told = {one.problem.path: one.done for one in mended(store) if one.problem.kind is Kind.REVISION}
    assert told == {"anna/work/a.ics": True, "anna/work/b.ics": False}
    assert [one.path for one in verify(store) if one.kind is Kind.REVISION] == ["anna/work/b.ics"]


def test_a_backup_that_is_not_there_is_said(rotten: Store, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "backup")
    with pytest.raises(Exception, match="no such file or folder"):
        mended(rotten, [tmp_path / "backup"])


def test_it_comes_back_from_the_journal(store: Store, calendar: Collection, raw: Raw, tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    journal.keep(store, tmp_path / "journal")
    with store.write() as tx:
        items.put(tx, calendar, "a.ics", event("a"))
    raw.run(ROT)
    (told,) = mended(store, [tmp_path / "journal"])
    assert (told.done, sound(store, calendar)) == (True, True)
    assert "the journal" in told.text


@pytest.mark.sqlite
def test_octets_that_damage_has_turned_into_text(rotten: Store, calendar: Collection, raw: Raw, tmp_path: Path) -> None:
    journal.keep(rotten, tmp_path / "journal")
    raw.run(f"UPDATE body SET octets = CAST(x'{event('a').octets.hex()}' AS TEXT) WHERE octets = x'00'")
    with rotten.read() as tx:
        one = items.get(tx, calendar, "a.ics")
        assert one is not None
        with pytest.raises(Damaged):
            items.body(tx, one)
    with rotten.write() as tx:
        one = items.set_properties(tx, calendar, one, {"{x:}y": "<y xmlns='x:'/>"})
    assert [one.problem.kind for one in mended(rotten, dry_run=True)] == [Kind.OCTETS]
    assert [one.done for one in mended(rotten, [tmp_path / "backup"])] == [True]
    assert sound(rotten, calendar)


def test_in_a_file_that_is_damaged_nothing_is_removed(busy: Store, raw: Raw) -> None:
    raw.run("DELETE FROM item WHERE href = 'c.vcf'")  # as where its page cannot be read
    problems = list(verify(busy))
    assert Kind.STRAY in {one.kind for one in problems}
    before = raw.rows("SELECT owner, item FROM body ORDER BY 1, 2")
    told = list(mend(busy, [*problems, Problem("", "a page is spoiled", Kind.DATABASE)]))
    assert not any(one.done for one in told) and len(told) == len(problems) + 1
    assert raw.rows("SELECT owner, item FROM body ORDER BY 1, 2") == before
