"""Who may ask for what, where: the tables that `test_matrix` multiplies.

A method, report or service that is registered and has no row here fails a test: whoever adds one says what it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from calsync.dav import registry
from calsync.webdav.names import CR, C, D
from tests.access.asking import CAL, CARD, DAV, LOCK, MKCOL, PATCH
from tests.dav.conftest import event

#: Of an etag and a lock that exist, for headers that name them; filled in when the stage is set.
ETAG, TOKEN = "{etag}", "{token}"

RIGHTS: Final = r"""
[root]
user: .*
collection:
permissions: R
[home]
user: .+
collection: {user}
permissions: RW
[collections]
user: .+
collection: {user}/[^/]+
permissions: rw
[reader]
user: rita
collection: (anna|nemo)/calendar
permissions: r
[busy]
user: carl
collection: (anna|nemo)/calendar
permissions: f
[public]
user: .*
collection: public(/[^/]+)?
permissions: Rr
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One way to ask. `writes`: it would change the resource that it is asked of."""

    method: str
    writes: bool
    body: str | bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def conditional(self) -> bool:
        """Whether it has one of CONDITIONS: such a row is asked of objects only."""
        return any(one in CONDITIONS for one in self.headers)


def _row(method: str, writes: bool, *headers: tuple[str, str], body: str | bytes = b"") -> Row:
    return Row(method, writes, body, headers)


CHANGED = event("a", "SUMMARY:changed")
INTO = ("Destination", "/{user}/calendar/into.ics")
CONDITIONS = (
    ("If-Match", "*"),
    ("If-Match", ETAG),
    ("If-None-Match", "*"),
    ("If-None-Match", ETAG),
    ("If", f"(<{TOKEN}>)"),
    ("If", f"([{ETAG}])"),
    ("If", f"(Not <{TOKEN}>)"),
    ("If", "(<DAV:no-lock>)"),
    ("If-Unmodified-Since", "Mon, 01 Jan 1990 00:00:00 GMT"),
    ("If-Schedule-Tag-Match", '"x"'),
)

#: Every registered method with the headers that lead it elsewhere.
METHODS: Final[dict[str, tuple[Row, ...]]] = {
    "GET": (
        _row("GET", False),
        _row("GET", False, ("Range", "bytes=0-10")),
        _row("GET", False, ("Accept", "text/html")),
        *(_row("GET", False, one) for one in CONDITIONS[:4]),
        _row("GET", False, ("If-Modified-Since", "Fri, 31 Dec 9999 23:59:59 GMT")),
    ),
    "HEAD": (_row("HEAD", False), *(_row("HEAD", False, one) for one in CONDITIONS[:4])),
    "OPTIONS": (_row("OPTIONS", False),),
    "PUT": (
        _row("PUT", True, body=CHANGED),
        *(_row("PUT", True, one, body=CHANGED) for one in CONDITIONS),
        _row("PUT", True, ("Content-Type", "text/vcard"), body=CHANGED),
        _row("PUT", True, body=b"rubbish"),
    ),
    "DELETE": (_row("DELETE", True), *(_row("DELETE", True, one) for one in CONDITIONS)),
    "PROPFIND": (
        *(_row("PROPFIND", False, ("Depth", depth)) for depth in ("0", "1", "infinity")),
        _row("PROPFIND", False, ("Depth", "0"), body=f"<propfind {DAV}><propname/></propfind>"),
        _row("PROPFIND", False, ("Depth", "1"), ("Prefer", "return=minimal, depth-noroot")),
        _row("PROPFIND", False, ("Depth", "0"), body=f"<propfind {DAV}><prop><lockdiscovery/><acl/></prop></propfind>"),
    ),
    "PROPPATCH": (
        _row("PROPPATCH", True, body=PATCH),
        *(_row("PROPPATCH", True, one, body=PATCH) for one in CONDITIONS),
    ),
    "MKCOL": (_row("MKCOL", True), _row("MKCOL", True, body=MKCOL)),
    "MKCALENDAR": (_row("MKCALENDAR", True),),
    "COPY": (
        *(_row("COPY", False, INTO, ("Overwrite", overwrite)) for overwrite in "TF"),
        *(_row("COPY", False, INTO, ("Depth", depth)) for depth in ("0", "infinity")),
        *(_row("COPY", False, INTO, one) for one in CONDITIONS[:6]),
    ),
    "MOVE": (
        *(_row("MOVE", True, INTO, ("Overwrite", overwrite)) for overwrite in "TF"),
        *(_row("MOVE", True, INTO, one) for one in CONDITIONS[:6]),
    ),
    "LOCK": (
        _row("LOCK", True, ("Timeout", "Second-60"), body=LOCK),
        _row("LOCK", True, ("Depth", "0"), body=LOCK.replace("exclusive", "shared")),
        _row("LOCK", True, ("If", f"(<{TOKEN}>)")),
    ),
    "UNLOCK": (
        _row("UNLOCK", True, ("Lock-Token", f"<{TOKEN}>")),
        _row("UNLOCK", True, ("Lock-Token", "<urn:uuid:6b9a2a2e-0000-4000-8000-000000000000>")),
    ),
    "POST": (
        _row("POST", True, ("Content-Type", "text/calendar"), body=CHANGED),
        _row(
            "POST",
            True,
            ("Content-Type", "application/xml"),
            body=f'<x:multiput xmlns:x="http://me.com/_namespace/" {DAV}/>',
        ),
    ),
    "REPORT": (),  # each of REPORTS
}

_PROP = "<prop><getetag/><C:calendar-data/></prop>"
_HREFS = "<href>/{home}/calendar/a.ics</href><href>/{home}/calendar/none.ics</href>"
_ALL_TIMES = '<C:time-range start="20260101T000000Z" end="20270101T000000Z"/>'

#: Every registered report.
REPORTS: Final[dict[str, str]] = {
    C("calendar-query"): f'<C:calendar-query {DAV} {CAL}>{_PROP}<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>',
    C("calendar-multiget"): f"<C:calendar-multiget {DAV} {CAL}>{_PROP}{_HREFS}</C:calendar-multiget>",
    C("free-busy-query"): f"<C:free-busy-query {CAL}>{_ALL_TIMES}</C:free-busy-query>",
    CR("addressbook-query"): f"<R:addressbook-query {DAV} {CARD}><prop><getetag/><R:address-data/></prop></R:addressbook-query>",
    CR("addressbook-multiget"): f"<R:addressbook-multiget {DAV} {CARD}><prop><getetag/></prop>{_HREFS}</R:addressbook-multiget>",
    D("sync-collection"): f"<sync-collection {DAV}><sync-token/><sync-level>infinite</sync-level><prop><getetag/></prop></sync-collection>",
    D("expand-property"): f'<expand-property {DAV}><property name="owner"><property name="displayname"/></property></expand-property>',
    D("principal-property-search"): f"<principal-property-search {DAV}><property-search><prop><displayname/></prop><match></match></property-search><prop><displayname/></prop></principal-property-search>",
    D("principal-search-property-set"): f"<principal-search-property-set {DAV}/>",
    D("principal-match"): f"<principal-match {DAV}><principal-property><owner/></principal-property><prop><displayname/></prop></principal-match>",
    D("acl-principal-prop-set"): f"<acl-principal-prop-set {DAV}><prop><displayname/></prop></acl-principal-prop-set>",
}  # fmt: skip

#: Every registered service answers anybody, and knows nothing of what is stored.
SERVICES: Final = frozenset({"timezones"})

#: Where it is asked, below a home; the last four are not there, or not for everybody.
PLACES: Final = (
    "",
    "calendar/",
    "calendar",
    "calendar/a.ics",
    "calendar/none.ics",
    "none/",
    "none/a.ics",
    "secret/",
    "secret/s.ics",
)

#: What each may do in the home of Anna: nothing, what `secret/` shows (nothing) and what `calendar/` shows.
READERS: Final = {"rita": "read", "carl": "busy", "bert": "", "": "", "anna!": ""}


def rows() -> tuple[Row, ...]:
    """All of them."""
    reports = (
        Row("REPORT", False, body, (("Depth", depth),)) for body in REPORTS.values() for depth in ("0", "1", "infinity")
    )
    return (*(row for found in METHODS.values() for row in found), *reports)


def unlisted() -> set[str]:
    """What is registered and has no row, or has a row and is not registered."""
    methods = METHODS.keys() ^ registry.METHODS.keys()
    reports = REPORTS.keys() ^ {one.name for one in registry.REPORTS.values()}
    return {*methods, *reports, *(SERVICES ^ registry.SERVICES.keys())}
