"""What came and went between backups and restores keeps nobody from coming back, and gets into nobody's home."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from calsync.recovery.lines import lines
from calsync.recovery.replay import Journaled
from calsync.recovery.salvage import Salvaged
from calsync.recovery.state import State
from calsync.store import collections, items, leaving, principals
from calsync.store.collections import HOME
from calsync.store.entries import Owner, Place
from tests.recovery.test_accounts import OLD, Site
from tests.store.objects import collection_of, event


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(f"sqlite:///{tmp_path / 'store' / 'calsync.db'}", tmp_path)
    made.keep()
    yield made
    made.store.close()


def purge(site: Site, name: str) -> None:
    """As `calsync user remove --purge` does."""
    with site.store.read() as tx:
        principal = principals.find(tx, name)
    assert principal is not None
    leaving.remove(site.store, principal, "admin")
    site.accounts.remove(name, forget=True)


def test_the_name_of_who_was_purged_is_somebody_elses_now(site: Site) -> None:
    made = site.backup()
    purge(site, "anna")
    site.accounts.rename("carl", "anna")
    before = site.rows()
    site.lose()
    report = site.restore(made)
    assert report.complete, list(report.lines())
    assert site.rows() == before
    assert site.opens("anna", OLD) and not site.opens("anna", site.phone) and site.accounts.find("carl") is None


@pytest.mark.parametrize("gone, stays", [("aa", "bb"), ("bb", "aa")])
def test_who_went_again_gives_nothing_to_who_is_called_so_now(gone: str, stays: str) -> None:
    states = {}
    for epoch in (gone, stays):
        state = states[epoch] = State(epoch, gone=epoch == gone)
        state.add(Owner(epoch, 7, "dora", "user", 0, 1, {}))
        state.add(Place(epoch, 2, HOME, f"of {epoch}", "calendar", (), {}, 2))
    journaled = Journaled(states, counted=set(states))
    (line,) = lines([], journaled, Salvaged(), anchored=True, use_journal=True, use_salvage=True)
    assert [stretch.state.epoch for stretch in line.stretches] == [stays]


@pytest.mark.parametrize("lost", [True, False], ids=["store lost", "store replaced"])
@pytest.mark.parametrize("new", [True, False], ids=["new home", "old home"])
def test_an_older_backup_than_the_one_that_was_restored_before(site: Site, new: bool, lost: bool) -> None:
    """A calendar that was made between the two is the same one in both histories."""
    name = "dora" if new else "anna"
    first = site.backup()
    if new:
        site.accounts.create(name, OLD)
    with site.store.write() as tx:
        owner = principals.find(tx, name)
        assert owner is not None
        work = collections.create(tx, owner, HOME, "work", "calendar", ("VEVENT",), {})
        for number in range(3):
            items.put(tx, work, f"{number}.ics", event(f"uid-{number}"))
    second = site.backup()
    if lost:
        site.lose()
    assert site.restore(second).complete
    with site.store.write() as tx:
        work = collection_of(tx, name, "work")
        found = items.get(tx, work, "1.ics")
        assert found is not None
        items.delete(tx, work, found)
        items.put(tx, work, "3.ics", event("uid-3"))
    if lost:
        site.lose()
    report = site.restore(first)
    assert report.complete, list(report.lines())
    with site.store.read() as tx:
        work = collection_of(tx, name, "work")
        assert {row.url for row in items.page(tx, work, 0, 10)} == {"0.ics", "2.ics", "3.ics"}
