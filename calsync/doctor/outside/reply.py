"""What came back: an answer as it was on the wire, or why there is none."""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

from calsync.webdav.hosts import PORTS

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class Unreachable(RuntimeError):
    """No answer came. `kind`: name, refused, timeout, tls, http, closed; `error` is what was behind it."""

    def __init__(self, kind: str, text: str, error: Exception | None = None) -> None:
        super().__init__(text)
        self.kind = kind
        self.error = error


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. Names of headers are in lower case, in their order; `first` and `seconds`: until the first octet of
    the body, and until the last. `whole` is False where the body ended early, or was more than is read."""

    method: str
    url: str
    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes
    first: float = 0.0
    seconds: float = 0.0
    whole: bool = True
    authorized: bool = False

    def header(self, name: str) -> str:
        """A header's value; several are joined by commas, none is empty."""
        return ", ".join(value for key, value in self.headers if key == name.lower())

    @property
    def location(self) -> str:
        """Where a redirect leads, absolute; empty for other answers, and where it is no URL of a server."""
        target = self.header("location")
        if self.status not in REDIRECTS or not target:
            return ""
        try:
            url = urljoin(self.url, target)
            parts = urlsplit(url)
            return url if parts.scheme in PORTS and parts.hostname and parts.port != 0 else ""
        except ValueError:
            return ""

    @property
    def is_page(self) -> bool:
        """Whether a proxy's or a program's page for people came where WebDAV would answer in XML."""
        return "html" in self.header("content-type").lower() and b"DAV:" not in self.body

    def __str__(self) -> str:
        return f"{self.status} {http.client.responses.get(self.status, '')}".strip()
