"""Long answers leave piece by piece, and nothing is held between the pieces (decision D2, D9)."""

from __future__ import annotations

import base64
import gzip
import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from calsync.app import Application
from calsync.ical.facts import calendar_object
from calsync.store import collections, items, principals
from calsync.webdav import reader
from tests.dav.conftest import PASSWORD, Client, event
from tests.raw import Raw

MANY = 2500
#: No piece is larger, however long the answer is.
LARGEST_PIECE = 64 * 1024

PROPFIND = "<propfind xmlns='DAV:'><prop><getetag/><getcontenttype/></prop></propfind>"
SYNC = "<sync-collection xmlns='DAV:'><sync-token/><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>"
QUERY = (
    "<C:calendar-query xmlns='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><prop><getetag/><C:calendar-data/></prop>"
    "<C:filter><C:comp-filter name='VCALENDAR'><C:comp-filter name='VEVENT'/></C:comp-filter></C:filter>"
    "</C:calendar-query>"
)
MULTIGET = (
    "<C:calendar-multiget xmlns='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><prop><getetag/><C:calendar-data/></prop>"
    + "".join(f"<href>/anna/calendar/{number}.ics</href>" for number in range(MANY))
    + "</C:calendar-multiget>"
)
REQUESTS = [("PROPFIND", PROPFIND), ("REPORT", SYNC), ("REPORT", QUERY), ("REPORT", MULTIGET)]
NAMES = ["propfind", "sync", "query", "multiget"]

requests = pytest.mark.parametrize(("method", "body"), REQUESTS, ids=NAMES)


@pytest.fixture
def full(application: Application, anna: Client) -> Application:
    """Anna's calendar with many events."""
    anna.props("/anna/", "{DAV:}displayname")
    assert application.store is not None
    with application.store.write() as tx:
        owner = principals.find(tx, "anna")
        assert owner is not None
        calendar = collections.child(tx, owner.id, 0, "calendar")
        assert calendar is not None
        window = application.store.window
        pairs = [
            (f"{number}.ics", calendar_object(event(f"u{number}"), window=window, components=("VEVENT",)))
            for number in range(MANY)
        ]
        items.put_many(tx, calendar, pairs)
    return application


class Paused:
    """An answer of which the client has read the first piece only."""

    def __init__(self, application: Application, method: str, body: str, coding: str = "") -> None:
        octets = body.encode()
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": "/anna/calendar/",
            "calsync.raw_path": quote("/anna/calendar/"),
            "HTTP_AUTHORIZATION": "Basic " + base64.b64encode(f"anna:{PASSWORD}".encode()).decode(),
            "HTTP_HOST": "localhost:5232",
            "HTTP_DEPTH": "1",
            "HTTP_ACCEPT_ENCODING": coding,
            "CONTENT_LENGTH": str(len(octets)),
            "CONTENT_TYPE": "application/xml",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(octets),
        }
        self.started: list[str] = []
        self.answer = application(environ, lambda status, headers: self.started.append(status))
        self.pieces: Iterator[bytes] = iter(self.answer)
        self.first = next(self.pieces)

    def close(self) -> None:
        self.answer.close()  # type: ignore[attr-defined]


@requests
def test_the_first_piece_is_small_and_no_other_is_large(full: Application, method: str, body: str) -> None:
    paused = Paused(full, method, body)
    assert paused.started == ["207 Multi-Status"]
    rest = list(paused.pieces)
    assert len(paused.first) < 8192
    assert len(rest) > 5
    assert max(map(len, rest)) < LARGEST_PIECE
    answer = reader.read(b"".join([paused.first, *rest]))
    assert len([one for one in answer.responses if one.href.endswith(".ics")]) == MANY


@requests
def test_a_writer_and_a_checkpoint_go_on_beside_a_paused_reader(
    full: Application, anna: Client, method: str, body: str
) -> None:
    paused = Paused(full, method, body)
    assert anna.put("/anna/calendar/new.ics", event("new")).status == 201
    assert anna.put("/anna/calendar/2400.ics", event("u2400", "SUMMARY:changed")).status == 204
    assert anna.delete("/anna/calendar/2401.ics").status == 204
    assert Raw.of(full.store).becomes_idle()
    answer = reader.read(b"".join([paused.first, *paused.pieces]))
    told = [one.href for one in answer.responses]
    assert len(told) == len(set(told))
    assert "/anna/calendar/new.ics" not in told
    assert "/anna/calendar/2399.ics" in told


@requests
@pytest.mark.parametrize("coding", ["", "gzip", "br", "zstd"])
def test_a_client_that_goes_away_frees_everything(full: Application, method: str, body: str, coding: str) -> None:
    paused = Paused(full, method, body, coding)
    paused.close()
    assert list(paused.pieces) == []
    assert Raw.of(full.store).becomes_idle()


def test_the_first_coded_piece_can_be_read_before_the_second_is_made(full: Application) -> None:
    paused = Paused(full, "PROPFIND", PROPFIND, "gzip")
    with gzip.GzipFile(fileobj=io.BytesIO(paused.first)) as file:
        assert file.read(2000).count(b"<D:response>") > 3
    paused.close()
