from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from calsync.store import changes, collections, items, principals
from calsync.store.changes import SyncToken
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.errors import UidConflict
from calsync.store.principals import Principal
from calsync.store.transaction import Transaction
from tests.store.objects import again, event

EPOCH = "0123456789abcdef"


@pytest.mark.parametrize(
    ("token", "text"),
    [
        (SyncToken(EPOCH, 0), f"urn:calsync:sync:{EPOCH}:0"),
        (SyncToken(EPOCH, 12), f"urn:calsync:sync:{EPOCH}:12"),
        (SyncToken(EPOCH, 12, 40), f"urn:calsync:sync:{EPOCH}:12-40"),
    ],
)
def test_a_token_is_its_text(token: SyncToken, text: str) -> None:
    assert str(token) == text
    assert SyncToken.parse(text) == token


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://radicale.org/ns/sync/abc",
        f"urn:calsync:sync:{EPOCH}",
        f"urn:calsync:sync:{EPOCH}:",
        f"urn:calsync:sync:{EPOCH}:01",
        f"urn:calsync:sync:{EPOCH}:-1",
        f"urn:calsync:sync:{EPOCH}:1-",
        f"urn:calsync:sync:{EPOCH}:5-5",
        f"urn:calsync:sync:{EPOCH}:5-4",
        f"urn:calsync:sync:{EPOCH}:１",
        f"urn:calsync:sync:{EPOCH}:1\n",
        f"urn:calsync:sync:{EPOCH.upper()}:1",
        f"urn:calsync:sync:{EPOCH}:99999999999999999999",
    ],
)
def test_other_texts_are_no_tokens(text: str) -> None:
    with pytest.raises(ValueError, match="not a sync token"):
        SyncToken.parse(text)


def test_tokens_of_another_time_or_place_do_not_hold(store: Store, calendar: Collection) -> None:
    token = SyncToken.of(calendar)
    with store.write() as tx:
        items.put(tx, calendar, "a.ics", event("a"))
        bob = collections.create(tx, principals.create(tx, "bob"), 0, "work", "calendar")
    now = again(store, calendar)
    assert token.holds_for(now)
    assert SyncToken.of(now).holds_for(now)
    assert not token.holds_for(bob)
    assert not SyncToken(now.epoch, now.owner_seq + 1).holds_for(now)
    assert not SyncToken(now.epoch, calendar.id - 1).holds_for(now)
    assert SyncToken(now.epoch, 0, now.seq).holds_for(now)
    assert not SyncToken(now.epoch, 0, now.owner_seq + 1).holds_for(now)


