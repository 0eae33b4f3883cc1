"""What no decent client sends: it is refused with a 4xx, soon, and changes nothing."""

from __future__ import annotations

import base64
import gzip
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calsync.accounts.accounts import Accounts
from calsync.app import Application
from tests.dav.conftest import PASSWORD, Client, card, event, make_application
from tests.dav.test_access import ASKING, everything
from tests.server_process import ServerProcess

HOME = "/anna/calendar/"
SPACES = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:R="urn:ietf:params:xml:ns:carddav"'
ENTITIES = "".join(f'<!ENTITY e{n + 1} "&e{n};&e{n};&e{n};&e{n};&e{n};&e{n};&e{n};&e{n};">' for n in range(20))
DEEP = 200

XML: dict[str, str | bytes] = {
    "a document type": '<!DOCTYPE propfind [<!ENTITY e "x">]><propfind xmlns="DAV:"><prop><a>&e;</a></prop></propfind>',
    "many laughs": f'<!DOCTYPE x [<!ENTITY e0 "ha">{ENTITIES}]><propfind xmlns="DAV:"><prop>&e20;</prop></propfind>',
    "a foreign file": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><propfind xmlns="DAV:">&e;</propfind>',
    "an undeclared entity": '<propfind xmlns="DAV:"><prop><a>&nope;</a></prop></propfind>',
    "depth": "<a>" * 100_000,
    "depth, closed": '<propfind xmlns="DAV:"><prop>' + "<a>" * DEEP + "</a>" * DEEP + "</prop></propfind>",
    "many attributes": '<propfind xmlns="DAV:" ' + " ".join(f'a{n}="x"' for n in range(300_000)) + "/>",
    "many elements": '<propfind xmlns="DAV:"><prop>' + "<a/>" * 300_000 + "</prop></propfind>",
    "many namespaces": "<propfind " + " ".join(f'xmlns:n{n}="urn:{n}"' for n in range(300_000)) + "/>",
    "an undeclared prefix": "<D:propfind/>",
    "no namespace": "<propfind><prop/></propfind>",
    "another namespace": '<propfind xmlns="urn:x"><prop/></propfind>',
    "an empty prefix": '<D:propfind xmlns:D=""/>',
    "a second root": '<propfind xmlns="DAV:"><allprop/></propfind><x/>',
    "an unknown encoding": '<?xml version="1.0" encoding="utf-7"?><propfind xmlns="DAV:"><allprop/></propfind>',
    "a false encoding": b'<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><a>\xff</a></propfind>',
    "half of UTF-16": '<propfind xmlns="DAV:"><allprop/></propfind>'.encode("utf-16")[:-3],
    "UTF-32": '<propfind xmlns="DAV:"><allprop/></propfind>'.encode("utf-32"),
    "a document type in UTF-16": '<!DOCTYPE x [<!ENTITY e "x">]><propfind xmlns="DAV:"/>'.encode("utf-16"),
    "nothing but a mark": b"\xef\xbb\xbf",
    "NUL": b"\x00" * 1000,
    "a control character": '<propfind xmlns="DAV:"><prop><a>&#1;</a></prop></propfind>',
    "an event": event(),
    "the start only": '<?xml version="1.0"',
}
BODIED = ("PROPFIND", "PROPPATCH", "REPORT", "MKCOL", "MKCALENDAR", "LOCK", "ACL", "SEARCH", "POST")


@pytest.mark.parametrize("what", XML)
def test_xml_that_is_none_of_ours(anna: Client, tmp_path: Path, what: str) -> None:
    anna.put(f"{HOME}a.ics", event())
    before = everything(tmp_path / "data")
    for method in BODIED:
        for path in ("/anna/", HOME, f"{HOME}a.ics", "/anna/new/"):
            answer = anna.request(method, path, XML[what], Content_Type="application/xml", Depth="0")
            assert 400 <= answer.status < 500 or answer.status in (207, 501), (method, path, answer.status)
            assert b"root:" not in answer.body
    assert everything(tmp_path / "data") == before


def test_utf_16_is_xml_too(anna: Client) -> None:
    body = '<?xml version="1.0" encoding="utf-16"?><propfind xmlns="DAV:"><prop><owner/></prop></propfind>'
    assert anna.request("PROPFIND", HOME, body.encode("utf-16"), Depth="0").value(HOME, "{DAV:}owner") == "/anna/"


