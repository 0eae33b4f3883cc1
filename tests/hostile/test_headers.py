"""Any header with any of the values that say nothing, on any method: a 4xx, or an answer as if it were not there."""

from __future__ import annotations

import base64
import re

import pytest

from tests.dav.conftest import Client, event
from tests.hostile.case import HOME

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
