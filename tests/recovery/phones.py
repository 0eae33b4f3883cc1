"""Phones that behave as DAVx5 does, and a user who writes at random, over HTTP to a real server."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import requests

from calsync.webdav import reader
from tests.server_process import ServerProcess

PASSWORD: Final = "correct horse"
CALENDARS: Final = ("one", "two")
_SYNC: Final = (
    '<sync-collection xmlns="DAV:"><sync-token>{}</sync-token><sync-level>1</sync-level>'
    "<prop><getetag/></prop></sync-collection>"
)
_LIST: Final = '<propfind xmlns="DAV:"><prop><getetag/><resourcetype/></prop></propfind>'


def event(uid: str, summary: str) -> bytes:
    lines = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", "BEGIN:VEVENT", f"UID:{uid}")
    more = ("DTSTAMP:20260101T000000Z", "DTSTART:20260301T100000Z", f"SUMMARY:{summary}", "END:VEVENT", "END:VCALENDAR")
    return "\r\n".join((*lines, *more, "")).encode()


class Session:
    """Requests of one user to a server that may be another process each time."""

    def __init__(self, server: ServerProcess, user: str = "anna") -> None:
        self.server = server
        self.user = user
        self._http = requests.Session()
        self._http.auth = (user, PASSWORD)

    def __call__(self, method: str, path: str, body: bytes | str = b"", **headers: str) -> requests.Response:
        octets = body.encode() if isinstance(body, str) else body
        url = self.server.url.rstrip("/") + path
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._http.request(method, url, data=octets, headers=named, timeout=60)

    def close(self) -> None:
        self._http.close()


@dataclass
class Phone:
    """A copy of one calendar. What `sync` finds missing after the token became void it deletes, as DAVx5 does."""

    calendar: str
    token: str = ""
    members: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)

    def sync(self, ask: Session) -> int:
        """The status of the last answer: 207 where the copy is up to date."""
        path = f"/{ask.user}/{self.calendar}/"
        answer = ask("REPORT", path, _SYNC.format(self.token), Depth="0")
        if answer.status_code == 403 and b"valid-sync-token" in answer.content:
            self.token = ""
            answer = ask("REPORT", path, _SYNC.format(""), Depth="0")
            if answer.status_code == 207:
                listed = {one.href for one in reader.read(answer.content).responses if one.status != 404}
                self.deleted |= self.members.keys() - listed
                self.members.clear()
        if answer.status_code == 404:
            self.deleted |= self.members.keys()
            self.members.clear()
            self.token = ""
        if answer.status_code == 207:
            found = reader.read(answer.content)
            for one in found.responses:
                if one.status == 404:
                    self.deleted.add(one.href)
                    self.members.pop(one.href, None)
                else:
                    self.deleted.discard(one.href)
                    self.members[one.href] = one.props["{DAV:}getetag"][1].text or ""
            self.token = found.sync_token or ""
        return answer.status_code


@dataclass
class Writer:
    """Does this and that, and remembers what was acknowledged: path → octets; which it deleted itself."""

    ask: Session
    random: random.Random
    held: dict[str, bytes] = field(default_factory=dict)
    calendars: set[str] = field(default_factory=set)
    ever_deleted: set[str] = field(default_factory=set)
    _count: int = 0

    def begin(self) -> None:
        for name in CALENDARS:
            self._make(name)

    def _make(self, name: str) -> None:
        if self.ask("MKCALENDAR", f"/{self.ask.user}/{name}/").status_code == 201:
            self.calendars.add(name)

    def write(self, times: int) -> None:
        for _ in range(times):
            self.random.choice(
                (self._put, self._put, self._put, self._put, self._delete, self._move, self._colour, self._calendar)
            )()

    def _path(self, calendar: str | None = None) -> str:
        chosen = calendar or self.random.choice(sorted(self.calendars) or ["one"])
        return f"/{self.ask.user}/{quote(chosen)}/{self.random.randrange(12)}.ics"

    def _put(self) -> None:
        self._count += 1
        path = self._path()
        octets = event(path, f"number {self._count}")
        if self.ask("PUT", path, octets).status_code in (201, 204):
            self.held[path] = octets

    def _delete(self) -> None:
        path = self._path()
        if self.ask("DELETE", path).status_code in (200, 204):
            self.held.pop(path, None)
            self.ever_deleted.add(path)

    def _move(self) -> None:
        source, target = self._path(), self._path()
        answer = self.ask("MOVE", source, Destination=self.ask.server.url.rstrip("/") + target)
        if answer.status_code in (201, 204):
            self.held[target] = self.held.pop(source)
            self.ever_deleted.add(source)

    def _colour(self) -> None:
        path = self._path()
        xml = '<propertyupdate xmlns="DAV:"><set><prop><x:c xmlns:x="urn:x">{}</x:c></prop></set></propertyupdate>'
        self.ask("PROPPATCH", path, xml.format(self._count))

    def _calendar(self) -> None:
        """Seldom: a calendar goes, comes anew, or gets another name."""
        name, what = self.random.choice(("one", "two", "three")), self.random.random()
        inside = [path for path in self.held if path.startswith(f"/{self.ask.user}/{name}/")]
        if what < 0.15 and self.ask("DELETE", f"/{self.ask.user}/{name}/").status_code in (200, 204):
            self.calendars.discard(name)
            self.ever_deleted |= set(inside)
            for path in inside:
                del self.held[path]
        elif what < 0.3 and "three" not in self.calendars and name in self.calendars and name != "three":
            target = f"/{self.ask.user}/three/"
            source = f"/{self.ask.user}/{name}/"
            if self.ask("MOVE", source, Destination=self.ask.server.url.rstrip("/") + target).status_code == 201:
                self.calendars -= {name}
                self.calendars.add("three")
                self.ever_deleted |= set(inside)
                for path in inside:
                    self.held[target + path.removeprefix(source)] = self.held.pop(path)
        elif name not in self.calendars:
            self._make(name)

    def check(self) -> None:
        """All that was acknowledged is there, octet for octet, and nothing else."""
        found: dict[str, bytes] = {}
        for name in ("one", "two", "three"):
            listed = self.ask("PROPFIND", f"/{self.ask.user}/{name}/", _LIST, Depth="1")
            assert (listed.status_code == 207) == (name in self.calendars), (name, listed.status_code, self.calendars)
            if listed.status_code != 207:
                continue
            for one in reader.read(listed.content).responses:
                if not one.href.endswith("/"):
                    found[one.href] = self.ask("GET", one.href).content
        assert found == self.held
