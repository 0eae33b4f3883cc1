"""The way to DAV: redirects, `.well-known` (RFC 6764 §5), and the prefix that a proxy puts before everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import unquote, urljoin, urlsplit

from calsync.doctor.finding import Checks, Finding, note, ok, problem, warning
from calsync.doctor.outside.http_client import MOST
from calsync.doctor.outside.probe import Probe, read
from calsync.doctor.outside.reply import REDIRECTS, Reply, Unreachable
from calsync.doctor.outside.request_bodies import PLAIN, PRINCIPAL
from calsync.webdav.hosts import origin_of
from calsync.webdav.names import CR, C, D

CHECKS: Final[Checks[Probe]] = Checks("Discovery", (OSError, Unreachable, ValueError))

_KINDS: Final = ("caldav", "carddav")
_BEHIND: Final = "tell it what clients see: Host, X-Forwarded-Proto, X-Forwarded-Host (and [calsync] trusted_proxies)"
_PREFIX: Final = (
    "let the proxy say the prefix: X-Script-Name (config/nginx.conf has it), and name the proxy in "
    "[calsync] trusted_proxies"
)


@CHECKS("HTTP to HTTPS")
def secured(probe: Probe) -> Iterator[Finding]:
    parts = urlsplit(probe.url)
    if not probe.reached or parts.scheme != "https" or parts.port not in (None, 443):
        return
    url = f"http://{probe.url.partition('://')[2]}"
    try:
        reply = probe.http.ask("GET", url, login=False)
    except Unreachable:
        yield ok("port 80 is closed")
        return
    target = reply.location
    if reply.status in REDIRECTS and target.startswith("https://"):
        if (urlsplit(target).hostname or "") != probe.host:
            yield note(f"http://{probe.host} leads to {target}", code="http-elsewhere")
        else:
            yield ok("http leads to https")
    elif reply.status < 400 or reply.status == 401:
        yield warning(
            f"http://{probe.host} answers {reply} in the clear",
            "a redirect to https, so that no password goes there",
            "return 301 https://$host$request_uri; in the server for port 80",
            "http-open",
        )
    else:
        yield ok(f"http answers {reply}")


@CHECKS("well-known")
def well_known(probe: Probe) -> Iterator[Finding]:
    if not probe.reached:
        return
    for kind in _KINDS:
        first = probe.at(f"/.well-known/{kind}")
        try:
            replies = probe.http.follow("PROPFIND", first, PRINCIPAL, {"Depth": "0"})
        except Unreachable as error:
            yield problem(
                f"/.well-known/{kind} leads nowhere: {error}",
                f"a redirect to a place at {probe.origin} that answers",
                f"is that how clients reach it? If not: {_BEHIND}",
                f"redirect-host-{kind}",
            )
            continue
        last = replies[-1]
        yield from _on_the_way(probe, kind, replies)
        if last.location:
            continue
        if last.status in (207, 401) and last.method == "PROPFIND":
            probe.well_known[kind] = last.url
            yield ok(f"/.well-known/{kind} → {last.url}")
            yield from _other_ways(probe, kind)
        elif probe.services.get(kind):
            yield ok(f"/.well-known/{kind} is not there; DNS leads to {probe.services[kind][0].url}")
        else:
            yield from _unknown(probe, kind, last)


def _unknown(probe: Probe, kind: str, last: Reply) -> Iterator[Finding]:
    """Clients then try the root, and what was typed."""
    root = probe.http.follow("PROPFIND", probe.at("/"), PRINCIPAL, {"Depth": "0"})[-1]
    other = [known for known in _KINDS if known in probe.well_known]
    if root.status == 404 and other and kind == "carddav":
        yield note(f"no {kind} here", code=f"no-{kind}")
        return
    make = warning if root.status in (207, 401) else problem
    led = "" if urlsplit(last.url).path.startswith("/.well-known/") else f" leads to {last.url}, which"
    yield make(
        f"/.well-known/{kind}{led} answers {last}",
        "a redirect (301) to where DAV begins, for every method",
        f"nginx: location /.well-known/{kind} {{ return 301 $scheme://$http_host/; }} with the path of DAV; or pass it "
        "on to calsync, which redirects by itself (below a path with X-Script-Name)",
        f"well-known-{kind}",
    )


def _on_the_way(probe: Probe, kind: str, replies: Sequence[Reply]) -> Iterator[Finding]:
    """What is wrong with the redirects from one place to another."""
    last = replies[-1].location
    if last and not _leaves_tls(replies[-1]):
        circle = " → ".join(urlsplit(url).path for url in (*(one.url for one in replies), last))
        yield problem(
            f"{circle}: the redirects go round, or on for ever"
            if len(replies) <= MOST
            else f"more than {MOST} redirects",
            "one redirect, to the place itself",
            "let only one of the proxy and the server redirect; see whether each adds or removes a slash",
            f"redirect-loop-{kind}",
        )
        return
    for one in replies if last else replies[:-1]:
        target = one.location
        if _leaves_tls(one):
            yield problem(
                f"/.well-known/{kind} leads from https to {target}",
                "https all the way: iOS gives up, others send the password in the clear or not at all",
                f"the server behind the proxy takes itself for plain HTTP: {_BEHIND}",
                f"redirect-downgrade-{kind}",
            )
        elif origin_of(one.url) != origin_of(target) and not probe.http.may_login(target):
            yield warning(
                f"/.well-known/{kind} leads to another server, {target}",
                f"{probe.origin}, where clients that follow still send the password",
                f"is that how clients reach it? If not: {_BEHIND}",
                f"redirect-host-{kind}",
            )
        if one.status == 303:
            yield problem(
                f"/.well-known/{kind} answers 303, after which PROPFIND becomes GET",
                "301, 302, 307 or 308",
                "return 301 instead",
                f"redirect-method-{kind}",
            )


def _leaves_tls(reply: Reply) -> bool:
    return reply.url.startswith("https://") and reply.location.startswith("http://")


def _other_ways(probe: Probe, kind: str) -> Iterator[Finding]:
    """Some clients ask with GET, some with a slash at the end (clients.md 18)."""
    with_slash = probe.http.ask("PROPFIND", probe.at(f"/.well-known/{kind}/"), PRINCIPAL, {"Depth": "0"})
    if with_slash.status not in (*REDIRECTS, 207, 401):
        yield note(
            f"/.well-known/{kind}/ (with a slash) answers {with_slash}",
            "the same redirect: some clients add the slash",
            f"nginx: location ~ ^/\\.well-known/{kind}/?$ {{ … }}",
            f"well-known-slash-{kind}",
        )
    got = probe.http.ask("GET", probe.at(f"/.well-known/{kind}"), login=False)
    if got.status not in (*REDIRECTS, 200, 207, 401, 403, 405):
        yield note(
            f"GET of /.well-known/{kind} answers {got}, PROPFIND is redirected",
            "the same for both",
            "redirect every method",
            f"well-known-get-{kind}",
        )


@CHECKS("where DAV begins")
def base(probe: Probe) -> Iterator[Finding]:
    if not probe.inside:
        return
    tried: list[str] = []
    refused = True
    for url in dict.fromkeys((probe.url, *probe.well_known.values(), probe.at("/"))):
        reply = probe.http.follow("PROPFIND", url, PRINCIPAL, {"Depth": "0"})[-1]
        found = read(reply)
        hrefs = [href for one in found.responses for href in one.hrefs(D("current-user-principal"))] if found else []
        principal = next(iter(hrefs), "")
        if principal:
            probe.base, probe.principal, probe.answered = reply.url, urljoin(reply.url, principal), reply
            yield from _prefix(probe, reply, principal)
            return
        tried.append(f"{urlsplit(url).path or '/'} answered {_what(reply)}")
        refused = refused and reply.status in (403, 405, 501)
    if refused:
        yield problem(
            f"PROPFIND is refused: {'; '.join(tried)}",
            "every method of WebDAV passed on",
            "take the filter out: limit_except in nginx, <Limit> in Apache, a firewall's list of methods",
            "propfind",
        )
        return
    yield problem(
        "; ".join(tried),
        "a 207 with current-user-principal",
        "type the address at which the server serves DAV; behind a proxy, see that it passes PROPFIND and its body on",
        "no-principal",
    )


def _what(reply: Reply) -> str:
    """An answer that is not the one that was wanted, in a few words."""
    if reply.status == 207:
        if not reply.whole:
            return "207, which broke off"
        return "207 without a principal" if read(reply) else "207 with XML that cannot be read"
    return f"{reply} ({'a page for people' if reply.is_page else reply.header('content-type') or 'no content'})"


def _prefix(probe: Probe, reply: Reply, principal: str) -> Iterator[Finding]:
    """Whether the hrefs of an answer lead back through the proxy."""
    found = read(reply)
    asked = unquote(urlsplit(reply.url).path).rstrip("/")
    href = found.responses[0].href if found and found.responses else ""
    parts = urlsplit(href)
    if parts.scheme and origin_of(href) != origin_of(reply.url):
        yield problem(
            f"the answer names {href}",
            f"paths, or URLs at {origin_of(reply.url)}",
            f"the server does not know how clients reach it: {_BEHIND}",
            "href-host",
        )
    elif unquote(parts.path).rstrip("/") != asked:
        yield problem(
            f"asked at {asked or '/'}, it speaks of {href}",
            f"hrefs below {asked or '/'}, for clients ask what they name",
            _PREFIX,
            "prefix",
        )
    elif urlsplit(probe.principal).path.startswith("/") and origin_of(probe.principal) != probe.origin:
        yield problem(
            f"the principal is said to be at {probe.principal}", f"one at {probe.origin}", _BEHIND, "href-host"
        )
    else:
        yield ok(f"{urlsplit(probe.base).path}, and you are {urlsplit(principal).path}")


def find_homes(probe: Probe) -> None:
    """Where the account's calendars and address books are, for the looks that come later."""
    if not probe.principal:
        return
    names = {C("calendar-home-set"): "caldav", CR("addressbook-home-set"): "carddav"}
    reply = probe.http.follow("PROPFIND", probe.principal, PLAIN.propfind(tuple(names)), {"Depth": "0"})[-1]
    found = read(reply)
    for one in found.responses if found else ():
        for name, kind in names.items():
            for href in one.hrefs(name)[:1]:
                probe.homes.setdefault(urljoin(reply.url, href), kind)
