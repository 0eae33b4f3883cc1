"""One user's connection, kept open; and what an answer says of calendars."""

from __future__ import annotations

import http.client
import re
from base64 import b64encode
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from calsync.webdav import reader
from tests.dav.conftest import PASSWORD, event

ETAG = "{DAV:}getetag"
DATA = "{urn:ietf:params:xml:ns:caldav}calendar-data"
NAMES = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:M="http://me.com/_namespace/"'

#: What ends a connection whose server was killed.
CUT = (ConnectionError, http.client.HTTPException, TimeoutError)


@dataclass(frozen=True)
class Reply:
    """An answer that came whole."""

    status: int
    etag: str
    body: bytes

    @property
    def responses(self) -> list[reader.Response]:
        assert self.status == 207, (self.status, self.body[:300])
        return reader.read(self.body).responses

    @property
    def token(self) -> str:
        return reader.read(self.body).sync_token or ""


@dataclass(frozen=True)
class Member:
    """An item as a report shows it. `version` is its summary, which no two writes share."""

    href: str
    etag: str
    octets: bytes

    @property
    def uid(self) -> str:
        return _one(rb"\r\nUID:([^\r]*)\r\n", self.octets)

    @property
    def version(self) -> str:
        return _one(rb"\r\nSUMMARY:([^\r]*)\r\n", self.octets)


class Later(ConnectionError):
    """503 with Retry-After: whether it was done is not known, as after a connection that was cut."""


class Wire:
    """Requests of one user. Raises one of `CUT` where the server is gone; `patient`: also where it says to come back
    later, which is all that it may say then.
    """

    patient = False

    def __init__(self, address: tuple[str, int], user: str, timeout: float = 60) -> None:
        self._connection = http.client.HTTPConnection(*address, timeout=timeout)
        self._authorization = "Basic " + b64encode(f"{user}:{PASSWORD}".encode()).decode()

    def ask(self, method: str, path: str, body: bytes | str = b"", **headers: str) -> Reply:
        sent = {"Authorization": self._authorization}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        octets = body.encode() if isinstance(body, str) else body
        self._connection.request(method, path, octets, sent)
        answer = self._connection.getresponse()
        reply = Reply(answer.status, answer.headers.get("ETag", ""), answer.read())
        if self.patient and reply.status >= 500:
            assert reply.status == 503 and int(answer.headers["Retry-After"]) > 0, (method, path, reply)
            raise Later(reply.body)
        return reply

    def connect(self) -> None:
        """Open the connection before the first request does."""
        self._connection.connect()

    def close(self) -> None:
        self._connection.close()

    def members(self, path: str) -> dict[str, Member] | None:
        """UID → item, None where there is no such calendar."""
        query = (
            f'<C:calendar-query {NAMES}><prop><getetag/><C:calendar-data/></prop><C:filter><C:comp-filter name="'
            'VCALENDAR"/></C:filter></C:calendar-query>'
        )
        answer = self.ask("REPORT", path, query, Depth="1")
        if answer.status == 404:
            return None
        found = [Member(one.href, one.text(ETAG) or "", (one.text(DATA) or "").encode()) for one in answer.responses]
        assert len({one.uid for one in found}) == len(found), "a UID twice"
        return {one.uid: one for one in found}

    def listing(self, path: str) -> dict[str, str]:
        """Href → ETag."""
        answer = self.ask("PROPFIND", path, '<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>', Depth="1")
        return {one.href: one.text(ETAG) or "" for one in answer.responses if one.href != path}

    def name(self, path: str) -> str:
        """Display name."""
        answer = self.ask("PROPFIND", path, '<propfind xmlns="DAV:"><prop><displayname/></prop></propfind>', Depth="0")
        return answer.responses[0].text("{DAV:}displayname") or ""

    def sync(self, path: str, token: str, limit: int | None) -> Reply:
        cut = f"<limit><nresults>{limit}</nresults></limit>" if limit else ""
        return self.ask(
            "REPORT",
            path,
            f"<sync-collection {NAMES}><sync-token>{token}</sync-token><sync-level>1</sync-level>{cut}"
            "<prop><getetag/></prop></sync-collection>",
        )


class Patient(Wire):
    """One that is told to come back later now and then."""

    patient = True


@dataclass
class Mirror:
    """A phone: it knows of a calendar only what sync-collection told it."""

    path: str
    limit: int | None = None
    token: str = ""
    members: dict[str, str] = field(default_factory=dict)

    def step(self, wire: Wire) -> bool:
        """One answer; whether it was the last for now. What is void or gone begins anew."""
        answer = wire.sync(self.path, self.token, self.limit)
        if answer.status in (403, 404):
            assert answer.status == 404 or b"valid-sync-token" in answer.body
            self.token, self.members = "", {}
            return answer.status == 404
        last = True
        for one in answer.responses:
            if one.href == self.path:
                assert one.status == 507
                last = False
            elif one.status == 404:
                self.members.pop(one.href, None)
            else:
                self.members[one.href] = one.text(ETAG) or ""
        self.token = answer.token
        return last


def versioned(uid: str, version: str, padding: int = 0) -> bytes:
    """An event with a summary of its own."""
    return event(uid, f"SUMMARY:{version}", *(["DESCRIPTION:" + "x" * padding] if padding else []))


def multiput(*octets: bytes) -> str:
    """New members by one POST."""
    parts = (
        f"<M:resource><set><prop><C:calendar-data>{escape(one.decode())}</C:calendar-data></prop></set></M:resource>"
        for one in octets
    )
    return f"<M:multiput {NAMES}>{''.join(parts)}</M:multiput>"


def whole(*octets: bytes) -> bytes:
    """A calendar's text with these events."""
    inner = b"".join(one[one.index(b"BEGIN:VEVENT") : one.index(b"END:VCALENDAR")] for one in octets)
    return b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n" + inner + b"END:VCALENDAR\r\n"


def _one(pattern: bytes, octets: bytes) -> str:
    found = re.findall(pattern, octets)
    assert len(found) == 1, octets
    text: bytes = found[0]
    return text.decode()
