"""Accounts after a restore: what was closed since the backup stays closed, and what was given works on."""

from __future__ import annotations

import importlib
import pkgutil
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyotp
import pytest
from sqlalchemy import Delete, Insert, Update, select

import calsync.accounts
import calsync.jobs
import calsync.store
from calsync.accounts.accounts import Accounts
from calsync.accounts.factors import SecondFactors
from calsync.accounts.policy import Policy
from calsync.recovery import backup
from calsync.recovery.database import restore_into
from calsync.recovery.restore import Report, Wish, restore
from calsync.store import account_changes, journal, leaving, principals
from calsync.store.engine import Store
from calsync.store.entries import AccountRows, Census, Entry, Unknown, decoded, encoded
from calsync.store.entries import Accounts as Line
from calsync.store.journal import Journal, Written
from calsync.store.statement import Prepared
from calsync.store.urls import path_of
from tests.postgresql import shared

OLD, NEW = "the first long password", "another long password"
CHEAP = Policy(throttle=False)

#: What is not journaled, for it closes nothing; and generations, which a restore raises.
_PASSING = frozenset(("last_used", "last_address", "last_client", "failures", "failed", "generation", "principal"))


class Site:
    """A store with a journal, people who may log in, and a backup of it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder, self.journal = url, folder, folder / "journal"
        self.open()
        self.accounts.create("anna", OLD)
        self.accounts.create("boss", OLD, role="admin")
        self.accounts.create("carl", OLD)
        self.accounts.join("boss", "staff")
        self.phone, self.phone_id = self.token("anna", "phone")
        self.tablet, self.tablet_id = self.token("anna", "tablet")

    def open(self) -> None:
        self.store = Store.open(self.url)
        self.accounts = Accounts(self.store, policy=CHEAP)
        self.factors = SecondFactors(self.store)

    def token(self, name: str, label: str) -> tuple[str, str]:
        text, kept = self.accounts.add_token(name, label)
        return text, kept.id

    def id(self, name: str) -> int:
        found = self.accounts.find(name)
        assert found is not None
        return found.id

    def keep(self) -> None:
        journal.keep(self.store, self.journal)

    def journaled(self, change: Callable[[], object]) -> tuple[Path, int, int]:
        """Where the journal has what a change wrote: file, begin, end. At midnight that is another file."""
        before = journal.position(self.journal)
        change()
        after = journal.position(self.journal)
        (name,) = (name for name in after if after[name] != before.get(name))
        return self.journal / name, before.get(name, 0), after[name]

    def backup(self) -> Path:
        return backup.make(self.store, self.folder / "backups", files=False).folder

    def lose(self) -> None:
        """All that is stored, but for the journal."""
        self.store.close()
        if self.url.startswith("postgresql"):
            shared().drop(self.url)
            shared().database(self.url.rpartition("/")[2])
        else:
            for path in path_of(self.url).parent.glob("calsync.db*"):
                path.unlink()

    def restore(self, made: Path, **wishes: Any) -> Report:
        self.store.close()
        postgresql = self.url.startswith("postgresql")
        wish = Wish(made, Path() if postgresql else path_of(self.url), **wishes)
        report = restore_into(self.url, wish) if postgresql else restore(wish)
        self.open()
        return report

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """All that is kept of accounts."""
        found = {}
        with self.store.read() as tx:
            for table in account_changes.TABLES:
                rows = tx.all(Prepared(select(*table.c).order_by(*table.primary_key)))
                names = [column.name for column in table.c]
                found[table.name] = [
                    {name: value for name, value in zip(names, row, strict=True) if name not in _PASSING}
                    for row in rows
                ]
        return found

    def opens(self, name: str, password: str) -> bool:
        return self.accounts.authenticate(name, password) is not None

    def change(self) -> str:
        """All that can become of accounts; gives the app password that was made."""
        self.accounts.create("dora", OLD, displayname="Dora", email="dora@example.com")
        self.accounts.set_password("anna", NEW)
        text, _ = self.token("anna", "laptop")
        self.accounts.revoke("anna", self.phone_id)
        self.accounts.set_role("boss", "user")
        self.accounts.leave("boss", "staff")
        self.accounts.join("dora", "choir")
        self.accounts.tie("dora", "https://id.example.com", "dora-1")
        self.accounts.set_disabled("boss", True)
        secret = self.factors.enrol(self.id("dora"))
        while (codes := self.factors.confirm(self.id("dora"), pyotp.TOTP(secret).now())) is None:
            pass  # a code lasts half a minute
        assert self.factors.verify(self.id("dora"), codes[0]) == "recovery"
        self.accounts.remove("carl")
        return text


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    postgresql = request.param == "postgresql"
    url = shared().store() if postgresql else f"sqlite:///{tmp_path / 'store' / 'calsync.db'}"
    made = Site(url, tmp_path)
    made.keep()
    yield made
    made.store.close()
    if postgresql:
        shared().drop(url)


def _entries(folder: Path) -> list[Entry]:
    parts = [
        part
        for file in journal.segments(folder)
        for one in journal.read(file)
        if isinstance(one, Written)
        for part in one.parts
    ]
    return [entry for part in parts for entry in part.entries()]


def test_after_a_dead_disk_accounts_are_as_they_were_acknowledged(site: Site) -> None:
    made = site.backup()
    laptop = site.change()
    before = site.rows()
    site.lose()
    report = site.restore(made)
    assert report.complete, list(report.lines())
    assert site.rows() == before
    assert not site.opens("anna", site.phone) and not site.opens("anna", OLD) and not site.opens("carl", OLD)
    assert site.opens("anna", site.tablet) and site.opens("anna", laptop)
    # Life goes on, and the same backup can be restored once more.
    site.accounts.revoke("anna", site.tablet_id)
    newest, _ = site.token("dora", "phone")
    before = site.rows()
    site.lose()
    assert site.restore(made).complete
    assert site.rows() == before
    assert not site.opens("anna", site.tablet) and site.opens("dora", newest)


def test_who_was_renamed_since_is_called_so(site: Site) -> None:
    made = site.backup()
    phone, _ = site.token("carl", "phone")
    site.accounts.rename("carl", "karl")
    site.accounts.create("carl", NEW)  # somebody else
    before = site.rows()
    site.lose()
    report = site.restore(made)
    assert report.complete, list(report.lines())
    assert site.rows() == before
    assert site.opens("karl", phone) and site.opens("carl", NEW) and not site.opens("carl", phone)


def test_what_was_never_acknowledged_does_not_keep_the_rest_from_coming_back(site: Site) -> None:
    made = site.backup()
    site.accounts.revoke("anna", site.phone_id)
    before = site.rows()
    file, begin, end = site.journaled(lambda: site.accounts.create("late", OLD))
    site.lose()
    with file.open("r+b") as stream:
        stream.truncate((begin + end) // 2)
    report = site.restore(made)
    assert report.complete and any("ends in the middle" in line for line in report.lines())
    assert site.rows() == before and not site.opens("anna", site.phone)


def test_a_change_that_is_missing_is_told_and_revocations_count_all_the_same(site: Site) -> None:
    made = site.backup()
    file, begin, _ = site.journaled(lambda: site.accounts.set_role("boss", "user"))
    site.accounts.revoke("anna", site.phone_id)
    site.lose()
    with file.open("r+b") as stream:
        stream.seek(begin + 80)
        stream.write(b"?")
    report = site.restore(made)
    assert not report.complete and "1 change of them is in no journal" in report.accounts
    assert not site.opens("anna", site.phone) and site.opens("anna", site.tablet)


@pytest.mark.parametrize("late", [False, True], ids=["backup without a journal", "journal of an older calsync"])
def test_a_journal_begins_with_all_accounts_whatever_the_age_of_the_backup(tmp_path: Path, late: bool) -> None:
    site = Site(f"sqlite:///{tmp_path / 'store' / 'calsync.db'}", tmp_path)
    if late:
        with site.store.write(still=True) as tx:  # as it was begun before accounts were in it
            site.journal.mkdir()
            journal.remember(tx, site.journal)
            tx.notes.append(Census({one.epoch: one.seq for one in principals.listing(tx)}))
    made = site.backup()
    with site.store.write() as tx:
        tx.journal = None
        site.accounts.revoke("anna", site.phone_id)
        site.accounts.remove("carl")
    site.keep()
    site.accounts.set_password("anna", NEW)
    before = site.rows()
    site.lose()
    report = site.restore(made, journal=site.journal)
    assert site.rows() == before and report.accounts_certain, report.accounts
    site.store.close()


def test_a_backup_alone_says_what_it_opens_again(site: Site) -> None:
    made = site.backup()
    site.accounts.revoke("anna", site.phone_id)
    site.lose()
    report = site.restore(made, use_journal=False)
    assert not report.complete and "lets in again" in report.accounts
    assert site.opens("anna", site.phone)
    # Given up on purpose: a later restore does not bring it back.
    before = site.rows()
    site.lose()
    site.restore(made)
    assert site.rows() == before


def test_the_replaced_store_counts_where_it_knows_more_than_the_journal(site: Site) -> None:
    made = site.backup()
    site.accounts.revoke("anna", site.phone_id)
    site.accounts.create("dora", OLD)
    before = site.rows()
    for file in journal.segments(site.journal):
        file.unlink()
    report = site.restore(made)
    assert "replaced store" in report.accounts and site.rows() == before


def test_an_older_copy_of_the_store_opens_nothing_again(tmp_path: Path) -> None:
    site = Site(f"sqlite:///{tmp_path / 'store' / 'calsync.db'}", tmp_path)
    site.keep()
    made = site.backup()
    site.accounts.set_role("boss", "user")
    older = tmp_path / "older.db"
    site.store.backup(older)
    site.accounts.revoke("anna", site.phone_id)
    before = site.rows()
    site.lose()
    shutil.copyfile(older, path_of(site.url))
    report = site.restore(made)
    assert report.complete, list(report.lines())
    assert site.rows() == before and not site.opens("anna", site.phone)
    site.store.close()


def test_a_store_that_was_made_after_the_loss_takes_no_account_away(site: Site) -> None:
    made = site.backup()
    site.accounts.revoke("anna", site.phone_id)
    before = site.rows()
    site.lose()
    site.open()
    journal.keep(site.store, site.folder / "another")
    site.accounts.create("anna", NEW)
    site.accounts.create("newcomer", NEW)
    report = site.restore(made)
    assert site.rows() == before and not site.opens("anna", site.phone)
    assert any("newcomer" in line for line in report.lines())


def test_who_is_purged_is_out_of_the_journal_and_does_not_come_back(site: Site) -> None:
    made = site.backup()
    laptop = site.change()
    site.accounts.set_details("anna", email="anna@example.com", displayname="Anna Example")
    site.restore(made)
    site.accounts.set_details("anna", email="anna@example.com", displayname="Anna Sample")
    before = _entries(site.journal)
    anna = site.id("anna")
    with site.store.read() as tx:
        principal = principals.find(tx, "anna")
    assert principal is not None
    assert any(isinstance(one, AccountRows) and one.account == anna and one.rows for one in before)
    leaving.remove(site.store, principal, "admin")
    site.accounts.remove("anna", forget=True)
    octets = b"".join(file.read_bytes() for file in journal.segments(site.journal))
    for word in (b"anna@example.com", b"Anna Example", b"Anna Sample", site.tablet_id.encode() + b'","account"'):
        assert word not in octets
    assert not any(isinstance(one, AccountRows) and one.account == anna and one.rows for one in _entries(site.journal))
    kept = site.rows()
    site.lose()
    report = site.restore(made)
    assert site.rows() == kept and report.accounts_certain, report.accounts
    assert site.accounts.find("anna") is None and not site.opens("anna", laptop)


def test_what_a_newer_calsync_wrote_is_named(site: Site) -> None:
    made = site.backup()
    # In a frame that is whole: what an entry is, is said by its first word.
    Unknown.mark = "passkey"  # type: ignore[misc]
    try:
        with Journal(site.journal) as other:
            other.append("", [Unknown("x")])
    finally:
        Unknown.mark = "unknown"  # type: ignore[misc]
    site.lose()
    report = site.restore(made)
    assert not report.complete and any("newer calsync (passkey)" in line for line in report.lines())


def test_entries_are_read_as_they_were_written() -> None:
    given = [Line("a1", 1, ("b2", "c3")), AccountRows("a1", 2, "e4", "account", 7, "", [{"id": 7, "name": "anna"}])]
    assert [entry for _, _, entry in decoded(b"".join(map(encoded, given)))] == given


def test_a_store_without_a_journal_counts_nothing(tmp_path: Path) -> None:
    site = Site(f"sqlite:///{tmp_path / 'store' / 'calsync.db'}", tmp_path)
    with site.store.read() as tx:
        assert account_changes.line(tx) == ("", ())
    site.store.close()


def test_a_journal_is_its_owners_alone(site: Site) -> None:
    site.accounts.set_password("anna", NEW)
    assert {file.stat().st_mode & 0o777 for file in journal.segments(site.journal)} == {0o600}
    assert site.journal.stat().st_mode & 0o777 == 0o700


#: What closes nothing, and is written often: when an app password was used last, wrong codes.
_NOT_JOURNALED = {"calsync.accounts.rows.USED", "calsync.accounts.factors._FAILED", "calsync.accounts.factors._HELD"}


def test_no_statement_changes_an_account_unseen() -> None:
    tables = set(account_changes.TABLES)
    unseen = set()
    for room in (calsync.accounts, calsync.jobs, calsync.store):
        for found in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if ".migrations" in found.name:
                continue
            module = importlib.import_module(found.name)
            for name, value in vars(module).items():
                for one in value if isinstance(value, tuple) else (value,):
                    if not isinstance(one, Prepared) or not isinstance(one._statement, Insert | Update | Delete):
                        continue
                    if one._statement.table in tables and one.marks is None:
                        unseen.add(f"{found.name}.{name}")
    assert unseen == _NOT_JOURNALED
