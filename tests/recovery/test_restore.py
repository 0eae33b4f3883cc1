"""Restored backups: nothing acknowledged is lost, and no phone deletes what its owner did not delete."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from calsync.recovery.exchange import put_in_place
from calsync.recovery.restore import Wish, restore
from calsync.store import principals
from calsync.store.engine import Store
from tests.postgresql import shared
from tests.raw import Raw
from tests.recovery.phones import PASSWORD, Phone, Session, Writer, event
from tests.server.conftest import until
from tests.server_process import ServerProcess


class World:
    """A server, a user who writes, her phones, and a folder of backups."""

    def __init__(self, folder: Path, seed: int | str, *, journal: bool) -> None:
        self.url = shared().database() if isinstance(seed, str) else ""
        self.journal = folder / "journal"
        text = f"[history]\njournal = {self.journal}\n" if journal else ""
        self.server = ServerProcess(folder, config_text=text, store=self.url)
        self.backups = folder / "backups"
        self.database = self.server.data / "calsync" / "calsync.db"
        self.server.start()
        self.server.add_user("anna", PASSWORD)
        self.ask = Session(self.server)
        self.writer = Writer(self.ask, random.Random(str(seed)))
        self.phones = {name: Phone(name) for name in ("one", "two", "three")}
        self.writer.begin()

    def end(self, *, kill: bool = False) -> None:
        """The server ends, and with it, a moment later, its sessions of the database."""
        self.server.kill() if kill else self.server.stop()
        if self.url:
            until(Raw(self.url).is_left)

    def sync(self) -> set[int]:
        return {phone.sync(self.ask) for phone in self.phones.values()}

    def command(self, *words: str, status: int = 0) -> str:
        done = self.server.command(*words)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return done.stdout

    def backup(self) -> Path:
        made: dict[str, Any] = json.loads(self.command("backup", str(self.backups), "--json"))
        return Path(made["folder"])

    def lose(self) -> None:
        """All that is stored, but for the journal."""
        if self.url:
            shared().drop(self.url)
            shared().database(self.url.rpartition("/")[2])
        else:
            for path in self.database.parent.glob("calsync.db*"):
                path.unlink()

    def check(self) -> None:
        """Truth, mirrors and listing agree, and no phone lost what was not deleted."""
        self.writer.check()
        self.sync()
        copies = {path for phone in self.phones.values() for path in phone.members}
        assert copies == self.writer.held.keys()
        wrong = {path for phone in self.phones.values() for path in phone.deleted} - self.writer.ever_deleted
        assert not wrong

    def close(self) -> None:
        self.ask.close()
        self.server.kill()
        if self.url:
            shared().drop(self.url)


@pytest.fixture(params=[1, *(pytest.param(more, marks=pytest.mark.soak) for more in (2, 3)), "postgresql"])
def seed(request: pytest.FixtureRequest) -> int | str:
    """What the writer does; with a word, on PostgreSQL."""
    seed: int | str = request.param
    return seed


@pytest.fixture
def journaled(tmp_path: Path, seed: int | str) -> Iterator[World]:
    world = World(tmp_path, seed, journal=True)
    yield world
    world.close()


@pytest.fixture
def plain(tmp_path: Path, seed: int | str) -> Iterator[World]:
    world = World(tmp_path, seed, journal=False)
    yield world
    world.close()


def spoil(database: Path) -> None:
    """Overwrite the second half of the file."""
    size = database.stat().st_size
    with database.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(bytes(random.Random(5).randbytes(size - file.tell())))


def test_with_a_journal_a_lost_store_comes_back_whole(journaled: World) -> None:
    journaled.writer.write(40)
    journaled.sync()
    made = journaled.backup()
    for _ in range(3):
        journaled.writer.write(25)
        journaled.sync()
    journaled.end(kill=True)
    if journaled.url:
        journaled.lose()
    else:
        spoil(journaled.database)
    told = journaled.command("restore", str(made))
    assert "nothing that was acknowledged is missing" in told
    journaled.server.start()
    journaled.check()
    # Life goes on, and the same backup can be restored once more.
    journaled.writer.write(25)
    journaled.sync()
    journaled.end(kill=True)
    journaled.lose()
    journaled.command("restore", str(made))
    journaled.server.start()
    journaled.check()


def test_without_a_journal_the_replaced_store_is_enough(plain: World) -> None:
    plain.writer.write(30)
    plain.sync()
    made = plain.backup()
    plain.writer.write(50)
    plain.sync()
    plain.end(kill=True)
    told = plain.command("restore", str(made))
    assert "nothing that was acknowledged is missing" in told
    plain.server.start()
    plain.check()
    folder = plain.backups if plain.url else plain.database.parent
    assert next(folder.glob("*.db.replaced-*")).stat().st_size


def test_without_both_it_is_on_hold_until_somebody_agrees(plain: World) -> None:
    plain.writer.write(30)
    plain.sync()
    made = plain.backup()
    plain.writer.write(20)
    plain.sync()
    before = {name: dict(phone.members) for name, phone in plain.phones.items()}
    plain.end(kill=True)
    plain.lose()
    told = plain.command("restore", str(made), status=3)
    assert "anna: whether more was changed" in told and "calsync release" in told
    plain.server.start()
    assert plain.sync() == {503}
    assert {name: phone.members for name, phone in plain.phones.items()} == before
    answer = plain.ask("PROPFIND", "/anna/", Depth="0")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "300")
    assert plain.ask("GET", "/.web/").status_code == 200
    plain.command("release")
    plain.end(kill=True)
    plain.server.start()
    assert 503 not in plain.sync()


@pytest.mark.parametrize("seed", [1], indirect=True)
def test_a_damaged_store_gives_what_can_be_read_and_names_what_cannot(plain: World) -> None:
    plain.writer.write(20)
    made = plain.backup()
    path = "/anna/one/precious.ics"
    if "one" not in plain.writer.calendars:
        plain.ask("MKCALENDAR", "/anna/one/")
    assert plain.ask("PUT", path, event("precious", "gold")).status_code == 201
    assert plain.ask("PUT", "/anna/one/other.ics", event("other", "silver")).status_code == 201
    plain.end()
    octets = plain.database.read_bytes()
    assert octets.count(b"SUMMARY:gold") == 1
    plain.database.write_bytes(octets.replace(b"SUMMARY:gold", b"SUMMARY:lead"))
    told = plain.command("restore", str(made), status=3)
    assert "anna/one/precious.ics" in told and "other.ics" not in told
    plain.command("release")
    plain.server.start()
    assert plain.ask("GET", "/anna/one/other.ics").content == event("other", "silver")
    assert plain.ask("GET", path).status_code == 404


@pytest.mark.parametrize("seed", [1, "postgresql"], indirect=True)
def test_going_back_on_purpose(journaled: World) -> None:
    journaled.ask("MKCALENDAR", "/anna/three/")
    journaled.ask("PUT", "/anna/three/a.ics", event("a", "before"))
    made = journaled.backup()
    journaled.ask("PUT", "/anna/three/b.ics", event("b", "after"))
    journaled.end()
    told = journaled.command("restore", str(made), "--no-journal", "--no-salvage", "--no-hold", status=3)
    assert "anna/three/b.ics" in told
    journaled.server.start()
    assert journaled.ask("GET", "/anna/three/b.ics").status_code == 404
    journaled.ask("PUT", "/anna/three/c.ics", event("c", "later"))
    journaled.end(kill=True)
    journaled.lose()
    # What was given up stays so; what was written since is there.
    journaled.command("restore", str(made))
    journaled.server.start()
    found = {name: journaled.ask("GET", f"/anna/three/{name}.ics").status_code for name in "abc"}
    assert found == {"a": 200, "b": 404, "c": 200}


@pytest.mark.parametrize("seed", [1, "postgresql"], indirect=True)
def test_who_came_and_who_went_since(journaled: World) -> None:
    journaled.server.add_user("carl", PASSWORD)
    made = journaled.backup()
    journaled.server.add_user("bert", PASSWORD)
    bert = Session(journaled.server, "bert")
    assert bert("MKCALENDAR", "/bert/x/").status_code == 201
    assert bert("PUT", "/bert/x/1.ics", event("1", "bert's")).status_code == 201
    journaled.command("user", "passwd", "anna", "--generate")
    journaled.end(kill=True)
    told = journaled.command("restore", str(made))
    assert "from the journal" in told and "of them is in no journal" not in told
    journaled.server.start()
    assert bert("GET", "/bert/x/1.ics").content == event("1", "bert's")
    assert journaled.ask("PROPFIND", "/anna/", Depth="0").status_code == 401, "the old password"
    bert.close()


@pytest.mark.parametrize("seed", [1], indirect=True)
def test_nothing_happens_while_somebody_has_the_store_open_or_in_a_dry_run(journaled: World) -> None:
    made = journaled.backup()
    done = journaled.server.command("restore", str(made))
    assert done.returncode == 1 and "in use by another process" in done.stderr
    journaled.ask("PUT", "/anna/one/a.ics", event("a", "x"))
    journaled.end()
    before = journaled.database.read_bytes()
    names = sorted(path.name for path in journaled.database.parent.iterdir())
    told = journaled.command("restore", str(made), "--dry-run")
    assert "nothing was changed" in told and "1 items" in told
    assert journaled.database.read_bytes() == before
    assert sorted(path.name for path in journaled.database.parent.iterdir()) == names


@pytest.mark.parametrize("seed", ["postgresql"], indirect=True)
def test_a_database_in_use_is_left_alone_and_so_in_a_dry_run(journaled: World) -> None:
    made = journaled.backup()
    done = journaled.server.command("restore", str(made))
    assert done.returncode == 1 and "sessions of calsync are connected" in done.stderr
    journaled.ask("PUT", "/anna/one/a.ics", event("a", "x"))
    journaled.end()
    before = Raw(journaled.url).rows("SELECT * FROM principal")
    told = journaled.command("restore", str(made), "--dry-run")
    assert "nothing was changed" in told and "1 items" in told
    assert Raw(journaled.url).rows("SELECT * FROM principal") == before


@pytest.mark.parametrize("seed", [1], indirect=True)
def test_a_gap_in_the_journal_is_told(journaled: World) -> None:
    made = journaled.backup()
    journaled.ask("PUT", "/anna/one/a.ics", event("a", "x"))
    journaled.end()
    spoiled = 0
    for file in journaled.journal.iterdir():
        text = file.read_bytes()
        spoiled += text.count(b"SUMMARY:x")
        file.write_bytes(text.replace(b"SUMMARY:x", b"SUMMARY:y"))
    assert spoiled == 1
    journaled.lose()
    told = journaled.command("restore", str(made), status=3)
    assert "are damaged" in told and "ON HOLD" in told


@pytest.mark.parametrize("seed", [1], indirect=True)
def test_of_a_restore_that_was_broken_off_the_journal_knows_nothing(journaled: World) -> None:
    journaled.writer.write(20)
    made = journaled.backup()
    journaled.writer.write(20)
    journaled.end(kill=True)

    def say(text: str) -> None:
        if text == "putting it into its place":
            raise KeyboardInterrupt

    before = sorted(journaled.journal.iterdir())
    with pytest.raises(KeyboardInterrupt):
        restore(Wish(made, journaled.database, journaled.journal), say)
    assert sorted(journaled.journal.iterdir()) == before
    # The old store goes on, and what it does from now on counts.
    journaled.server.start()
    journaled.writer.write(30)
    journaled.sync()
    journaled.end(kill=True)
    journaled.lose()
    assert "nothing that was acknowledged is missing" in journaled.command("restore", str(made))
    journaled.server.start()
    journaled.check()


@pytest.mark.parametrize("seed", [1], indirect=True)
def test_an_empty_folder_is_no_journal(journaled: World, tmp_path: Path) -> None:
    made = journaled.backup()
    copy = tmp_path / "copy.db"
    shutil.copyfile(made / "calsync.db", copy)
    journaled.ask("PUT", "/anna/one/a.ics", event("a", "x"))
    journaled.end()
    journaled.lose()
    journaled.journal.rename(tmp_path / "disk")
    journaled.journal.mkdir()
    (tmp_path / "elsewhere").mkdir()
    for words in ([str(made)], [str(copy)], [str(made), "--journal", str(tmp_path / "elsewhere")]):
        told = journaled.command("restore", *words, status=3)
        assert "is its disk mounted?" in told and "ON HOLD" in told
        journaled.lose()
    told = journaled.command("restore", str(made), "--journal", str(tmp_path / "disk"))
    assert "nothing that was acknowledged is missing" in told


@pytest.mark.parametrize("seed", [1], indirect=True)
def test_a_link_to_the_store_in_use_is_the_store_in_use(plain: World, tmp_path: Path) -> None:
    made = plain.backup()
    link = tmp_path / "link.db"
    link.symlink_to(plain.database)
    done = plain.server.command("restore", str(made), "--store", f"sqlite:///{link}")
    assert done.returncode == 1 and "in use by another process" in done.stderr
    plain.end()
    plain.command("restore", str(made), "--store", f"sqlite:///{link}")
    assert link.is_symlink()


def test_a_log_that_was_left_beside_the_new_store_is_not_left_behind(tmp_path: Path) -> None:
    made, working = tmp_path / "made.db", tmp_path / "working.db"
    store = Store.open(f"sqlite:///{made}")
    with store.write() as tx:
        principals.create(tx, "anna")
    # As after a close for which the disk had no room.
    shutil.copyfile(made, working)
    shutil.copyfile(f"{made}-wal", f"{working}-wal")
    store.close()
    put_in_place(working, tmp_path / "calsync.db")
    store = Store.open(f"sqlite:///{tmp_path / 'calsync.db'}")
    with store.read() as tx:
        assert principals.find(tx, "anna") is not None
    store.close()


def test_a_plain_copy_of_the_store_and_a_folder_of_files(tmp_path: Path) -> None:
    world = World(tmp_path, 1, journal=False)
    try:
        world.ask("PUT", "/anna/one/a.ics", event("a", "x"))
        made = world.backup()
        world.server.stop()
        copy = tmp_path / "copy.db"
        with closing(sqlite3.connect(world.database)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        world.command("restore", str(copy))
        done = world.server.command("restore", str(made / "collection-root"))
        assert done.returncode == 1 and "calsync import" in done.stderr
        shutil.copytree(made, tmp_path / "bad")
        with (tmp_path / "bad" / "calsync.db").open("r+b") as file:
            file.seek(5000)
            file.write(b"?")
        done = world.server.command("restore", str(tmp_path / "bad"))
        assert done.returncode == 1 and "is not what was written" in done.stderr
        world.server.start()
        assert world.ask("GET", "/anna/one/a.ics").content == event("a", "x")
    finally:
        world.close()
