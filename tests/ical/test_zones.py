"""What a TZID means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calsync.ical import zones
from calsync.ical.lines import Component, scan

BERLIN = """BEGIN:VTIMEZONE
TZID:{tzid}
BEGIN:DAYLIGHT
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
DTSTART:19810329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
DTSTART:19961027T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
"""


def calendar(timezone: str = "") -> Component:
    return scan(f"BEGIN:VCALENDAR\nVERSION:2.0\n{timezone}END:VCALENDAR\n".encode()).components[0]


@pytest.mark.parametrize(
    ("tzid", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        (" Europe/Berlin ", "Europe/Berlin"),
        ('"Europe/Berlin"', "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("America/New York", "America/New_York"),
        ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("/freeassociation.sourceforge.net/Europe/Berlin", "Europe/Berlin"),
        ("/freeassociation.sourceforge.net/Tzfile/America/Indiana/Knox", "America/Indiana/Knox"),
        ("/citadel.org/20210210_1/Europe/Berlin", "Europe/Berlin"),
        ("/mozilla.org/20050126_1/Australia/Sydney", "Australia/Sydney"),
        ("US-Eastern", "US/Eastern"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("W. Europe Standard Time ", "Europe/Berlin"),  # Exchange: Radicale#715
        ("Eastern Standard Time", "America/New_York"),
        ("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", "Europe/Amsterdam"),
        ("(GMT+01.00) Prague / Warsaw", "Europe/Prague"),
        ("(UTC+10:00) Canberra, Melbourne, Sydney", "Australia/Canberra"),
    ],
)
def test_names(tzid: str, name: str) -> None:
    assert zones.find(tzid, None) == ZoneInfo(name)


@pytest.mark.parametrize("tzid", ["UTC", "Etc/UTC", "GMT", "Z", "tzone://Microsoft/Utc", "(UTC) Universal Time"])
def test_names_of_utc(tzid: str) -> None:
    assert zones.find(tzid, None) is UTC


@pytest.mark.parametrize(("tzid", "hours"), [("GMT+0100", 1), ("UTC-03:30", -3.5), ("(UTC+05:45) Somewhere", 5.75)])
def test_offsets(tzid: str, hours: float) -> None:
    assert zones.resolve(tzid, None).utcoffset(None) == timedelta(hours=hours)


@pytest.mark.parametrize("tzid", ["", "Nowhere", "Europe", "../../etc/passwd", "/etc/localtime", "a" * 5000, "\0"])
def test_what_nobody_knows_is_utc(tzid: str) -> None:
    assert zones.find(tzid, calendar()) is None
    assert zones.resolve(tzid, calendar()) is UTC


def test_a_known_name_wins_over_the_rules_that_came_with_it() -> None:
    assert zones.find("Europe/Berlin", calendar(BERLIN.format(tzid="Europe/Berlin"))) == ZoneInfo("Europe/Berlin")


@settings(max_examples=200, deadline=None)
@given(st.datetimes(datetime(1997, 1, 1), datetime(2090, 1, 1)), st.integers(0, 1))
def test_embedded_rules_are_followed(moment: datetime, fold: int) -> None:
    embedded = zones.find("Our Office", calendar(BERLIN.format(tzid="Our Office")))
    assert embedded is not None
    known = ZoneInfo("Europe/Berlin")
    wall = moment.replace(fold=fold)
    assert embedded.utcoffset(wall.replace(tzinfo=embedded)) == known.utcoffset(wall.replace(tzinfo=known))
    instant = moment.replace(tzinfo=UTC)
    there, expected = instant.astimezone(embedded), instant.astimezone(known)
    assert (there.replace(tzinfo=None), there.fold) == (expected.replace(tzinfo=None), expected.fold)


@pytest.mark.parametrize("second", range(-3601, 3602, 450))
def test_embedded_rules_at_the_change(second: int) -> None:
    embedded, known = zones.find("X", calendar(BERLIN.format(tzid="X"))), ZoneInfo("Europe/Berlin")
    for change in (datetime(2025, 3, 30, 1, tzinfo=UTC), datetime(2025, 10, 26, 1, tzinfo=UTC)):
        moment = change + timedelta(seconds=second)
        there, expected = moment.astimezone(embedded), moment.astimezone(known)
        assert (there.replace(tzinfo=None), there.fold) == (expected.replace(tzinfo=None), expected.fold)
        assert there.astimezone(UTC) == moment


@pytest.mark.parametrize(
    "timezone",
    [
        "BEGIN:VTIMEZONE\nTZID:X\nEND:VTIMEZONE\n",  # KDE: clients.md 25
        "BEGIN:VTIMEZONE\nTZID:X\nBEGIN:STANDARD\nDTSTART:19700101T000000\nEND:STANDARD\nEND:VTIMEZONE\n",
        BERLIN.format(tzid="Y"),
    ],
)
def test_a_timezone_without_rules_says_nothing(timezone: str) -> None:
    assert zones.find("X", calendar(timezone)) is None


def test_a_rule_that_explodes_is_left_out() -> None:
    zone = zones.find("X", calendar(BERLIN.format(tzid="X").replace("YEARLY", "SECONDLY")))
    assert zone is not None
    assert zone.utcoffset(datetime(2025, 1, 1)) in {timedelta(hours=1), timedelta(hours=2)}


def test_libical_says_where_it_is() -> None:
    timezone = BERLIN.format(tzid="X").replace("TZID:X", "TZID:X\nX-LIC-LOCATION:Europe/Lisbon")
    assert zones.find("X", calendar(timezone)) == ZoneInfo("Europe/Lisbon")


def test_zone_of_a_calendar_timezone() -> None:
    text = calendar(BERLIN.format(tzid="X")).octets.decode()
    assert zones.zone_of(text).utcoffset(datetime(2025, 7, 1)) == timedelta(hours=2)
    for bad in ("", "nonsense", calendar().octets.decode(), calendar(BERLIN.format(tzid="X")).octets.decode()[:80]):
        with pytest.raises(ValueError, match=r"time zone|TIMEZONE"):
            zones.zone_of(bad)
