"""What is fuzzed, by name: each takes octets, and raises only where what it calls broke its word.

`test_targets` runs them with hypothesis (short, always); `python -m tests.fuzz NAME` with atheris (long, by coverage).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import Final

import httptools

from calsync.dav import forms
from calsync.dav.filters import calendar as calendar_filters
from calsync.dav.filters import card as card_filters
from calsync.dav.filters.plan import calendar_plan, card_plan
from calsync.gate import compress
from calsync.gate.login import basic
from calsync.ical import facts, rules, whole, zones
from calsync.ical.budget import Budget, BudgetExceeded
from calsync.ical.instants import InvalidTime, parse_duration, parse_period, parse_time
from calsync.ical.lines import ScanError, scan, split_values, unescape
from calsync.ical.recur import occurrences
from calsync.ical.subset import calendar_data
from calsync.ical.validate import Refused
from calsync.store.changes import SyncToken
from calsync.webdav import headers, multistatus, parse, parse_bulk, urls
from calsync.webdav.errors import DavError
from calsync.webdav.requests import AddressbookQuery, CalendarData, CalendarQuery

Target = Callable[[bytes], object]
TARGETS: Final[dict[str, Target]] = {}

BUDGET: Final = Budget(instances=200, steps=5000, seconds=0.05, octets=100_000)
WINDOW: Final = (1_577_836_800, 1_893_456_000)


def target(run: Target) -> Target:
    TARGETS[run.__name__] = run
    return run


def _refuses(call: Callable[[], object]) -> object:
    """The value, or None where it was refused with a 4xx that says why in one line."""
    try:
        return call()
    except DavError as error:
        assert 400 <= error.status < 500 or error.status in (502, 507), error.status
        assert error.hint, error
        return None


@target
def scanner(octets: bytes) -> None:
    """What was scanned is the text again, line by line; what was refused names its line."""
    try:
        document = scan(octets)
    except ScanError as error:
        assert 1 <= error.line <= octets.count(b"\n") + octets.count(b"\r") + 2
        return
    assert document.prefix + b"".join(raw for raw, _ in document.tokens) == octets
    for root in document.components:
        for component in root.walk():
            assert octets[component.start : component.end] == component.octets
            for line in component.lines:
                assert line.name == line.name.upper()
                unescape(line.value)
                split_values(line.value, ",")
                assert all(isinstance(values, tuple) for _, values in line.params)


@target
def objects(octets: bytes) -> None:
    """A calendar object or a card: taken with its facts, or refused with a precondition; then it can be read."""
    for accept in (
        lambda: facts.calendar_object(octets, window=WINDOW, budget=BUDGET),
        lambda: facts.address_object(octets),
    ):
        try:
            found = accept()
        except Refused as error:
            assert re.fullmatch("[a-z-]+", error.condition), error.condition
            continue
        assert found.octets == octets
        if found.facts.kind != "VCALENDAR":
            continue
        (calendar,) = scan(octets).components
        with contextlib.suppress(BudgetExceeded):
            occurrences(calendar, *WINDOW, budget=BUDGET)
        with contextlib.suppress(BudgetExceeded):
            scan(calendar_data(calendar, CalendarData(expand=WINDOW), budget=BUDGET))


@target
def wholes(octets: bytes) -> None:
    """A whole calendar or address book, cut into objects."""
    for split in (whole.split_calendar, whole.split_cards):
        with contextlib.suppress(Refused, ValueError):
            for one in split(octets):
                assert isinstance(one, bytes | whole.Rejected)


@target
def times(octets: bytes) -> None:
    text = octets.decode("utf-8", "replace")
    for read in (parse_time, parse_duration, parse_period):
        with contextlib.suppress(InvalidTime):
            read(text)
    with contextlib.suppress(rules.RuleError):
        rules.parse(text)
    zones.resolver(None)(text)


@target
def xml(octets: bytes) -> None:
    """Every body that is XML, as whatever a client may call it."""
    for read in (parse.propfind, parse.proppatch, parse.mkcol, parse.mkcalendar, parse.report, parse.lockinfo):
        _refuses(lambda read=read: read(octets, "application/xml"))  # type: ignore[misc]
    _refuses(lambda: parse_bulk.multiput(octets, "application/xml"))
    _refuses(lambda: parse.propfind(octets, "text/xml; charset=utf-16"))


_EVENT: Final = scan(
    b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTART:20260101T000000Z\r\nRRULE:FREQ=DAILY\r\nSUMMARY;X=y:a,b\r\n"
    b"ATTENDEE;CN=x:mailto:a@b\r\nBEGIN:VALARM\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
).components[0]
_CARD: Final = scan(b"BEGIN:VCARD\r\nFN:a\r\nTEL;TYPE=x,y:1\r\nADR:;;a;b;;;\r\nEND:VCARD\r\n").components[0]


@target
def filters(octets: bytes) -> None:
    """A filter that is taken has a plan, and an answer for an object."""
    for root, space in (
        ("calendar-query", "urn:ietf:params:xml:ns:caldav"),
        ("addressbook-query", "urn:ietf:params:xml:ns:carddav"),
    ):
        body = b'<C:%s xmlns="DAV:" xmlns:C="%s"><prop/>%s</C:%s>' % (
            root.encode(),
            space.encode(),
            octets,
            root.encode(),
        )
        found = _refuses(lambda body=body: parse.report(body))  # type: ignore[misc]
        if isinstance(found, CalendarQuery):
            calendar_plan(found.filter)
            calendar_filters.matches(_EVENT, found.filter, budget=BUDGET)
        elif isinstance(found, AddressbookQuery):
            card_plan(found.filter)
            card_filters.matches(_CARD, found.filter)


@target
def header(octets: bytes) -> None:
    """Every header that has a grammar, as WSGI gives it."""
    text = octets.decode("latin-1")
    for read in (headers.if_header, headers.overwrite, headers.etag_list, headers.lock_token):
        _refuses(lambda read=read: read(text))  # type: ignore[misc]
    _refuses(lambda: headers.depth(text, "0"))
    _refuses(lambda: headers.destination(text, host="localhost:5232", base="/dav"))
    _refuses(lambda: basic(text))
    assert 1 <= headers.timeout(text) <= 86400
    headers.prefer(text, text)
    headers.media_type(text)
    headers.parse_http_date(text)
    compress.accepted(text)
    assert forms._best_version(text, "3.0") in ("3.0", "4.0", None)
    lists = _refuses(lambda: headers.if_header(text))
    if lists:
        headers.if_holds(lists, lambda uri: ('"x"', ()))  # type: ignore[arg-type]


@target
def url(octets: bytes) -> None:
    """A path that is taken is the same path when it is written and read again."""
    text = octets.decode("latin-1")
    found = _refuses(lambda: urls.decode_path(text))
    if isinstance(found, tuple):
        segments, slash = found
        written = urls.href("", segments, slash)
        assert re.fullmatch(r"[A-Za-z0-9_.~%/-]*", written), written
        assert urls.decode_path(written or "/") == (segments, slash or not segments)
    path = urls.split_uri(text)[2]
    assert "?" not in path
    assert "#" not in path
    multistatus.escape(text)


@target
def token(octets: bytes) -> None:
    text = octets.decode("utf-8", "replace")
    try:
        found = SyncToken.parse(text)
    except ValueError:
        return
    assert str(found) == text
    assert found.position < 2**63


class _Heard:
    """What llhttp tells the runner."""

    def on_url(self, url: bytes) -> None: ...
    def on_header(self, name: bytes, value: bytes) -> None: ...
    def on_headers_complete(self) -> None: ...
    def on_body(self, body: bytes) -> None: ...
    def on_message_complete(self) -> None: ...


@target
def http1_grammar(octets: bytes) -> None:
    """The library behind the HTTP/1.1 runner, in two reads; the runner itself: `test_targets`."""
    parser = httptools.HttpRequestParser(_Heard())
    try:
        parser.feed_data(octets[: len(octets) // 2])
        parser.feed_data(octets[len(octets) // 2 :])
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return
