"""What is derived is derived anew while the store is in use: answers stay right, and clients notice nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calsync.store import collections, items, meta, principals, queries, reindex
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.occurrences import BUCKET, DAY, Window
from tests.raw import Raw
from tests.store.objects import card, event, recurring
from tests.store.test_queries import instant, stamp

NOW = instant("20260401T000000Z")
LATER = NOW + 4 * BUCKET


@pytest.fixture
def store(store: Store) -> Store:
    """With the window of a known day, whatever today is."""
    with store.write() as tx:
        Window.around(NOW).write(tx)
    with store.write():
        pass
    assert store.window == (Window.around(NOW).start, Window.around(NOW).end)
    return store


def rows(raw: Raw, *tables: str) -> dict[str, list[tuple[object, ...]]]:
    return {table: sorted(raw.rows(f"SELECT * FROM {table}")) for table in tables}


def filled(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        anna = principals.get(tx, calendar.owner)
        assert anna is not None
        book = collections.create(tx, anna, 0, "book", "addressbook")
        items.put(tx, book, "c.vcf", card("c", "Carl", "EMAIL:carl@example.com"))
        items.put(tx, calendar, "a.ics", event("a"))
        for name, rule in (("d", "DAILY"), ("w", "WEEKLY"), ("e", "WEEKLY;COUNT=3")):
            items.put(
                tx,
                calendar,
                f"{name}.ics",
                recurring(store, name, "20260301T100000Z", "20260301T110000Z", f"FREQ={rule}"),
            )


def test_what_was_derived_is_derived_again_and_nothing_else_changes(
    store: Store, calendar: Collection, raw: Raw
) -> None:
    filled(store, calendar)
    tables = ("item", "occurrence", "card_field", "body", "collection", "principal", "tombstone")
    before = rows(raw, *tables)
    raw.run(
        "DELETE FROM occurrence",
        "DELETE FROM card_field",
        "UPDATE item SET uid = 'x', uid_key = id, span = 0, first = 0, last = 1, component = 'VTODO', busy = 'BUSY'",
    )
    reindex.begin(store)
    told = reindex.run(store)
    assert (told.done, told.ended, told.problems) == (5, True, [])
    after = rows(raw, *tables)
    generation = raw.columns("item").index("derived")
    assert {row[generation] for row in after["item"]} == {2}
    assert [row[:generation] for row in after["item"]] == [row[:generation] for row in before["item"]]
    assert {table: after[table] for table in tables[1:]} == {table: before[table] for table in tables[1:]}


def test_a_single_collection_is_derived_anew_by_itself(store: Store, calendar: Collection, raw: Raw) -> None:
    filled(store, calendar)
    before = rows(raw, "item", "occurrence", "meta")
    raw.run("DELETE FROM occurrence")
    assert reindex.one(store, calendar, "anna").done == 4
    assert rows(raw, "item", "occurrence", "meta") == before


def test_damaged_octets_are_named_and_the_item_is_found_as_before(store: Store, calendar: Collection, raw: Raw) -> None:
    filled(store, calendar)
    raw.run("UPDATE body SET octets = x'00' WHERE instr(octets, 'UID:a')")
    reindex.begin(store)
    told = reindex.run(store)
    assert told.ended
    assert told.problems == [("anna/work/a.ics", "damaged (calsync verify)")]
    with store.read() as tx:
        assert "a.ics" in found(store, calendar, instant("20260301T000000Z"), DAY)
        assert queries.uid_contains(tx, calendar, "a")


# --- the window -------------------------------------------------------------------------------------------------------


def found(store: Store, calendar: Collection, start: int, length: int) -> dict[str, bool]:
    with store.read() as tx:
        return {
            one.row.url: one.certain
            for one in queries.in_range(tx, calendar, ["VEVENT"], start, start + length, 0, 1000)
        }


def test_the_window_moves_with_time_and_derives_only_what_comes_into_it(store: Store, calendar: Collection) -> None:
    filled(store, calendar)
    assert reindex.keep_window(store, NOW) == reindex.Reindexed(ended=True)
    assert reindex.keep_window(store, NOW + 20 * DAY).done == 0, "a little later is not late enough"
    told = reindex.keep_window(store, LATER)
    assert (told.done, told.ended) == (2, True), "the two that go on for ever"
    with store.read() as tx:
        window = Window.read(tx)
    assert window == replace(Window.around(LATER), generation=2)
    at = instant("20260301T100000Z") + (window.end - instant("20260301T100000Z") - BUCKET) // (7 * DAY) * 7 * DAY
    assert found(store, calendar, at, 60) == {"d.ics": True, "w.ics": True}
    assert found(store, calendar, at + DAY, 60) == {"d.ics": True}
    assert reindex.keep_window(store, LATER).done == 0


def test_what_the_window_leaves_behind_is_dropped(store: Store, calendar: Collection, raw: Raw) -> None:
    with store.write() as tx:
        items.put(tx, calendar, "e.ics", recurring(store, "e", "20240501T100000Z", "20240501T110000Z", "FREQ=DAILY"))
    reindex.keep_window(store, LATER)
    lowest = min(row[2] for row in rows(raw, "occurrence")["occurrence"])
    assert lowest == Window.around(LATER).start // BUCKET


def test_what_was_parsed_for_the_old_window_is_not_believed_in_the_new(store: Store, calendar: Collection) -> None:
    slow = recurring(store, "d", "20260301T100000Z", "20260301T110000Z", "FREQ=DAILY")
    reindex.keep_window(store, LATER)
    with store.write() as tx:
        items.put(tx, calendar, "d.ics", slow)
    last = Window.around(LATER).end - 2 * DAY
    assert found(store, calendar, last - BUCKET, DAY) == {"d.ics": True}
    assert found(store, calendar, last - 2 * DAY, DAY) == {"d.ics": True}


def test_other_versions_derive_everything_anew(store: Store, calendar: Collection) -> None:
    filled(store, calendar)
    reindex.keep_window(store, NOW)
    with store.write() as tx:
        meta.put(tx, "derived-by", b"facts 0, tzdata 1999a")
    assert reindex.keep_window(store, NOW).done == 5
    with store.read() as tx:
        assert not reindex.is_outdated(tx)
    assert reindex.keep_window(store, NOW).done == 0


def test_it_is_stopped_and_goes_on(store: Store, calendar: Collection) -> None:
    filled(store, calendar)
    reindex.begin(store)
    asked = iter([False, False, False, True, True, True])
    told = reindex.run(store, stop=lambda: next(asked, True))
    assert not told.ended
    assert told.done < 5
    assert reindex.run(store).done == 5 - told.done


# --- at any moment ----------------------------------------------------------------------------------------------------

RULES = st.sampled_from(["", "FREQ=DAILY", "FREQ=WEEKLY;COUNT=40", "FREQ=MONTHLY", "FREQ=YEARLY"])
EVENTS = st.lists(st.tuples(st.integers(-1500, 2500), st.sampled_from([1, 24, 24 * 9]), RULES), min_size=1, max_size=8)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EVENTS, st.integers(-1600, 2600), st.integers(1, 40), st.booleans(), st.integers(0, 6), st.data())
def test_answers_are_right_while_it_is_half_done(
    store: Store,
    calendar: Collection,
    wanted: list[tuple[int, int, str]],
    day: int,
    days: int,
    everything: bool,
    steps: int,
    data: st.DataObject,
) -> None:
    """What surely matches does match, and no match is missing, before, amid and after."""
    with store.write() as tx:
        Window.around(NOW).write(tx)
        anna = principals.get(tx, calendar.owner)
        assert anna is not None
        here = collections.create(tx, anna, 0, f"c{anna.seq}", "calendar")
    start, end = NOW + day * DAY, NOW + (day + days) * DAY
    truth = set()
    with store.write() as tx:
        for number, (offset, hours, rule) in enumerate(wanted):
            first = NOW + offset * DAY
            given_ = event(
                f"u{number}", start=stamp(first), end=stamp(first + hours * 3600), rule=rule, window=store.window
            )
            items.put(tx, here, f"{number}.ics", given_)
            wide = event(
                f"u{number}", start=stamp(first), end=stamp(first + hours * 3600), rule=rule, window=(start, end)
            ).facts
            spans = ((wide.first, wide.last),) if wide.occurrences is None else wide.occurrences
            if any(one < end and other > start for one, other in spans):
                truth.add(f"{number}.ics")

    def right() -> None:
        told = found(store, here, start, end - start)
        assert truth <= set(told)
        assert {url for url, certain in told.items() if certain} <= truth

    right()
    asked = iter([False] * steps)

    def stop() -> bool:
        right()
        return next(asked, True)

    if everything:
        damage_columns(store)
        reindex.begin(store)
    else:
        with store.write() as tx:
            meta.put(tx, "window-before", b"%d %d" % (tx.window.start, tx.window.end))
            tx.window.moved(LATER).write(tx)
    right()
    reindex.run(store, stop=stop)
    right()
    with store.write() as tx:  # what changes without being parsed is not forgotten
        name = data.draw(st.sampled_from([f"{number}.ics" for number in range(len(wanted))]))
        one = items.get(tx, here, name)
        assert one is not None
        items.move(tx, here, one, here, f"new-{name}")
    truth = {f"new-{name}" if url == name else url for url in truth}
    right()
    assert reindex.run(store).ended
    right()


def damage_columns(store: Store) -> None:
    """As if another version had derived them."""
    from sqlalchemy import update

    from calsync.store.schema import item
    from calsync.store.statement import Prepared

    reindex.begin(store)
    with store.write() as tx:
        tx.run(Prepared(update(item).values(component="VTODO", first=0, last=0, span=0)))
