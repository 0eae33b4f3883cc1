"""What gets through: methods, bodies and headers that proxies like to refuse, to cut or to change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urljoin

from calsync.doctor.finding import Checks, Finding, note, ok, problem, warning
from calsync.doctor.outside.probe import Probe, read
from calsync.doctor.outside.reply import Reply, Unreachable
from calsync.doctor.outside.request_bodies import PLAIN, PRINCIPAL
from calsync.webdav.names import CR, C, D

CHECKS: Final[Checks[Probe]] = Checks("Proxy", (OSError, Unreachable, ValueError))

#: Octets of a request that is larger than most, and smaller than any server's bound.
_LARGE: Final = 100_000
#: Octets of an answer that a proxy would compress.
_WORTH: Final = 200
#: Collections of a home in which an object is looked for.
_LOOKED: Final = 50


@CHECKS("methods")
def methods(probe: Probe) -> Iterator[Finding]:
    if not probe.base:
        return
    reply = probe.http.ask("OPTIONS", probe.base)
    allowed = {word.strip().upper() for word in reply.header("allow").split(",")}
    refused: list[str] = []
    if reply.status >= 300 or not reply.header("dav"):
        yield warning(
            f"OPTIONS gave {reply}{'' if reply.header('dav') else ', without a header DAV'}",
            "200 with DAV: 1, …, calendar-access",
            "let the proxy pass OPTIONS on, instead of answering it itself",
            "options",
        )
    elif "PROPFIND" not in allowed and allowed != {""}:
        yield warning(
            f"Allow: {reply.header('allow')}", "PROPFIND and REPORT in it", "let the proxy keep Allow", "allow"
        )
    # Each is asked where it can do nothing: a REPORT that nobody knows, a calendar where one collection is already.
    unknown = PLAIN.document(D("nothing-that-is-there"), "")
    for method, body in (("REPORT", unknown), ("PROPPATCH", unknown), ("MKCALENDAR", b"")):
        if _is_refused(probe.http.ask(method, probe.base, body, {"Depth": "0"})):
            refused.append(method)
    if refused:
        yield problem(
            f"{', '.join(refused)} {'is' if len(refused) == 1 else 'are'} refused before the server sees it",
            "every method of WebDAV, CalDAV and CardDAV passed on",
            "take the filter out: limit_except in nginx, <Limit> in Apache, a firewall's list of methods",
            "method",
        )
    else:
        yield ok("PROPFIND, REPORT, PROPPATCH and MKCALENDAR come through")


def _is_refused(reply: Reply) -> bool:
    """By a program that knows nothing of WebDAV: it writes a page for people, or nothing of the method at all."""
    return reply.status == 501 or (reply.status in (403, 405) and reply.is_page)


@CHECKS("bodies")
def bodies(probe: Probe) -> Iterator[Finding]:
    if not probe.base:
        return
    padded = PRINCIPAL.replace(b"?>\n", b"?>\n<!--" + b" " * _LARGE + b"-->\n", 1)
    reply = probe.http.ask("PROPFIND", probe.base, padded, {"Depth": "0"})
    if reply.status == 413:
        yield problem(
            f"a request of {_LARGE // 1000} kB is too large (413)",
            "100 MB, for attachments and pictures",
            "client_max_body_size 100m; (nginx), LimitRequestBody 104857600 (Apache)",
            "size",
        )
    elif read(reply) is None:
        yield problem(
            f"a request of {_LARGE // 1000} kB gave {reply}{'' if reply.whole else ', which broke off'}",
            "the answer that a small one gets",
            "see what the proxy does to bodies: does it cut them, or check them?",
            "body",
        )
    else:
        yield ok(f"a request of {_LARGE // 1000} kB comes through")


@CHECKS("cookies")
def cookies(probe: Probe) -> Iterator[Finding]:
    if probe.answered is None or not probe.inside:
        return
    if probe.answered.header("set-cookie"):
        name = probe.answered.header("set-cookie").partition("=")[0]
        yield note(
            f"an answer to PROPFIND sets the cookie {name}",
            "none: Thunderbird has one jar a host, and mixes two accounts of it up",
            "take sessions and sticky cookies away from DAV (balance by source address instead)",
            "cookie",
        )


@CHECKS("ETags")
def etags(probe: Probe) -> Iterator[Finding]:
    # RFC 9110 §8.8.3: If-Match compares strongly, a weakened tag never matches
    if not probe.inside or not probe.principal:
        return
    found = _object(probe)
    if found is None:
        yield ok("no object to look at")
        return
    url, told = found
    plain = probe.http.ask("GET", url)
    packed = probe.http.ask("GET", url, headers={"Accept-Encoding": "gzip, deflate"})
    for reply, how in ((plain, ""), (packed, " compressed")):
        etag = reply.header("etag")
        if reply.status != 200:
            yield warning(f"GET of an object gave {reply}", "200", "see the server's log", "get")
            return
        if etag == told:
            continue
        if not etag:
            got, why = f"GET{how} has no ETag", "the proxy drops it where it changes the body"
        elif etag.startswith("W/"):
            got, why = f"GET{how} has the weak ETag {etag}", "the proxy compresses (nginx: gzip off; for DAV)"
        elif etag.rstrip('"').endswith(("-gzip", "-br", "-deflate", ";gzip", ";br")):
            got, why = f"GET{how} has the changed ETag {etag}", "Apache's mod_deflate: DeflateAlterETag NoChange"
        else:
            got, why = f"GET{how} has ETag {etag}", "did it change just now? If not, something on the way changes it"
        yield warning(got, f"the server's own, {told}: with another one every change is refused (412)", why, "etag")
        return
    yield ok(f"{told[:14]}… arrives as it is, compressed too" if len(told) > 15 else "arrive as they are")


def _object(probe: Probe) -> tuple[str, str] | None:
    """The URL and the ETag of the largest of the first objects that are found, so that a proxy would compress it."""
    best: tuple[int, str, str] | None = None
    for url, kind in probe.homes.items():
        listed = read(probe.http.ask("PROPFIND", url, PLAIN.propfind((D("resourcetype"),)), {"Depth": "1"}))
        for one in listed.responses[:_LOOKED] if listed else ():
            if not {C("calendar"), CR("addressbook")} & one.types:
                continue
            place = urljoin(url, one.href)
            body = PLAIN.query(kind, (D("getetag"), D("getcontentlength")))
            inside = read(probe.http.ask("REPORT", place, body, {"Depth": "1"}))
            for item in inside.responses[:200] if inside else ():
                etag, told = item.text(D("getetag")), item.text(D("getcontentlength")) or ""
                size = int(told) if told.isdecimal() and len(told) < 16 else 0
                if etag and (best is None or size > best[0]):
                    best = size, urljoin(place, item.href), etag
            if best is not None and best[0] > _WORTH:
                return best[1:]
    return best[1:] if best is not None else None
