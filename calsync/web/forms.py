"""What a form sends, and whether our own page sent it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from calsync.webdav.errors import BadRequest, Forbidden

#: The field of the token.
TOKEN: Final = "csrf"

_MOST_FIELDS: Final = 500


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form."""

    fields: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def get(self, name: str) -> str:
        """The last value of a field, empty where there is none."""
        return next((value for key, value in reversed(self.fields) if key == name), "")

    def text(self, name: str, longest: int = 200) -> str:
        """The same without what cannot be seen, in one line and no longer than that."""
        return " ".join("".join(c for c in self.get(name) if c.isprintable()).split())[:longest]

    def all(self, name: str) -> list[str]:
        """All values of a field."""
        return [value for key, value in self.fields if key == name]


def parse(body: bytes, content_type: str) -> Form:
    """The form in a body. Raises `BadRequest`."""
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise BadRequest("not a form")
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise BadRequest("a form that cannot be read") from error
    if any("\0" in value for _, value in fields):
        raise BadRequest("a form with a NUL in it")
    return Form(tuple(fields))


def token(key: bytes, cookie: str) -> str:
    """What a form sent by the bearer of this cookie has to hold."""
    return hmac.new(key, cookie.encode(), hashlib.sha256).hexdigest()


def check(form: Form, key: bytes, cookie: str, headers: Mapping[str, str], host: str) -> None:
    """Raise `Forbidden` where another site sent the form: by what the browser says of it, and by its token."""
    check_origin(headers, host)
    if not cookie or not hmac.compare_digest(form.get(TOKEN).encode(), token(key, cookie).encode()):
        raise Forbidden("a form without its token")


def check_origin(headers: Mapping[str, str], host: str) -> None:
    """Raise `Forbidden` where the browser says that another site sent it; what is no browser says nothing."""
    site = headers.get("sec-fetch-site", "")
    if site == "same-origin":
        return  # also where a proxy does not tell our name
    if site not in ("", "none"):
        raise Forbidden(f"a form from {site}")
    origin = headers.get("origin", "")
    # The name alone: a proxy may not tell the port.
    if origin and _name(origin) != _name(f"//{host}"):
        raise Forbidden(f"a form from {origin[:60]}")


def _name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