HREFS = "".join(f"<href>{HOME}{n}.ics</href>" for n in range(50_000))
ANY_OF = "".join(
    '<R:prop-filter name="X" test="anyof"><R:text-match>x</R:text-match></R:prop-filter>' for _ in range(999)
)
NESTED = '<C:comp-filter name="VEVENT">' * 90 + "</C:comp-filter>" * 90
REPORTS = {
    "many hrefs": f"<C:calendar-multiget {SPACES}><prop><getetag/></prop>{HREFS}</C:calendar-multiget>",
    "a long href": f"<C:calendar-multiget {SPACES}><prop/><href>/{'a/' * 500_000}</href></C:calendar-multiget>",
    "a bad href": f"<C:calendar-multiget {SPACES}><prop/><href>%ff&#9;http://[::/%00</href></C:calendar-multiget>",
    "nested filters": f"<C:calendar-query {SPACES}><prop/><C:filter><C:comp-filter name='VCALENDAR'>{NESTED}"
    "</C:comp-filter></C:filter></C:calendar-query>",
    "a range of all times": f"<C:free-busy-query {SPACES}><C:time-range start='00010101T000000Z' "
    "end='99991231T235959Z'/></C:free-busy-query>",
    "a range of no time": f"<C:free-busy-query {SPACES}><C:time-range start='99999999T999999Z' end='x'/>"
    "</C:free-busy-query>",
    "a bad time zone": f"<C:calendar-query {SPACES}><prop/><C:filter><C:comp-filter name='VCALENDAR'/></C:filter>"
    "<C:timezone>BEGIN:VCALENDAR</C:timezone></C:calendar-query>",
    "a limit beyond all": f"<sync-collection {SPACES}><sync-token/><sync-level>1</sync-level><limit><nresults>"
    f"{'9' * 5000}</nresults></limit><prop/></sync-collection>",
    "a limit below all": f"<sync-collection {SPACES}><sync-token/><sync-level>1</sync-level><limit><nresults>-1"
    "</nresults></limit><prop/></sync-collection>",
    "a token of digits": f"<sync-collection {SPACES}><sync-token>urn:calsync:sync:{'0' * 16}:{'9' * 19}</sync-token>"
    "<sync-level>1</sync-level><prop/></sync-collection>",
    "a long token": f"<sync-collection {SPACES}><sync-token>{'x' * 1_000_000}</sync-token><prop/></sync-collection>",
    "half a letter": f"<C:calendar-query {SPACES}><prop/><C:filter><C:comp-filter name='VCALENDAR'><C:comp-filter "
    "name='VEVENT'><C:prop-filter name='SUMMARY'><C:text-match>&#xD7FF;&#xFFFD;</C:text-match></C:prop-filter>"
    "</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>",
}


@pytest.mark.parametrize("what", REPORTS)
def test_reports_that_ask_too_much(anna: Client, what: str) -> None:
    anna.put(f"{HOME}a.ics", event())
    for path in (HOME, "/anna/", "/anna/contacts/", f"{HOME}a.ics"):
        answer = anna.request("REPORT", path, REPORTS[what], Depth="1")
        assert answer.status < 500, (path, answer.status, answer.body)


def test_links_that_lead_to_each_other_are_followed_only_so_often(anna: Client) -> None:
    links = "<href>/anna/</href>" * 100
    sent = f'<propertyupdate xmlns="DAV:"><set><prop><x:l xmlns:x="urn:x">{links}</x:l></prop></set></propertyupdate>'
    assert anna.proppatch("/anna/", sent).status == 207
    one = '<property name="l" namespace="urn:x">'
    body = f'<expand-property xmlns="DAV:">{one * 20}{"</property>" * 20}</expand-property>'
    answer = anna.report("/anna/", body)
    assert answer.status == 207
    assert len(answer.body) < 10_000_000


# --- calendars --------------------------------------------------------------------------------------------------------


def series(*rules: str, start: str = "20200101T000000Z", end: str = "20200101T000100Z") -> bytes:
    return event("rule", "SUMMARY:x", *rules, start=start, end=end)


