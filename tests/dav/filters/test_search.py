"""The plan with its residual, run over a real store, finds what the exact test finds by looking at everything."""

from __future__ import annotations

from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import bindparam, update

from calsync.dav.filters import calendar, card, search
from calsync.dav.filters.plan import (
    AllOf,
    AnyOf,
    FieldMatch,
    InRange,
    Listed,
    Nothing,
    Plan,
    Residual,
    WithUid,
    calendar_plan,
    card_plan,
)
from calsync.dav.filters.search import answers, calendar_search, card_search
from calsync.ical.budget import Budget, Purse
from calsync.ical.facts import ObjectResource, address_object, calendar_object
from calsync.ical.instants import format_utc, format_wall, parse_time
from calsync.ical.lines import fold, scan
from calsync.ical.validate import Refused
from calsync.store import items
from calsync.store.engine import Store
from calsync.store.schema import body
from calsync.store.statement import Prepared
from calsync.webdav.requests import (
    CalendarPropFilter,
    CardFilter,
    CardPropFilter,
    CompFilter,
    ParamFilter,
    TextMatch,
    TimeRange,
)
from tests.dav.filters.conftest import Fill
from tests.odd_lines import ACCEPTED
from tests.odd_lines import calendar as calendar_text

HOUR = 3600
BASE = parse_time("20260310T000000Z").wall
WIDE = (parse_time("20240101T000000Z").wall, parse_time("20290101T000000Z").wall)

# --- objects ----------------------------------------------------------------------------------------------------------

WALLS = st.integers(-6, 6).map(lambda quarter: BASE + quarter * 6 * HOUR) | st.sampled_from(
    [parse_time(text).wall for text in ("20100310T120000Z", "20241120T000000Z", "20260329T013000Z", "20400310T060000Z")]
)
FORMS = st.sampled_from(["utc", "berlin", "floating", "day"])


def time(name: str, wall: int, form: str) -> str:
    if form == "day":
        return f"{name};VALUE=DATE:{format_wall(wall)[:8]}"
    zone = {"berlin": ";TZID=Europe/Berlin", "utc": "", "floating": ""}[form]
    return f"{name}{zone}:{format_utc(wall) if form == 'utc' else format_wall(wall)}"


RULES = st.sampled_from(
    [
        *[""] * 6,
        "RRULE:FREQ=DAILY",
        "RRULE:FREQ=WEEKLY;COUNT=3",
        "RRULE:FREQ=YEARLY",
        "RRULE:FREQ=DAILY;INTERVAL=2;UNTIL=20260401T000000Z",
        "RRULE:FREQ=SECONDLY",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=31",
    ]
)
UIDS = st.sampled_from(["one", "ONE-two", "Straße", "two"])
EXTRAS = st.lists(
    st.sampled_from(
        [
            ("SUMMARY:Party",),
            ("CATEGORIES:a,b",),
            ("CATEGORIES;X-P=q:c",),
            ("X-FOO:bar",),
            ("STATUS:CANCELLED",),
            ("BEGIN:VALARM", "TRIGGER:-PT6H", "END:VALARM"),
            ("BEGIN:VALARM", "TRIGGER;RELATED=END:P1D", "ACTION:AUDIO", "END:VALARM"),
            ("BEGIN:VALARM", "TRIGGER;VALUE=DATE-TIME:20260310T120000Z", "END:VALARM"),
        ]
    ),
    max_size=2,
).map(lambda found: [line for lines in found for line in lines])


