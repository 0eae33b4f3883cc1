"""Answers on their way out: begun before the status line, watched to their end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from calsync import counters
from calsync.counters import families
from calsync.dav.request import Response
from calsync.gate import compress
from calsync.gate.observe import Trace
from calsync.upstream import logger
from calsync.webdav.multistatus import reason

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


def begun(response: Response) -> Response:
    """Compute the first chunk now: what fails in it can still become a status."""
    if isinstance(response.body, bytes):
        return response
    chunks = iter(response.body)
    first = next(chunks, b"")
    if len(first) < compress.SMALLEST and "Content-Length" not in response.headers:
        second = next(chunks, None)
        if second is None:
            response.body = first
            return response
        first += second
    response.body = _Resumed(first, chunks)
    return response


class _Resumed:
    """The chunks of an answer of which the first is there already; closing it closes what makes the others."""

    def __init__(self, first: bytes, rest: Iterator[bytes]) -> None:
        self._first: bytes | None = first
        self._rest = rest

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        first, self._first = self._first, None
        return next(self._rest) if first is None else first

    def close(self) -> None:
        close = getattr(self._rest, "close", None)
        if close is not None:
            close()


def sent(
    response: Response,
    environ: Mapping[str, Any],
    start_response: StartResponse,
    trace: Trace,
    extra: Mapping[str, str],
) -> Iterable[bytes]:
    """Begin the answer, with the `extra` headers over its own: what WSGI sends as its body, coded where that is taken.

    The request ends, in log and figures, with a whole body now, with a stream when that ends.
    """
    headers = {"X-Content-Type-Options": "nosniff", **response.headers, **extra}
    bare = environ.get("REQUEST_METHOD") == "HEAD"
    body = response.body
    if isinstance(body, bytes):
        if response.status not in (204, 304):
            headers["Content-Length"] = str(len(body))
    elif "Content-Length" not in headers:
        headers["Vary"] = ", ".join(filter(None, (headers.get("Vary"), "Accept-Encoding")))
        coding = compress.accepted(str(environ.get("HTTP_ACCEPT_ENCODING", "")))
        if coding:
            headers["Content-Encoding"] = coding
            body = compress.coded(coding, body)
    start_response(f"{response.status} {reason(response.status)}", list(headers.items()))
    trace.status = response.status
    if isinstance(body, bytes):
        trace.end(0 if bare else len(body))
        return () if bare else (body,)
    if bare:
        close = getattr(body, "close", None)
        if close is not None:
            close()
        trace.end(0)
        return ()
    return counted(body, trace)


def counted(chunks: Iterable[bytes], trace: Trace) -> Iterator[bytes]:
    """Pass the chunks on; log the end, and what broke it off.

    An error stays an error: the answer must not look whole.
    """
    octets = 0
    iterator = iter(chunks)
    try:
        for chunk in iterator:
            octets += len(chunk)
            yield chunk
    except GeneratorExit:
        trace.hint = "the client went away"
        counters.add(families.BROKEN_OFF, ("client",))
        raise
    except Exception:
        trace.hint = "broken off"
        counters.add(families.BROKEN_OFF, ("server",))
        logger.exception("%s the answer broke off after %d octets", trace.id, octets)
        raise
    finally:
        close = getattr(iterator, "close", None)
        if close is not None:
            close()
        trace.end(octets)
