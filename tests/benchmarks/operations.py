"""The rows: what is asked, and how many answers it must bring.

A row gives, for a repetition's number, the requests that make up one operation; CPU is counted per operation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests import generator
from tests.benchmarks import bodies
from tests.benchmarks.wire import Request, Wire
from tests.generator import Resource

CALENDAR = "/bench/events/"
BOOK = "/bench/contacts/"
XML = {"Content-Type": "application/xml; charset=utf-8"}
ICS = {"Content-Type": "text/calendar; charset=utf-8"}

_RESPONSE = re.compile(rb"<(?:[A-Za-z]+:)?response[\s>]")
_TOKEN = re.compile(rb"sync-token>([^<]+)</")

Operation = Callable[[int], Sequence[Request]]


@dataclass(slots=True)
class Session:
    """What the rows need to know: the connection for preparing them, and the hrefs that are there."""

    wire: Wire
    items: int
    events: list[str] = field(default_factory=list)
    cards: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, wire: Wire, items: int) -> Session:
        events = [CALENDAR + resource.href for resource in generator.events(items)]
        return cls(wire, items, events, [BOOK + resource.href for resource in generator.contacts(items)])


@dataclass(frozen=True, slots=True)
class Row:
    """`goal`: calsync's CPU milliseconds at 10 000 items. `user`: who asks. `count`: answers in a body. `before`: done
    for a repetition's number, unmeasured. `warm`: ask once before measuring."""

    key: str
    title: str
    goal: float | None
    prepare: Callable[[Session], Operation]
    count: Callable[[bytes], int] = lambda body: len(_RESPONSE.findall(body))
    user: str = "bench"
    before: Callable[[Session, int], None] | None = None
    warm: bool = True


def _dav(method: str, path: str, depth: str, body: bytes) -> Request:
    return Request(method, path, body, {**XML, "Depth": depth})


def _same(*requests: Request) -> Callable[[Session], Operation]:
    return lambda _session: lambda _repetition: requests


def _sync_changed(session: Session) -> Operation:
    before = token(session.wire)
    for number in range(10):
        resource = generator.event(number, revision=1)
        session.wire.send(Request("PUT", CALENDAR + resource.href, resource.octets, ICS))
    request = _dav("REPORT", CALENDAR, "0", bodies.sync(before))
    return lambda _repetition: (request,)


def _sync_unchanged(session: Session) -> Operation:
    request = _dav("REPORT", CALENDAR, "0", bodies.sync(token(session.wire)))
    return lambda _repetition: (request,)


def token(wire: Wire, calendar: str = CALENDAR) -> str:
    """The sync-token of now."""
    answer = wire.send(_dav("PROPFIND", calendar, "0", bodies.POLL))
    found = _TOKEN.search(answer.body)
    if not found:
        raise ValueError(f"no sync-token in the answer to the poll (status {answer.status})")
    return found.group(1).decode()


