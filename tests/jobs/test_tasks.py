"""What is old goes, what is young stays."""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import insert, select, update

from calsync.accounts import audit
from calsync.jobs.retention import Retention
from calsync.jobs.tasks import DAY, TASKS, Work
from calsync.store import changes, collections, items, journal, principals, quarantine
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.entries import Ended
from calsync.store.quarantine import Refusal
from calsync.store.schema import lock, login_flow, tombstone, trash, web_session
from calsync.store.statement import Prepared
from tests.store.objects import event

NOW = int(time.time())


def done(store: Store, name: str, days: float = 0, **kept: int) -> int:
    """Run a task as if so many days had passed."""
    return TASKS[name].run(Work(store, Retention(**kept), int(time.time() + days * DAY)))


def test_deletions_are_forgotten_after_their_time_and_older_tokens_are_void(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        for name in "abc":
            items.put(tx, calendar, f"{name}.ics", event(name))
        before = changes.SyncToken.of(collections.current(tx, calendar.owner, calendar.id))
        for name in "ab":
            one = items.get(tx, calendar, f"{name}.ics")
            assert one is not None
            items.delete(tx, calendar, one)
        between = changes.SyncToken.of(collections.current(tx, calendar.owner, calendar.id))
    with store.write() as tx:
        tx.run(Prepared(update(tombstone).values(deleted=NOW - 300 * DAY)))
        one = items.get(tx, calendar, "c.ics")
        assert one is not None
        items.delete(tx, calendar, one)
    assert done(store, "tombstones") == 0
    assert done(store, "tombstones", 101) == 2
    with store.read() as tx:
        now = collections.current(tx, calendar.owner, calendar.id)
        assert not before.holds_for(now)
        assert between.holds_for(now)
        assert [row[0] for row in tx.all(Prepared(select(tombstone.c.href)))] == ["c.ics"]
    assert done(store, "tombstones", 10_000, tombstones=0) == 0


def test_history_and_trash_are_forgotten_after_their_time(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        items.put(tx, calendar, "a.ics", event("a"))
        items.put(tx, calendar, "a.ics", event("a", summary="new"))
        collections.delete(tx, calendar)
    assert done(store, "history", 89) == 0
    assert done(store, "history", 91) > 0
    with store.read() as tx:
        assert tx.all(Prepared(select(trash.c.collection))) == []
    assert done(store, "history", 91) == 0


def test_locks_sessions_and_flows_end(store: Store) -> None:
    with store.write() as tx:
        for number, until in enumerate((NOW - 5, NOW + DAY)):
            tx.run(
                Prepared(insert(lock)), owner=1, token=f"t{number}", url="u", scope="exclusive", depth="0",
                description="", principal=1, expires=until, created=1,
            )  # fmt: skip
            tx.run(
                Prepared(insert(web_session)), id=b"%d" % number, account=1, generation=1, created=1, expires=until,
                last_used=1, address="", client="", data="{}",
            )  # fmt: skip
            tx.run(
                Prepared(insert(login_flow)), id=b"%d" % number, poll=b"p%d" % number, created=1, expires=until,
                client="", address="", account=None, generation=None, granted=None,
            )  # fmt: skip
    assert (done(store, "locks"), done(store, "sign-in")) == (1, 2)
    assert (done(store, "locks"), done(store, "sign-in")) == (0, 0)
    assert (done(store, "locks", 2), done(store, "sign-in", 2)) == (1, 2)


def test_audit_and_quarantine_are_kept_for_their_time(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        audit.note(tx, "test")
        quarantine.keep(tx, calendar.owner, Refusal("work", "", "bulk", "test", "no UID", b"x"), None)
    assert (done(store, "audit", 364), done(store, "quarantine", 89)) == (0, 0)
    assert (done(store, "audit", 9999, audit=0), done(store, "quarantine", 9999, quarantine=0)) == (0, 0)
    assert (done(store, "audit", 366), done(store, "quarantine", 91)) == (1, 1)


def test_the_journal_is_kept_unless_it_is_told_for_how_long(store: Store, tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    journal.keep(store, tmp_path / "journal")
    with store.write() as tx:
        principals.create(tx, "bert")
    with journal.Journal(tmp_path / "journal") as later:  # the newest segment stays, however old it is
        later.append("", [Ended()])
    assert done(store, "journal", 9999) == 0
    assert done(store, "journal", 10, journal=20 * DAY) == 0
    assert done(store, "journal", 30, journal=20 * DAY) > 0


def test_the_window_follows_the_time(store: Store, calendar: Collection) -> None:
    before = store.window
    assert done(store, "window") == 0
    done(store, "window", 200)
    with store.write():
        pass
    assert store.window > before
