"""The streaming writer of 207 Multi-Status (RFC 4918 §13, §14.16): byte fragments, no element tree.

A document is a prologue that declares every known prefix, fragments, and an epilogue. Whatever is spliced in was
either made here (`element`, `propstat`, `response`, `Template`) or is a self-contained element as it was stored.
Hrefs are percent-encoded ASCII (`urls.href`), so they are never escaped again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from calsync.webdav.names import PREFIXES, D, split

# --- text -------------------------------------------------------------------------------------------------------------

# XML 1.0 §2.2: what no document can carry, not even as a reference.
_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ILLEGAL_OCTETS: Final = bytes(set(range(0x20)) - {0x09, 0x0A, 0x0D})
# A content line folded inside a letter: the fold stands before a continuation octet of UTF-8.
_FOLD_IN_LETTER: Final = re.compile(rb"(?<=[\x80-\xff])\r?\n[ \t](?=[\x80-\xbf])")


def escape(text: str) -> str:
    """Text as element content: CR as a reference (a parser would make it LF), illegal characters as U+FFFD."""
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text:
        text = text.replace("<", "&lt;")
    if ">" in text:
        text = text.replace(">", "&gt;")
    if "\r" in text:
        text = text.replace("\r", "&#13;")
    return _ILLEGAL.sub("\ufffd", text) if _ILLEGAL.search(text) else text


def escape_octets(octets: bytes) -> bytes:
    """`escape` for stored UTF-8 octets (a calendar object, a card), without decoding where nothing asks for it.

    A line folded inside a letter is unfolded there, so that the answer is UTF-8.
    """
    try:
        octets.decode()
    except UnicodeDecodeError:
        octets = _FOLD_IN_LETTER.sub(b"", octets).decode(errors="replace").encode()
    if len(octets.translate(None, _ILLEGAL_OCTETS)) != len(octets) or b"\xef\xbf" in octets:
        return escape(octets.decode()).encode()
    if b"&" in octets:
        octets = octets.replace(b"&", b"&amp;")
    if b"<" in octets:
        octets = octets.replace(b"<", b"&lt;")
    if b">" in octets:
        octets = octets.replace(b">", b"&gt;")
    return octets.replace(b"\r", b"&#13;")


def _attribute(value: str) -> str:
    return escape(value).replace('"', "&quot;").replace("\t", "&#9;").replace("\n", "&#10;")


# --- elements ---------------------------------------------------------------------------------------------------------

_DECLARATION: Final = b'<?xml version="1.0" encoding="utf-8"?>\n'
_XMLNS: Final = "".join(f' xmlns:{prefix}="{namespace}"' for namespace, prefix in PREFIXES.items())


@lru_cache(maxsize=2048)
def _tags(name: str) -> tuple[bytes, bytes]:
    """The opening tag without its `>`, and the closing tag."""
    namespace, local = split(name)
    prefix = PREFIXES.get(namespace)
    if prefix:
        return f"<{prefix}:{local}".encode(), f"</{prefix}:{local}>".encode()
    if not namespace:
        return f'<{local} xmlns=""'.encode(), f"</{local}>".encode()
    return f'<X:{local} xmlns:X="{_attribute(namespace)}"'.encode(), f"</X:{local}>".encode()


def element(name: str, content: bytes | str = b"", attributes: Mapping[str, str] | None = None) -> bytes:
    """An element: `str` content is escaped, `bytes` is XML and spliced in. Attributes are plain or `xml:` names."""
    opening, closing = _tags(name)
    if attributes:
        opening += "".join(f' {key}="{_attribute(value)}"' for key, value in attributes.items()).encode()
    if isinstance(content, str):
        content = escape(content).encode()
    return opening + b">" + content + closing if content else opening + b"/>"


def document(root: str, content: bytes | str = b"") -> bytes:
    """A whole document that declares every known prefix on its root."""
    opening, closing = _tags(root)
    if isinstance(content, str):
        content = escape(content).encode()
    return _DECLARATION + opening + _XMLNS.encode() + b">" + content + closing + b"\n"


PROLOGUE: Final = _DECLARATION + _tags(D("multistatus"))[0] + _XMLNS.encode() + b">\n"
EPILOGUE: Final = b"</D:multistatus>\n"


def error_body(condition: str | None, detail: bytes = b"") -> bytes:
    """A `D:error` document (RFC 4918 §16); `detail` is XML inside the condition's element."""
    return document(D("error"), element(condition, detail) if condition else detail)


def prop(content: bytes) -> bytes:
    """A `D:prop` document, the answer to LOCK (RFC 4918 §9.10)."""
    return document(D("prop"), content)


def mkcol_response(*propstats: bytes) -> bytes:
    """The answer to an extended MKCOL (RFC 5689 §5.2)."""
    return document(D("mkcol-response"), b"".join(propstats))


# --- responses --------------------------------------------------------------------------------------------------------


_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}


def reason(code: int) -> str:
    """`Not Found`."""
    return _PHRASES.get(code, "Unknown")


@lru_cache(maxsize=128)
def status_line(code: int) -> bytes:
    """`HTTP/1.1 404 Not Found`."""
    return f"HTTP/1.1 {code} {reason(code)}".encode()


