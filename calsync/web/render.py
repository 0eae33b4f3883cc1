"""Templates, files that pages load, and the headers that every page has."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from calsync import user_agents
from calsync.dav.request import Response
from calsync.web.texts import CATALOGUE
from calsync.webdav.errors import NotFound

if TYPE_CHECKING:
    from jinja2 import Environment

#: Files of `static/` and their types.
TYPES: Final = {
    "style.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "copy.js": "text/javascript; charset=utf-8",
}

#: Nothing but our own files, no script or style in a page, no frame around it, forms to us alone.
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)

HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not `no-referrer`: with it browsers send `Origin: null`, and no form could tell where it comes from.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # Nearly every page holds something of its reader's.
    "Cache-Control": "no-store",
}


@cache
def environment() -> Environment:
    """The templates; the library is loaded when somebody looks at a page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    made = Environment(
        loader=PackageLoader("calsync.web"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_translations(CATALOGUE, newstyle=True)  # type: ignore[attr-defined]
    made.filters["day"] = _day
    made.filters["moment"] = _moment
    made.filters["agent"] = user_agents.named
    return made


@cache
def loaded(name: str) -> tuple[str, bytes]:
    """A file of `static/`: the hash that stands in its address, and its octets."""
    octets = (files("calsync.web") / "static" / name).read_bytes()
    return hashlib.sha256(octets).hexdigest()[:16], octets


def static(digest: str, name: str) -> Response:
    """A file, for ever: another content has another address."""
    if name not in TYPES or loaded(name)[0] != digest:
        raise NotFound("no such file")
    headers = {**HEADERS, "Content-Type": TYPES[name], "Cache-Control": "public, max-age=31536000, immutable"}
    return Response(200, headers, loaded(name)[1])


def icon() -> Response:
    """The icon at the address where browsers look for one, for a day."""
    headers = {**HEADERS, "Content-Type": TYPES["icon.svg"], "Cache-Control": "public, max-age=86400"}
    return Response(200, headers, loaded("icon.svg")[1])


def _day(instant: int) -> str:
    moment = datetime.fromtimestamp(instant, UTC)
    return f"{moment.day} {moment:%B %Y}"


def _moment(instant: int) -> str:
    moment = datetime.fromtimestamp(instant, UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
