"""The one cookie of the pages: 32 random octets, sent with pages only.

Its path is that of the pages, so no DAV request carries it and no DAV answer sets it: Thunderbird keeps one cookie jar
a host and would mix up two accounts (clients.md 17). For that reason it is `__Secure-` and not `__Host-`, which wants
the path `/`. Without HTTPS, at home or for a try, it has neither the prefix nor `Secure`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_VALUE: Final = re.compile(r"[A-Za-z0-9_.=-]{20,1500}").fullmatch


@dataclass(frozen=True, slots=True)
class Jar:
    """Reads and writes cookies of one place."""

    path: str
    secure: bool

    def name(self, name: str) -> str:
        return f"__Secure-{name}" if self.secure else name

    def read(self, header: str, name: str) -> str:
        """The value of the first cookie of that name, empty where there is none that can be ours."""
        wanted = self.name(name)
        for part in header.split(";"):
            key, _, value = part.strip().partition("=")
            if key == wanted and _VALUE(value):
                return value
        return ""

    def written(self, name: str, value: str, *, below: str = "", lasts: int | None = None) -> str:
        """The value of `Set-Cookie`; it ends with the browser unless it `lasts` so many seconds."""
        parts = [f"{self.name(name)}={value}", f"Path={self.path}{below}", "HttpOnly", "SameSite=Lax"]
        if lasts is not None:
            parts.append(f"Max-Age={lasts}")
        if self.secure:
            parts.append("Secure")
        return "; ".join(parts)