NESTED_EVENTS = b"BEGIN:VEVENT\r\n" * 10_000 + b"END:VEVENT\r\n" * 10_000
CALENDARS = {
    "nested components": event().replace(b"END:VEVENT", NESTED_EVENTS + b"END:VEVENT"),
    "many alarms": event("a", *(["BEGIN:VALARM", "END:VALARM"] * 10_000)),
    "many lines": event("a", *(f"X-L{n}:{n}" for n in range(100_000))),
    "many parameters": event("a", "SUMMARY" + "".join(f";X-P{n}=x" for n in range(100_000)) + ":x"),
    "many values": event("a", "EXDATE:" + ",".join(["20200101T000000Z"] * 100_000)),
    "a long line": event("a", "SUMMARY:" + "x" * 5_000_000),
    "a line of folds": event("a", "SUMMARY:x" + "\r\n " * 500_000),
    "a line of quotes": event("a", 'SUMMARY;X="' * 50_000),
    "colons": event("a", ":" * 1_000_000),
    "every second": series("RRULE:FREQ=SECONDLY"),
    "every second of some": series("RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"),
    "never": series("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
    "seldom": series("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO;BYHOUR=3;BYMINUTE=3;BYSECOND=60"),
    "often": series(
        "RRULE:FREQ=YEARLY;BYHOUR="
        + ",".join(map(str, range(24)))
        + ";BYMINUTE="
        + ",".join(map(str, range(60)))
        + ";BYSECOND="
        + ",".join(map(str, range(60)))
    ),
    "counted": series("RRULE:FREQ=SECONDLY;COUNT=999999999"),
    "counted beyond": series(f"RRULE:FREQ=DAILY;COUNT={'9' * 5000}"),
    "apart beyond": series(f"RRULE:FREQ=DAILY;INTERVAL={'9' * 5000}"),
    "apart by nothing": series("RRULE:FREQ=DAILY;INTERVAL=0"),
    "many rules": series(*["RRULE:FREQ=SECONDLY"] * 500),
    "many dates": series(
        *(f"RDATE:20200{1 + n % 9}01T{n % 24:02}{n % 60:02}{n // 24 % 60:02}Z" for n in range(50_000))
    ),
    "without end": series("RRULE:FREQ=DAILY", end="99991231T235959Z"),
    "before all times": series("RRULE:FREQ=DAILY", start="00010101T000000Z", end="00010101T000001Z"),
    "after all times": series("RRULE:FREQ=DAILY", start="99991231T235959Z", end="99991231T235959Z"),
    "a length beyond": event("a", "DURATION:P99999999999999999999W"),
    "no such day": series("RRULE:FREQ=DAILY", start="20200230T000000Z"),
    "no such zone": event("a").replace(b"DTSTART:", b"DTSTART;TZID=../../etc/passwd:"),
    "a zone of its own": b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTIMEZONE\r\nTZID:Z\r\n"
    + b"BEGIN:STANDARD\r\nDTSTART:00010101T000000\r\nTZOFFSETFROM:+2359\r\nTZOFFSETTO:-2359\r\n"
    b"RRULE:FREQ=SECONDLY\r\nEND:STANDARD\r\n"
    * 50
    + b"END:VTIMEZONE\r\nBEGIN:VEVENT\r\nUID:z\r\nDTSTAMP:20200101T000000Z\r\nDTSTART;TZID=Z:20200101T000000\r\n"
    b"RRULE:FREQ=DAILY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
    "many overrides": event("rule", "RRULE:FREQ=DAILY").replace(
        b"END:VCALENDAR\r\n",
        b"".join(
            b"BEGIN:VEVENT\r\nUID:rule\r\nDTSTAMP:20200101T000000Z\r\nRECURRENCE-ID:20260301T%06dZ\r\n"
            b"DTSTART:20260301T100000Z\r\nEND:VEVENT\r\n" % n
            for n in range(5000)
        )
        + b"END:VCALENDAR\r\n",
    ),
    "a UID of markup": event("<![CDATA[]]>&amp;\"'", "SUMMARY:]]></x>"),
    "a UID beyond": event("u" * 1_000_000),
    "odd octets": event().replace(b"Event", b"\xff\xfe\x00\x01\x7f"),
    "a carriage return": event().replace(b"\r\n", b"\r"),
    "nothing": b"",
    "white space": b" \r\n" * 100_000,
    "the begin only": b"BEGIN:VCALENDAR\r\n" * 100_000,
    "the end only": b"END:VCALENDAR\r\n" * 100_000,
}
EXPAND = (
    f"<C:calendar-query {SPACES}><prop><C:calendar-data><C:expand start='%s' end='%s'/></C:calendar-data></prop>"
    "<C:filter><C:comp-filter name='VCALENDAR'><C:comp-filter name='VEVENT'><C:time-range start='%s' end='%s'/>"
    "</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
)
BUSY = f"<C:free-busy-query {SPACES}><C:time-range start='%s' end='%s'/></C:free-busy-query>"
RANGES = (("20200101T000000Z", "20200108T000000Z"), ("19000101T000000Z", "21000101T000000Z"))
TEXT = (
    f"<C:calendar-query {SPACES}><prop><C:calendar-data/></prop><C:filter><C:comp-filter name='VCALENDAR'>"
    "<C:comp-filter name='VEVENT'><C:prop-filter name='SUMMARY'><C:text-match>zz</C:text-match></C:prop-filter>"
    "</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
)


@pytest.mark.timeout(60)  # what is not bounded takes minutes
@pytest.mark.parametrize("what", CALENDARS)
def test_calendars_are_refused_or_every_reading_of_them_is_bounded(anna: Client, what: str) -> None:
    for path in (f"{HOME}a.ics", "/anna/contacts/a.vcf", "/anna/whole/"):
        assert anna.put(path, CALENDARS[what]).status < 500, path
    reports = [TEXT]
    for start, end in RANGES:
        reports += [EXPAND % (start, end, start, end), BUSY % (start, end)]
    for body in reports:
        answer = anna.request("REPORT", HOME, body, Depth="1")
        assert answer.status < 500
        assert len(answer.body) < 50_000_000
    for path in (HOME, f"{HOME}a.ics", "/anna/whole/"):
        assert anna.get(path).status < 500
        assert anna.request("PROPFIND", path, Depth="1").status in (207, 404)


def test_cards_that_are_none(anna: Client) -> None:
    sent = (
        card("c", *(f"X-L{n}:{n}" for n in range(100_000))),
        card("c", "NOTE" + ";TYPE=x" * 100_000 + ":x"),
        card("c", "PHOTO;ENCODING=b:" + "A" * 5_000_000),
        card("c", "BDAY:99999999999"),
        b"BEGIN:VCARD\r\n" * 50_000,
        card("c") * 1000,
        card("c").replace(b"VERSION:3.0", b"VERSION:99"),
        card("c").replace(b"Ada", b"\xff\xfe\x00"),
    )
    data = "<prop><getetag/><R:address-data content-type='text/vcard' version='4.0'/></prop>"
    query = f"<R:addressbook-query {SPACES}>{data}<R:filter/></R:addressbook-query>"
    for number, body in enumerate(sent):
        for path in (f"/anna/contacts/{number}.vcf", f"/anna/book{number}/", f"{HOME}c.ics"):
            assert anna.put(path, body).status < 500, (number, path)
        assert anna.request("REPORT", "/anna/contacts/", query, Depth="1").status == 207
        anna.delete(f"/anna/contacts/{number}.vcf")


# --- headers ----------------------------------------------------------------------------------------------------------

ODD = (
    "",
    " ",
    "*",
    '"',
    '""',
    "W/",
    'W/"',
    ",",
    ", ,",
    "x" * 60_000,
    '"' * 3001,
    "\xff\xfe",
    "\t",
    "0",
    "-1",
    "9" * 400,
    "²",
    "infinity, 0",
    "(",
    "<",
    "<>",
    "(<",
    "(Not",
    "([",
    '<x> (["y"])',
    "=;=",
    "bytes=0-",
    "bytes=-9999999999",
    "http://[",
    "http://x:y/",
    "/%",
    "/%zz",
    "%",
    "\\",
    "text/calendar; charset",
    'a/b; c="',
    "Second-",
    "Second-" + "9" * 400,
    "Basic",
    "Basic =",
    "Basic " + "A" * 5001,
    "Basic " + base64.b64encode(b"\xff:\xff").decode(),
    "Basic " + base64.b64encode(b"a\x00b:c").decode(),
    "Digest x",
    "Bearer " + "x" * 5000,
    "(" * 20_000,
    '(["x"])' * 5000,
    "Thu, 99 Foo 0000 99:99:99 GMT",
    "return=" * 2000,
    ";" * 20_000,
    'a="' + "\\" * 20_000,
)
NAMES = (
    "Depth",
    "If",
    "If-Match",
    "If-None-Match",
    "If-Modified-Since",
    "If-Unmodified-Since",
    "Range",
    "Content-Range",
    "Destination",
    "Overwrite",
    "Timeout",
    "Lock-Token",
    "Prefer",
    "Brief",
    "Accept-Encoding",
    "Accept",
    "Content-Type",
    "Content-Encoding",
    "Authorization",
    "X-Script-Name",
    "Host",
    "User-Agent",
    "Cookie",
    "If-Schedule-Tag-Match",
    "Schedule-Reply",
    "X-Forwarded-For",
    "X-Remote-User",
    "Origin",
    "Content-Length",
)


@pytest.mark.parametrize("name", NAMES)
def test_headers_that_say_nothing(anna: Client, name: str) -> None:
    anna.put(f"{HOME}a.ics", event())
    for value in ODD:
        for method, path in (
            ("GET", f"{HOME}a.ics"),
            ("PROPFIND", HOME),
            ("PUT", f"{HOME}n.ics"),
            ("COPY", f"{HOME}a.ics"),
            ("LOCK", f"{HOME}a.ics"),
            ("UNLOCK", f"{HOME}a.ics"),
            ("DELETE", f"{HOME}x.ics"),
        ):
            answer = anna.request(method, path, b"", **{name: value})
            assert answer.status < 500 or (answer.status == 502 and name == "Destination"), (method, value[:99], answer)


def test_names_do_not_split_the_answer(anna: Client) -> None:
    for name in ("a%0d%0aSet-Cookie:%20x", "a%0aX: y", "%00", "a%c2%85b", "%e2%80%a8", "a%7fb"):
        for method in ("PUT", "MKCOL", "MKCALENDAR", "GET"):
            answer = anna.request(method, f"/anna/{name}", event() if method == "PUT" else b"")
            assert answer.status < 500
            assert not any(re.search("[\r\n\0]", value) for value in answer.headers.values())
    shown = '<propertyupdate xmlns="DAV:"><set><prop><displayname>a&#13;&#10;X: y"; z=é</displayname></prop></set></propertyupdate>'
    anna.proppatch(HOME, shown)
    disposition = anna.get(HOME).headers["Content-Disposition"]
    assert re.fullmatch(r"attachment; filename\*=UTF-8''[\w.%~-]+", disposition)


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Client]:
    """Where plain collections and files are allowed."""
    rights = tmp_path / "rights"
    rights.write_text(
        "[all]\nuser: .+\ncollection: {user}(/.*)?\npermissions: RWrw\n[root]\nuser: .*\ncollection:\npermissions: R\n"
    )
    options = {"rights": {"type": "from_file", "file": str(rights)}, "storage": {"permit_files": "True"}}
    application = make_application(tmp_path / "data", **options)
    assert application.store is not None
    Accounts(application.store).create("anna", PASSWORD)
    anna = Client(application)
    assert anna.mkcol("/anna/files/").status == 201
    yield anna
    application.close()


