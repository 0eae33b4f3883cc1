from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calsync.store import collections, items, occurrences, principals, queries
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.occurrences import BUCKET, DAY, Window
from calsync.store.queries import SLACK
from calsync.store.transaction import Transaction
from tests.store.objects import card, event

EVER = (-(2**40), 2**40)


def instant(text: str) -> int:
    return int(datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp())


def stamp(value: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value)).strftime("%Y%m%dT%H%M%SZ")


def found(
    tx: Transaction, collection: Collection, start: int, end: int, components: Sequence[str] | None = ("VEVENT",)
) -> dict[str, bool]:
    """All candidates in pages of two: url → certain."""
    seen: dict[str, bool] = {}
    after = 0
    while page := queries.in_range(tx, collection, components, start, end, after, 2):
        assert [one.row.id for one in page] == sorted(one.row.id for one in page)
        seen |= {one.row.url: one.certain for one in page}
        after = page[-1].row.id
    return seen


def test_a_range_is_half_open(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        items.put(tx, calendar, "a.ics", event("a", start="20260301T100000Z", end="20260301T110000Z"))
        at = instant("20260301T100000Z")
        for components in (["VEVENT"], None):
            assert found(tx, calendar, at - 60, at, components) == {}
            assert found(tx, calendar, at - 60, at + 1, components) == {"a.ics": True}
            assert found(tx, calendar, at + 3599, at + 4000, components) == {"a.ics": True}
            assert found(tx, calendar, at + 3600, at + 4000, components) == {}
        assert found(tx, calendar, at, at + 60, ["VTODO"]) == {}


@pytest.mark.parametrize("days", [0, 1, 3, 30, 300, 3000])
def test_an_event_of_any_length_is_found_in_its_middle(store: Store, calendar: Collection, days: int) -> None:
    start = instant("20180101T000000Z")
    with store.write() as tx:
        items.put(tx, calendar, "a.ics", event("a", start=stamp(start), end=stamp(start + days * DAY + 1800)))
        middle = start + days * DAY // 2
        assert found(tx, calendar, middle, middle + 60) == {"a.ics": True}
        assert found(tx, calendar, start + days * DAY + 1800, start + days * DAY + 3600) == {}


def test_an_all_day_event_is_a_candidate_wherever_its_day_may_be(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        items.put(tx, calendar, "a.ics", event("a", start="20260301", end="20260302"))
        day = instant("20260301T000000Z")
        assert found(tx, calendar, day, day + DAY) == {"a.ics": False}
        assert found(tx, calendar, day - 14 * 3600, day - 13 * 3600) == {"a.ics": False}
        assert found(tx, calendar, day - SLACK - 60, day - SLACK) == {}
        assert found(tx, calendar, day - 10 * DAY, day + 10 * DAY) == {"a.ics": True}


def test_a_series_is_found_where_it_occurs(store: Store, calendar: Collection) -> None:
    weekly = event(
        "a", start="20260302T100000Z", end="20260302T110000Z", rule="FREQ=WEEKLY;COUNT=20", window=store.window
    )
    with store.write() as tx:
        items.put(tx, calendar, "a.ics", weekly)
        at = instant("20260309T100000Z")
        assert found(tx, calendar, at, at + 60) == {"a.ics": True}
        assert found(tx, calendar, at + DAY, at + 2 * DAY) == {}
        assert found(tx, calendar, at, 2**61) == {"a.ics": True}
        assert found(tx, calendar, -(2**61), at) == {"a.ics": True}
        item = items.get(tx, calendar, "a.ics")
        assert item is not None
        times = occurrences.between(tx, calendar, [item.id], at, at + 7 * DAY)
        assert times == {item.id: [(at, at + 3600), (at + 7 * DAY, at + 7 * DAY + 3600)]}
        items.delete(tx, calendar, item)
        assert occurrences.between(tx, calendar, [item.id], *EVER) == {}


def test_outside_the_window_a_series_is_a_candidate(store: Store, calendar: Collection) -> None:
    daily = event("a", start="20200101T100000Z", end="20200101T110000Z", rule="FREQ=DAILY", window=store.window)
    with store.write() as tx:
        items.put(tx, calendar, "a.ics", daily)
        late = store.window[1] + 100 * DAY
        assert found(tx, calendar, late, late + DAY) == {"a.ics": False}
        assert found(tx, calendar, late - 200 * DAY, late) == {"a.ics": True}
        early = instant("20190101T100000Z")
        assert found(tx, calendar, early, early + DAY) == {}


def test_while_derived_rows_are_made_anew_nothing_is_certain(store: Store, calendar: Collection) -> None:
    daily = event("a", start="20260101T100000Z", end="20260101T110000Z", rule="FREQ=WEEKLY", window=store.window)
    at = instant("20260103T000000Z")
    with store.write() as tx:
        items.put(tx, calendar, "a.ics", daily)
        items.put(tx, calendar, "b.ics", event("b", start=stamp(at), end=stamp(at + 60)))
        assert found(tx, calendar, at, at + DAY) == {"b.ics": True}
        Window(*store.window, generation=2, settled=0).write(tx)
        assert found(tx, calendar, at, at + DAY) == {"a.ics": False, "b.ics": False}


RULES = ["", "FREQ=DAILY;COUNT=5", "FREQ=WEEKLY;INTERVAL=2;COUNT=30", "FREQ=MONTHLY", "FREQ=YEARLY;COUNT=3"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=st.lists(
        st.tuples(
            st.integers(-1200, 1200),
            st.sampled_from([60, 3600, 5 * 3600, DAY, 3 * DAY, 40 * DAY, 900 * DAY]),
            st.sampled_from(RULES),
        ),
        max_size=6,
    ),
    begin=st.integers(-1500, 1500),
    length=st.sampled_from([3600, DAY, 31 * DAY, 500 * DAY, 600 * DAY, 2000 * DAY]),
)
def test_the_index_finds_what_a_slow_filter_finds(
    store: Store, calendar: Collection, events: list[tuple[int, int, str]], begin: int, length: int
) -> None:
    middle = instant("20261101T120000Z")
    start, end = middle + begin * DAY, middle + begin * DAY + length
    true: set[str] = set()
    pairs = []
    for number, (day, lasts, rule) in enumerate(events):
        first = middle + day * DAY
        texts = {"start": stamp(first), "end": stamp(first + lasts), "rule": rule}
        pairs.append((f"{number}.ics", event(str(number), **texts, window=store.window)))
        far = event(str(number), **texts, window=(start, end)).facts
        times = far.occurrences if far.recurring else ((far.first, far.last),)
        assert times is not None
        if any(a < end and b > start for a, b in times):
            true.add(f"{number}.ics")
    with store.write() as tx:
        items.replace_all(tx, calendar, pairs)
        for components in (["VEVENT"], None):
            seen = found(tx, calendar, start, end, components)
            assert true <= set(seen), "one is missing"
            assert {url for url, certain in seen.items() if certain} <= true, "one is not there"


@given(st.lists(st.tuples(st.integers(-400, 400), st.integers(0, 200 * DAY)), max_size=20), st.integers(-500, 500))
def test_occurrences_are_packed_without_loss(spans: list[tuple[int, int]], day: int) -> None:
    window = Window(-8 * BUCKET, 8 * BUCKET, 1)
    times = sorted((at * DAY, at * DAY + length) for at, length in spans)
    rows = occurrences.pack(times, window)
    seen = {time for bucket, packed in rows for time in occurrences.unpack(bucket, packed)}
    assert seen == {time for time in times if time[0] < window.end and max(time[1], time[0] + 1) > window.start}
    start, end = day * DAY, day * DAY + 3 * DAY
    touching = {time for time in seen if time[0] < end and time[1] > start}
    for bucket, packed in rows:
        inside = any(time in touching for time in occurrences.unpack(bucket, packed))
        assert occurrences.touches(bucket, packed, start, end) == inside


def test_a_uid_is_found_whole_or_in_part_without_case(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        for uid in ("abc-DEF", "xabc-defx", "other", "ABC-DEF@example"):
            items.put(tx, calendar, f"{uid}.ics", event(uid))
        assert [row.url for row in queries.uid_contains(tx, calendar, "Abc-def")] == [
            "abc-DEF.ics",
            "xabc-defx.ics",
            "ABC-DEF%40example.ics",
        ]
        assert queries.uid_contains(tx, calendar, "nobody") == []


@pytest.mark.parametrize(
    ("operator", "text", "uids"),
    [
        ("equals", "anna müller", {"1"}),
        ("contains", "MÜLLER", {"1", "2"}),
        ("contains", "%", {"3"}),
        ("starts-with", "bert", {"2"}),
        ("ends-with", "_ler", {"3"}),
        ("ends-with", "a longer text than any name here has", set()),
        ("contains", "", {"1", "2", "3"}),
    ],
)
def test_cards_are_found_by_a_property(store: Store, operator: str, text: str, uids: set[str]) -> None:
    with store.write() as tx:
        book = collections.create(tx, principals.create(tx, "anna"), 0, "book", "addressbook")
        for uid, name in (("1", "Anna Müller"), ("2", "Bertha Müller-Lüdenscheidt"), ("3", "100%_ler")):
            items.put(tx, book, f"{uid}.vcf", card(uid, name))
        ids = queries.cards(tx, book, "FN", operator, text)
        assert {row.url.removesuffix(".vcf") for row in items.rows(tx, book, sorted(ids))} == uids
