"""An Application over a fresh store, and a client that speaks WSGI to it without a socket."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import pytest

from calsync import config
from calsync.accounts.accounts import Accounts
from calsync.app import Application
from calsync.webdav import reader
from calsync.webdav.names import CALDAV, C
from tests.postgresql import instead_of

PASSWORD = "correct horse"


@dataclass(frozen=True)
class Answer:
    """A response, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    chunks: int = 0

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def etag(self) -> str:
        return self.headers["ETag"]

    @property
    def multistatus(self) -> reader.Multistatus:
        assert self.status == 207, (self.status, self.body)
        return reader.read(self.body)

    @property
    def statuses(self) -> dict[str, int | None]:
        """Href → status of the resource as a whole (None where it has propstats)."""
        return {one.href: one.status for one in self.multistatus.responses}

    def prop(self, href: str, name: str) -> tuple[int, Any]:
        """The status and element of a property of one resource."""
        return next(one for one in self.multistatus.responses if one.href == href).props[name]

    def value(self, href: str, name: str) -> str:
        status, element = self.prop(href, name)
        assert status == 200, (href, name, status)
        return "".join(element.itertext())


def sync_collection(token: str = "", limit: int | None = None, props: str = "<getetag/>") -> str:
    """The body of the report (RFC 6578 §6.1)."""
    cut = f"<limit><nresults>{limit}</nresults></limit>" if limit else ""
    return (
        f'<sync-collection xmlns="DAV:"><sync-token>{token}</sync-token><sync-level>1</sync-level>{cut}'
        f"<prop>{props}</prop></sync-collection>"
    )


@dataclass
class Client:
    """Requests as one user."""

    application: Application
    user: str = "anna"
    password: str = PASSWORD
    headers: dict[str, str] = field(default_factory=dict)

    def request(self, method: str, path: str, body: bytes | str = b"", **headers: str) -> Answer:
        octets = body.encode() if isinstance(body, str) else body
        path, _, query = path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "calsync.raw_path": quote(path, safe="/%:@!$&'()*+,;=~-._"),
            "QUERY_STRING": query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "5232",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "localhost:5232",
            "CONTENT_LENGTH": str(len(octets)),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(octets),
            "wsgi.errors": io.StringIO(),
        }
        if self.user:
            credentials = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            environ["HTTP_AUTHORIZATION"] = f"Basic {credentials}"
        for name, value in {**self.headers, **headers}.items():
            key = name.upper().replace("-", "_")
            environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
        started: list[tuple[str, list[tuple[str, str]]]] = []
        result = self.application(environ, lambda status, sent: started.append((status, sent)))
        try:
            chunks = list(result)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()
        status, sent = started[0]
        return Answer(int(status.split()[0]), dict(sent), b"".join(chunks), len(chunks))

    def __getattr__(self, name: str) -> Callable[..., Answer]:
        if not name.isalpha():
            raise AttributeError(name)
        return lambda path, body=b"", **headers: self.request(name.upper(), path, body, **headers)

    def props(self, path: str, *names: str, depth: str = "0") -> Answer:
        """PROPFIND of Clark names."""
        inside = "".join(f'<x:{name[name.index("}") + 1 :]} xmlns:x="{name[1 : name.index("}")]}"/>' for name in names)
        body = f'<propfind xmlns="DAV:"><prop>{inside}</prop></propfind>'
        return self.request("PROPFIND", path, body, Depth=depth)

    def set_property(self, path: str, name: str, text: str) -> int:
        """PROPPATCH of one property of CalDAV's; its status."""
        inside = f'<x:{name} xmlns:x="{CALDAV}">{text}</x:{name}>'
        body = f'<propertyupdate xmlns="DAV:"><set><prop>{inside}</prop></set></propertyupdate>'
        return self.request("PROPPATCH", path, body).prop(path, C(name))[0]

    def sync(self, path: str, token: str = "", limit: int | None = None, props: str = "<getetag/>") -> Answer:
        return self.request("REPORT", path, sync_collection(token, limit, props))


def make_application(folder: Path, **options: Mapping[str, str]) -> Application:
    overrides: dict[str, dict[str, str]] = {
        "storage": {"filesystem_folder": str(folder)},
        "auth": {"delay": "0"},
        "logging": {"level": "warning"},
    }
    url = instead_of(folder)
    if url is not None:
        overrides["storage"]["url"] = url
    for section, values in options.items():
        overrides.setdefault(section, {}).update(values)
    return Application(config.load("", overrides))


@pytest.fixture
def application(tmp_path: Path) -> Iterator[Application]:
    application = make_application(tmp_path / "data")
    assert application.store is not None
    accounts = Accounts(application.store)
    accounts.create("anna", PASSWORD, email="anna@example.com")
    accounts.create("bert", PASSWORD)
    yield application
    application.store.close()


@pytest.fixture
def anna(application: Application) -> Client:
    return Client(application)


@pytest.fixture
def bert(application: Application) -> Client:
    return Client(application, "bert")


@pytest.fixture
def nobody(application: Application) -> Client:
    return Client(application, "")


def event(uid: str = "one", *lines: str, start: str = "20260301T100000Z", end: str = "20260301T110000Z") -> bytes:
    """A plain event with CRLF line ends."""
    text = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//test//EN",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        "DTSTAMP:20260101T000000Z",
        f"DTSTART:{start}",
        f"DTEND:{end}",
        *(lines or (f"SUMMARY:Event {uid}",)),
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    return "\r\n".join(text).encode()


def card(uid: str = "c1", *lines: str, name: str = "Ada Lovelace") -> bytes:
    """A plain vCard 3.0."""
    last = name.split()[-1]
    text = ["BEGIN:VCARD", "VERSION:3.0", f"UID:{uid}", f"FN:{name}", f"N:{last};;;;", *lines, "END:VCARD", ""]
    return "\r\n".join(text).encode()