@pytest.mark.parametrize(
    "kind",
    [
        "text/html",
        "TEXT/HTML; charset=utf-8",
        "application/xhtml+xml",
        "image/svg+xml",
        "text/xml",
        "text/javascript",
        "multipart/x-mixed-replace",
        "text/html\r\nX: y",
        'a/b<c x="&"',
        "<script>",
        "",
        "text/plain;\xe4",
        "x" * 9000,
    ],
)
def test_a_stored_file_is_never_a_page(files: Client, kind: str) -> None:
    assert files.put("/anna/files/x", b"<script>alert(1)</script>", Content_Type=kind).status == 201
    answer = files.get("/anna/files/x")
    assert answer.body == b"<script>alert(1)</script>"
    assert not re.search("html|xml|script|mixed", answer.headers["Content-Type"], re.IGNORECASE)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"] == "attachment"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert not any(re.search("[\r\n\0]", value) for value in answer.headers.values())
    listed = files.props("/anna/files/", "{DAV:}getcontenttype", depth="1")
    assert listed.prop("/anna/files/x", "{DAV:}getcontenttype")[0] == 200


def test_calendars_are_never_pages(anna: Client) -> None:
    odd = event("a", "SUMMARY:<html><script>alert(1)</script>").replace(b"VEVENT", b"X-HTML")
    for sent in (odd, odd.replace(b"X-HTML", b"VTODO"), odd.replace(b"X-HTML", b"VEVENT")):
        for kind in ("text/html", "text/calendar", "image/svg+xml"):
            anna.put(f"{HOME}a.html", sent, Content_Type=kind)
            anna.put("/anna/whole.html", sent, Content_Type=kind)
            for path in (f"{HOME}a.html", "/anna/whole.html", HOME):
                answer = anna.get(path)
                assert answer.headers["Content-Type"].startswith(("text/calendar", "text/plain", "application/xml"))
                assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_collections_inside_collections_without_end(files: Client) -> None:
    path = "/anna/files/"
    for _ in range(400):
        path += "a/"
        assert files.mkcol(path).status < 500
    for method, headers in (
        ("PROPFIND", {"Depth": "infinity"}),
        ("COPY", {"Destination": "/anna/copy/"}),
        ("MOVE", {"Destination": "/anna/moved/"}),
        ("DELETE", {}),
    ):
        answer = files.request(method, "/anna/copy/" if method == "DELETE" else "/anna/files/", **headers)
        assert answer.status < 500, (method, answer.status)
    assert files.request("PROPFIND", "/anna/", Depth="infinity").status == 207


