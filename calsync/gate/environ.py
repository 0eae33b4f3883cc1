"""What a WSGI environ says of a request (PEP 3333): its path, headers and body, and how the client reached us."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from calsync.dav.request import Segments
from calsync.gate.observe import address_of
from calsync.webdav import urls
from calsync.webdav.errors import BadRequest, ContentTooLarge, UnsupportedMediaType

Environ = Mapping[str, Any]


def path_of(environ: Environ, script_name: str) -> tuple[str, Segments, bool]:
    """The prefix that a proxy took off, the decoded segments, and whether the URL ended with a slash.

    `script_name`: the prefix where the environ names none (`[server] script_name`). Raises `BadRequest`.
    """
    base = str(environ.get("HTTP_X_SCRIPT_NAME") or environ.get("SCRIPT_NAME") or script_name or "").rstrip("/")
    if base and not base.startswith("/"):
        raise BadRequest(f"X-Script-Name must begin with a slash: {base[:50]!r}")
    # As one path of this host, so that no redirect leads to another (`//evil`, `/\\evil`).
    base = "".join("/" + quote(part, safe="@:!$&'()*+,;=") for part in urls.decode_path(base)[0])
    raw = environ.get("calsync.raw_path")
    if raw is None:
        raw = quote(str(environ.get("PATH_INFO", "")).encode("latin-1"), safe="/")
    path, slash = urls.decode_path(str(raw))
    return base, _without(base, path), slash


def _without(base: str, path: Segments) -> Segments:
    """Radicale takes the prefix off where the proxy left it on."""
    prefix, _ = urls.decode_path(base) if base else ((), False)
    return path[len(prefix) :] if prefix and path[: len(prefix)] == prefix else path


def raw_path(environ: Environ) -> str:
    """The path as it was sent; a server that decodes it gives it encoded anew."""
    raw = environ.get("calsync.raw_path")
    return quote(str(environ.get("PATH_INFO", "")).encode("latin-1"), safe="/%") if raw is None else str(raw)


def radicales_path(environ: Environ) -> str:
    """PATH_INFO as Radicale expects it: PEP 3333 gives octets as Latin-1, its own server decodes them as UTF-8."""
    return str(environ.get("PATH_INFO", "")).encode("latin-1").decode("utf-8", "replace")


def headers_of(environ: Environ) -> dict[str, str]:
    """The header fields, their names in lower case."""
    found = {
        name[5:].replace("_", "-").lower(): str(value) for name, value in environ.items() if name.startswith("HTTP_")
    }
    if environ.get("CONTENT_TYPE"):
        found["content-type"] = str(environ["CONTENT_TYPE"])
    return found


def body_of(environ: Environ, largest: int) -> bytes:
    """The body, whole, of at most `largest` octets (0: of any size; `[server] max_content_length`).

    Raises `UnsupportedMediaType`, `ContentTooLarge`, and `BadRequest` where its length is unclear or wrong.
    """
    coding = str(environ.get("HTTP_CONTENT_ENCODING", "")).strip().lower()
    if coding not in ("", "identity"):
        raise UnsupportedMediaType(f"Content-Encoding: {coding[:20]}", headers={"Accept-Encoding": "identity"})
    stated = stated_length(environ)
    if not (stated.isascii() and stated.isdigit() and len(stated) < 20):
        raise BadRequest(f"Content-Length: {stated[:20]!r}")
    length = int(stated)
    if largest and length > largest:
        raise ContentTooLarge(f"{length} octets, [server] max_content_length is {largest}")
    body: bytes = environ["wsgi.input"].read(length) if length else b""
    if len(body) != length:
        raise BadRequest(f"the body broke off at {len(body)} of {length} octets")
    return body


def stated_length(environ: Environ) -> str:
    """`Content-Length` as it was sent, which may be no number; `0` where none was."""
    return str(environ.get("CONTENT_LENGTH") or "0").strip()


def outside(environ: Environ) -> tuple[str, str, str]:
    """Scheme, host and address of the client as a proxy tells them; the server lets only known proxies speak."""

    def told(name: str) -> list[str]:
        return [part.strip() for part in str(environ.get(name, "")).split(",") if part.strip()]

    scheme = (told("HTTP_X_FORWARDED_PROTO") or [str(environ.get("wsgi.url_scheme", "http"))])[0].lower()
    host = (told("HTTP_X_FORWARDED_HOST") or [str(environ.get("HTTP_HOST", ""))])[0]
    port = (told("HTTP_X_FORWARDED_PORT") or [""])[0]
    if port.isdigit() and port != {"https": "443", "http": "80"}.get(scheme) and not host.rpartition("]")[2].count(":"):
        host = f"{host}:{port}"
    return "https" if scheme == "https" else "http", host, address_of(environ)
