"""What the doctor says of a server whose configuration and store it may read."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from calsync.cli import verify
from calsync.doctor import certificate, inside
from calsync.doctor.finding import Finding, Level
from calsync.jobs import queue
from calsync.recovery import backup, hold
from calsync.server.certificate import of_file
from calsync.store import collections, items, journal, principals
from calsync.store.engine import Store
from tests.cli.run import run
from tests.doctor.proxy import certificate as made_certificate
from tests.postgresql import shared
from tests.store.objects import event

Look = Callable[..., dict[str, Finding]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with an event in it, and a configuration that nobody serves."""
    (tmp_path / "data").mkdir(mode=0o700)
    with closing(Store.open(f"sqlite:///{tmp_path}/data/calsync.db")) as store, store.write() as tx:
        work = collections.create(tx, principals.create(tx, "anna"), 0, "work", "calendar")
        items.put(tx, work, "a.ics", event("a"))
    return tmp_path


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with closing(Store.open(f"sqlite:///{folder}/data/calsync.db")) as opened:
        yield opened


@pytest.fixture
def look(folder: Path) -> Look:
    """What is found, by its name; all that is well has none."""

    def looked(text: str = "") -> dict[str, Finding]:
        config = folder / "config"
        usual = f"[storage]\nfilesystem_folder = {folder}/data\n[server]\nhosts = 127.0.0.1:9\n"
        config.write_text(text if "[storage]" in text else usual + text)
        config.chmod(0o644)
        found = list(inside.findings([str(config)]))
        assert all(one.check and one.topic for one in found)
        bad = [one for one in found if one.level is not Level.OK]
        return {one.code: one for one in reversed(bad)} | {one.got: one for one in bad if one.code == "config"}

    return looked


def test_a_sound_store_has_nothing_but_notes(look: Look) -> None:
    found = look()
    assert set(found) == {"not-running", "no-backup-folder"}
    assert {one.level for one in found.values()} == {Level.NOTE}


def test_a_configuration_that_cannot_be_read_is_the_only_thing_said(look: Look) -> None:
    found = look("hosst = none\n")
    assert "did you mean hosts" in found["config"].got and len(found) == 2
    assert "did you mean type" in look("[auth]\ntyp = none\n")["config"].got


def test_files_that_are_missing_and_secrets_that_all_can_read_are_named(look: Look) -> None:
    found = look("[auth]\ntype = htpasswd\nhtpasswd_filename = /nowhere/users\nldap_secret = x\n")
    assert any("/nowhere/users" in text for text in found)
    assert "chmod" in found["secret-readable"].mend


def test_a_password_in_the_address_of_a_database_is_a_secret(look: Look) -> None:
    found = look("[storage]\nurl = postgresql://calsync:secret@127.0.0.1:9/calsync\n")
    assert "secret-readable" in found and "store" in found
    assert "secret" not in "".join(one.got for one in found.values() if one.code == "store")


def test_the_stores_own_mode_and_owner(look: Look, folder: Path) -> None:
    (folder / "data" / "calsync.db").chmod(0o644)
    (folder / "data").chmod(0o777)
    assert {"store-readable", "folder-mode"} <= set(look())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_files_of_another_user_are_named_and_none_is_made(look: Look, folder: Path) -> None:
    nobody = 65534
    for path in (folder, folder / "data", *(folder / "data").iterdir()):
        os.chown(path, nobody, -1)
    for above in (folder, *folder.parents):
        if not above.stat().st_mode & 0o001:
            above.chmod(above.stat().st_mode | 0o011)  # pytest's own folders
    look()
    assert {path.stat().st_uid for path in (folder / "data").iterdir()} == {nobody}
    assert os.geteuid() == 0
    (folder / "data" / "calsync.db-lock").touch()
    os.chown(folder / "data" / "calsync.db-lock", 0, 0)
    assert "strangers-files" in look()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a home that the server's user cannot look into")