def _multiget(size: int) -> Callable[[Session], Operation]:
    def prepare(session: Session) -> Operation:
        step = max(1, session.items // size)
        request = _dav("REPORT", CALENDAR, "1", bodies.calendar_multiget(session.events[::step][:size]))
        return lambda _repetition: (request,)

    return prepare


def _multiget_all(session: Session) -> Operation:
    requests = [
        _dav("REPORT", CALENDAR, "1", bodies.calendar_multiget(session.events[start : start + 500]))
        for start in range(0, session.items, 500)
    ]
    return lambda _repetition: requests


def _book_multiget(session: Session) -> Operation:
    request = _dav("REPORT", BOOK, "1", bodies.addressbook_multiget(session.cards[:500]))
    return lambda _repetition: (request,)


def _uid_match(session: Session) -> Operation:
    uid = generator.event(session.items // 2).uid
    request = _dav("REPORT", CALENDAR, "1", bodies.uid_query(uid))
    return lambda _repetition: (request,)


def _get_one(session: Session) -> Operation:
    return lambda repetition: (Request("GET", session.events[repetition % session.items]),)


def _put_update(session: Session) -> Operation:
    def operation(repetition: int) -> Sequence[Request]:
        resource = generator.event(repetition % session.items, revision=2 + repetition)
        return (Request("PUT", CALENDAR + resource.href, resource.octets, ICS),)

    return operation


def _put_new(_session: Session) -> Operation:
    def operation(repetition: int) -> Sequence[Request]:
        resource = generator.event(2_000_000 + repetition)
        return (Request("PUT", CALENDAR + resource.href, resource.octets, ICS),)

    return operation


def _delete(_session: Session) -> Operation:
    return lambda repetition: (Request("DELETE", CALENDAR + _doomed(repetition).href),)


def _before_delete(session: Session, repetition: int) -> None:
    resource = _doomed(repetition)
    session.wire.send(Request("PUT", CALENDAR + resource.href, resource.octets, ICS))


def _doomed(repetition: int) -> Resource:
    return generator.event(2_500_000 + repetition)


def _import(_session: Session) -> Operation:
    def operation(repetition: int) -> Sequence[Request]:
        body = generator.whole_calendar(generator.events(1000, first=3_000_000))
        return (Request("PUT", f"/bench/imported{repetition}/", body, ICS),)

    return operation


def _lines(word: bytes) -> Callable[[bytes], int]:
    return lambda body: body.count(word)


# A multiget may name a resource and leave its data out: then it was not answered.
_CALENDARS = _lines(b"BEGIN:VCALENDAR")
_CARDS = _lines(b"BEGIN:VCARD")


_PERIOD = re.compile(rb"(\d{8}T\d{6})Z?/(\d{8}T\d{6})")


def _busy_hours(body: bytes) -> int:
    """How long somebody is busy: servers may merge and order the periods as they like."""
    told = _PERIOD.findall(body.replace(b"\r\n ", b""))
    spans = sorted((_seconds(first), _seconds(last)) for first, last in told)
    total = reached = 0
    for first, last in spans:
        total += max(0, last - max(first, reached))
        reached = max(reached, last)
    return total // 3600


def _seconds(stamp: bytes) -> int:
    return int(datetime.strptime(stamp.decode(), "%Y%m%dT%H%M%S").replace(tzinfo=UTC).timestamp())


def _status_only(_body: bytes) -> int:
    return 1


LISTING = bodies.propfind("D:getetag", "D:resourcetype", "D:getcontenttype")

ROWS: tuple[Row, ...] = (
    Row("list-calendar", "PROPFIND Depth 1, calendar (getetag, resourcetype, getcontenttype)", 40,
        _same(_dav("PROPFIND", CALENDAR, "1", LISTING))),
    Row("list-book", "PROPFIND Depth 1, address book", 35, _same(_dav("PROPFIND", BOOK, "1", LISTING))),
    Row("poll", "poll: PROPFIND Depth 0 getctag + sync-token", 1, _same(_dav("PROPFIND", CALENDAR, "0", bodies.POLL))),
    Row("home-3", "home, 3 collections, iOS's properties", 3, _same(_dav("PROPFIND", "/bench/", "1", bodies.IOS_HOME))),
    Row("home-200", "home, 200 collections, iOS's properties", 15,
        _same(_dav("PROPFIND", "/many/", "1", bodies.IOS_HOME)), user="many"),
    Row("sync-initial", "sync-collection, initial", 30, _same(_dav("REPORT", CALENDAR, "0", bodies.sync("")))),
    Row("sync-10", "sync-collection, 10 changes", 2, _sync_changed),
    Row("sync-0", "sync-collection, nothing changed", 1, _sync_unchanged),
    Row("multiget-50", "calendar-multiget 50", 3, _multiget(50), _CALENDARS),
    Row("multiget-500", "calendar-multiget 500", 15, _multiget(500), _CALENDARS),
    Row("multiget-all", "all by multiget, 500 a time", 240, _multiget_all, _CALENDARS),
    Row("month-etags", "calendar-query one month, etags", 6,
        _same(_dav("REPORT", CALENDAR, "1", bodies.month_query("<D:getetag/>")))),
    Row("month-data", "calendar-query one month, with data", 25,
        _same(_dav("REPORT", CALENDAR, "1", bodies.month_query("<D:getetag/><C:calendar-data/>"))), _CALENDARS),
    Row("month-expand", "calendar-query one month, expand", 110,
        _same(_dav("REPORT", CALENDAR, "1", bodies.month_query(bodies.EXPANDED))), _lines(b"BEGIN:VEVENT")),
    Row("uid", "calendar-query UID text-match", 2, _uid_match),
    Row("free-busy", "free-busy-query one month", 15,
        _same(_dav("REPORT", CALENDAR, "1", bodies.FREE_BUSY)), _busy_hours),
    Row("book-query", "addressbook-query FN or EMAIL contains", 30,
        _same(_dav("REPORT", BOOK, "1", bodies.BOOK_QUERY))),
    Row("book-multiget-500", "addressbook-multiget 500", 18, _book_multiget, _CARDS),
    Row("get", "GET one", 1, _get_one, _lines(b"BEGIN:VCALENDAR")),
    Row("get-calendar", "GET whole calendar as .ics", 140, _same(Request("GET", CALENDAR)), _lines(b"BEGIN:VEVENT")),
    Row("put-update", "PUT update", 3, _put_update, _status_only),
    Row("put-new", "PUT new", 3, _put_new, _status_only),
    Row("delete", "DELETE", 2, _delete, _status_only, before=_before_delete),
    Row("import", "import 1 000 events (whole-collection PUT)", 500, _import, _status_only, warm=False),
)  # fmt: skip
