"""Request headers as values. Whatever a client sends either parses or raises a 4xx `DavError`.

Header values are text as WSGI gives it (Latin-1). Absent headers are the empty string. Entity tags and the `If` header
have modules of their own and are named here too.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from calsync.webdav import urls
from calsync.webdav.errors import BadGateway, BadRequest
from calsync.webdav.etags import EntityTag, EntityTags, etag_list
from calsync.webdav.if_header import IfCondition, IfList, if_header, if_holds, lock_token, submitted_tokens

__all__ = [
    "Destination",
    "EntityTag",
    "EntityTags",
    "IfCondition",
    "IfList",
    "MediaType",
    "Prefer",
    "depth",
    "destination",
    "etag_list",
    "http_date",
    "if_header",
    "if_holds",
    "lock_token",
    "media_type",
    "overwrite",
    "parse_http_date",
    "prefer",
    "submitted_tokens",
    "timeout",
]

# --- Depth, Overwrite, Timeout ----------------------------------------------------------------------------------------


def depth(value: str, default: str) -> str:
    """RFC 4918 §10.2: `0`, `1` or `infinity`; `default` where the header is absent."""
    value = value.strip().lower()
    if not value:
        return default
    if value not in ("0", "1", "infinity"):
        raise BadRequest(f"Depth: {value!r} is not 0, 1 or infinity")
    return value


def overwrite(value: str) -> bool:
    """RFC 4918 §10.6: absent means yes."""
    value = value.strip().upper()
    if value not in ("", "T", "F"):
        raise BadRequest(f"Overwrite: {value!r} is not T or F")
    return value != "F"


_SECONDS: Final = re.compile(r"second-([0-9]+)", re.IGNORECASE)


def timeout(value: str, *, default: int = 3600, limit: int = 86400) -> int:
    """RFC 4918 §10.7: seconds a lock shall live, between 1 and `limit`; the first wish that is understood counts."""
    for wish in value.split(","):
        wish = wish.strip()
        if wish.lower() == "infinite":
            return limit
        if seconds := _SECONDS.fullmatch(wish):
            # more digits than any limit has, and than int() takes, are the limit
            return max(1, min(int(seconds[1][-19:] if len(seconds[1]) < 20 else limit), limit))
    return default


# --- Destination ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Destination:
    """The target of COPY and MOVE: decoded segments below the base, and whether the URL ended with a slash."""

    path: tuple[str, ...]
    slash: bool


_PORTS: Final = {"http": "80", "https": "443"}


def destination(value: str, *, host: str, base: str = "") -> Destination:
    """RFC 4918 §10.3: an absolute URI or a path. `host` is this server's, as the client names it (`example.com:8443`).

    Raises BadRequest where it is absent or no URL, and BadGateway (502, RFC 4918 §9.9.4) for another host or a path
    outside `base`. Behind a proxy that ends TLS the schemes may differ, so only host and port are compared.
    """
    value = _utf8(value.strip())
    if not value:
        raise BadRequest("Destination is missing")
    scheme, authority, raw = urls.split_uri(value)
    if not scheme and not raw.startswith("/"):
        raise BadRequest(f"Destination: {value!r} is neither a URI nor an absolute path")
    if scheme and _authority(scheme, authority) != _authority(scheme, host.lower()):
        raise _elsewhere(f"the destination is on another host: {authority!r}, this is {host!r}")
    path, slash = urls.decode_path(raw)
    prefix, _ = urls.decode_path(base)
    if path[: len(prefix)] != prefix:
        raise _elsewhere(f"the destination is outside {base!r}: {raw!r}")
    return Destination(path[len(prefix) :], slash)


def _elsewhere(text: str) -> BadGateway:
    """Nothing of ours went wrong, so its reason is told."""
    return BadGateway(text, text=text)


def _authority(scheme: str, authority: str) -> tuple[str, str]:
    name, colon, port = authority.strip().rpartition(":")
    if not colon or port.endswith("]"):  # no port; an IPv6 address ends with a bracket
        name, port = authority.strip(), ""
    return name.rstrip("."), port or _PORTS.get(scheme, "")


def _utf8(value: str) -> str:
    """Octets of UTF-8 that WSGI handed over as Latin-1, as text."""
    try:
        return value if value.isascii() else value.encode("latin-1").decode()
    except UnicodeError:
        return value


# --- Prefer -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Prefer:
    """RFC 7240 and RFC 8144; what is not known is ignored. `wait` is in seconds."""

    return_minimal: bool = False
    return_representation: bool = False
    depth_noroot: bool = False
    respond_async: bool = False
    handling: str = ""
    wait: int | None = None


_PREFERENCE: Final = re.compile(
    r'\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^\s",;]*))?\s*(?:;(?:[^",]|"(?:[^"\\]|\\.)*")*)?\s*(?:,|$)'
)


def prefer(value: str, brief: str = "") -> Prefer:
    """The `Prefer` header, and Microsoft's older `Brief: t`, which Apple's clients send (RFC 8144 §2.1)."""
    wishes: dict[str, str] = {}
    position = 0
    while position < len(value):
        found = _PREFERENCE.match(value, position)
        if found is None:  # not a preference: go on after its comma
            position = value.find(",", position) + 1 or len(value)
            continue
        # RFC 7240 §2: of several, the first counts
        wishes.setdefault(found[1].lower(), (found[2] or "").strip('"').lower())
        position = max(found.end(), position + 1)
    if brief.strip().lower() == "t":
        wishes.setdefault("return", "minimal")
    # the drafts of RFC 7240, and clients of their time, wrote it as one word
    for old in ("minimal", "representation"):
        if f"return-{old}" in wishes:
            wishes.setdefault("return", old)
    wait = wishes.get("wait", "")
    return Prefer(
        return_minimal=wishes.get("return") == "minimal",
        return_representation=wishes.get("return") == "representation",
        depth_noroot="depth-noroot" in wishes,
        respond_async="respond-async" in wishes,
        handling=wishes.get("handling", ""),
        wait=int(wait) if wait.isascii() and wait.isdigit() and len(wait) < 10 else None,
    )


# --- media types ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MediaType:
    """A `Content-Type`: `name` is lower case (`text/calendar`), parameter names too."""

    name: str
    parameters: tuple[tuple[str, str], ...] = ()

    def parameter(self, name: str) -> str:
        """The value of a parameter, or an empty string."""
        return next((value for key, value in self.parameters if key == name), "")


_PARAMETER: Final = re.compile(r';\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;"]*)')


def media_type(value: str) -> MediaType:
    """RFC 9110 §8.3.1. What cannot be read in it is left out; an empty header gives an empty name."""
    name, semicolon, _ = value.partition(";")
    found = _PARAMETER.findall(value, len(name)) if semicolon else []
    return MediaType(
        name.strip().lower(),
        tuple((key.lower(), re.sub(r"\\(.)", r"\1", text[1:-1]) if text[:1] == '"' else text) for key, text in found),
    )


# --- dates ------------------------------------------------------------------------------------------------------------

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE: Final = re.compile(
    r"[A-Za-z]{3,9}, ?([0-9]{1,2})[ -]([A-Za-z]{3})[ -]([0-9]{2}|[0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)
_ASCTIME: Final = re.compile(r"[A-Za-z]{3} ([A-Za-z]{3}) {1,2}([0-9]{1,2}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([0-9]{4})")


def http_date(instant: int) -> str:
    """Seconds since the epoch → `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7)."""
    year, month, day, hour, minute, second, weekday, _, _ = time.gmtime(instant)
    return f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year:04} {hour:02}:{minute:02}:{second:02} GMT"


def parse_http_date(value: str) -> int | None:
    """Any of the three forms of RFC 9110 §5.6.7 → seconds since the epoch; None for anything else, to be ignored."""
    value = value.strip()
    if found := _DATE.fullmatch(value):
        day, month, year, *clock = found.groups()
    elif found := _ASCTIME.fullmatch(value):
        month, day, *clock, year = found.groups()
    else:
        return None
    full_year = int(year)
    if len(year) == 2:
        full_year += 2000 if full_year < 70 else 1900
    try:
        number = _MONTHS.index(month.capitalize()) + 1
        hour, minute, second = (int(part) for part in clock)
        # a leap second is the second before it
        moment = datetime(full_year, number, int(day), hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp())