# --- anything at all --------------------------------------------------------------------------------------------------

METHODS = st.one_of(
    st.sampled_from(
        ("GET", "HEAD", "POST", "OPTIONS", "PROPFIND", "REPORT", "LOCK", "UNLOCK", "ACL", "SEARCH", "TRACE")
    ),
    st.sampled_from(
        ("PUT", "DELETE", "PROPPATCH", "MKCOL", "MKCALENDAR", "COPY", "MOVE", "PATCH", "get", "", "\xff", "A B")
    ),
)
PIECES = st.sampled_from(
    (
        "anna",
        "bert",
        "calendar",
        "contacts",
        "a.ics",
        "c.vcf",
        "",
        ".",
        "..",
        "%2e%2e",
        "%2f",
        "%00",
        "%ff",
        "%",
        "é",
        "*",
        ".web",
        ".well-known",
        "caldav",
        ".sharing",
        "v1",
        ".token",
        ".mobileconfig",
        "inbox",
        "freebusy",
        "new",
        "~",
        "\\",
    )
)
PATHS = st.one_of(
    st.sampled_from(("/", "/anna/", HOME, f"{HOME}a.ics", f"{HOME}z.ics", "/anna/contacts/", "/anna/contacts/c.vcf")),
    st.lists(PIECES, max_size=5).map(lambda parts: "/" + "/".join(parts)),
)
BODIES = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(
        [value.encode() if isinstance(value, str) else value for value in XML.values() if len(value) < 5000]
    ),
    st.sampled_from([value.encode() if isinstance(value, str) else value for _, value, _ in ASKING.values()]),
    st.sampled_from([value for value in CALENDARS.values() if len(value) < 5000]),
)
HEADERS = st.dictionaries(
    st.sampled_from([name for name in NAMES if name not in ("Authorization", "X-Script-Name", "Content-Length")]),
    st.one_of(
        st.sampled_from(ODD),
        st.sampled_from(("0", "1", "infinity", f"{HOME}z.ics", "/bert/calendar/z.ics")),
        st.text(st.characters(max_codepoint=255, blacklist_characters="\r\n\0"), max_size=30),
    ),
    max_size=4,
)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Application, Path]]:
    folder = tmp_path_factory.mktemp("fuzz") / "data"
    application = make_application(folder)
    assert application.store is not None
    for name in ("anna", "bert"):
        Accounts(application.store).create(name, PASSWORD)
        client = Client(application, name)
        assert client.put(f"/{name}/calendar/a.ics", event("a")).status == 201
        assert client.put(f"/{name}/contacts/c.vcf", card("c")).status == 201
    yield application, folder
    application.close()


