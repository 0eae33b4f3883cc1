"""One hostile request and the answer that it must get."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

HOME = "/anna/calendar/"
BOOK = "/anna/contacts/"
NEW = f"{HOME}x.ics"
SPACES = (
    'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:R="urn:ietf:params:xml:ns:carddav" '
    'xmlns:S="http://calendarserver.org/ns/" xmlns:M="http://me.com/_namespace/"'
)

#: Statuses of the server's own that are right answers: what it does not know, another host, no room.
OWN = (501, 502, 505, 507)


@dataclass(frozen=True, slots=True)
class Case:
    """`path` as it stands in the request line; large bodies are made when the case is walked.

    `condition`: local name of the element in `D:error`. `wire`: the status where the runner judges before the
    Application does, 0 where both say the same. `headers` are Latin-1.
    """

    name: str
    method: str
    path: str
    status: int
    condition: str = ""
    body: bytes | str | Callable[[], bytes | str] = b""
    headers: tuple[tuple[str, str], ...] = ()
    wire: int = 0

    @property
    def octets(self) -> bytes:
        """The body."""
        body = self.body() if callable(self.body) else self.body
        return body.encode() if isinstance(body, str) else body

    @property
    def id(self) -> str:
        return f"{self.method[:12]} {self.name}"
