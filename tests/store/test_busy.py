"""What the index tells of busy times is what the objects tell."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calsync.ical import freebusy
from calsync.ical.facts import calendar_object
from calsync.ical.lines import scan
from calsync.store import collections, items, principals
from calsync.store.busy import busy
from calsync.store.engine import Store
from tests import generator

LINES = {
    "DTSTART": ["20260401T100000Z", "20260401T100000", "20260330", "20260328T233000Z"],
    "END": ["", "DTEND:20260401T113000Z", "DURATION:PT0S", "DURATION:PT1S", "DURATION:P3D", "DTEND:20260401T090000Z"],
    "RULE": ["", "RRULE:FREQ=WEEKLY;COUNT=9", "RRULE:FREQ=DAILY", "RDATE:20260403T080000Z,20260407T090000Z"],
    "TRANSP": ["", "TRANSP:OPAQUE", "TRANSP:TRANSPARENT"],
    "STATUS": ["", "STATUS:TENTATIVE", "STATUS:CANCELLED", "STATUS:CONFIRMED"],
}
OVERRIDE = ["RECURRENCE-ID:20260408T100000Z", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260408T100000Z"]


@st.composite
def events(draw: st.DrawFn) -> bytes:
    def component(*more: str) -> list[str]:
        start = draw(st.sampled_from(LINES["DTSTART"]))
        dtstart = f"DTSTART;VALUE=DATE:{start}" if len(start) == 8 else f"DTSTART:{start}"
        rest = [draw(st.sampled_from(LINES[name])) for name in ("END", "TRANSP", "STATUS")]
        return ["BEGIN:VEVENT", "UID:u", "DTSTAMP:20260101T000000Z", dtstart, *rest, *more, "END:VEVENT"]

    lines = component(draw(st.sampled_from(LINES["RULE"])))
    if draw(st.booleans()):
        lines += component(draw(st.sampled_from(OVERRIDE)))
    elif draw(st.booleans()):
        lines = component(draw(st.sampled_from(OVERRIDE)))
    text = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", *lines, "END:VCALENDAR", ""]
    return "\r\n".join(line for line in text if line).encode() + b"\r\n"


NUMBERS = itertools.count()
DAY = 86_400
APRIL = 1_775_001_600


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    place: Path = tmp_path_factory.mktemp("busy")
    return Store.open(f"sqlite:///{place}/calsync.db")


def check(store: Store, texts: list[bytes], start: int, end: int) -> int:
    """The index with what it leaves to the octets, against all octets; how many it left."""
    with store.write() as tx:
        owner = principals.create(tx, f"user{next(NUMBERS)}")
        calendar = collections.create(tx, owner, 0, "c", "calendar", ("VEVENT",), {})
        for number, text in enumerate(texts):
            obj = calendar_object(text.replace(b"UID:u\r", b"UID:u%d\r" % number), window=store.window)
            items.put(tx, calendar, f"{number}.ics", obj)
    slow = [one for text in texts for root in scan(text).components for one in freebusy.busy_periods(root, start, end)]
    with store.read() as tx:
        known = busy(tx, calendar, start, end)
        assert known is not None
        bodies = items.page_bodies(tx, calendar, known.doubtful)
    fast = list(known.periods)
    for octets in bodies.values():
        for root in scan(octets).components:
            fast += freebusy.busy_periods(root, start, end)
    assert freebusy.merge(fast) == freebusy.merge(slow)
    return len(known.doubtful)


@settings(deadline=None, max_examples=150)
@given(events(), st.integers(-3 * DAY, 20 * DAY), st.integers(1, 40 * DAY))
def test_any_event(store: Store, text: bytes, offset: int, length: int) -> None:
    try:
        calendar_object(text, window=store.window)
    except ValueError:
        return
    check(store, [text], APRIL + offset, APRIL + offset + length)


def test_a_calendar_of_common_events_needs_no_octets(store: Store) -> None:
    texts = [resource.octets for resource in generator.events(300)]
    assert check(store, texts, APRIL, APRIL + 30 * DAY) == 0
