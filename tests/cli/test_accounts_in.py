"""Accounts that come in: who could log in before can log in after, with the same password."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from passlib.hash import apr_md5_crypt, md5_crypt, sha256_crypt, sha512_crypt

from calsync.accounts import foreign_hashes
from calsync.accounts.accounts import Accounts
from calsync.accounts.incoming import htpasswd
from calsync.store.engine import Store
from tests.server_process import FOREIGN, ROOT
from tests.services.processes import READER, Service

PASSWORD = "päss: wörd"


def hashes() -> dict[str, str]:
    import argon2
    import bcrypt

    return {
        "bcrypt": bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode(),
        "apache": bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode().replace("$2b$", "$2y$"),
        "argon2": argon2.PasswordHasher(1, 8, 1).hash(PASSWORD),
        "sha512": sha512_crypt.using(rounds=1000).hash(PASSWORD),
        "sha256": sha256_crypt.using(rounds=1000).hash(PASSWORD),
        "apr1": apr_md5_crypt.hash(PASSWORD),
        "md5": md5_crypt.hash(PASSWORD),
    }


class Place:
    """A folder with a store, and the command on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"sqlite:///{folder / 'calsync.db'}"

    def write(self, name: str, *lines: str) -> str:
        (self.folder / name).write_text("".join(f"{line}\n" for line in lines))
        return str(self.folder / name)

    def run(self, *words: str, status: int = 0) -> dict[str, Any]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        done = subprocess.run(
            [sys.executable, "-m", "calsync", "user", "import", *words, "--store", self.url, "--json"],
            env={**own, "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}", "HOME": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == status, done.stderr
        report: dict[str, Any] = json.loads(done.stdout) if done.stdout else {"error": done.stderr}
        return report


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def accounts(place: Place) -> Iterator[Accounts]:
    store = Store.open(place.url)
    yield Accounts(store)
    store.close()


def test_every_hash_stays_usable_and_becomes_argon2id(place: Place, accounts: Accounts) -> None:
    file = place.write("users", *(f"{name}:{digest}" for name, digest in hashes().items()))
    assert place.run(file)["added"] == list(hashes())
    for name in hashes():
        assert accounts.sign_in(name, "wrong") is None, name
        assert accounts.sign_in(name, PASSWORD) is not None, name
        assert accounts.sign_in(name, PASSWORD) is not None, name
    with contextlib.closing(sqlite3.connect(place.folder / "calsync.db")) as database:
        stored = [digest for (digest,) in database.execute("SELECT password FROM account")]
    assert len(stored) == len(hashes()) and all(digest.startswith("$argon2id$") for digest in stored)


def test_what_is_no_hash_is_named_and_skipped(place: Place, accounts: Accounts) -> None:
    good = hashes()["sha512"]
    report = place.run(
        place.write("users", "# people", "", f"anna:{good}", "bert:plain text", "carl", f"d/e:{good}", f"Anna:{good}"),
        status=1,
    )
    assert report["added"] == ["anna"]
    assert [one["name"] for one in report["skipped"]] == ["bert", "carl", "d/e", "Anna"]
    assert [account.name for account in accounts.listing()] == ["anna"]
    assert accounts.sign_in("bert", "plain text") is None


def test_whoever_is_there_stays_as_they_are(place: Place, accounts: Accounts) -> None:
    accounts.create("anna", "her own")
    report = place.run(place.write("users", f"Anna:{hashes()['md5']}"))
    assert (report["added"], report["present"]) == ([], ["Anna"])
    assert accounts.sign_in("anna", "her own") is not None


def test_a_dry_run_makes_nothing(place: Place) -> None:
    report = place.run(place.write("users", f"anna:{hashes()['md5']}"), "--dry-run")
    assert (report["added"], report["dry_run"]) == (["anna"], True)
    assert not (place.folder / "calsync.db").exists()


def test_plain_passwords_are_hashed_where_that_is_said(place: Place, accounts: Accounts) -> None:
    place.run(place.write("users", "anna:plain: text"), "--plain")
    assert accounts.sign_in("anna", "plain: text") is not None


def test_radicales_configuration_says_where_its_users_are(place: Place, accounts: Accounts) -> None:
    users = place.write("users", f"anna:{hashes()['bcrypt']}")
    config = place.write("config", "[auth]", "type = htpasswd", f"htpasswd_filename = {users}")
    report = place.run("--config", config)
    assert (report["source"], report["added"]) == (users, ["anna"])
    assert accounts.sign_in("anna", PASSWORD) is not None


def test_a_configuration_without_a_list_of_users_says_so(place: Place) -> None:
    config = place.write("config", "[auth]", "type = imap")
    assert "imap" in place.run("--config", config, status=2)["error"]


def test_a_directory_tells_names_addresses_and_groups(place: Place, accounts: Accounts, directory: Service) -> None:
    config = place.write(
        "config",
        "[auth]",
        "type = ldap",
        f"ldap_uri = ldap://127.0.0.1:{directory.address[1]}",
        "ldap_base = dc=example,dc=org",
        "ldap_reader_dn = cn=admin,dc=example,dc=org",
        f"ldap_secret = {READER}",
        "ldap_filter = (&(objectClass=inetOrgPerson)(uid={0}))",
        "ldap_group_members_attribute = member",
        "ldap_group_filter = (objectClass=groupOfNames)",
    )
    assert place.run("--ldap", "--config", config, "--dry-run")["added"] == ["anna", "bert"]
    assert accounts.listing() == []
    assert place.run("--config", config)["added"] == ["anna", "bert"]
    assert accounts.groups() == {"family": ["anna", "bert"], "staff": ["anna"]}
    anna = accounts.find("anna")
    assert anna is not None and (anna.email, anna.displayname, anna.has_password) == ("anna@example.org", "Anna", False)
    directory.stop()
    assert "127.0.0.1" in place.run("--ldap", "--config", config, status=2)["error"]
    directory.start()


@given(st.text(max_size=120))
def test_any_text_is_read_and_only_hashes_are_taken(text: str) -> None:
    found, _ = htpasswd(text)
    assert all(foreign_hashes.is_known(one.stored or "") for one in found)


@given(st.sampled_from(sorted(hashes().values())), st.data())
def test_a_hash_that_is_cut_or_longer_is_none(digest: str, data: st.DataObject) -> None:
    assert foreign_hashes.is_known(digest)
    assert not foreign_hashes.verify(digest + "x", PASSWORD)
    cut = digest[: data.draw(st.integers(0, len(digest) - 1))]
    assert not foreign_hashes.verify(cut, PASSWORD)
    assert not foreign_hashes.verify(cut, cut)
