"""The journal: whatever was acknowledged is in it, whoever wrote, and damage is told from what never was."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from calsync.store import collections, items, journal, principals
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.entries import Census, Content, Ended, Entry, Gone, Grave, Owner, Place
from calsync.store.errors import Full, StoreError
from calsync.store.journal import Fault, Written
from tests.store.objects import event


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def kept(store: Store, calendar: Collection, folder: Path) -> Collection:
    journal.keep(store, folder)
    return calendar


def put(store: Store, calendar: Collection, name: str) -> bytes:
    sent = event(name, summary=f"Event {name}")
    with store.write() as tx:
        tx.actor = "anna"
        items.put(tx, calendar, f"{name}.ics", sent)
    return sent.octets


def written(folder: Path) -> list[Written | Fault]:
    return [one for file in journal.segments(folder) for one in journal.read(file)]


def entries(folder: Path) -> list[Entry]:
    return [
        entry for one in written(folder) if isinstance(one, Written) for part in one.parts for entry in part.entries()
    ]


def contents(folder: Path) -> dict[str, bytes]:
    return {one.href: one.octets for one in entries(folder) if isinstance(one, Content)}


def test_a_write_is_there_with_its_octets_its_actor_and_the_stretch_that_it_took(
    store: Store, kept: Collection, folder: Path
) -> None:
    octets = put(store, kept, "a")
    census, (last) = written(folder)
    assert isinstance(census, Written) and isinstance(last, Written)
    assert last.actor == "anna" and abs(last.stamp / 1e9 - time.time()) < 60
    owner, place, item = last.parts[0].entries()
    assert isinstance(owner, Owner) and (owner.name, owner.seq - owner.since) == ("anna", 1)
    assert isinstance(place, Place) and (place.name, place.kind) == ("work", "calendar")
    assert isinstance(item, Content) and (item.href, item.octets, item.seq) == ("a.ics", octets, owner.seq)
    for file in journal.segments(folder):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_deletions_moves_properties_and_principals_that_go(store: Store, kept: Collection, folder: Path) -> None:
    put(store, kept, "a")
    with store.write() as tx:
        anna = principals.find(tx, "anna")
        assert anna is not None
        other = collections.create(tx, anna, 0, "other", "calendar")
        item = items.get(tx, kept, "a.ics")
        assert item is not None
        items.move(tx, kept, item, other, "b.ics")
    with store.write() as tx:
        moved = items.get(tx, other, "b.ics")
        assert moved is not None
        items.set_properties(tx, other, moved, {"{urn:x}colour": "<colour xmlns='urn:x'/>"})
    with store.write() as tx:
        collections.delete(tx, other)
    with store.write() as tx:
        principals.delete(tx, anna)
    found = entries(folder)
    assert [(one.collection, one.href) for one in found if isinstance(one, Grave)] == [
        (kept.id, "a.ics"),
        (0, "other/"),
    ]
    assert [dict(one.properties) for one in found if isinstance(one, Content)][-1] == {
        "{urn:x}colour": "<colour xmlns='urn:x'/>"
    }
    assert found[-1] == Gone(anna.epoch, "anna")


def test_what_was_undone_or_changed_nothing_is_not_in_it(store: Store, kept: Collection, folder: Path) -> None:
    before = journal.position(folder)
    with pytest.raises(RuntimeError), store.write() as tx:
        items.put(tx, kept, "a.ics", event("a"))
        raise RuntimeError
    with store.write() as tx:
        with pytest.raises(RuntimeError), tx.savepoint():
            items.put(tx, kept, "a.ics", event("a"))
            raise RuntimeError
        principals.set_properties(tx, principals.listing(tx)[0], {})
    assert journal.position(folder) == before


def test_a_large_transaction_goes_in_parts(store: Store, kept: Collection, folder: Path) -> None:
    pairs = [(f"{number}.ics", event(str(number), summary="x" * 50_000)) for number in range(60)]
    with store.write() as tx:
        items.put_many(tx, kept, pairs)
    last = written(folder)[-1]
    assert isinstance(last, Written) and len(last.parts) > 2
    assert contents(folder) == {href: one.octets for href, one in pairs}


def test_a_torn_end_is_no_damage_and_the_next_process_goes_on(
    store: Store, kept: Collection, folder: Path, url: str
) -> None:
    put(store, kept, "a")
    store.close()
    (file,) = journal.segments(folder)
    whole = file.read_bytes()
    again = Store.open(url)
    put(again, kept, "b")
    again.close()
    for cut in range(len(whole) - 30, len(whole)):
        file.write_bytes(whole[:cut])
        faults = [one for one in written(folder) if isinstance(one, Fault)]
        assert [one.torn for one in faults] == [True]
        assert "never acknowledged" in str(faults[0])
    file.write_bytes(whole + bytes(5000))
    assert [one.torn for one in written(folder) if isinstance(one, Fault)] == [True]
    assert set(contents(folder)) == {"a.ics", "b.ics"}


def test_a_flipped_byte_costs_no_more_than_what_it_lies_in(store: Store, kept: Collection, folder: Path) -> None:
    sent = {f"{name}.ics": put(store, kept, name) for name in "abc"}
    (file,) = journal.segments(folder)
    whole = bytearray(file.read_bytes())
    at = whole.index(b"SUMMARY:Event b")
    for place in (at, whole.rindex(b"\xc5\xa7Jr", 0, at), whole.rindex(b"\xc5\xa7Jr", 0, at) + 6):
        spoiled = bytearray(whole)
        spoiled[place] ^= 1
        file.write_bytes(spoiled)
        faults = [one for one in written(folder) if isinstance(one, Fault)]
        assert [one.torn for one in faults] == [False]
        assert "damaged" in str(faults[0])
        assert contents(folder) == {name: octets for name, octets in sent.items() if name != "b.ics"}


def test_without_room_nothing_is_written_anywhere(store: Store, kept: Collection, folder: Path) -> None:
    put(store, kept, "a")
    before = journal.position(folder)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The journal is written first, so it is the journal's file that meets the end.
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(before.values()) + 100, hard))
    try:
        with pytest.raises(Full, match=r"journal: .*nothing is written"):
            put(store, kept, "b")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with store.read() as tx:
        assert items.get(tx, kept, "b.ics") is None
    assert journal.position(folder) == before
    put(store, kept, "c")
    assert not [one for one in written(folder) if isinstance(one, Fault)]
    assert set(contents(folder)) == {"a.ics", "c.ics"}


def test_a_journal_that_cannot_be_written_refuses_the_change(store: Store, kept: Collection, folder: Path) -> None:
    put(store, kept, "a")
    away = folder.rename(folder.with_name("away"))
    for file in journal.segments(away):
        file.with_suffix(".copy").write_bytes(file.read_bytes())
        file.unlink()  # so that the one that is open is of no use either
    with pytest.raises(StoreError, match=str(folder)):
        put(store, kept, "b")
    with store.read() as tx:
        assert items.get(tx, kept, "b.ics") is None
    for file in away.glob("*.copy"):
        file.rename(file.with_suffix(journal.SUFFIX))
    away.rename(folder)
    put(store, kept, "b")
    assert set(contents(folder)) == {"a.ics", "b.ics"}


def test_the_empty_place_of_a_disk_that_is_not_mounted_is_no_journal(
    store: Store, kept: Collection, folder: Path, url: str
) -> None:
    put(store, kept, "a")
    store.close()
    folder.rename(folder.with_name("disk"))
    again = Store.open(url)
    with pytest.raises(StoreError, match="no such file"):
        journal.keep(again, folder)
    assert not folder.exists()
    folder.mkdir()
    with pytest.raises(StoreError, match="is its disk mounted"):
        journal.keep(again, folder)
    with pytest.raises(StoreError, match="is its disk mounted"):
        put(again, kept, "b")
    folder.rmdir()
    folder.with_name("disk").rename(folder)
    journal.keep(again, folder)
    put(again, kept, "c")
    again.close()
    assert set(contents(folder)) == {"a.ics", "c.ics"}


def test_a_clock_that_was_set_back_does_not_make_the_later_the_earlier(
    store: Store, kept: Collection, folder: Path, url: str
) -> None:
    put(store, kept, "a")
    store.close()
    (file,) = journal.segments(folder)
    ahead = time.time_ns() + 365 * 86_400 * 10**9  # what was written before the clock was set back by a year
    os.utime(file, ns=(ahead, ahead))
    again = Store.open(url)
    put(again, kept, "b")
    again.close()
    assert max(one.stamp for one in written(folder) if isinstance(one, Written)) > ahead


_WRITER = """
import sys
from calsync.store import collections, items, principals
from calsync.store.engine import Store
from tests.store.objects import event
store = Store.open(sys.argv[1])
with store.read() as tx:
    anna = principals.find(tx, "anna")
    calendar = collections.find(tx, anna, ["work"])
