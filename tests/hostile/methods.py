"""Methods where they are not, and words that are none."""

from __future__ import annotations

from tests.hostile.calendar_objects import PLAIN
from tests.hostile.case import BOOK, HOME, Case

A = f"{HOME}a.ics"

#: Method, path, status, and what the runner says of it where that is another (its grammar knows fewer words).
ROWS = (
    ("FOO", "/anna/", 501, 501),
    ("foo", "/anna/", 501, 501),
    ("GETT", A, 501, 501),
    ("VERSION-CONTROL", A, 501, 501),
    ("CHECKOUT", A, 501, 501),
    ("MERGE", A, 501, 501),
    ("BIND", "/anna/", 501, 501),
    ("LINK", A, 501, 501),
    ("SUBSCRIBE", A, 501, 501),
    ("PURGE", A, 501, 501),
    ("M-SEARCH", "/anna/", 501, 501),
    ("MKACTIVITY", "/anna/n/", 501, 501),
    ("DEBUG", "/", 501, 501),
    ("X" * 5000, "/", 501, 501),
    ("PATCH", A, 405, 405),
    ("TRACE", A, 405, 405),
    ("SEARCH", HOME, 405, 405),
    ("ACL", HOME, 405, 405),
    ("POST", A, 405, 405),
    ("POST", "/anna/none", 404, 404),
    ("POST", "/", 403, 403),
    ("MKCOL", A, 405, 405),
    ("MKCOL", HOME, 403, 403),
    ("MKCALENDAR", A, 405, 405),
    ("PUT", "/", 403, 403),
    ("DELETE", "/", 403, 403),
    ("DELETE", f"{HOME}none.ics", 404, 404),
    ("COPY", "/", 403, 403),
    ("MOVE", "/anna/", 403, 403),
    ("LOCK", "/", 403, 403),
    ("UNLOCK", A, 400, 400),
    ("REPORT", A, 400, 400),
    ("GET", "/bert/calendar/", 403, 403),
    ("PUT", "/bert/calendar/x.ics", 403, 403),
    ("DELETE", "/bert/", 403, 403),
    ("PROPFIND", "/nemo/", 403, 403),
    ("OPTIONS", "/bert/", 200, 200),
    ("OPTIONS", "*", 200, 200),
    ("HEAD", f"{HOME}none.ics", 404, 404),
    ("PROPFIND", f"{BOOK}none.vcf", 404, 404),
)

CASES = tuple(
    Case(
        f"{path} {number}",
        method,
        path,
        status,
        body=PLAIN if method == "PUT" else b"",
        headers=(("Depth", "0"),) if method == "PROPFIND" else (("Destination", "/anna/n/"),),
        wire=wire,
    )
    for number, (method, path, status, wire) in enumerate(ROWS)
)
