"""What was accepted never makes a later read slow, and a thousand of them no slower than the purse of a request.

No time is measured here: what is not bounded takes minutes, and the time-out of the test ends it. `measure` has figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from calsync.app import Application
from calsync.store import reindex
from tests.dav.conftest import Client
from tests.hostile.calendar_objects import HEAD, RULES, TIMES, Body, numbers, overrides, series, text
from tests.hostile.case import HOME, NEW, SPACES, Case

RANGES = (
    ("20260101T000000Z", "20260108T000000Z"),
    ("19000101T000000Z", "21000101T000000Z"),
    ("99980101T000000Z", "99981231T000000Z"),
)
QUERY = (
    f"<C:calendar-query {SPACES}><prop>%s</prop><C:filter><C:comp-filter name='VCALENDAR'><C:comp-filter name='VEVENT'>"
    "%s</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
)
ALARMS = QUERY % ("<getetag/>", "<C:comp-filter name='VALARM'><C:time-range start='%s' end='%s'/></C:comp-filter>")
TEXT = QUERY % ("<getetag/>", "<C:prop-filter name='SUMMARY'><C:text-match>zz</C:text-match></C:prop-filter>")


def readings() -> Iterator[str]:
    """Every report that has to know when something happens."""
    yield TEXT
    for start, end in RANGES:
        inside = f"<C:time-range start='{start}' end='{end}'/>"
        for data in ("expand", "limit-recurrence-set"):
            yield QUERY % (f"<C:calendar-data><C:{data} start='{start}' end='{end}'/></C:calendar-data>", inside)
        yield QUERY % ("<getetag/>", inside)
        yield ALARMS % (start, end)
        yield f"<C:free-busy-query {SPACES}>{inside}</C:free-busy-query>"


ACCEPTED = [(name, body) for name, body, status, _ in (*RULES, *TIMES) if status == 201]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("body", [body for _, body in ACCEPTED], ids=[name for name, _ in ACCEPTED])
def test_every_reading_of_an_accepted_object_is_bounded(anna: Client, body: Body) -> None:
    assert anna.delete(HOME).status in (200, 204)
    assert anna.mkcalendar(HOME).status == 201  # of all kinds of components
    case = Case("", "PUT", NEW, 201, body=body)
    assert anna.put(NEW, case.octets).status == 201
    for report in readings():
        answer = anna.request("REPORT", HOME, report, Depth="1")
        assert answer.status in (200, 207), (answer.status, answer.body[:300], report)
        assert len(answer.body) < 25_000_000
    assert anna.get(NEW).body == case.octets


def many(count: int, *lines: str) -> bytes:
    """A calendar of so many events, each of its own UID."""
    one = series(*lines)
    event = one[one.index("BEGIN:VEVENT") : one.index("END:VCALENDAR")]
    events = (event.replace("UID:x", f"UID:x{number}") for number in range(count))
    return (text(*HEAD) + "".join(events) + "END:VCALENDAR\r\n").encode()


DEAR = {
    "every second, none of them": ("RRULE:FREQ=SECONDLY", "EXRULE:FREQ=SECONDLY"),
    "a day that never comes": ("RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",),
    "16 rules that never come": ("RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",) * 16,
    "the last of a cross product": (
        f"RRULE:FREQ=YEARLY;BYHOUR={numbers(24)};BYMINUTE={numbers(60)};BYSECOND={numbers(60)};BYSETPOS=-1",
    ),
}
FEW = [list(readings())[place] for place in (3, 5, 6)]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "what", [next(iter(DEAR)), *(pytest.param(one, marks=pytest.mark.soak) for one in list(DEAR)[1:])]
)
def test_a_thousand_of_them_are_bounded_together(anna: Client, application: Application, what: str) -> None:
    """Each may take its 50 ms; all of them would take minutes for every report. What was cut off is told."""
    path = "/anna/many/"
    assert anna.put(path, many(1000, *DEAR[what])).status == 201
    told = 0
    for report in FEW:
        answer = anna.request("REPORT", path, report, Depth="1")
        assert answer.status in (200, 207, 403), (answer.status, answer.body[:300])
        told += b"number-of-matches-within-limits" in answer.body
    assert told
    assert len(anna.propfind(path, Depth="1").statuses) == 1001


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_dear_objects_are_indexed_anew_in_the_time_that_each_may_take(anna: Client, application: Application) -> None:
    assert anna.put("/anna/many/", many(1000, *DEAR["16 rules that never come"])).status == 201
    assert application.store is not None
    reindex.begin(application.store)
    assert reindex.run(application.store).problems == []


def test_ordinary_calendars_never_meet_the_limit(anna: Client) -> None:
    path = "/anna/many/"
    assert anna.put(path, many(800, "RRULE:FREQ=WEEKLY;BYDAY=MO,WE", "EXDATE:20200108T000000Z")).status == 201
    for report in list(readings())[:6]:
        assert b"number-of-matches" not in anna.request("REPORT", path, report, Depth="1").body


def test_more_dates_than_occurrences_are_allowed_are_refused(anna: Client) -> None:
    """Each is read again whenever somebody asks about a range."""
    few, most = overrides(20), overrides(10_001)
    assert anna.put(NEW, few).status == 201
    answer = anna.put(NEW, most)
    assert (answer.status, b"max-instances" in answer.body) == (403, True)
    assert anna.get(NEW).text == few


def test_busy_times_that_nobody_can_count_are_not_told_as_free(anna: Client) -> None:
    assert anna.put(NEW, series("RRULE:FREQ=SECONDLY", "EXRULE:FREQ=SECONDLY;INTERVAL=2")).status == 201
    start, end = RANGES[0]
    inside = f"<C:time-range start='{start}' end='{end}'/>"
    answer = anna.report(HOME, f"<C:free-busy-query {SPACES}>{inside}</C:free-busy-query>")
    assert "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20260101T000000Z/20260108T000000Z" in answer.text


def test_the_budget_reaches_across_calendars(anna: Client) -> None:
    for number in range(2):
        assert anna.put(f"/anna/many{number}/", many(30, *DEAR["every second, none of them"])).status == 201
    start, end = RANGES[0]
    inside = f"<C:time-range start='{start}' end='{end}'/>"
    answer = anna.request("REPORT", "/anna/", QUERY % ("<getetag/>", inside), Depth="infinity")
    assert answer.statuses["/anna/"] == 507
    assert len(answer.statuses) < 61


@pytest.mark.parametrize("where", ["displayname", 'x xmlns="urn:x"'])
def test_a_property_that_would_make_every_visit_slow_is_not_kept(anna: Client, tmp_path: Path, where: str) -> None:
    name = where.split()[0]
    sent = f'<propertyupdate xmlns="DAV:"><set><prop><{where}>%s</{name}></prop></set></propertyupdate>'
    assert b"507" in anna.proppatch(HOME, sent % ("x" * 300_000)).body
    assert b"200 OK" in anna.proppatch(HOME, sent % ("x" * 200_000)).body
    for number in range(9):
        more = sent.replace("urn:x", f"urn:{number}").replace("displayname", f"p{number}")
        answer = anna.proppatch(HOME, more % ("x" * 200_000))
        assert (b"507" in answer.body) == (number > 3), number


def test_links_that_lead_to_each_other_are_followed_only_so_often(anna: Client) -> None:
    links = "<href>/anna/</href>" * 100
    sent = f'<propertyupdate xmlns="DAV:"><set><prop><x:l xmlns:x="urn:x">{links}</x:l></prop></set></propertyupdate>'
    assert anna.proppatch("/anna/", sent).status == 207
    one = '<property name="l" namespace="urn:x">'
    body = f'<expand-property xmlns="DAV:">{one * 20}{"</property>" * 20}</expand-property>'
    answer = anna.report("/anna/", body)
    assert answer.status == 207
    assert len(answer.body) < 10_000_000