@st.composite
def events(draw: st.DrawFn) -> bytes:
    uid, form, wall = draw(UIDS), draw(FORMS), draw(WALLS)
    lines = ["BEGIN:VEVENT", f"UID:{uid}", time("DTSTART", wall, form)]
    length = draw(st.sampled_from([None, 0, 1, 6, 48, 2000]))
    if length is not None and draw(st.booleans()) and form != "day":
        lines.append(f"DURATION:PT{length}H")
    elif length is not None:
        lines.append(time("DTEND", wall + (length * HOUR if form != "day" else (length // 24 + 1) * 24 * HOUR), form))
    rule = draw(RULES)
    lines += [*([rule] if rule else []), *draw(EXTRAS), "END:VEVENT"]
    alone = not rule and draw(st.integers(0, 4)) == 0  # Teams sends instances without their master (clients.md 32)
    lines = [] if alone else lines
    days = st.lists(st.integers(0, 3), min_size=int(alone), max_size=2, unique=True)
    for day in draw(days) if alone or rule else ():
        named = wall + day * 24 * HOUR
        moved = named + draw(st.integers(-9, 9)) * 3 * HOUR
        lines += ["BEGIN:VEVENT", f"UID:{uid}", time("RECURRENCE-ID", named, form), time("DTSTART", moved, form)]
        lines += [*draw(EXTRAS), "END:VEVENT"]
    return calendar_text(*lines)


@st.composite
def tasks(draw: st.DrawFn) -> bytes:
    form = draw(FORMS)
    lines = ["BEGIN:VTODO", f"UID:{draw(UIDS)}"]
    for name in ("DTSTART", "DUE"):
        if draw(st.booleans()):
            lines.append(time(name, draw(WALLS), form))
    for name in ("COMPLETED", "CREATED"):
        if draw(st.booleans()):
            lines.append(time(name, draw(WALLS), "utc"))
    rule = draw(RULES)
    return calendar_text(*lines, *([rule] if rule else []), *draw(EXTRAS), "END:VTODO")


@st.composite
def others(draw: st.DrawFn) -> bytes:
    kind = draw(st.sampled_from(["VJOURNAL", "VFREEBUSY", "VFREEBUSY", "VAVAILABILITY", "X-THING"]))
    lines = [f"BEGIN:{kind}", f"UID:{draw(UIDS)}"]
    form = draw(FORMS)
    if draw(st.booleans()):
        lines.append(time("DTSTART", draw(WALLS), form))
        if draw(st.booleans()) and kind in ("VFREEBUSY", "VAVAILABILITY"):
            lines.append(time("DTEND", draw(WALLS), form))
    if kind == "VFREEBUSY":
        walls = draw(st.lists(WALLS, max_size=3))
        lines += [f"FREEBUSY:{format_utc(wall)}/PT3H" for wall in walls]
    if kind == "VJOURNAL" and draw(st.booleans()):
        lines.append(draw(RULES) or "STATUS:DRAFT")
    extra = ("BEGIN:X-THING", "END:X-THING") if draw(st.booleans()) else ()
    return calendar_text(*lines, f"END:{kind}", *extra)


def taken(octets: bytes) -> ObjectResource | None:
    try:
        return calendar_object(octets, window=WIDE)
    except Refused:
        return None


OBJECTS = st.lists(st.one_of(events(), events(), tasks(), others()), min_size=1, max_size=8)

# --- filters ----------------------------------------------------------------------------------------------------------

EDGES = st.none() | WALLS | st.integers(-40, 40).map(lambda step: BASE + step * HOUR)
RANGES = (
    st.tuples(EDGES, EDGES)
    .filter(
        lambda ends: ends != (None, None) and (None in ends or ends[0] < ends[1])  # type: ignore[operator]
    )
    .map(lambda ends: TimeRange(*ends))
)
COLLATIONS = st.sampled_from(["i;ascii-casemap", "i;octet", "i;unicode-casemap"])
TYPES = st.sampled_from(["contains", "contains", "equals", "starts-with", "ends-with"])


def matches_of(texts: list[str]) -> st.SearchStrategy[TextMatch]:
    return st.builds(TextMatch, st.sampled_from(texts), COLLATIONS, st.sampled_from([False, False, True]), TYPES)


PARAMS = st.lists(
    st.builds(ParamFilter, st.sampled_from(["X-P", "TYPE", "TZID"]), st.booleans(), st.none())
    | st.builds(ParamFilter, st.sampled_from(["X-P", "TYPE"]), st.just(False), matches_of(["q", "home", ""])),
    max_size=1,
).map(tuple)
PROPS = st.one_of(
    st.builds(CalendarPropFilter, st.just("UID"), text_match=matches_of(["one", "ONE", "strasse", "ß", "o", ""])),
    st.builds(
        CalendarPropFilter,
        st.sampled_from(["SUMMARY", "CATEGORIES", "X-FOO", "LOCATION"]),
        text_match=st.none() | matches_of(["party", "a", "a,b", ""]),
        params=PARAMS,
    ),
    st.builds(CalendarPropFilter, st.sampled_from(["RRULE", "STATUS"]), is_not_defined=st.just(True)),
    st.builds(CalendarPropFilter, st.sampled_from(["DTSTART", "DUE", "COMPLETED"]), time_range=RANGES),
)
FEW_PROPS = st.sampled_from([0, 0, 0, 1, 2]).flatmap(lambda size: st.lists(PROPS, min_size=size, max_size=size))
ALARM = st.builds(CompFilter, st.just("VALARM"), st.booleans()) | st.builds(
    CompFilter, st.just("VALARM"), time_range=st.none() | RANGES
)
KINDS = st.sampled_from(["VEVENT", "VEVENT", "VEVENT", "VTODO", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"])
COMPS = st.one_of(
    st.builds(
        CompFilter,
        KINDS,
        time_range=st.none() | RANGES,
        props=FEW_PROPS.map(tuple),
        comps=st.lists(ALARM, max_size=1).map(tuple) | st.just(()),
    ),
    st.builds(CompFilter, KINDS, time_range=RANGES),
    st.builds(CompFilter, KINDS | st.sampled_from(["X-THING", "VTIMEZONE"]), st.booleans()),
)
ANY = st.builds(
    CompFilter,
    st.just("VCALENDAR"),
    props=st.sampled_from([(), (), (), (CalendarPropFilter("VERSION"),), (CalendarPropFilter("METHOD"),)]),
    comps=st.lists(COMPS, max_size=2).map(tuple),
)
# What clients send, and where the index has the last word.
ONLY_RANGE = st.builds(CompFilter, KINDS, time_range=RANGES).map(lambda comp: CompFilter("VCALENDAR", comps=(comp,)))
FILTERS = st.lists(ANY, max_size=4).flatmap(
    lambda some: st.lists(ONLY_RANGE, min_size=4, max_size=12).map(lambda more: some + more)
)
ZONES = st.sampled_from([UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Auckland"), ZoneInfo("Pacific/Honolulu")])

# Bounded by steps alone: seconds are not the same from run to run.
BUDGET = Budget(instances=3000, steps=20_000, seconds=60)
PATIENT = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@PATIENT
@given(octets=OBJECTS, filters=FILTERS, zone=ZONES)
def test_calendars(store: Store, fill: Fill, octets: list[bytes], filters: list[CompFilter], zone: tzinfo) -> None:
    uids: set[str] = set()
    objects = []
    for one in octets:
        found = taken(one)
        if found is not None and found.facts.uid not in uids:
            uids.add(found.facts.uid)
            objects.append(found)
    collection = fill("calendar", objects)
    for wanted in filters:
        expected = {
            str(place)
            for place, one in enumerate(objects)
            if calendar.matches(scan(one.octets).components[0], wanted, zone, BUDGET)
        }
        found_rows = [
            row.url for row, _ in answers(store.read, calendar_search(collection, wanted, zone, Purse(60, BUDGET)))
        ]
        assert len(found_rows) == len(set(found_rows))
        assert set(found_rows) == expected, (wanted, [one.octets.decode() for one in objects])


# --- cards ------------------------------------------------------------------------------------------------------------

LINES = st.sampled_from(
    [
        "FN:Zoë Straße",
        "FN:zoe",
        "N:Straße;Zoë;;;",
        "EMAIL;TYPE=HOME:zoe@home.example",
        "EMAIL;TYPE=WORK,PREF:ZOE@work.example",
        "item1.EMAIL:x@home.example",
        "NICKNAME:zo,Zozo",
        "NOTE:",
        "NOTE: padded ",
        "CATEGORIES:a,home",
        "X-ADDRESSBOOKSERVER-KIND:group",
        "KIND:group",
        "X-FOO:home",
    ]
)
CARDS = st.lists(st.lists(LINES, max_size=5), min_size=1, max_size=6)
CARD_PROPS = st.builds(
    CardPropFilter,
    st.sampled_from(["FN", "N", "EMAIL", "ITEM1.EMAIL", "NICKNAME", "NOTE", "CATEGORIES", "KIND", "X-FOO", "TITLE"]),
    anyof=st.booleans(),
    text_matches=st.lists(
        matches_of(["zo", "ZOË", "zoe\u0308", "strasse", "home", "group", "zozo", " padded", "padded", ""]), max_size=2
    ).map(tuple),
    params=PARAMS,
) | st.builds(CardPropFilter, st.sampled_from(["FN", "NOTE", "KIND", "EMAIL"]), is_not_defined=st.just(True))
CARD_FILTERS = st.builds(CardFilter, st.booleans(), st.lists(CARD_PROPS, max_size=3).map(tuple))


@PATIENT
@given(cards=CARDS, filters=st.lists(CARD_FILTERS, min_size=1, max_size=20))
def test_address_books(store: Store, fill: Fill, cards: list[list[str]], filters: list[CardFilter]) -> None:
    texts = [
        b"".join(map(fold, ["BEGIN:VCARD", "VERSION:3.0", f"UID:{place}", *lines, "END:VCARD"]))
        for place, lines in enumerate(cards)
    ]
    objects = [address_object(text) for text in (*texts, b"BEGIN:VLIST\r\nUID:list\r\nFN:Zoe\r\nEND:VLIST\r\n")]
    collection = fill("addressbook", objects)
    for wanted in filters:
        expected = {
            str(place) for place, one in enumerate(objects) if card.matches(scan(one.octets).components[0], wanted)
        }
        assert {row.url for row, _ in answers(store.read, card_search(collection, wanted))} == expected, wanted


# --- the walk ---------------------------------------------------------------------------------------------------------


def event(place: int, *lines: str) -> ObjectResource:
    head = (f"UID:uid-{place}", f"DTSTART:{format_utc(BASE + place * HOUR)}", "DURATION:PT1H")
    return calendar_object(calendar_text("BEGIN:VEVENT", *head, *lines, "END:VEVENT"), window=WIDE)


EVENT = CompFilter("VCALENDAR", comps=(CompFilter("VEVENT"),))
IN_RANGE = CompFilter("VCALENDAR", comps=(CompFilter("VEVENT", time_range=TimeRange(BASE, BASE + 50 * HOUR)),))
WITH_TEXT = CompFilter(
    "VCALENDAR",
    comps=(CompFilter("VEVENT", props=(CalendarPropFilter("DESCRIPTION", text_match=TextMatch("xx")),)),),
)


@pytest.mark.parametrize("wanted", [EVENT, IN_RANGE, WITH_TEXT])
@pytest.mark.parametrize("octets", [True, False])
def test_pages_are_small_and_whole_together(
    store: Store, fill: Fill, monkeypatch: pytest.MonkeyPatch, wanted: CompFilter, octets: bool
) -> None:
    monkeypatch.setattr(search, "ROWS", 7)
    monkeypatch.setattr(search, "OCTETS", 1500)
    objects = [event(place, "DESCRIPTION:" + "x" * 300) for place in range(50)]
    walk = calendar_search(fill("calendar", objects), wanted, octets=octets)
    rows = []
    while not walk.done:
        with store.read() as tx:
            page = walk.page(tx)
        assert len(page.bodies) <= 4
        rows += page.rows
        assert not octets or {row.id for row in page.rows} <= set(page.bodies)
    assert [row.url for row in rows] == [str(place) for place in range(50)]


def test_what_changes_during_the_walk_is_judged_anew(store: Store, fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "OCTETS", 1)
    collection = fill("calendar", [event(place) for place in range(4)])
    walk = calendar_search(collection, IN_RANGE, octets=True)
    with store.read() as tx:
        assert [row.url for row in walk.page(tx).rows] == ["0"]
    with store.write() as tx:
        items.put_many(tx, collection, [("1", event(1, "SUMMARY:new")), ("2", event(2, "DTSTAMP:20260101T000000Z"))])
        moved = calendar_object(event(1).octets.replace(b"DTSTART:2026", b"DTSTART:2036"), window=WIDE)
        items.put_many(tx, collection, [("1", moved)])
        gone = items.get(tx, collection, "3")
        assert gone is not None
        items.delete(tx, collection, gone)
    assert [(row.url, octets) for row, octets in answers(store.read, walk)] == [
        ("2", event(2, "DTSTAMP:20260101T000000Z").octets)
    ]


def test_a_damaged_object_is_in_the_answer(store: Store, fill: Fill) -> None:
    # decision D8: it is told as damaged, never left out
    collection = fill("calendar", [event(0)])
    with store.write() as tx:
        found = items.get(tx, collection, "0")
        assert found is not None
        damage = update(body).where(body.c.item == bindparam("item")).values(octets=b"BEGIN:")
        tx.run(Prepared(damage), item=found.id)
    assert [row.url for row, _ in answers(store.read, calendar_search(collection, WITH_TEXT))] == ["0"]


def test_odd_objects_are_found_by_their_uid(store: Store, fill: Fill) -> None:
    objects = [calendar_object(odd.octets, window=WIDE) for odd in ACCEPTED if odd.kind == "calendar"]
    seen: dict[str, ObjectResource] = {}
    for one in objects:
        seen.setdefault(one.facts.uid, one)
    collection = fill("calendar", list(seen.values()))
    for uid, one in seen.items():
        if uid.strip() and one.facts.component in ("VEVENT", "VTODO", "VJOURNAL"):
            match = CalendarPropFilter("UID", text_match=TextMatch(uid.strip(), "i;octet", match_type="equals"))
            wanted = CompFilter("VCALENDAR", comps=(CompFilter(one.facts.component, props=(match,)),))
            assert [row.etag for row, _ in answers(store.read, calendar_search(collection, wanted))] == [one.etag]


# --- what is left to the residual -------------------------------------------------------------------------------------


def inside(*comps: CompFilter) -> CompFilter:
    return CompFilter("VCALENDAR", comps=comps)


MARCH = TimeRange(BASE, BASE + HOUR)


@pytest.mark.parametrize(
    ("wanted", "plan"),
    [
        (CompFilter("VCARD"), Plan(Nothing(), Residual.NEVER)),
        (CompFilter("VCALENDAR"), Plan(Listed(), Residual.NEVER)),
        (EVENT, Plan(Listed(component="VEVENT"), Residual.NEVER)),
        (inside(CompFilter("VTODO", is_not_defined=True)), Plan(Listed(unlike="VTODO"), Residual.NEVER)),
        (inside(CompFilter("VTIMEZONE")), Plan(Listed(), Residual.ALWAYS)),
        (
            inside(CompFilter("VEVENT", time_range=MARCH)),
            Plan(InRange("VEVENT", BASE, BASE + HOUR), Residual.DOUBTFUL),
        ),
        (inside(CompFilter("VTODO", time_range=MARCH)), Plan(InRange("VTODO", BASE, BASE + HOUR), Residual.ALWAYS)),
        (
            inside(
                CompFilter("VEVENT", time_range=MARCH, props=(CalendarPropFilter("UID", text_match=TextMatch("Abc")),))
            ),
            Plan(WithUid("VEVENT", "Abc"), Residual.ALWAYS),
        ),
    ],
)
def test_plans_of_calendars(wanted: CompFilter, plan: Plan) -> None:
    assert calendar_plan(wanted) == plan


def field(name: str, *matches: TextMatch, anyof: bool = True) -> CardPropFilter:
    return CardPropFilter(name, anyof=anyof, text_matches=matches)


ZOE = TextMatch("Zoë", "i;unicode-casemap")
FN, EMAIL = FieldMatch("FN", "contains", "zoe\u0308"), FieldMatch("EMAIL", "contains", "zoe\u0308")


@pytest.mark.parametrize(
    ("wanted", "plan"),
    [
        (CardFilter(), Plan(Listed(component="VCARD"), Residual.NEVER)),
        (CardFilter(props=(field("FN", ZOE), field("EMAIL", ZOE))), Plan(AnyOf((FN, EMAIL)), Residual.NEVER)),
        (
            CardFilter(anyof=False, props=(field("FN", ZOE), field("X-FOO", ZOE))),
            Plan(FN, Residual.ALWAYS),
        ),
        (CardFilter(props=(field("FN", ZOE), field("X-FOO", ZOE))), Plan(Listed(component="VCARD"), Residual.ALWAYS)),
        (CardFilter(props=(field("FN", ZOE, ZOE, anyof=False),)), Plan(AllOf((FN, FN)), Residual.ALWAYS)),
        (CardFilter(props=(field("FN", TextMatch("Zoë", "i;octet")),)), Plan(FN, Residual.ALWAYS)),
        (CardFilter(props=(CardPropFilter("FN", is_not_defined=True),)), Plan(Listed("VCARD"), Residual.ALWAYS)),
    ],
)
def test_plans_of_address_books(wanted: CardFilter, plan: Plan) -> None:
    assert card_plan(wanted) == plan