def test_roots_own_home_is_nothing_that_the_servers_user_has_to_read(
    look: Look, folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody, home = 65534, tmp_path_factory.mktemp("home")
    home.chmod(0o700)
    look()
    for path in (folder, folder / "data", *folder.iterdir(), *(folder / "data").iterdir()):
        os.chown(path, nobody, -1)
    for above in (folder, *folder.parents):
        above.chmod(above.stat().st_mode | 0o011)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("CALSYNC_CONFIG", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("CALSYNC_STORAGE_FILESYSTEM_FOLDER", str(folder / "data"))
    wrong = [one for one in inside.findings(None) if one.topic == "Configuration" and one.level is Level.PROBLEM]
    assert wrong == []


def test_there_may_be_no_store_yet(look: Look, folder: Path) -> None:
    (folder / "data" / "calsync.db").unlink()
    assert look()["lost-store"].level is Level.PROBLEM
    (folder / "data" / "calsync.db-lock").unlink()
    found = look()
    assert found["no-store"].level is Level.NOTE
    assert not (folder / "data" / "calsync.db").exists()


def test_an_older_store_is_left_as_it_is(look: Look, folder: Path) -> None:
    with closing(sqlite3.connect(folder / "data" / "calsync.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    assert "older-schema" in look()
    with closing(sqlite3.connect(folder / "data" / "calsync.db")) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)


def test_damage_is_found_in_a_sample_and_a_verify_is_remembered(look: Look, folder: Path) -> None:
    url = f"sqlite:///{folder}/data/calsync.db"
    assert run(verify, "verify", "--store", url) == 0
    assert "verify" not in look()
    with closing(sqlite3.connect(folder / "data" / "calsync.db")) as connection, connection:
        connection.execute("UPDATE body SET octets = x'00'")
    assert "anna/work/a.ics" in look()["damaged"].got
    assert run(verify, "verify", "--store", url) == 1
    assert "1 problem" in look()["verify"].got


def test_a_store_on_hold_and_jobs_that_were_given_up(look: Look, store: Store) -> None:
    with store.write() as tx:
        hold.hold(tx, "a restore")
        queue.put(tx, "hook", {"path": "/anna/"}, owner=1, topic="t")
        tx.define("UPDATE job SET dead = 1, error = 'no'")
        queue.put(tx, "hook", {"path": "/anna/"}, owner=1, topic="late")
        tx.define(f"UPDATE job SET created = {int(time.time()) - 9000} WHERE dead = 0")
    found = look()
    assert "calsync release" in found["hold"].mend
    assert {"dead-jobs", "late-jobs"} <= set(found)


def test_the_age_of_backups(look: Look, store: Store, folder: Path) -> None:
    text = f"[backup]\nfolder = {folder}/backups\n"
    assert look(text)["no-backup"].level is Level.WARNING
    made = backup.make(store, folder / "backups", files=False)
    assert {"no-backup", "backup-old"} & set(look(text)) == set()
    manifest = made.folder / "manifest.json"
    old = str(made.manifest.made - 10 * 86400)
    manifest.write_text(manifest.read_text().replace(str(made.manifest.made), old))
    assert "10 days" in look(text)["backup-old"].got


def test_logins_apart_may_be_in_no_journal(look: Look, store: Store, folder: Path) -> None:
    text = f"[history]\njournal = {folder}/journal\n[auth]\ncalsync_url = sqlite:///{folder}/logins.db\n"
    with closing(Store.open(f"sqlite:///{folder}/logins.db")) as logins:
        assert "logins-journal" not in look(text), "nothing is in one"
        journal.keep(store, folder / "journal")
        assert look(text)["logins-journal"].level is Level.NOTE
        journal.keep(logins, folder / "other-journal")
        assert "logins-journal" not in look(text)


def test_a_journal_that_is_gone_and_one_on_the_same_disk(look: Look, store: Store, folder: Path) -> None:
    journal.keep(store, folder / "journal")
    assert "journal-disk" in look(f"[history]\njournal = {folder}/journal\n")
    (folder / "journal").rename(folder / "elsewhere")
    assert look(f"[history]\njournal = {folder}/journal\n")["journal"].level is Level.PROBLEM


def test_a_clock_that_went_back(look: Look, store: Store) -> None:
    with store.write() as tx:
        tx.define(f"UPDATE principal SET modified = {int(time.time()) + 5000}")
    assert "clock-back" in look()


def test_the_servers_own_certificate(look: Look, folder: Path) -> None:
    file = made_certificate(folder, "-days", "200")
    file.chmod(0o600)
    text = f"ssl = True\ncertificate = {file}\nkey = {file}\n"
    found = look(text)
    assert not [one for one in found.values() if one.check == "certificate"]
    file.chmod(0o644)
    assert "chmod" in look(text)["config"].got
    assert "key" in look(f"ssl = True\ncertificate = {file}\nkey = {folder}/config\n")["config"].got
    read = of_file(file)
    assert (read.subject, list(read.names), read.self_signed) == ("localhost", ["localhost"], True)
    assert [one.code for one in certificate.validity(read, read.ends - 3 * 86400)] == ["certificate-ends"]
    assert [one.code for one in certificate.validity(read, read.ends + 1)] == ["certificate-expired"]
    assert [one.code for one in certificate.validity(read, read.begins - 1)] == ["not-yet-valid"]


def test_a_store_in_postgresql() -> None:
    url = shared().store()
    try:
        found = list(inside.findings(url=url))
        assert {one.level for one in found} <= {Level.OK, Level.NOTE}, found
        assert any("PostgreSQL" in one.got for one in found)
    finally:
        shared().drop(url)
