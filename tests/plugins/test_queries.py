"""The index finds what stock Radicale finds in its folders by parsing all."""

from itertools import islice

import pytest
from radicale.app import Application

from tests import generator
from tests.plugins.stock import BOOK, Dav, configuration, event

RANGES = [
    ("20260301T000000Z", "20260401T000000Z"),
    ("20260310T100000Z", "20260310T110000Z"),
    ("20260310T000000Z", "20260311T000000Z"),
    ("20251228T000000Z", "20260104T000000Z"),
    ("20270101T000000Z", "20270108T000000Z"),
    ("20400101T000000Z", "20400201T000000Z"),
    ("20260601T000000Z", None),
    (None, "20260201T000000Z"),
    (None, None),
]


def odd(uid: str, kind: str, *lines: str) -> str:
    inner = "".join(f"{line}\r\n" for line in ("UID:" + uid, "DTSTAMP:20260101T000000Z", *lines))
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:{kind}\r\n{inner}END:{kind}\r\nEND:VCALENDAR\r\n"


ODD = {
    "all-day": odd("all-day", "VEVENT", "DTSTART;VALUE=DATE:20260310", "DTEND;VALUE=DATE:20260312"),
    "one-day": odd("one-day", "VEVENT", "DTSTART;VALUE=DATE:20260311"),
    "floating": odd("floating", "VEVENT", "DTSTART:20260310T233000", "DTEND:20260311T003000"),
    "instant": odd("instant", "VEVENT", "DTSTART:20260310T100000Z"),
    "duration": odd("duration", "VEVENT", "DTSTART:20260310T093000Z", "DURATION:PT1H"),
    "touches-start": event("touches-start", "20260310T090000Z", "20260310T100000Z"),
    "touches-end": event("touches-end", "20260310T110000Z", "20260310T120000Z"),
    "long": event("long", "20251201T000000Z", "20260501T000000Z"),
    "weekly": event("weekly", "20260105T100000Z", "20260105T110000Z", "RRULE:FREQ=WEEKLY\r\n"),
    "until": event("until", "20260105T100000Z", "20260105T110000Z", "RRULE:FREQ=DAILY;UNTIL=20260309T235959Z\r\n"),
    "counted": event("counted", "20260301T100000Z", "20260301T110000Z", "RRULE:FREQ=DAILY;COUNT=9\r\n"),
    "without": event(
        "without", "20260309T100000Z", "20260309T110000Z", "RRULE:FREQ=DAILY;COUNT=3\r\nEXDATE:20260310T100000Z\r\n"
    ),
    "yearly": odd("yearly", "VEVENT", "DTSTART;VALUE=DATE:20100310", "RRULE:FREQ=YEARLY"),
    "todo": odd("todo", "VTODO", "SUMMARY:x"),
    "due": odd("due", "VTODO", "DUE:20260310T103000Z"),
    "started": odd("started", "VTODO", "DTSTART:20260310T090000Z", "DUE:20260310T100000Z"),
    "begun": odd("begun", "VTODO", "DTSTART:20260310T103000Z"),
    "completed": odd("completed", "VTODO", "COMPLETED:20260310T103000Z"),
    "created": odd("created", "VTODO", "CREATED:20260201T103000Z"),
    "both": odd("both", "VTODO", "CREATED:20260201T103000Z", "COMPLETED:20260310T103000Z"),
    "daily-todo": odd(
        "daily-todo", "VTODO", "DTSTART:20260301T103000Z", "DUE:20260301T113000Z", "RRULE:FREQ=DAILY;COUNT=20"
    ),
    "journal": odd("journal", "VJOURNAL", "DTSTART;VALUE=DATE:20260310"),
    "diary": odd("diary", "VJOURNAL", "DTSTART:20260310T103000Z"),
}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dav, Dav]:
    """The same calendar and address book, over the store and over stock's folders."""
    ours, theirs = tmp_path_factory.mktemp("ours"), tmp_path_factory.mktemp("theirs")
    filled = []
    for folder, kind in ((ours, "calsync_storage"), (theirs, "multifilesystem")):
        made = configuration(folder, storage={"type": kind}, auth={"type": "none"})
        dav = Dav(Application(made))
        assert dav("MKCALENDAR", "/anna/cal/").status == 201
        assert dav("MKCOL", "/anna/book/", BOOK).status == 201
        for name, text in ODD.items():
            assert dav.put(f"/anna/cal/{name}.ics", text).status == 201, name
        for one in [*islice(generator.events(25), 25), *islice(generator.tasks(5), 5)]:
            assert dav.put(f"/anna/cal/{one.href}", one.octets.decode()).status == 201
        for one in islice(generator.contacts(10), 10):
            assert dav.put(f"/anna/book/{one.href}", one.octets.decode()).status == 201
        filled.append(dav)
    return filled[0], filled[1]


