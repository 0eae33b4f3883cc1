"""`calendar-data` (RFC 4791 §9.6)."""

import pytest

from calsync.dav.data import calendar_data
from calsync.ical.budget import Budget
from calsync.webdav.errors import Forbidden
from calsync.webdav.requests import CalendarData, ComponentSelection

DAILY = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20260101T000000Z\r\n"
    b"DTSTART:20260101T100000Z\r\nRRULE:FREQ=DAILY\r\nSUMMARY:x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
YEAR = (1767225600, 1798761600)
WHOLE = ComponentSelection("VCALENDAR")


@pytest.mark.parametrize("wanted", [CalendarData(), CalendarData(comp=WHOLE)])
def test_nothing_is_cut_where_all_is_wanted(wanted: CalendarData) -> None:
    assert calendar_data.is_whole(wanted)
    assert calendar_data.render(b"anything", wanted) == b"anything"


def test_in_part() -> None:
    event = ComponentSelection("VEVENT", (("UID", False),), ())
    wanted = CalendarData(comp=ComponentSelection("VCALENDAR", (), (event,)))
    given = calendar_data.render(DAILY, wanted)
    assert given == b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:u\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"


def test_expanded() -> None:
    assert calendar_data.render(DAILY, CalendarData(expand=YEAR)).count(b"BEGIN:VEVENT") == 365


def test_what_costs_too_much_keeps_its_rule() -> None:
    assert calendar_data.render(DAILY, CalendarData(expand=YEAR), budget=Budget(instances=10)) == DAILY


def test_what_is_no_calendar_is_given_as_it_is() -> None:
    assert calendar_data.render(b"BEGIN:VCALENDAR\r\n", CalendarData(expand=YEAR)) == b"BEGIN:VCALENDAR\r\n"


@pytest.mark.parametrize(
    "wanted", [CalendarData(version="1.0"), CalendarData(content_type="application/calendar+json")]
)
def test_what_cannot_be_made_is_refused_beforehand(wanted: CalendarData) -> None:
    with pytest.raises(Forbidden) as caught:
        calendar_data.check(wanted)
    assert caught.value.condition == "{urn:ietf:params:xml:ns:caldav}supported-calendar-data"
