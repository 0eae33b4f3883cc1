"""A name that changed hands since the backup: everybody comes back into their own home, whatever that was called."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calsync.accounts.scopes import Scope
from calsync.store import collections, principals
from calsync.store.collections import HOME
from tests.recovery.test_accounts import OLD, Site

Homes = dict[str, tuple[int, set[str]]]


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Site]:
    """Anna, Boss and Carl, with a calendar each."""
    made = Site(f"sqlite:///{tmp_path / 'store' / 'calsync.db'}", tmp_path)
    made.keep()
    for name in ("anna", "boss", "carl"):
        calendar(made, name, f"{name}s")
    yield made
    made.store.close()


def calendar(site: Site, owner: str, name: str) -> None:
    with site.store.write() as tx:
        found = principals.find(tx, owner)
        assert found is not None
        collections.create(tx, found, HOME, name, "calendar", ("VEVENT",), {})


def homes(site: Site) -> Homes:
    """Name → account, and what stands in the home that is its own, which must be called so."""
    found = {}
    with site.store.read() as tx:
        for account in site.accounts.listing():
            home = principals.get(tx, account.principal)
            assert home is not None and home.name == account.name
            found[account.name] = account.id, {one.name for one in collections.children(tx, home.id, HOME)}
    return found


def given_anew(site: Site) -> None:
    site.accounts.rename("carl", "karl")
    site.accounts.create("carl", OLD)
    calendar(site, "carl", "of the new one")
    calendar(site, "karl", "later")


def exchanged(site: Site) -> None:
    for old, new in (("carl", "between"), ("anna", "carl"), ("between", "anna")):
        site.accounts.rename(old, new)
    calendar(site, "anna", "later")


def moved_up(site: Site) -> None:
    for old, new in (("boss", "zoe"), ("carl", "boss"), ("anna", "carl")):
        site.accounts.rename(old, new)


@pytest.mark.parametrize("change", [given_anew, exchanged, moved_up])
@pytest.mark.parametrize("lost", [True, False], ids=["store lost", "store replaced"])
def test_everybody_has_their_own_home(three: Site, change: Callable[[Site], None], lost: bool) -> None:
    three.accounts.add_token("boss", "assistant", scope=Scope.of_paths("/anna/annas/", "/carl/carls/"))
    made = three.backup()
    change(three)
    before, kept = homes(three), three.rows()
    for _ in range(2):  # the second time through the history of the first
        if lost:
            three.lose()
        report = three.restore(made)
        assert report.complete, list(report.lines())
        assert homes(three) == before
        assert three.rows() == kept


def test_a_home_is_not_given_to_whoever_is_called_so_now(three: Site) -> None:
    """One of the renames is in no journal that is left, so the name is still somebody else's."""
    made = three.backup()
    file, begin, _ = three.journaled(lambda: three.accounts.rename("carl", "karl"))
    three.accounts.rename("anna", "carl")
    three.lose()
    with file.open("r+b") as stream:
        stream.seek(begin + 80)
        stream.write(b"?")
    report = three.restore(made)
    assert not report.complete and any("'carl' is 'anna', as the home is" in line for line in report.lines())
    assert {name: held for name, (_, held) in homes(three).items()} == {
        "anna": {"annas"},
        "boss": {"bosss"},
        "carl": {"carls"},
    }
    assert three.opens("anna", three.phone) and not three.opens("carl", three.phone)
