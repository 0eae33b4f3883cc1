"""Every way to ask for something, and what is stored before and after."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.dav.conftest import Answer, event

DAV, CAL, CARD = 'xmlns="DAV:"', 'xmlns:C="urn:ietf:params:xml:ns:caldav"', 'xmlns:R="urn:ietf:params:xml:ns:carddav"'
SECRET = "Xyzzy"
DATA = "<prop><getetag/><C:calendar-data/></prop>"
MULTIGET = f"<C:calendar-multiget {DAV} {CAL}>{DATA}%s</C:calendar-multiget>"
QUERY = f'<C:calendar-query {DAV} {CAL}>{DATA}<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
EXPAND = '<expand-property xmlns="DAV:"><property name="%s">%s</property></expand-property>'
REPORTS = {
    "sync": f"<sync-collection {DAV}><sync-token/><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>",
    "query": QUERY,
    "multiget": MULTIGET % "<href>/anna/calendar/a.ics</href>",
    "cards": f"<R:addressbook-query {DAV} {CARD}><prop><getetag/></prop></R:addressbook-query>",
    "busy": f'<C:free-busy-query {CAL}><C:time-range start="20260101T000000Z" end="20270101T000000Z"/>'
    "</C:free-busy-query>",
    "expand": EXPAND % ("owner", '<property name="displayname"/>'),
    "match": f"<principal-match {DAV}><self/></principal-match>",
    "search": f"<principal-property-search {DAV}><property-search><prop><displayname/></prop><match>a</match>"
    "</property-search><prop><displayname/></prop></principal-property-search>",
    "acl": f"<acl-principal-prop-set {DAV}><prop><displayname/></prop></acl-principal-prop-set>",
}
MKCOL = f"<mkcol {DAV} {CAL}><set><prop><resourcetype><collection/><C:calendar/></resourcetype></prop></set></mkcol>"
PATCH = f"<propertyupdate {DAV}><set><prop><displayname>Mine</displayname></prop></set></propertyupdate>"
LOCK = f"<lockinfo {DAV}><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>"

#: Every way to ask for something at a path; OPTIONS tells methods to everybody.
ASKING: dict[str, tuple[str, str | bytes, dict[str, str]]] = {
    "GET": ("GET", b"", {}),
    "HEAD": ("HEAD", b"", {}),
    "PUT": ("PUT", event("a", "SUMMARY:changed"), {}),
    "DELETE": ("DELETE", b"", {}),
    "PROPFIND": ("PROPFIND", b"", {"Depth": "1"}),
    "PROPFIND infinity": ("PROPFIND", b"", {"Depth": "infinity"}),
    "PROPPATCH": ("PROPPATCH", PATCH, {}),
    "MKCOL": ("MKCOL", b"", {}),
    "MKCOL extended": ("MKCOL", MKCOL, {}),
    "MKCALENDAR": ("MKCALENDAR", b"", {}),
    "COPY": ("COPY", b"", {"Destination": "/bert/calendar/copied.ics"}),
    "MOVE": ("MOVE", b"", {"Destination": "/bert/calendar/moved.ics"}),
    **{f"REPORT {name}": ("REPORT", body, {"Depth": "1"}) for name, body in REPORTS.items()},
    "LOCK": ("LOCK", LOCK, {"Timeout": "Second-60"}),
    "UNLOCK": ("UNLOCK", b"", {"Lock-Token": "<urn:uuid:6b9a2a2e-0000-4000-8000-000000000000>"}),
}
PLACES = ("", "calendar/", "calendar", "calendar/a.ics", "calendar/none.ics", "none/", "none/a.ics", "contacts/c.vcf")

#: Tables that may change though a request was refused: who tried what, and when.
OF_ITS_OWN = ("audit", "throttle", "job")


def everything(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """All that is stored of people's things, and of their accounts."""
    [path] = folder.rglob("*.db")
    with sqlite3.connect(path) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {
            table: connection.execute(f'SELECT * FROM "{table}"').fetchall()
            for table in tables
            if table not in OF_ITS_OWN and not table.startswith("sqlite_")
        }
    connection.close()
    return found


def without_names(answer: Answer, name: str) -> tuple[int, bytes, list[tuple[str, str]]]:
    headers = sorted((key, value) for key, value in answer.headers.items() if key != "Date")
    return answer.status, answer.body.replace(name.encode(), b"NAME"), headers
