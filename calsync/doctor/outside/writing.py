"""`--write`: a calendar of its own is made, an object put, changed and deleted in it, and the calendar deleted."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Final
from urllib.parse import urljoin

from calsync.doctor.finding import Checks, Finding, note, ok, problem, warning
from calsync.doctor.outside.probe import Probe, read
from calsync.doctor.outside.reply import Reply, Unreachable
from calsync.doctor.outside.request_bodies import PLAIN
from calsync.webdav.names import C, D

CHECKS: Final[Checks[Probe]] = Checks("Writing", (OSError, Unreachable, ValueError))

#: Octets of an event with a large attachment; nginx takes 1 MiB unless it is told otherwise.
_LARGE: Final = 1_200_000
_CALENDAR: Final = {"Content-Type": "text/calendar; charset=utf-8"}
_EVENT: Final = """\
BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//calsync//doctor//EN\r
BEGIN:VEVENT\r
UID:{uid}\r
DTSTAMP:20240101T000000Z\r
DTSTART:20240101T120000Z\r
DTEND:20240101T130000Z\r
SUMMARY:{summary}\r
{more}END:VEVENT\r
END:VCALENDAR\r
"""


@CHECKS("a calendar of its own")
def written(probe: Probe) -> Iterator[Finding]:
    home = next((url for url, kind in probe.homes.items() if kind == "caldav"), "")
    if not probe.options.write or not home:
        return
    url = urljoin(home, f"calsync-doctor-{secrets.token_hex(4)}/")
    prop = PLAIN.element(D("displayname"), "calsync doctor")
    body = PLAIN.document(C("mkcalendar"), PLAIN.element(D("set"), PLAIN.element(D("prop"), prop)))
    made = probe.http.ask("MKCALENDAR", url, body)
    if made.status != 201:
        yield _failed("MKCALENDAR", made, "201", "mkcalendar")
        return
    try:
        yield from _tried(probe, url)
    finally:
        gone = probe.http.ask("DELETE", url)
        if gone.status not in (200, 204, 404):
            yield _failed(f"DELETE of {url}", gone, "204; delete it in a client", "delete")


def _tried(probe: Probe, url: str) -> Iterator[Finding]:
    ask = probe.http.ask
    uid = secrets.token_hex(8)
    place = urljoin(url, f"{uid}.ics")
    first = _EVENT.format(uid=uid, summary="one", more="").encode()
    put = ask("PUT", place, first, {**_CALENDAR, "If-None-Match": "*"})
    if put.status not in (201, 204):
        yield _failed("PUT", put, "201", "put")
        return
    got = ask("GET", place)
    etag = got.header("etag")
    if got.status != 200 or not etag:
        yield _failed("GET", got, "200 with an ETag", "get-back")
        return
    if got.body != first:
        yield note(
            "what was put comes back changed", "the same octets", "a server, or a proxy, rewrites objects", "changed"
        )
    if put.header("etag") not in ("", etag):
        yield warning(
            f"PUT said ETag {put.header('etag')}, GET says {etag}", "the same: the next change is refused else",
            "see what changes ETags on the way", "etag-put",
        )  # fmt: skip
    second = _EVENT.format(uid=uid, summary="two", more="").encode()
    stale = ask("PUT", place, second, {**_CALENDAR, "If-Match": '"not-this-one"'})
    if stale.status != 412:
        yield problem(
            f"PUT with another ETag gave {stale}", "412: without it two devices overwrite each other",
            "let the proxy pass If-Match on", "if-match",
        )  # fmt: skip
    changed = ask("PUT", place, second, {**_CALENDAR, "If-Match": etag})
    if changed.status not in (200, 201, 204):
        yield _failed("PUT with the right ETag", changed, "204", "change")
        return
    listed = read(ask("REPORT", url, PLAIN.sync((D("getetag"),)), {"Depth": "0"}))
    if listed is not None and not any(one.href.endswith(f"{uid}.ics") for one in listed.responses):
        yield problem("sync-collection does not show the new object", "it", "does a cache answer?", "sync-new")
    lines = "".join(f"COMMENT:{'x' * 900}\r\n" for _ in range(_LARGE // 910))
    large = ask("PUT", place, _EVENT.format(uid=uid, summary="three", more=lines).encode(), _CALENDAR)
    if large.status not in (200, 201, 204):
        yield _failed(
            f"PUT of {_LARGE / 1e6:.1f} MB", large, "204: events carry attachments, cards pictures", "put-large"
        )
    gone = ask("DELETE", place)
    if gone.status not in (200, 204):
        yield _failed("DELETE", gone, "204", "delete")
        return
    yield ok("made, put, changed, refused where it had to be, and deleted")


def _failed(what: str, reply: Reply, needed: str, code: str) -> Finding:
    mend = "let the proxy pass the method on, with its body and headers; else the server's log says why"
    if reply.status == 413:
        mend = "client_max_body_size 100m; (nginx), or [server] max_resource_size"
    elif reply.status == 507:
        mend = "the disk is full, or the user's quota (calsync quota)"
    text = " ".join(reply.body[:160].decode(errors="replace").split())
    return problem(f"{what} gave {reply}{f': {text}' if text and not reply.is_page else ''}", needed, mend, code)
