"""What was refused is kept once, within bounds that no client can pass, until its time is over."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calsync.store import items, principals, quarantine
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.quarantine import Bounds, Refusal
from tests.store.objects import event

SMALL = Bounds(entries=5, octets=100, largest=60)


def refusal(octets: bytes, source: str = "bulk", target: str = "work") -> Refusal:
    return Refusal(target, "a.ics", source, "POST /anna/work/", "VEVENT without UID", octets, "{x}y")


def kept(store: Store, owner: int) -> list[bytes | None]:
    with store.read() as tx:
        return [quarantine.octets(tx, entry) for entry in quarantine.listing(tx, owner)]


def test_what_comes_again_is_kept_once_with_the_last_reason(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        tx.actor = "anna by Phone"
        first = quarantine.keep(tx, calendar.owner, refusal(b"x"), SMALL)
        again = Refusal("work", "", "bulk", "another", "another reason", b"x")
        assert quarantine.keep(tx, calendar.owner, again, SMALL) == first
        assert quarantine.keep(tx, calendar.owner, refusal(b"x", target="home"), SMALL) != first
        entry = quarantine.get(tx, first)
        assert entry is not None
        assert (entry.reason, entry.origin, entry.href, entry.actor, entry.size) == (
            "another reason", "another", "a.ics", "anna by Phone", 1,
        )  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.binary(max_size=70), st.sampled_from(["bulk", "put", "import"])), max_size=20))
def test_clients_stay_within_bounds_and_push_out_their_own_alone(store: Store, wanted: list[tuple[bytes, str]]) -> None:
    with store.write() as tx:
        owner = principals.create(tx, f"user{len(principals.listing(tx))}").id
    imported = set()
    for octets, source in wanted:
        with store.write() as tx:
            known = {entry.digest for entry in quarantine.listing(tx, owner)}
            id_ = quarantine.keep(tx, owner, refusal(octets, source), None if source == "import" else SMALL)
            assert (id_ > 0) == (source == "import" or len(octets) <= SMALL.largest)
            count, size = quarantine.held(tx, owner)
            assert count <= SMALL.entries
            assert size <= SMALL.octets
            entry = quarantine.get(tx, id_)
            if entry is not None and entry.digest not in known and source == "import":
                imported.add(octets)
    clients = {octets for octets, source in wanted if source != "import"}
    assert imported - clients <= set(kept(store, owner))


def test_an_owner_of_whom_nothing_is_to_be_kept(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        assert quarantine.keep(tx, calendar.owner, refusal(b"x"), Bounds(entries=0)) == 0
    assert kept(store, calendar.owner) == []


def test_a_write_of_the_same_name_and_uid_leaves_it(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        quarantine.keep(tx, calendar.owner, refusal(b"UID:a"), SMALL)
        items.put(tx, calendar, "a.ics", event("a"))
    assert kept(store, calendar.owner) == [b"UID:a"]


def test_ids_are_never_given_again(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        first = quarantine.keep(tx, calendar.owner, refusal(b"x"), SMALL)
        entry = quarantine.get(tx, first)
        assert entry is not None
        assert quarantine.drop(tx, entry)
        assert not quarantine.drop(tx, entry)
        assert quarantine.keep(tx, calendar.owner, refusal(b"y"), SMALL) > first
        bob = principals.create(tx, "bob")
        assert quarantine.keep(tx, bob.id, refusal(b"y"), SMALL) > first + 1


@pytest.mark.parametrize(("later", "count"), [(-1, 0), (1, 250)])
def test_what_is_old_goes(
    store: Store, calendar: Collection, monkeypatch: pytest.MonkeyPatch, later: int, count: int
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)  # all in one second, however long it takes
    with store.write() as tx:
        for number in range(250):
            id_ = quarantine.keep(tx, calendar.owner, refusal(b"%d" % number), None)
        entry = quarantine.get(tx, id_)
    assert entry is not None
    assert quarantine.purge(store, entry.received + later) == count
    assert len(kept(store, calendar.owner)) == 250 - count
