"""The login: how the server asks for a password, and whether it takes the one that it is given."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from calsync.doctor.finding import Checks, Finding, note, ok, problem, warning
from calsync.doctor.outside.probe import Probe, read
from calsync.doctor.outside.reply import Reply, Unreachable
from calsync.doctor.outside.request_bodies import PRINCIPAL
from calsync.webdav.names import D

CHECKS: Final[Checks[Probe]] = Checks("Login", (OSError, Unreachable, ValueError))

_STRIPPED: Final = (
    "if it is right, the proxy does not pass the header Authorization on: Apache with CGI or FastCGI needs "
    'CGIPassAuth On; nginx must not have an auth_basic of its own, nor clear it (proxy_set_header Authorization "")'
)
#: Seconds by which clocks may differ.
_OFF: Final = 60


@CHECKS("asks for a password")
def asks(probe: Probe) -> Iterator[Finding]:
    if not probe.reached:
        return
    reply = probe.http.follow("PROPFIND", probe.url, PRINCIPAL, {"Depth": "0"}, login=False)[-1]
    probe.answered = reply
    if reply.status == 401:
        challenge = reply.header("www-authenticate")
        if not challenge:
            yield problem(
                "401 without WWW-Authenticate",
                "the header, without which Thunderbird, iOS and macOS never send the password",
                "let the proxy pass WWW-Authenticate on (nginx: no proxy_hide_header for it)",
                "no-challenge",
            )
        elif not {"basic", "digest"} & {part.strip().partition(" ")[0].lower() for part in challenge.split(",")}:
            yield problem(
                f"it asks for {challenge}",
                "Basic (or Digest), which CalDAV clients know",
                "let devices in by Basic, with app passwords; keep other logins for the pages",
                "challenge",
            )
        else:
            yield ok(challenge)
    elif reply.status == 207:
        found = read(reply)
        if found and any(one.text(D("displayname")) for one in found.responses) and not _is_unauthenticated(reply):
            yield note("it answers without a password", "a password, unless it is meant so", "[auth] type", "open")
    elif reply.status >= 500 and reply.status != 501:
        probe.reached = False
        yield problem(
            str(reply),
            "401, or an answer",
            "does the server run? calsync doctor on its machine says so, and whether the store is on hold",
            "server-error",
        )


def _is_unauthenticated(reply: Reply) -> bool:
    return b"unauthenticated" in reply.body


@CHECKS("takes the password")
def takes(probe: Probe) -> Iterator[Finding]:
    if not probe.reached:
        return
    if probe.http.password is None:
        yield note("not tried", "", "--user NAME, to see what each client gets", "no-user")
        return
    if not probe.http.may_login(probe.url):
        yield note("not tried: the password goes in the clear", "TLS", "--insecure to go on all the same", "stopped")
        return
    reply = probe.http.follow("PROPFIND", probe.url, PRINCIPAL, {"Depth": "0"})[-1]
    probe.answered = reply
    if reply.status == 401:
        yield _denied(probe, reply)
    elif reply.status in (403, 429):
        words = _words(reply)
        below = reply.status == 403 and urlsplit(probe.url).path not in ("", "/")
        prefix = "below a path the proxy sends X-Script-Name, and is in trusted_proxies (docs/proxies.md); " * below
        yield problem(
            f"{reply}: {words}" if words else str(reply),
            "an answer",
            f"{prefix}wait, if there were too many wrong passwords (calsync audit); else look into the log",
            "denied",
        )
    else:
        probe.inside = True
        if reply.status == 207:  # what else came is said where DAV begins
            yield ok(f"as {probe.user}")


def _denied(probe: Probe, reply: Reply) -> Finding:
    """A wrong password, or one that never arrived."""
    if not reply.authorized:
        return problem(
            f"it leads to {reply.url}, where the password was not sent",
            "one place, or another of the same domain",
            "type the address that it leads to",
            "other-place",
        )
    if _is_deaf(probe):
        return problem(
            "401, and the server says that it got no password at all",
            "the header Authorization, passed on as it came",
            _STRIPPED,
            "authorization-lost",
        )
    return problem(
        "401 with this password", "the right one", f"try it again, or calsync user passwd; {_STRIPPED}", "401"
    )


def _is_deaf(probe: Probe) -> bool:
    """Whether the server treats a login that makes no sense like none at all. calsync's words differ where one arrives;
    other servers have the same for both, and are not blamed."""
    ask = probe.http.ask
    alive = ask("GET", probe.at("/.calsync/health"), login=False)
    if alive.status != 200 or alive.body.strip() != b"alive":
        return False
    depth = {"Depth": "0"}
    broken = ask("PROPFIND", probe.url, PRINCIPAL, {**depth, "Authorization": "Basic %%%"}, login=False)
    return b"Authorization" not in broken.body


def _words(reply: Reply) -> str:
    """What the answer says to people; XML and pages do not."""
    text = reply.body[:200].decode(errors="replace").lstrip()
    return "" if text.startswith("<") else " ".join(text.split())


@CHECKS("clock")
def clock(probe: Probe) -> Iterator[Finding]:
    reply = probe.answered
    if reply is None or not reply.header("date"):
        return
    try:
        there = parsedate_to_datetime(reply.header("date")).timestamp()
    except ValueError:
        return
    off = there - time.time()
    if abs(off) > _OFF:
        yield warning(
            f"the server's clock is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} this machine's",
            "the same time",
            "timedatectl set-ntp true, on whichever is wrong",
            "clock",
        )
    else:
        yield ok("the same as here")