def of_bert(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """What is stored of somebody else: the principal itself and all rows that name it as owner."""
    found = everything(folder)
    [bert] = [row[0] for row in found["principal"] if "bert" in row]
    return {table: [row for row in rows if row[0] == bert] for table, rows in found.items()}


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(method=METHODS, path=PATHS, headers=HEADERS, body=BODIES, user=st.sampled_from(("anna", "anna", "")))
def test_whatever_comes_is_answered_and_touches_nobody_else(
    fuzzed: tuple[Application, Path], method: str, path: str, headers: dict[str, str], body: bytes, user: str
) -> None:
    application, folder = fuzzed
    before = of_bert(folder)
    anna = Client(application)
    if anna.put(f"{HOME}a.ics", event("a")).status >= 400:  # deleted by what came before
        anna.mkcalendar(HOME)
        anna.put(f"{HOME}a.ics", event("a"))
    answer = Client(application, user).request(method, path, body, **headers)
    assert answer.status < 500 or answer.status == 501 or (answer.status == 502 and "Destination" in headers), answer
    assert of_bert(folder) == before
    if user == "":
        assert b"BEGIN:V" not in answer.body


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_refusals_name_no_place_of_the_server(anna: Client, tmp_path: Path) -> None:
    anna.put(f"{HOME}a.ics", event())
    for path in ("/anna/none", "/bert/", "/%ff", "/anna/calendar/none.ics", "/../x", "/.web/none", "/.sharing/v9"):
        for how, (method, body, headers) in ASKING.items():
            answer = anna.request(method, path, body, **headers)
            octets = gzip.decompress(answer.body) if answer.headers.get("Content-Encoding") == "gzip" else answer.body
            for secret in (str(tmp_path), "site-packages", "Traceback", "calsync.db", "sqlite", PASSWORD):
                assert secret.encode() not in octets, (how, path)


def test_a_failure_says_nothing_but_its_number(application: Application, anna: Client, tmp_path: Path) -> None:
    anna.propfind("/anna/", Depth="0")
    [path] = tmp_path.rglob("*.db")
    path.with_name(path.name + "-wal").unlink(missing_ok=True)
    path.write_bytes(b"rubbish" * 10_000)
    for method, (_, body, headers) in ASKING.items():
        answer = Client(application, "anna").request(method.split()[0], f"{HOME}a.ics", body, **headers)
        assert answer.status >= 400
        if answer.status >= 500 and method != "HEAD":
            assert re.fullmatch(r"[A-Z][\w ]+ \(request [0-9a-f]{8}\)\n", answer.text), answer.text


# --- on the wire ------------------------------------------------------------------------------------------------------

TOKEN = base64.b64encode(f"anna:{PASSWORD}".encode())
AUTH = b"Host: x\r\nAuthorization: Basic " + TOKEN + b"\r\n"
BODY = event("wire")
PUT = b"PUT /anna/calendar/wire.ics HTTP/1.1\r\n" + AUTH


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("wire")
    with ServerProcess(folder, config_text="[logging]\nlevel = debug\n[auth]\ndelay = 0\n") as server:
        server.add_user("anna", PASSWORD)
        server.add_user("bert", PASSWORD)
        yield server


def talk(server: ServerProcess, *parts: bytes) -> bytes:
    with socket.create_connection(server.address, timeout=20) as sock:
        try:
            for part in parts:
                sock.sendall(part)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before all was sent
        data = b""
        try:
            while part := sock.recv(65536):
                data += part
        except ConnectionResetError:
            pass
        return data


CHUNKED = b"Transfer-Encoding: chunked\r\n"
WIRE = {
    "both lengths": PUT + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
    "both, the other way": PUT
    + CHUNKED
    + b"Content-Length: %d\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), len(BODY), BODY),
    "two lengths": PUT + b"Content-Length: %d\r\nContent-Length: 5\r\n\r\n" % len(BODY) + BODY,
    "a list of lengths": PUT + b"Content-Length: %d, %d\r\n\r\n" % (len(BODY), len(BODY)) + BODY,
    "a signed length": PUT + b"Content-Length: +%d\r\n\r\n" % len(BODY) + BODY,
    "a hexadecimal length": PUT + b"Content-Length: 0x5\r\n\r\n" + BODY,
    "a length beyond": PUT + b"Content-Length: " + b"9" * 50 + b"\r\n\r\n" + BODY,
    "a length too long": PUT + b"Content-Length: %d\r\n\r\n" % (len(BODY) + 1) + BODY,
    "a chunk size of rubbish": PUT + CHUNKED + b"\r\nzz\r\n" + BODY,
    "a chunk size beyond": PUT + CHUNKED + b"\r\n" + b"f" * 40 + b"\r\n" + BODY,
    "a negative chunk size": PUT + CHUNKED + b"\r\n-1\r\n" + BODY,
    "a chunk without its end": PUT + CHUNKED + b"\r\n%x\r\n%s0\r\n\r\n" % (len(BODY), BODY),
    "another coding": PUT + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "a coding in disguise": PUT + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a tab before the coding": PUT + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": PUT + b"Content-Length : %d\r\n\r\n" % len(BODY) + BODY,
    "a folded header": b"PUT /anna/calendar/wire.ics HTTP/1.1\r\nX: a\r\n b\r\n" + AUTH + b"Content-Length : 1\r\n\r\n",
    "a folded length": PUT + b"Content-Length:\r\n %d\r\n\r\n" % 5 + BODY,
    "NUL in a header": PUT + b"X: a\x00b\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "a bare carriage return": PUT + b"X: a\rY: b\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "a bare line feed": PUT.replace(b"\r\n", b"\n") + b"Content-Length: %d\n\n" % len(BODY) + BODY,
    "a long header": PUT + b"X: " + b"a" * 70_000 + b"\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "many headers": PUT + b"X: a\r\n" * 3000 + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "a lower-case method": PUT.replace(b"PUT", b"put") + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "a space in the target": PUT.replace(b"wire.ics", b"wi re.ics") + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "two hosts": PUT + b"Host: y\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "an encoded line end": PUT.replace(b"wire.ics", b"wire%0d%0a.ics")
    + b"Content-Length: %d\r\n\r\n" % len(BODY)
    + BODY,
    "two logins": PUT + b"Authorization: Basic YTpi\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "a login that is none": PUT.replace(TOKEN, b"!!!!") + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "rubbish": b"\x00\xff" * 5000,
    "a tunnel": b"CONNECT anna:443 HTTP/1.1\r\n" + AUTH + b"\r\n",
    "another's words": b"GET http://x@/anna/calendar/wire.ics HTTP/1.1\r\n" + AUTH + b"\r\n",
}


@pytest.mark.parametrize("what", WIRE)
def test_what_is_no_request_is_refused_and_nothing_is_done(server: ServerProcess, what: str) -> None:
    answer = talk(server, WIRE[what])
    assert answer == b"" or re.match(rb"HTTP/1\.1 (4\d\d|501|505) ", answer), answer[:200]
    assert talk(server, b"GET /anna/calendar/wire.ics HTTP/1.1\r\nConnection: close\r\n" + AUTH + b"\r\n").startswith(
        b"HTTP/1.1 404 "
    )


def test_a_target_in_absolute_form_is_its_path(server: ServerProcess) -> None:
    for target in (b"http://x/anna/", b"http://elsewhere:1/anna/", b"HTTPS://x/anna/"):
        answer = talk(
            server, b"PROPFIND " + target + b" HTTP/1.1\r\nDepth: 0\r\nConnection: close\r\n" + AUTH + b"\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 207 "), answer[:100]


def test_a_second_request_hides_in_no_body(server: ServerProcess) -> None:
    hidden = b"GET /anna/hidden HTTP/1.1\r\n" + AUTH + b"\r\n"
    for lengths in (
        b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    ):
        answer = talk(server, b"POST /anna/ HTTP/1.1\r\n" + AUTH + lengths + b"\r\n0\r\n\r\n" + hidden)
        assert answer.count(b"HTTP/1.1 ") == 1, (lengths, answer)


def test_no_password_and_no_token_is_in_the_log(server: ServerProcess) -> None:
    made = server.command("token", "add", "anna", "phone")
    secret = next((word for line in made.stdout.splitlines() for word in line.split() if len(word) > 20), "")
    passwords = [PASSWORD, "wrong-Secret-1", *([secret] if secret else [])]
    for password in passwords:
        for path in ("/anna/", "/anna/?password=not-in-the-log"):
            login = base64.b64encode(f"anna:{password}".encode())
            talk(
                server,
                b"PROPFIND "
                + path.encode()
                + b" HTTP/1.1\r\nConnection: close\r\nDepth: 0\r\n"
                + AUTH.replace(TOKEN, login)
                + b"\r\n",
            )
    log = server.log()
    assert "PROPFIND" in log
    for password in passwords:
        assert password not in log
        assert base64.b64encode(f"anna:{password}".encode()).decode().rstrip("=") not in log
    assert "not-in-the-log" not in log


def test_who_is_no_proxy_speaks_for_nobody(tmp_path: Path) -> None:
    """Through an address of this machine that is not its own loopback, where there is one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            address = str(probe.getsockname()[0])
        except OSError:
            pytest.skip("no network")
    if address.startswith("127."):
        pytest.skip("no address but loopback")
    config = f"[server]\nhosts = {address}:0\n[auth]\ntype = http_x_remote_user\n"
    with ServerProcess(tmp_path, config_text=config) as server:
        for header in (b"X-Remote-User: anna", b"X_Remote_User: anna", b"Remote-User: anna", b"X-REMOTE-USER: anna"):
            answer = talk(
                server,
                b"PROPFIND /anna/ HTTP/1.1\r\nHost: x\r\nDepth: 0\r\nConnection: close\r\n" + header + b"\r\n\r\n",
            )
            assert answer.startswith(b"HTTP/1.1 401 "), answer[:100]
        for header in (
            b"X-Script-Name: /evil",
            b"X_Script_Name: /evil",
            b"X-Forwarded-Host: evil",
            b"Forwarded: host=evil",
            b"X-Forwarded-Prefix: /evil",
            b"X-Forwarded-Proto: evil",
        ):
            answer = talk(
                server, b"GET /.well-known/caldav HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + header + b"\r\n\r\n"
            )
            assert answer.startswith(b"HTTP/1.1 301 ")
            assert b"evil" not in answer