def test_a_collection_made_anew_under_an_old_name_does_not_take_old_tokens(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        items.put(tx, calendar, "a.ics", event("a"))
    old = SyncToken.of(again(store, calendar))
    with store.write() as tx:
        principal = principals.get(tx, calendar.owner)
        assert principal is not None
        collections.delete(tx, calendar)
        made = collections.create(tx, principal, 0, "work", "calendar")
        assert not old.holds_for(made)
        other = collections.create(tx, principal, 0, "other", "calendar")
        items.put(tx, made, "b.ics", event("b"))
        collections.delete(tx, made)
        moved = collections.move(tx, other, principal, 0, "work")
        assert not SyncToken.of(made).holds_for(moved)
        assert SyncToken.of(moved).holds_for(moved)


def test_a_token_older_than_the_forgotten_deletions_does_not_hold(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        item = items.put(tx, calendar, "a.ics", event("a"))
        items.delete(tx, calendar, item)
        principal = principals.get(tx, calendar.owner)
        assert principal is not None
        assert changes.forget(tx, principal, item.seq) == 0
        quiet = collections.create(tx, principal, 0, "quiet", "calendar")
        items.put(tx, calendar, "b.ics", event("b"))
        assert changes.forget(tx, principal, 10**9) == 1
    assert SyncToken.of(quiet).holds_for(again(store, quiet))
    now = again(store, calendar)
    assert SyncToken(now.epoch, item.seq + 1).holds_for(now)
    assert not SyncToken(now.epoch, item.seq).holds_for(now)
    assert SyncToken.of(now).holds_for(now)


def test_the_home_tells_which_collections_changed_and_went(store: Store, calendar: Collection) -> None:
    def home(tx: Transaction) -> Principal:
        found = principals.get(tx, calendar.owner)
        assert found is not None
        return found

    with store.write() as tx:
        principal = home(tx)
        other = collections.create(tx, principal, 0, "b c", "addressbook")
        start = home(tx).seq
        items.put(tx, calendar, "a.ics", event("a"))
        told = changes.home_changes(tx, principal, start, start, 10, home(tx).seq)
        assert [(change.url, change.deleted) for change in told] == [("work/", False)]
        collections.move(tx, other, principal, 0, "d")
        collections.delete(tx, calendar)
        told = changes.home_changes(tx, principal, start, start, 10, home(tx).seq)
        assert [(change.href, change.deleted) for change in told] == [("b c/", True), ("d/", False), ("work/", True)]
        first = changes.home_changes(tx, principal, 0, home(tx).seq, 10, home(tx).seq)
        assert [change.url for change in first] == ["d/"]


def test_a_plain_collection_tells_of_files_and_of_collections(store: Store) -> None:
    with store.write() as tx:
        principal = principals.create(tx, "anna")
        plain = collections.create(tx, principal, 0, "files", "plain")
        items.put_file(tx, plain, "a", b"1", "text/plain")
        inner = collections.create(tx, principal, plain.id, "in", "plain")
        start = collections.get(tx, plain.owner, plain.id)
        assert start is not None and start.seq == inner.seq
        items.put_file(tx, inner, "deep", b"1", "text/plain")
        collections.delete(tx, inner)
        items.put_file(tx, plain, "b", b"1", "text/plain")
        now = collections.get(tx, plain.owner, plain.id)
        assert now is not None
        told = changes.changes(tx, now, start.seq, start.seq, 10, now.seq)
    assert [(change.url, change.deleted) for change in told] == [("in/", True), ("b", False)]


# --- mirrors ----------------------------------------------------------------------------------------------------------

NAMES = ["a.ics", "b.ics", "c.ics", "d e.ics", "ü.ics"]
CALENDARS = ["one", "two"]


@dataclass
class Mirror:
    """A client that knows a collection only through `changes`."""

    name: str
    token: str = ""
    etags: dict[str, str] = field(default_factory=dict)
    # Names that existed at some time since its first sync began: no other may be told as deleted.
    existed: set[str] = field(default_factory=set)

    def sync(self, store: Store, limit: int, pages: int) -> bool:
        """Ask `pages` times for `limit` changes; whether all is known."""
        for _ in range(pages):
            with store.read() as tx:
                principal = principals.find(tx, "anna")
                assert principal is not None
                found = collections.find(tx, principal, [self.name])
                if found is None:
                    self.token, self.etags = "", {}
                    return True
                token = SyncToken.parse(self.token) if self.token else None
                if token is None or not token.holds_for(found):
                    token, self.etags = changes.first(found), {}
                    self.existed = {items_row.url for items_row in items.page(tx, found, 0, 1000)}
                told = changes.changes(tx, found, token.position, token.tombstones_after, limit, found.seq)
                for change in told:
                    if change.item is None:
                        assert change.url in self.existed, "told of a deletion before its time"
                        self.etags.pop(change.url, None)
                    else:
                        self.etags[change.url] = change.item.etag
                assert len({change.url for change in told}) == len(told), "named twice"
                assert [change.seq for change in told] == sorted({change.seq for change in told})
                if len(told) < limit:
                    self.token = str(SyncToken.of(found))
                    return True
                self.token = str(token.at(told[-1].seq))
        return False


class Mirrors(RuleBasedStateMachine):
    """Whatever is written, a mirror that follows `changes` to their end equals the listing."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.store = Store.open(f"sqlite:///{Path(self.folder.name) / 'calsync.db'}")
        with self.store.write() as tx:
            self.principal = principals.create(tx, "anna")
            for name in CALENDARS:
                collections.create(tx, self.principal, 0, name, "calendar")
        self.mirrors = [Mirror(name) for name in CALENDARS for _ in range(2)]
        self.version = 0

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    def collection(self, tx: Transaction, name: str) -> Collection | None:
        return collections.find(tx, self.principal, [name])

    def exists(self, tx: Transaction, name: str) -> None:
        """Let the mirrors note what is there now."""
        found = self.collection(tx, name)
        if found is not None:
            for mirror in self.mirrors:
                if mirror.name == name:
                    mirror.existed |= {row.url for row in items.page(tx, found, 0, 1000)}

    @rule(calendar=st.sampled_from(CALENDARS), href=st.sampled_from(NAMES), uid=st.sampled_from("uvwxy"))
    def put(self, calendar: str, href: str, uid: str) -> None:
        self.version += 1
        with self.store.write() as tx:
            found = self.collection(tx, calendar)
            if found is not None:
                items.put_many(tx, found, [(href, event(uid, summary=str(self.version)))])
                self.exists(tx, calendar)

    @rule(calendar=st.sampled_from(CALENDARS), href=st.sampled_from(NAMES))
    def delete(self, calendar: str, href: str) -> None:
        with self.store.write() as tx:
            found = self.collection(tx, calendar)
            item = None if found is None else items.get(tx, found, href)
            if found is not None and item is not None:
                items.delete(tx, found, item)

    @rule(
        source=st.sampled_from(CALENDARS),
        into=st.sampled_from(CALENDARS),
        href=st.sampled_from(NAMES),
        to=st.sampled_from(NAMES),
        copy=st.booleans(),
    )
    def transfer(self, source: str, into: str, href: str, to: str, copy: bool) -> None:
        with self.store.write() as tx:
            have, want = self.collection(tx, source), self.collection(tx, into)
            item = None if have is None else items.get(tx, have, href)
            if have is None or want is None or item is None or (source, href) == (into, to):
                return
            try:
                (items.copy if copy else items.move)(tx, have, item, want, to)
            except UidConflict:
                return
            self.exists(tx, into)

    @rule(
        calendar=st.sampled_from(CALENDARS),
        wanted=st.dictionaries(st.sampled_from("uvwxy"), st.sampled_from(NAMES), max_size=4),
    )
    def replace_all(self, calendar: str, wanted: dict[str, str]) -> None:
        with self.store.write() as tx:
            found = self.collection(tx, calendar)
            if found is not None:
                done = items.replace_all(tx, found, [(href, event(uid)) for uid, href in wanted.items()])
                assert not any(isinstance(one, UidConflict) for one in done.items)
                self.exists(tx, calendar)

    @rule(calendar=st.sampled_from(CALENDARS))
    def remake(self, calendar: str) -> None:
        with self.store.write() as tx:
            found = self.collection(tx, calendar)
            if found is None:
                collections.create(tx, self.principal, 0, calendar, "calendar")
            else:
                collections.delete(tx, found)

    @rule()
    def swap(self) -> None:
        with self.store.write() as tx:
            one, two = (self.collection(tx, name) for name in CALENDARS)
            if one is None or two is None:
                return
            parked = collections.move(tx, one, self.principal, 0, "parked")
            collections.move(tx, two, self.principal, 0, CALENDARS[0])
            collections.move(tx, parked, self.principal, 0, CALENDARS[1])

    @rule(back=st.integers(0, 10))
    def forget(self, back: int) -> None:
        with self.store.write() as tx:
            principal = principals.find(tx, "anna")
            assert principal is not None
            changes.forget(tx, principal, principal.seq - back)

    @rule(number=st.integers(0, 3), limit=st.integers(1, 4), pages=st.integers(1, 2))
    def sync_partly(self, number: int, limit: int, pages: int) -> None:
        self.mirrors[number].sync(self.store, limit, pages)

    @rule(number=st.integers(0, 3), limit=st.integers(1, 1000))
    def sync_whole(self, number: int, limit: int) -> None:
        mirror = self.mirrors[number]
        assert mirror.sync(self.store, limit, 1000)
        with self.store.read() as tx:
            found = self.collection(tx, mirror.name)
            listed = [] if found is None else items.page(tx, found, 0, 1000)
            assert mirror.etags == {row.url: row.etag for row in listed}

    @invariant()
    def counts_hold(self) -> None:
        with self.store.read() as tx:
            for name in CALENDARS:
                found = self.collection(tx, name)
                if found is not None:
                    sizes = [row.size for row in items.page(tx, found, 0, 1000)]
                    assert (found.items, found.octets) == (len(sizes), sum(sizes))


Mirrors.TestCase.settings = settings(
    max_examples=30, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestMirrors = Mirrors.TestCase
