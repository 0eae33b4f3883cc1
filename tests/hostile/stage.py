"""Where the cases play: a small home before each, the same again after it."""

from __future__ import annotations

import re

from tests.dav.conftest import Answer, Client, card, event
from tests.hostile import calendar_objects, cards, headers, methods, paths, reports, xml_bodies
from tests.hostile.case import BOOK, HOME, OWN, Case

FAMILIES = {
    module.__name__.rpartition(".")[2]: module.CASES
    for module in (xml_bodies, calendar_objects, cards, paths, headers, methods, reports)
}
CASES: tuple[tuple[str, Case], ...] = tuple((family, case) for family, found in FAMILIES.items() for case in found)


def name(family: str, case: Case) -> str:
    """As pytest shows it."""
    place = "" if family in ("calendar_objects", "cards") else f" {case.path[-30:]}"
    return f"{family}: {case.id}{place}".encode("ascii", "backslashreplace").decode().replace("\0", "NUL")


#: What stands there before each case.
STORED = {f"{HOME}a.ics": event("a"), f"{BOOK}c.vcf": card("c")}
KEPT = frozenset(("/anna/", HOME, BOOK, *STORED))


def prepare(client: Client) -> None:
    """Of the first calendar, one that takes every kind of component."""
    assert client.delete(HOME).status in (200, 204)
    settle(client)


def settle(client: Client, case: Case | None = None) -> None:
    """Take away what a case left, and put back what it took; ordinary requests, which have to work."""
    if case is not None and case.method == "PROPPATCH":
        client.delete(HOME)
    if client.props(HOME, "{DAV:}getetag").status == 404:
        assert client.mkcalendar(HOME).status == 201
    found = client.props("/anna/", "{DAV:}getetag", "{DAV:}lockdiscovery", depth="infinity").multistatus
    for one in found.responses:
        for token in re.findall("urn:uuid:[0-9a-f-]{36}", one.text("{DAV:}lockdiscovery") or ""):
            client.unlock(one.href, **{"Lock-Token": f"<{token}>"})
        if one.href not in KEPT:
            answer = client.delete(one.href)
            assert answer.status in (200, 204, 404), (one.href, answer.status, answer.body)
    for path, body in STORED.items():
        assert client.put(path, body).status in (201, 204), path


def judge(case: Case, answer: Answer, status: int) -> None:
    """The status, the precondition, and that nothing of the inside is told."""
    assert answer.status == status, (case.id, answer.status, answer.body[:300])
    assert answer.status < 500 or answer.status in OWN, (case.id, answer.status)
    if case.condition:
        assert f":{case.condition}".encode() in answer.body or f"<{case.condition}".encode() in answer.body, (
            case.id,
            answer.body[:300],
        )
    assert answer.headers.get("X-Content-Type-Options") == "nosniff", case.id
    kind = answer.headers.get("Content-Type", "text/plain")
    if case.path.startswith("/.calsync/"):  # a page of ours, or a service that holds nothing of anybody
        policy = answer.headers.get("Content-Security-Policy", "")
        assert not kind.startswith("text/html") or policy.startswith("default-src 'none'"), case.id
    else:
        assert kind.startswith(("text/plain", "text/calendar", "text/vcard", "application/xml")), (case.id, kind)
    for secret in (b"root:", b"Traceback", b"site-packages", b"sqlite"):
        assert secret not in answer.body, case.id