def _status(code: int) -> bytes:
    return b"<D:status>" + status_line(code) + b"</D:status>"


def _error(condition: str | None, detail: bytes = b"") -> bytes:
    return b"<D:error>" + element(condition, detail) + b"</D:error>" if condition else b""


def _description(text: str) -> bytes:
    return element(D("responsedescription"), text) if text else b""


def propstat(props: bytes, status: int, condition: str | None = None, description: str = "") -> bytes:
    """Properties (whole elements) that share a status (RFC 4918 §14.22)."""
    body = b"<D:prop>" + props + b"</D:prop>" if props else b"<D:prop/>"
    return b"".join((b"<D:propstat>", body, _status(status), _error(condition), _description(description), _PROPSTAT))


_PROPSTAT: Final = b"</D:propstat>"
_RESPONSE: Final = b"</D:response>\n"


def response(href: bytes, *propstats: bytes) -> bytes:
    """One resource with its properties (RFC 4918 §14.24). At least one propstat."""
    return b"".join((b"<D:response><D:href>", href, b"</D:href>", *propstats, _RESPONSE))


def response_status(
    href: bytes,
    status: int,
    condition: str | None = None,
    detail: bytes = b"",
    description: str = "",
    *,
    beside: bytes = b"",
) -> bytes:
    """One resource with a status for it as a whole. `beside`: XML next to the condition."""
    head = b"<D:response><D:href>" + href + b"</D:href>" + _status(status)
    error = (element(condition, detail) if condition else b"") + beside
    return head + (b"<D:error>" + error + b"</D:error>" if error else b"") + _description(description) + _RESPONSE


class Template:
    """A response with the same properties found and missing in each row, compiled once.

    `found` and `missing` are names. A row is the href and then a value for each of `found` in order: the content of
    its element, as XML. `shapes` gives a property's content around its values, with `%s` for each (`"%s"`,
    `text/calendar;component=%s`); a shape without `%s` is the same for every row and takes none; a percent sign is
    doubled. The properties in `whole` bring their element along (a dead property, as it was stored).
    """

    __slots__ = ("_octets", "_text")

    def __init__(
        self,
        found: Sequence[str],
        missing: Sequence[str] = (),
        *,
        shapes: Mapping[str, bytes] | None = None,
        whole: Collection[str] = (),
    ) -> None:
        shapes = shapes or {}
        props = [b"%s" if name in whole else _shaped(name, shapes.get(name, b"%s")) for name in found]
        propstats = []
        # RFC 8144 §2.1: a response that omits what is missing still has its 200, even with nothing in it
        if props or not missing:
            propstats.append(propstat(b"".join(props), 200))
        if missing:
            propstats.append(propstat(_literal(b"".join(map(element, missing))), 404))
        self._octets = response(b"%s", *propstats)
        self._text = self._octets.decode()

    def render(self, href: bytes, values: Sequence[bytes] = ()) -> bytes:
        """One row."""
        return self._octets % (href, *values)

    def lines(self, rows: Iterable[tuple[bytes, ...]]) -> list[bytes]:
        """Rows of (href, *values), each a response of its own."""
        octets = self._octets
        return [octets % row for row in rows]

    def page(self, rows: Iterable[tuple[bytes, ...]]) -> bytes:
        """Rows of (href, *values), quickest some hundred at a time."""
        octets = self._octets
        return b"".join([octets % row for row in rows])

    def text_page(self, rows: Iterable[tuple[str | int, ...]]) -> bytes:
        """`page` for rows as they come from the store, text and numbers; the text is XML already."""
        text = self._text
        return "".join([text % row for row in rows]).encode()


def _literal(octets: bytes) -> bytes:
    return octets.replace(b"%", b"%%")


def _shaped(name: str, shape: bytes) -> bytes:
    opening, closing = (_literal(tag) for tag in _tags(name))
    return opening + b">" + shape + closing if shape else opening + b"/>"


# --- the stream -------------------------------------------------------------------------------------------------------

# Small enough that the first byte leaves early, large enough that a small answer is one chunk.
_FIRST_CHUNK: Final = 4096


def stream(
    fragments: Iterable[bytes], *, tail: bytes | Callable[[], bytes] = b"", chunk: int = 32768
) -> Iterator[bytes]:
    """A multistatus in chunks of `chunk` octets and more, the first one smaller.

    `tail` comes after the last fragment (a sync-token); as a function it is asked for only then. An error in
    `fragments` passes through, and nothing more is written: the document stays open, so that it cannot be taken for
    a whole one. Closing the stream closes `fragments`.
    """
    buffer = [PROLOGUE]
    size, limit = len(PROLOGUE), min(_FIRST_CHUNK, chunk)
    try:
        for fragment in fragments:
            buffer.append(fragment)
            size += len(fragment)
            if size >= limit:
                yield b"".join(buffer)
                buffer.clear()
                size, limit = 0, chunk
        buffer.append(tail() if callable(tail) else tail)
        buffer.append(EPILOGUE)
        yield b"".join(buffer)
    finally:
        close = getattr(fragments, "close", None)
        if close is not None:
            close()
