"""Stock Radicale as the oracle: the same requests to both, parsed answers compared.

What is meant to differ stands in `DIFFERENT` with its reason, and is checked to differ: a row that no longer does fails.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from radicale import config as stock_config
from radicale.app import Application as StockApplication

from calsync.webdav import reader
from calsync.webdav.names import CALDAV
from tests.dav.conftest import Answer, Client, card, event

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@dataclass
class Stock:
    """A stock Radicale with the same three collections, asked without a socket."""

    application: StockApplication

    def request(self, method: str, path: str, body: bytes | str = b"", **headers: str) -> Answer:
        octets = body.encode() if isinstance(body, str) else body
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "5232",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "localhost:5232",
            "HTTP_AUTHORIZATION": "Basic " + base64.b64encode(b"anna:x").decode(),
            "CONTENT_LENGTH": str(len(octets)),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(octets),
            "wsgi.errors": io.StringIO(),
            **{
                "CONTENT_TYPE" if name == "Content_Type" else f"HTTP_{name.upper()}": text
                for name, text in headers.items()
            },
        }
        started: list[tuple[str, list[tuple[str, str]]]] = []
        chunks = list(self.application(environ, lambda status, sent: started.append((status, sent))))
        return Answer(int(started[0][0].split()[0]), dict(started[0][1]), b"".join(chunks))


@pytest.fixture
def stock(tmp_path: Path) -> Iterator[Stock]:
    users = tmp_path / "users"
    users.write_text("anna:x\n")
    configuration = stock_config.load()
    configuration.update(
        {
            "auth": {"type": "htpasswd", "htpasswd_filename": str(users), "htpasswd_encryption": "plain"},
            "storage": {"filesystem_folder": str(tmp_path / "stock")},
            "logging": {"level": "critical"},
        },
        "test",
    )
    stock = Stock(StockApplication(configuration))
    for name, kind, component in (("calendar", "VCALENDAR", "VEVENT"), ("tasks", "VCALENDAR", "VTODO")):
        body = f'<C:mkcalendar xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop><C:supported-calendar-component-set><C:comp name="{component}"/></C:supported-calendar-component-set></prop></set></C:mkcalendar>'
        assert stock.request("MKCALENDAR", f"/anna/{name}/", body).status == 201, kind
    book = '<mkcol xmlns="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"><set><prop><resourcetype><collection/><CR:addressbook/></resourcetype></prop></set></mkcol>'
    assert stock.request("MKCOL", "/anna/contacts/", book).status == 201
    yield stock


NS = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CR="urn:ietf:params:xml:ns:carddav" xmlns:CS="http://calendarserver.org/ns/"'


def propfind(*names: str) -> str:
    return f"<propfind {NS}><prop>{''.join(f'<{name}/>' for name in names)}</prop></propfind>"


def query(inside: str, props: str = "<getcontenttype/>") -> str:
    return f'<C:calendar-query {NS}><prop>{props}</prop><C:filter><C:comp-filter name="VCALENDAR">{inside}</C:comp-filter></C:filter></C:calendar-query>'


WEEKLY = event(
    "weekly", "SUMMARY:Weekly", "RRULE:FREQ=WEEKLY;COUNT=10", start="20260105T100000Z", end="20260105T110000Z"
)
MARCH = '<C:time-range start="20260301T000000Z" end="20260401T000000Z"/>'

#: (name, method, path, body, headers)
REQUESTS: tuple[tuple[str, str, str, str | bytes, dict[str, str]], ...] = (
    ("put", "PUT", "/anna/calendar/one.ics", event("one"), {}),
    ("put recurring", "PUT", "/anna/calendar/weekly.ics", WEEKLY, {}),
    ("put card", "PUT", "/anna/contacts/ada.vcf", card("ada"), {}),
    ("get", "GET", "/anna/calendar/one.ics", "", {}),
    ("get absent", "GET", "/anna/calendar/none.ics", "", {}),
    ("put if-match fails", "PUT", "/anna/calendar/one.ics", event("one"), {"If_Match": '"x"'}),
    ("put if-none-match fails", "PUT", "/anna/calendar/one.ics", event("one"), {"If_None_Match": "*"}),
    ("put same uid", "PUT", "/anna/calendar/two.ics", event("one"), {}),
    ("put nonsense", "PUT", "/anna/calendar/three.ics", "nonsense", {}),
    ("put without parent", "PUT", "/anna/none/x.ics", event("x"), {}),
    ("discovery", "PROPFIND", "/", propfind("current-user-principal", "principal-URL"), {"Depth": "0"}),
    ("homes", "PROPFIND", "/anna/", propfind("C:calendar-home-set", "CR:addressbook-home-set", "resourcetype", "displayname"), {"Depth": "0"}),
    ("collections", "PROPFIND", "/anna/", propfind("resourcetype", "C:supported-calendar-component-set"), {"Depth": "1"}),
    ("items", "PROPFIND", "/anna/calendar/", propfind("getcontenttype", "resourcetype", "nothing"), {"Depth": "1"}),
    ("foreign home", "PROPFIND", "/bert/", propfind("resourcetype"), {"Depth": "0"}),
    ("absent", "PROPFIND", "/anna/none/", propfind("resourcetype"), {"Depth": "0"}),
    ("month", "REPORT", "/anna/calendar/", query(f'<C:comp-filter name="VEVENT">{MARCH}</C:comp-filter>'), {"Depth": "1"}),
    ("january", "REPORT", "/anna/calendar/", query('<C:comp-filter name="VEVENT"><C:time-range start="20260112T000000Z" end="20260113T000000Z"/></C:comp-filter>'), {"Depth": "1"}),
    ("summary", "REPORT", "/anna/calendar/", query('<C:comp-filter name="VEVENT"><C:prop-filter name="SUMMARY"><C:text-match>week</C:text-match></C:prop-filter></C:comp-filter>'), {"Depth": "1"}),
    ("not defined", "REPORT", "/anna/calendar/", query('<C:comp-filter name="VEVENT"><C:prop-filter name="RRULE"><C:is-not-defined/></C:prop-filter></C:comp-filter>'), {"Depth": "1"}),
    ("tasks only", "REPORT", "/anna/calendar/", query('<C:comp-filter name="VTODO"/>'), {"Depth": "1"}),
    ("multiget", "REPORT", "/anna/calendar/", f"<C:calendar-multiget {NS}><prop><getcontenttype/></prop><href>/anna/calendar/one.ics</href><href>/anna/calendar/none.ics</href></C:calendar-multiget>", {}),
    ("cards", "REPORT", "/anna/contacts/", f'<CR:addressbook-query {NS}><prop><getcontenttype/></prop><CR:filter><CR:prop-filter name="FN"><CR:text-match>ada</CR:text-match></CR:prop-filter></CR:filter></CR:addressbook-query>', {"Depth": "1"}),
    ("sync", "REPORT", "/anna/calendar/", f"<sync-collection {NS}><sync-token/><sync-level>1</sync-level><prop><getcontenttype/></prop></sync-collection>", {}),
    ("foreign token", "REPORT", "/anna/calendar/", f"<sync-collection {NS}><sync-token>http://radicale.org/ns/sync/abc</sync-token><sync-level>1</sync-level><prop/></sync-collection>", {}),
    ("name it", "PROPPATCH", "/anna/calendar/", f"<propertyupdate {NS}><set><prop><displayname>Mine</displayname></prop></set></propertyupdate>", {}),
    ("named", "PROPFIND", "/anna/calendar/", propfind("displayname"), {"Depth": "0"}),
    ("make again", "MKCALENDAR", "/anna/calendar/", "", {}),
    ("make below nothing", "MKCALENDAR", "/anna/none/where/", "", {}),
    ("make", "MKCALENDAR", "/anna/second/", "", {}),
    ("move", "MOVE", "/anna/calendar/one.ics", "", {"Destination": "http://localhost:5232/anna/second/one.ics"}),
    ("moved away", "GET", "/anna/calendar/one.ics", "", {}),
    ("moved here", "GET", "/anna/second/one.ics", "", {}),
    ("move to a book", "MOVE", "/anna/second/one.ics", "", {"Destination": "/anna/contacts/one.ics"}),
    ("delete if-match fails", "DELETE", "/anna/second/one.ics", "", {"If_Match": '"x"'}),
    ("delete", "DELETE", "/anna/second/one.ics", "", {}),
    ("delete again", "DELETE", "/anna/second/one.ics", "", {}),
    ("delete collection", "DELETE", "/anna/second/", "", {}),
    ("options", "OPTIONS", "/anna/", "", {}),
    ("redirect", "GET", "/.well-known/caldav", "", {}),
)  # fmt: skip

#: name → (stock's status, calsync's, why). Only what is named here may differ in status.
DIFFERENT: dict[str, tuple[int, int, str]] = {
    "put nonsense": (400, 403, "RFC 4791 §5.3.2.1: a failed precondition is 403 with its element"),
    "make again": (409, 405, "RFC 4918 §9.3.1: MKCOL on a mapped URL is 405"),
    "make below nothing": (403, 403, "owner_only gives no rights two levels down"),
    "delete": (200, 204, "RFC 4918 §9.6: nothing is left to say"),
    "delete collection": (200, 204, "RFC 4918 §9.6: nothing is left to say"),
}


#: (name, href, property) → why its value differs.
DIFFERENT_PROPERTIES = {
    ("homes", "/anna/", "{DAV:}displayname"): "RFC 3744 §4: a principal has one",
    (
        "collections",
        "/anna/contacts/",
        f"{{{CALDAV}}}supported-calendar-component-set",
    ): "RFC 4791 §5.2.3: of calendars only",
}


def shape(answer: Answer) -> object:
    """What can be compared: the status, and of a 207 each resource with its properties and their texts."""
    if answer.status != 207:
        return answer.status
    found = {}
    for one in reader.read(answer.body).responses:
        props = {name: (status, tuple(sorted(_flat(element)))) for name, (status, element) in one.props.items()}
        found[one.href] = one.status or props
    return found


def _flat(element: Any) -> Iterator[str]:
    for child in element.iter():
        yield f"{child.tag} {sorted(child.attrib.items())} {(child.text or '').strip()}"


def compared(name: str, stock: Any, ours: Any) -> Iterator[str]:
    if not isinstance(stock, dict) or not isinstance(ours, dict):
        if stock != ours:
            yield f"{name}: stock {stock}, calsync {ours}"
        return
    for href in sorted(stock.keys() | ours.keys()):
        one, other = stock.get(href), ours.get(href)
        if not isinstance(one, dict) or not isinstance(other, dict):
            if one != other:
                yield f"{name}: {href}: stock {one}, calsync {other}"
            continue
        for prop in sorted(one.keys() | other.keys()):
            differs = one.get(prop) != other.get(prop)
            if differs != ((name, href, prop) in DIFFERENT_PROPERTIES):
                yield f"{name}: {href} {prop}: stock {one.get(prop)}, calsync {other.get(prop)}"


def test_the_same_requests_have_the_same_answers(anna: Client, stock: Stock) -> None:
    anna.propfind("/anna/", Depth="0")
    for name in ("calendar", "tasks", "contacts"):
        # Stock has no names for its first collections.
        anna.proppatch(
            f"/anna/{name}/", f"<propertyupdate {NS}><remove><prop><displayname/></prop></remove></propertyupdate>"
        )
    problems = []
    for name, method, path, body, headers in REQUESTS:
        theirs, ours = stock.request(method, path, body, **headers), anna.request(method, path, body, **headers)
        if name in DIFFERENT:
            expected = DIFFERENT[name][:2]
            if (theirs.status, ours.status) != expected:
                problems.append(f"{name}: expected {expected}, got {theirs.status}, {ours.status}")
        else:
            problems += compared(name, shape(theirs), shape(ours))
    assert not problems, "\n".join(problems)
