"""Stock Radicale's own application over both plugins, in process."""

from __future__ import annotations

import io
import sys
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree
from radicale import config
from radicale.app import Application

from calsync_storage.location import default_url
from tests.postgresql import everywhere, instead_of


@dataclass(frozen=True)
class Answer:
    """What came back; `text` is the body."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def xml(self) -> etree._Element:
        return etree.fromstring(self.text.encode())

    @property
    def hrefs(self) -> dict[str, int]:
        """The resources of a multistatus and whether each is there (200) or not (404)."""
        found = {}
        for response in self.xml.iterfind("{DAV:}response"):
            href, status = response.findtext("{DAV:}href") or "", response.findtext("{DAV:}status")
            found[href] = int(status.split()[1]) if status else 200
        return found

    def texts(self, name: str) -> list[str]:
        """The texts of all elements of this Clark name."""
        return [found.text or "" for found in self.xml.iter(name)]

    def text_of(self, name: str) -> str:
        (found,) = self.texts(name)
        return found


class Dav:
    """Sends requests to an application as `login`."""

    def __init__(self, application: Application, login: str = "anna", password: str = "secret") -> None:
        self.application = application
        self.login, self.password = login, password

    def __call__(self, method: str, path: str, body: str | bytes = "", **headers: str) -> Answer:
        octets = body.encode() if isinstance(body, str) else body
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "5232",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "127.0.0.1:5232",
            "CONTENT_LENGTH": str(len(octets)),
            "wsgi.input": io.BytesIO(octets),
            "wsgi.errors": sys.stderr,
            "wsgi.url_scheme": "http",
        }
        if self.login:
            credentials = b64encode(f"{self.login}:{self.password}".encode()).decode()
            environ["HTTP_AUTHORIZATION"] = f"Basic {credentials}"
        for name, value in headers.items():
            environ["CONTENT_TYPE" if name == "content_type" else f"HTTP_{name.upper()}"] = value
        answered: dict[str, Any] = {}

        def start_response(status: str, received: list[tuple[str, str]]) -> None:
            answered.update(status=int(status.split()[0]), headers=dict(received))

        text = b"".join(self.application(environ, start_response)).decode()
        return Answer(answered["status"], answered["headers"], text)

    def put(self, path: str, text: str, **headers: str) -> Answer:
        kind = "text/vcard" if "BEGIN:VCARD" in text else "text/calendar"
        return self("PUT", path, text, content_type=kind, **headers)

    def sync(self, path: str, token: str = "") -> tuple[str, dict[str, int]]:
        """The new token, and what changed since the old one."""
        answer = self(
            "REPORT",
            path,
            f'<sync-collection xmlns="DAV:"><sync-token>{token}</sync-token><sync-level>1</sync-level>'
            "<prop><getetag/></prop></sync-collection>",
        )
        assert answer.status == 207, answer
        return answer.text_of("{DAV:}sync-token"), answer.hrefs


BOOK = (
    '<mkcol xmlns="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"><set><prop>'
    "<resourcetype><collection/><CR:addressbook/></resourcetype></prop></set></mkcol>"
)


def store_url(folder: Path) -> str:
    """Where both plugins keep the data of `folder`."""
    return instead_of(folder) or default_url(str(folder))


def configuration(folder: Path, **sections: dict[str, str]) -> config.Configuration:
    """Radicale's configuration with both plugins on one store in `folder`."""
    made = config.load()
    made.update(
        {
            "storage": {"type": "calsync_storage", "filesystem_folder": str(folder)},
            "auth": {"type": "calsync_auth", "delay": "0"},
            "rights": {"type": "owner_only"},
            "server": {"delay_on_error": "0"},
        },
        "test",
    )
    if everywhere():
        made.update({"storage": {"url": store_url(folder)}}, "test")
    for section, options in sections.items():
        made.update({section: options}, "test")
    return made


def event(uid: str, start: str = "20260301T100000Z", end: str = "20260301T110000Z", more: str = "") -> str:
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n"
        f"BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:{start}\r\nDTEND:{end}\r\n"
        f"SUMMARY:{uid}\r\n{more}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )


def card(uid: str, name: str = "Ada") -> str:
    return f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{name}\r\nN:{name};;;;\r\nEND:VCARD\r\n"
