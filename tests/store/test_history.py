"""What items held is kept, and a collection as of a time is what it was then."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from calsync.store import changes, collections, history, items, principals, trash, undo
from calsync.store.changes import SyncToken
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.errors import Damaged, UidConflict
from calsync.store.history import Revision, Unknown
from calsync.store.principals import Principal
from tests.raw import Raw
from tests.store.objects import again, card, event, recurring


def of(store: Store, collection: Collection) -> list[Revision]:
    with store.read() as tx:
        return history.revisions(tx, collection.owner, collection=collection.id)


def anna_of(store: Store, collection: Collection) -> Principal:
    with store.read() as tx:
        found = principals.get(tx, collection.owner)
    assert found is not None
    return found


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch | None = None) -> None:
        self.now = int(time.time()) - 10_000
        if monkeypatch is not None:
            monkeypatch.setattr(time, "time", lambda: float(self.now))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


# --- keeping ----------------------------------------------------------------------------------------------------------


def test_what_is_overwritten_is_kept_octet_for_octet(clock: Clock, store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        first = items.put(tx, calendar, "a.ics", event("a"))
    clock.now += 5
    with store.write() as tx:
        tx.actor = "anna by Phone"
        changed = items.put(tx, calendar, "a.ics", event("a", summary="new"))
    (kept,) = of(store, calendar)
    assert (kept.ended, kept.item, kept.href, kept.uid) == (changed.seq, first.id, "a.ics", "a")
    assert (kept.reason, kept.actor) == ("changed", "anna by Phone")
    assert (kept.since, kept.until) == (first.modified, changed.modified)
    with store.read() as tx:
        assert history.octets(tx, kept) == event("a").octets
        assert history.find(tx, calendar.owner, kept.ended) == kept


def test_the_same_octets_again_leave_no_trace(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        items.put(tx, calendar, "a.ics", event("a"))
        items.put(tx, calendar, "a.ics", event("a"))
        items.replace_all(tx, calendar, [("x.ics", event("a"))])
    assert of(store, calendar) == []


def test_what_goes_is_kept_with_its_properties(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        one = items.put(tx, calendar, "a.ics", event("a"))
        one = items.set_properties(tx, calendar, one, {"{x:}y": "<y xmlns='x:'/>"})
        items.put(tx, calendar, "b.ics", event("b"))
        items.replace_all(tx, calendar, [])
    second, first = of(store, calendar)
    assert [(one.href, one.reason) for one in (first, second)] == [("a.ics", "deleted"), ("b.ics", "deleted")]
    assert (first.properties, second.properties) == ('{"{x:}y": "<y xmlns=\'x:\'/>"}', "{}")


def test_a_move_and_what_it_replaces_are_kept(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        other = collections.create(tx, anna_of(store, calendar), 0, "other", "calendar")
        here = items.put(tx, calendar, "a.ics", event("a"))
        there = items.put(tx, other, "b.ics", event("b"))
        moved = items.move(tx, calendar, here, other, "b.ics")
        bert = principals.create(tx, "bert")
        far = collections.create(tx, bert, 0, "far", "calendar")
        items.move(tx, other, moved, far, "c.ics")
    assert [(one.item, one.href, one.reason) for one in of(store, calendar)] == [(here.id, "a.ics", "moved")]
    assert [(one.item, one.href, one.reason) for one in of(store, other)] == [
        (here.id, "b.ics", "moved"),
        (there.id, "b.ics", "deleted"),
    ]
    assert of(store, far) == []


def test_damaged_octets_are_kept_as_they_are(store: Store, calendar: Collection, raw: Raw) -> None:
    with store.write() as tx:
        items.put(tx, calendar, "a.ics", event("a"))
    raw.run("UPDATE body SET octets = x'00'")
    with store.write() as tx:
        items.put(tx, calendar, "a.ics", event("a", summary="new"))
    (kept,) = of(store, calendar)
    with store.read() as tx, pytest.raises(Damaged, match="revision"):
        history.octets(tx, kept)
    assert raw.rows("SELECT octets FROM revision") == [(b"\0",)]


def test_properties_of_a_collection_are_kept(clock: Clock, store: Store, calendar: Collection) -> None:
    made = clock.now
    for number in (1, 2, 2):
        clock.now += 10
        with store.write() as tx:
            collections.set_properties(tx, calendar, {"{x:}n": f"<n>{number}</n>"})
    now = again(store, calendar)
    with store.read() as tx:
        known = [history.properties_as_of(tx, now, instant) for instant in (made, made + 10, made + 19, made + 20)]
    assert known == [{}, {"{x:}n": "<n>1</n>"}, {"{x:}n": "<n>1</n>"}, {"{x:}n": "<n>2</n>"}]


def test_revisions_come_newest_first_and_page_by_page(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        for number in range(7):
            items.put(tx, calendar, f"{number % 2}.ics", event(f"u{number % 2}", summary=str(number)))
    with store.read() as tx:
        whole = history.revisions(tx, calendar.owner)
        assert [one.ended for one in whole] == sorted((one.ended for one in whole), reverse=True)
        assert len(whole) == 5
        first = history.revisions(tx, calendar.owner, collection=calendar.id, limit=2)
        rest = history.revisions(tx, calendar.owner, collection=calendar.id, before=first[-1].ended)
        assert first + rest == whole
        named = history.revisions(tx, calendar.owner, collection=calendar.id, href="1.ics")
        assert [one.href for one in named] == ["1.ics", "1.ics"]
        assert history.of_items(tx, calendar.owner, [named[0].item]) == named
        assert history.revisions(tx, calendar.owner, reasons=["deleted"]) == []


# --- forgetting -------------------------------------------------------------------------------------------------------


def test_what_is_old_is_forgotten_and_then_not_guessed(clock: Clock, store: Store, calendar: Collection) -> None:
    start = clock.now
    for number in range(4):
        with store.write() as tx:
            items.put(tx, calendar, "a.ics", event("a", summary=str(number)))
            collections.set_properties(tx, calendar, {"{x:}n": str(number)})
        clock.now += 100
    assert history.purge(store, before=start + 150, size=0) == 3
    now = again(store, calendar)
    with store.read() as tx:
        with pytest.raises(Unknown, match="reaches back to"):
            history.as_of(tx, now, start + 50)
        assert history.as_of(tx, now, start + 150)["a.ics"].etag == event("a", summary="1").etag
        with pytest.raises(Unknown, match="made later"):
            history.as_of(tx, now, start - 1)
    assert history.purge(store, before=start + 150, size=0) == 0


def test_what_only_seems_old_because_the_clock_was_wrong_is_kept(
    clock: Clock, store: Store, calendar: Collection
) -> None:
    def put(text: str) -> None:
        with store.write() as tx:
            items.put(tx, calendar, "a.ics", event("a", summary=text))

    start = clock.now
    put("0")
    put("1")  # ends 0 now
    clock.now = 1000
    put("2")
    with store.write() as tx:
        collections.delete(tx, collections.create(tx, anna_of(store, calendar), 0, "other", "calendar"))
        collections.delete(tx, calendar)
    clock.now = start + 60
    assert [one.until for one in of(store, calendar)] == [1000, start]
    assert history.purge(store, before=start - 90 * 86_400, size=0) > 0, "of what came and went in that time"
    assert len(of(store, calendar)) == 2
    with store.read() as tx:
        assert [one.name for one in trash.listing(tx, calendar.owner)] == ["work"]


def test_over_the_bound_the_oldest_goes_first(clock: Clock, store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        big = collections.create(tx, anna_of(store, calendar), 0, "big", "calendar")
        for number in range(20):
            items.put(tx, big, f"{number}.ics", event(f"u{number}"))
        items.put(tx, calendar, "a.ics", event("a"))
    for step in range(3):
        clock.now += 10
        with store.write() as tx:
            items.put(tx, calendar, "a.ics", event("a", summary=f"{step}"))
            if step == 0:
                collections.delete(tx, big)
    one = len(event("a").octets)
    with store.read() as tx:
        whole = history.used(tx, calendar.owner)
    history.purge(store, before=0, size=whole)
    assert len(of(store, calendar)) == 3
    history.purge(store, before=0, size=whole - 1)
    assert len(of(store, calendar)) == 2
    history.purge(store, before=0, size=3 * one)
    with store.read() as tx:
        assert trash.listing(tx, calendar.owner) == []
    assert len(of(store, calendar)) == 2
    history.purge(store, before=0, size=1)
    assert of(store, calendar) == []


def test_a_principal_goes_with_the_history(store: Store, calendar: Collection, raw: Raw) -> None:
    with store.write() as tx:
        anna = anna_of(store, calendar)
        items.put(tx, calendar, "a.ics", event("a"))
        items.put(tx, calendar, "a.ics", event("a", summary="x"))
        collections.set_properties(tx, calendar, {"{x:}n": "1"})
        collections.delete(tx, calendar)
        principals.delete(tx, anna)
    tables = ("revision", "property_revision", "trash", "collection", "item", "body")
    assert [raw.rows(f"SELECT count(*) FROM {name}") for name in tables] == [[(0,)]] * 6


# --- bringing back ----------------------------------------------------------------------------------------------------


def test_a_deleted_item_comes_back_as_a_change(store: Store, calendar: Collection) -> None:
    weekly = recurring(store, "a", "20260302T100000Z", "20260302T110000Z", "FREQ=WEEKLY")
    with store.write() as tx:
        one = items.put(tx, calendar, "a.ics", weekly)
        items.set_properties(tx, calendar, one, {"{x:}y": "<y/>"})
        items.delete(tx, calendar, one)
    before = again(store, calendar)
    back = undo.bring_back(store, of(store, calendar)[0], calendar, calendar, "root")
    assert (back.href, back.etag) == ("a.ics", weekly.etag)
    with store.read() as tx:
        assert items.properties(tx, calendar, [back.id]) == {back.id: {"{x:}y": "<y/>"}}
        (seen,) = changes.changes(tx, calendar, before.seq, before.seq, 10, items.ALL)
        assert (seen.href, seen.deleted) == ("a.ics", False)


def test_a_name_or_a_uid_that_is_taken(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        items.delete(tx, calendar, items.put(tx, calendar, "a.ics", event("a")))
        items.put(tx, calendar, "a.ics", event("other"))
    (kept,) = of(store, calendar)
    assert undo.bring_back(store, kept, calendar, calendar, "").href == "a-2.ics"
    with pytest.raises(UidConflict) as conflict:
        undo.bring_back(store, kept._replace(href="c.ics"), calendar, calendar, "")
    assert conflict.value.href == "a-2.ics"


def test_what_the_target_cannot_take_is_said(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        book = collections.create(tx, anna_of(store, calendar), 0, "book", "addressbook")
        items.delete(tx, book, items.put(tx, book, "c.vcf", card("c", "Carl")))
    with pytest.raises(undo.Failed, match="does not take it"):
        undo.bring_back(store, of(store, book)[0], book, calendar, "")


def test_uids_that_changed_places_change_back(clock: Clock, store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        items.put(tx, calendar, "a.ics", event("a"))
        items.put(tx, calendar, "b.ics", event("b"))
    then = clock.now
    clock.now += 10
    with store.write() as tx:
        for one in items.named(tx, calendar, ["a.ics", "b.ics"]).values():
            items.delete(tx, calendar, one)
        items.put(tx, calendar, "a.ics", event("b"))
        b = items.put(tx, calendar, "b.ics", event("a"))
        items.set_properties(tx, calendar, b, {"{x:}y": "<y/>"})
    with store.read() as tx:
        plan = undo.plan(tx, again(store, calendar), then)
    outcome = undo.carry_out(store, plan, "")
    assert (outcome.done, outcome.refused) == (2, [])
    with store.read() as tx:
        assert {one.href: one.uid for one in history.members(tx, calendar)} == {"a.ics": "a", "b.ics": "b"}
        assert undo.plan(tx, again(store, calendar), then).empty


def test_what_changed_since_the_plan_is_left_alone(clock: Clock, store: Store, calendar: Collection) -> None:
    then = clock.now
    clock.now += 10
    with store.write() as tx:
        items.put(tx, calendar, "a.ics", event("a"))
    with store.read() as tx:
        plan = undo.plan(tx, again(store, calendar), then)
    with store.write() as tx:
        items.put(tx, calendar, "a.ics", event("a", summary="just now"))
    assert undo.carry_out(store, plan, "").refused == [("a.ics", "was changed meanwhile")]
    with store.read() as tx:
        assert items.get(tx, calendar, "a.ics") is not None


NAMES = st.sampled_from(("a.ics", "b.ics", "c.ics"))
UIDS = st.sampled_from(("u1", "u2", "u3"))
WHICH = st.integers(0, 1)

State = tuple[dict[str, str], dict[str, str]]


class Past(RuleBasedStateMachine):
    """Two calendars of one owner, and what each held at the end of every second."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.patch = mock.patch.object(time, "time", lambda: float(self.clock.now))
        self.patch.start()
        self.folder = Path(tempfile.mkdtemp())
        self.store = Store.open(f"sqlite:///{self.folder}/store.db")
        self.number = 0
        with self.store.write() as tx:
            self.anna = principals.create(tx, "anna")
            self.both = [collections.create(tx, self.anna, 0, name, "calendar") for name in ("one", "two")]
        self.standing = [True, True]
        self.past: dict[int, list[State]] = {}
        self.mirrors: list[tuple[SyncToken, dict[str, str]]] = []
        for one in self.both:
            self.mirrors.append((changes.first(one), {}))
        self.note()

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)
        self.patch.stop()

    def read(self, which: int) -> Collection:
        with self.store.read() as tx:
            if self.standing[which]:
                found = collections.get(tx, self.anna.id, self.both[which].id)
                assert found is not None
                return found
            one = trash.find(tx, self.anna.id, self.both[which].id)
            assert one is not None
            return trash.contents(tx, one)

    def now(self, which: int) -> State:
        one = self.read(which)
        with self.store.read() as tx:
            return {row.href: row.etag for row in history.members(tx, one)}, dict(one.properties)

    def note(self) -> None:
        self.past[self.clock.now] = [self.now(which) for which in (0, 1)]

    def fresh(self) -> str:
        self.number += 1
        return str(self.number)

    @rule(seconds=st.integers(1, 5))
    def wait(self, seconds: int) -> None:
        self.clock.now += seconds
        self.note()

    @rule(which=WHICH, name=NAMES, uid=UIDS)
    def put(self, which: int, name: str, uid: str) -> None:
        if self.standing[which]:
            with self.store.write() as tx:
                items.put_many(tx, self.both[which], [(name, event(uid, summary=self.fresh()))])
            self.note()

    @rule(which=WHICH, names=st.lists(NAMES, unique=True))
    def delete(self, which: int, names: list[str]) -> None:
        if self.standing[which]:
            with self.store.write() as tx:
                for one in items.named(tx, self.both[which], names).values():
                    items.delete(tx, self.both[which], one)
            self.note()

    @rule(which=WHICH, into=WHICH, name=NAMES, onto=NAMES, how=st.sampled_from((items.move, items.copy)))
    def transfer(self, which: int, into: int, name: str, onto: str, how: object) -> None:
        if not (self.standing[which] and self.standing[into]) or (which, name) == (into, onto):
            return
        with self.store.write() as tx:
            one = items.get(tx, self.both[which], name)
            if one is not None:
                try:
                    with tx.savepoint():
                        how(tx, self.both[which], one, self.both[into], onto)  # type: ignore[operator]
                except UidConflict:
                    return
        self.note()

    @rule(which=WHICH, name=st.sampled_from(("{x:}a", "{x:}b")), there=st.booleans())
    def describe(self, which: int, name: str, there: bool) -> None:
        if self.standing[which]:
            with self.store.write() as tx:
                collections.set_properties(tx, self.both[which], {name: self.fresh() if there else None})
            self.note()

    @rule(which=WHICH)
    def remove_or_bring_back(self, which: int) -> None:
        with self.store.write() as tx:
            if self.standing[which]:
                collections.delete(tx, self.both[which])
            else:
                one = trash.find(tx, self.anna.id, self.both[which].id)
                assert one is not None
                assert trash.bring_back(tx, self.anna, one).items == one.items
        self.standing[which] = not self.standing[which]
        self.note()

    @rule(which=WHICH, data=st.data())
    def restore(self, which: int, data: st.DataObject) -> None:
        """As of any second: the listing is what it was then. As of the second before it: undone."""
        if not self.standing[which]:
            return
        then = data.draw(st.sampled_from(sorted(self.past)))
        self.clock.now += 1
        before = self.now(which)
        for instant, state in ((then, self.past[then][which]), (self.clock.now - 1, before)):
            with self.store.read() as tx:
                plan = undo.plan(tx, self.read(which), instant)
            assert undo.carry_out(self.store, plan, "").refused == []
            assert self.now(which) == state
            self.note()
            self.clock.now += 1
        self.note()

    @rule(back=st.integers(0, 20))
    def purge(self, back: int) -> None:
        history.purge(self.store, before=self.clock.now - back, size=0)
        for which in (0, 1):
            with self.store.read() as tx:
                if not self.standing[which] and trash.find(tx, self.anna.id, self.both[which].id) is None:
                    self.standing[which] = True
        self.renew()

    def renew(self) -> None:
        """Calendars that were purged are made anew; of what may be forgotten, nothing is asked."""
        for which, name in enumerate(("one", "two")):
            with self.store.write() as tx:
                if collections.get(tx, self.anna.id, self.both[which].id) is None and self.standing[which]:
                    self.both[which] = collections.create(tx, self.anna, 0, f"{name} {self.fresh()}", "calendar")
                    self.mirrors[which] = (changes.first(self.both[which]), {})
        self.past = {}
        self.clock.now += 1
        self.note()

    @invariant()
    def the_past_is_as_it_was(self) -> None:
        for which in (0, 1):
            one = self.read(which)
            with self.store.read() as tx:
                for instant, states in self.past.items():
                    held = history.as_of(tx, one, instant)
                    assert {href: then.etag for href, then in held.items()} == states[which][0]
                    assert history.properties_as_of(tx, one, instant) == states[which][1]
                    for name in ("a.ics", "b.ics", "c.ics"):
                        assert history.held_at(tx, one, name, instant) == held.get(name)

    @invariant()
    def mirrors_follow(self) -> None:
        for which in (0, 1):
            if not self.standing[which]:
                continue
            one = self.read(which)
            token, members = self.mirrors[which]
            if not token.holds_for(one):
                token, members = changes.first(one), {}
            with self.store.read() as tx:
                found = changes.changes(tx, one, token.position, token.tombstones_after, 1000, one.seq)
            for change in found:
                members.pop(change.href, None)
                if change.item is not None:
                    members[change.href] = change.item.etag
            assert members == self.now(which)[0]
            self.mirrors[which] = (SyncToken.of(one), members)


Past.TestCase.settings = settings(
    max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestPast = Past.TestCase