for number in range(40):
    name = f"{sys.argv[2]}-{number}"
    with store.write() as tx:
        items.put(tx, calendar, name + ".ics", event(name))
store.close()
"""


def test_two_processes_write_side_by_side(store: Store, kept: Collection, folder: Path, url: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    running = [
        subprocess.Popen([sys.executable, "-c", _WRITER, url, name], env=environment, cwd=Path(__file__).parents[2])
        for name in ("one", "two")
    ]
    assert [one.wait(60) for one in running] == [0, 0]
    assert set(contents(folder)) == {f"{name}-{number}.ics" for name in ("one", "two") for number in range(40)}
    assert not [one for one in written(folder) if isinstance(one, Fault)]
    steps = sorted((one.since, one.seq) for one in entries(folder) if isinstance(one, Owner))
    assert all(left[1] == right[0] for left, right in pairwise(steps)), "no gap"


def test_a_change_of_place_leaves_marks_and_a_count_of_all(
    store: Store, kept: Collection, folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    journal.keep(store, other)
    assert Ended() in entries(folder)
    put(store, kept, "a")
    begun = entries(other)[0]
    assert isinstance(begun, Census) and len(begun.principals) == 1
    journal.keep(store, None)
    put(store, kept, "b")
    assert set(contents(other)) == {"a.ics"}


def test_old_segments_go_and_the_writer_goes_on(store: Store, kept: Collection, folder: Path) -> None:
    put(store, kept, "a")
    assert journal.prune(folder, int(time.time()) - 60) == []
    assert journal.prune(folder, int(time.time()) + 60) == [], "the newest stays"
    (first,) = journal.segments(folder)
    os.utime(first, (0, 0))
    journal.Journal(folder).append("", [Census({})])
    assert journal.prune(folder, int(time.time()) - 60) == [first.name]
    put(store, kept, "b")
    assert set(contents(folder)) == {"b.ics"}


def test_a_person_is_taken_out_whole(store: Store, kept: Collection, folder: Path) -> None:
    put(store, kept, "a")
    with store.write() as tx:
        bert = principals.create(tx, "bert")
        collections.create(tx, bert, 0, "secrets", "calendar")
        anna = principals.find(tx, "anna")
        assert anna is not None
    put(store, kept, "later")
    lengths, (whole,) = journal.position(folder), journal.segments(folder)
    spoiled = bytearray(whole.read_bytes())
    spoiled[spoiled.index(b"SUMMARY:Event later")] ^= 1
    whole.write_bytes(spoiled)
    assert journal.erase(store, [bert.epoch]) == 1
    assert journal.position(folder) == lengths, "backups know how long it was"
    assert [one.torn for one in written(folder) if isinstance(one, Fault)] == [False], "damage stays known"
    with store.write() as tx:
        principals.delete(tx, bert)
    assert journal.erase(store, [bert.epoch]) == 1
    assert Gone(bert.epoch, "") in entries(folder)
    assert journal.erase(store, [bert.epoch]) == 0
    assert b"secrets" not in b"".join(file.read_bytes() for file in journal.segments(folder))
    put(store, kept, "b")
    assert set(contents(folder)) == {"a.ics", "b.ics"}
    assert len([one for one in written(folder) if isinstance(one, Fault)]) == 1
