"""Backups: made while others write, checked, readable without calsync, and never thrown away for a damaged one."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from calsync.cli import backup as command
from calsync.recovery import backup
from calsync.recovery.manifest import BackupError, digest
from calsync.store import collections, items, principals
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.errors import ReadOnly
from calsync.transfer.radicale_folder import RadicaleFolder
from tests.cli.run import run
from tests.postgresql import shared
from tests.raw import Raw
from tests.store.objects import event


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store' / 'calsync.db'}"
    else:
        made = shared().store()
        yield made
        shared().drop(made)


@pytest.fixture
def calendar(store: Store) -> Collection:
    with store.write() as tx:
        made = collections.create(tx, principals.create(tx, "anna"), 0, "work", "calendar")
    put(store, made, "a")
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


def put(store: Store, calendar: Collection, name: str) -> None:
    with store.write() as tx:
        items.put(tx, calendar, f"{name}.ics", event(name, summary=f"precious {name}"))


def spoil(url: str) -> None:
    Raw(url).rot("precious", "spurious")


def test_a_property_that_is_damaged_is_named_and_the_rest_is_backed_up(
    store: Store, calendar: Collection, folder: Path
) -> None:
    with store.write() as tx:
        collections.set_properties(
            tx, calendar, {"{DAV:}displayname": "<D:displayname", "{x:}y": '<y xmlns="x:">1</y>'}
        )
    made = backup.make(store, folder)
    assert [notice for notice in made.notices if "/anna/work/: its property D:displayname is damaged" in notice]
    (user,) = RadicaleFolder(made.folder / "collection-root").users()
    assert len(list(user.collections[0].items())) == 1
    props = json.loads((made.folder / "collection-root" / "anna" / "work" / ".Radicale.props").read_text())
    assert props == {"tag": "VCALENDAR", "{x:}y": "1"}


def test_what_lies_in_it_can_be_read_without_calsync(store: Store, calendar: Collection, folder: Path) -> None:
    made = backup.make(store, folder)
    assert made.manifest.items == 1 and not made.manifest.damaged
    (user,) = RadicaleFolder(made.folder / "collection-root").users()
    (item,) = user.collections[0].items()
    assert getattr(item, "octets", b"") == event("a", summary="precious a").octets
    manifest = json.loads((made.folder / "manifest.json").read_text())
    assert manifest["principals"][0]["name"] == "anna"
    assert set(manifest["files"]) >= {"calsync.db", "collection-root/anna/work/a.ics"}
    assert list(backup.check(made.folder)) == []
    assert (made.folder / "calsync.db").stat().st_mode & 0o077 == 0
    left = sorted(path.name for path in made.folder.iterdir())
    assert left == ["calsync.db", "collection-root", "manifest.json"]


def test_it_is_consistent_while_somebody_writes(store: Store, calendar: Collection, folder: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            put(store, calendar, f"w{number}")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            made = backup.make(store, folder)
            assert not made.manifest.damaged
            assert len(list((made.folder / "collection-root/anna/work").glob("*.ics"))) == made.manifest.items
    finally:
        stop.set()
        writer.join()
    assert len(backup.listing(folder)) == 3


def test_whatever_changes_in_it_is_found(store: Store, calendar: Collection, folder: Path) -> None:
    made = backup.make(store, folder)
    file = made.folder / "collection-root/anna/work/a.ics"
    octets = file.read_bytes()
    file.write_bytes(octets.replace(b"precious", b"Precious"))
    assert list(backup.check(made.folder)) == ["collection-root/anna/work/a.ics: is not what was written"]
    file.unlink()
    assert list(backup.check(made.folder)) == ["collection-root/anna/work/a.ics: is missing"]
    file.write_bytes(octets)
    (made.folder / "new").write_bytes(b"")
    assert list(backup.check(made.folder)) == ["new: does not belong to it"]


def test_damage_in_the_store_is_named_and_costs_no_older_backup(
    store: Store, calendar: Collection, folder: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    good = backup.make(store, folder)
    spoil(url)
    assert run(command, "backup", str(folder), "--keep", "1", "--store", url) == 3
    told = capsys.readouterr().err
    assert "anna/work/a.ics" in told and "no older one was removed" in told
    first, second = backup.listing(folder)
    assert (first.folder, first.good, second.good) == (good.folder, True, False)
    assert run(command, "backup", "verify", str(second.folder), "--store", url) == 3
    # The damage is mended: the new good one lets the others go.
    put(store, calendar, "a")
    assert run(command, "backup", str(folder), "--keep", "1", "--store", url) == 0
    assert [one.good for one in backup.listing(folder)] == [True]


def test_old_ones_go_by_number_or_age(store: Store, calendar: Collection, folder: Path) -> None:
    made = [backup.make(store, folder, files=False).folder for _ in range(4)]
    assert backup.prune(folder, days=1) == []
    assert backup.prune(folder, count=2) == made[:2]
    assert [one.folder for one in backup.listing(folder)] == made[2:]
    manifest = made[2] / "manifest.json"
    facts = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(facts | {"made": int(time.time()) - 10 * 86400}))
    assert backup.prune(folder, days=9) == [made[2]]


def test_one_at_a_time_and_nothing_half_is_left(store: Store, calendar: Collection, folder: Path) -> None:
    half = folder / "2026-01-01T000000Z.partial"
    half.mkdir(parents=True)
    with backup._alone(folder), pytest.raises(BackupError, match="another backup"):
        backup.make(store, folder)
    backup.make(store, folder)
    assert not half.exists()


def test_what_is_not_its_own_stays_and_so_does_what_was_just_made(
    store: Store, calendar: Collection, folder: Path, url: str
) -> None:
    other = folder / "collection-root.partial"
    other.mkdir(parents=True)
    (folder / "film.partial").write_bytes(b"")
    kept = backup.make(store, folder, files=False).folder
    assert other.exists() and (folder / "film.partial").exists()
    # The clock was ahead when that one was made, so the next seems to be older.
    kept.rename(folder / "2999-01-01T000000Z")
    assert run(command, "backup", str(folder), "--keep", "1", "--store", url) == 0
    assert len(backup.listing(folder)) == 2


def test_one_of_an_older_or_newer_calsync_is_no_bad_one(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'calsync.db'}")
    made = backup.make(store, tmp_path / "backups", files=False)
    store.close()
    database, manifest = made.folder / "calsync.db", made.folder / "manifest.json"
    database.unlink()
    with closing(sqlite3.connect(database)) as old:
        old.executescript((Path(__file__).parents[1] / "store" / "examples" / "0001.sql").read_text())
    facts = json.loads(manifest.read_text()) | {"schema": "0001", "said by a newer calsync": 1}
    manifest.write_text(json.dumps(facts | {"files": {"calsync.db": digest(database)}}))
    assert list(backup.check(made.folder)) == []
    assert sorted(path.name for path in made.folder.iterdir()) == ["calsync.db", "manifest.json"]


def test_a_copy_is_only_read(store: Store, calendar: Collection, folder: Path) -> None:
    made = backup.make(store, folder, files=False)
    copy = Store.look(made.folder / "calsync.db")
    with pytest.raises(ReadOnly), copy.write():
        pass
    copy.close()


def test_the_command_lists_them_and_says_where_there_are_none(
    store: Store, calendar: Collection, folder: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command, "backup", str(folder), "--store", url) == 0
    assert run(command, "backup", "list", str(folder), "--json", "--store", url) == 0
    out = capsys.readouterr().out
    (one,) = json.loads(out[out.index("[\n") :])
    assert (one["users"], one["items"], one["damaged"]) == (1, 1, [])
    assert run(command, "backup", "list", str(folder), "--store", url) == 0
    assert "good" in capsys.readouterr().out
    assert run(command, "backup", "verify", one["folder"], "--store", url) == 0
    assert run(command, "backup", "list", str(folder / "nowhere"), "--store", url) == 1
    assert "no such file" in capsys.readouterr().err
    assert run(command, "backup", "verify", str(folder), "--store", url) == 1
    assert "no backup of calsync's" in capsys.readouterr().err