def query(component: str, inside: str) -> str:
    return (
        '<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/></prop><C:filter>'
        f'<C:comp-filter name="VCALENDAR"><C:comp-filter name="{component}">{inside}</C:comp-filter></C:comp-filter>'
        "</C:filter></C:calendar-query>"
    )


def found(dav: Dav, sent: str, path: str = "/anna/cal/") -> list[str]:
    answer = dav("REPORT", path, sent, depth="1")
    assert answer.status == 207
    return sorted(href.removeprefix(path) for href in answer.hrefs)


@pytest.mark.parametrize("component", ["VEVENT", "VTODO", "VJOURNAL"])
@pytest.mark.parametrize(("start", "end"), RANGES)
def test_time_ranges(both: tuple[Dav, Dav], component: str, start: str | None, end: str | None) -> None:
    ours, theirs = both
    attributes = (f'start="{start}" ' if start else "") + (f'end="{end}"' if end else "")
    sent = query(component, f"<C:time-range {attributes}/>" if attributes else "")
    assert found(ours, sent) == found(theirs, sent)


UID = '<C:prop-filter name="UID"><C:text-match {}>{}</C:text-match></C:prop-filter>'


@pytest.mark.parametrize(
    "inside",
    [
        UID.format("", "touches-start"),
        UID.format("", "TOUCHES"),
        UID.format('collation="i;octet"', "TOUCHES"),
        UID.format('negate-condition="yes"', "touches"),
        UID.format("", "nothing"),
        UID.format("", "touches") + '<C:time-range start="20260310T100000Z" end="20260310T113000Z"/>',
        '<C:prop-filter name="SUMMARY"><C:text-match>week</C:text-match></C:prop-filter>',
        '<C:prop-filter name="RRULE"><C:is-not-defined/></C:prop-filter>',
        '<C:prop-filter name="RRULE"/>',
        '<C:comp-filter name="VALARM"><C:is-not-defined/></C:comp-filter>',
    ],
)
def test_other_filters(both: tuple[Dav, Dav], inside: str) -> None:
    ours, theirs = both
    sent = query("VEVENT", inside)
    assert found(ours, sent) == found(theirs, sent)


def test_cards(both: tuple[Dav, Dav]) -> None:
    ours, theirs = both
    for name, text in (("FN", "a"), ("EMAIL", "example"), ("NOTE", "x")):
        sent = (
            '<CR:addressbook-query xmlns="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"><prop><getetag/></prop>'
            f'<CR:filter><CR:prop-filter name="{name}"><CR:text-match>{text}</CR:text-match></CR:prop-filter>'
            "</CR:filter></CR:addressbook-query>"
        )
        assert found(ours, sent, "/anna/book/") == found(theirs, sent, "/anna/book/")


def test_free_busy(both: tuple[Dav, Dav]) -> None:
    ours, theirs = both
    sent = (
        '<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav">'
        '<C:time-range start="20260301T000000Z" end="20260401T000000Z"/></C:free-busy-query>'
    )

    def busy(dav: Dav) -> list[str]:
        return [line for line in dav("REPORT", "/anna/cal/", sent).text.splitlines() if line.startswith("FREEBUSY")]

    assert busy(ours) == busy(theirs) != []


def test_the_etags_are_the_ones_of_the_folders(both: tuple[Dav, Dav]) -> None:
    # A move from Radicale downloads nothing anew.
    sent = '<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>'

    def etags(dav: Dav) -> dict[str, str]:
        listed = dav("PROPFIND", "/anna/cal/", sent, depth="1").xml.iterfind("{DAV:}response")
        found = {one.findtext("{DAV:}href") or "": one.findtext(".//{DAV:}getetag") or "" for one in listed}
        return {href: etag for href, etag in found.items() if not href.endswith("/")}

    assert etags(both[0]) == etags(both[1]) != {}
