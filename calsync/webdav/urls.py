"""URLs and names: percent-encoding in both directions, and what a path may hold (decision D3).

A name is text, neither case- nor NFC-folded. Encoding is stock Radicale's, so that hrefs stay as clients know them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from calsync.webdav.errors import BadRequest

# U+FFFE and U+FFFF are no letters in XML, and a name is told in XML (as a displayname).
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ufffe\uffff]")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch
_ABSOLUTE: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)")


def decode_path(path: str) -> tuple[tuple[str, ...], bool]:
    """A path as sent → its decoded segments, and whether it ends with a slash (the root does).

    Characters that should have been encoded are taken as they are (Apple sends such paths), empty and `.` segments
    fall away. BadRequest for what is not UTF-8, an encoded slash, a control character or a `..` segment.
    """
    if "%" in path or not path.isascii():
        try:
            parts = [unquote_to_bytes(part).decode() for part in path.split("/")]
        except UnicodeError as error:
            raise BadRequest(f"path is not UTF-8: {path!r}") from error
    else:
        parts = path.split("/")
    slash = parts[-1] in ("", ".")
    segments = tuple(part for part in parts if part and part != ".")
    for part in segments:
        if "/" in part or part == ".." or _CONTROL.search(part):
            raise BadRequest(f"path segment {part!r} is not allowed")
    return segments, slash


def encode_segment(name: str) -> str:
    """A name as one segment of a path: ASCII, safe in XML and in a header.

    Only letters, digits and `_.-~` stay as they are, like in stock Radicale's hrefs.
    """
    return name if _PLAIN(name) else quote(name, safe="")


def href(base: str, segments: Iterable[str], collection: bool) -> str:
    """The absolute path of a resource; `base` is the prefix of all URLs, encoded or not, without a slash at its end."""
    path = "".join(f"/{encode_segment(name)}" for name in segments)
    prefix = quote(base, safe="/%") if base else ""
    return f"{prefix}{path}/" if collection else f"{prefix}{path}"


def split_uri(uri: str) -> tuple[str, str, str]:
    """A URI or path as clients send it → scheme and authority (lower case, empty for a path) and the undecoded path.

    Query and fragment fall away. `//a/b` is a path: no header or `D:href` may hold a network-path reference
    (RFC 4918 §8.3), and clients that join prefixes carelessly send it.
    """
    absolute = _ABSOLUTE.match(uri)
    scheme, authority = (absolute[1].lower(), absolute[2].lower()) if absolute else ("", "")
    rest = uri[absolute.end() :] if absolute else uri
    path = re.split("[?#]", rest, maxsplit=1)[0]
    return scheme, authority.rpartition("@")[2], path
