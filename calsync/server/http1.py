"""HTTP/1.1 (RFC 9112), and 1.0 where somebody still speaks it. The grammar is llhttp's, by httptools."""

from __future__ import annotations

import contextlib
import re
import time
from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus

import httptools

from calsync.server.connection import Connection, logger
from calsync.server.environ import Head, escaped
from calsync.server.exchange import ClientGone, Exchange, Headers, Site, refuse
from calsync.server.guests import Guests
from calsync.server.limits import NEVER
from calsync.server.spool import Spool, SpoolFull, refusal_of

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

#: Requests that a client may send ahead of their answers in one read.
PIPELINE = 32

#: After a refusal, what the client still sends is thrown away for this many seconds: closing at once would let the
#: kernel take the answer from it (RFC 9112 §9.6).
LINGER = 2.0

_ORIGIN = re.compile(rb"[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#]*").match


class Phase(Enum):
    WAIT = auto()  # for the first octet of a head
    HEAD = auto()
    BODY = auto()
    LINGER = auto()


@dataclass(slots=True)
class Incoming:
    """A request that is being read, then waits for its turn."""

    head: Head
    body: Spool
    keep_alive: bool
    since: float


class Http1(Connection):
    """A connection that answers one request after the other."""

    def __init__(self, site: Site, guests: Guests) -> None:
        super().__init__(site, guests)
        self._parser = httptools.HttpRequestParser(self)
        self._phase = Phase.WAIT
        self._queue: deque[Incoming] = deque()
        self._held = b""
        self._answering = False
        self._last_answer = False
        self._refusal: HTTPStatus | None = None
        self._first = True
        # the request that is being read
        self._incoming: Incoming | None = None
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._octets = 0
        self._skipped: Head | None = None
        # the answer that is being sent
        self._start = b""
        self._chunked = False
        self._keep_alive = True
        self._old = False

    # reading

    def connection_made(self, transport: object) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self.within(self.site.limits.head_timeout)

    def data_received(self, data: bytes) -> None:
        if self._phase is Phase.LINGER or self.closing:
            return
        if self._answering:  # sent ahead: it waits in the kernel
            self._held += data
            self.transport.pause_reading()
            return
        if self._first:
            if (self._held + data)[: len(PREFACE)] == PREFACE[: len(self._held) + len(data)]:
                self._held += data
                if len(self._held) >= len(PREFACE):
                    self._to_http2()
                return
            data, self._held, self._first = self._held + data, b"", False
        self._feed(data)

    def _to_http2(self) -> None:
        from calsync.server.http2 import Http2  # most servers never need it

        self.guests.discard(self)
        self.gone = True
        successor = Http2(self.site, self.guests)
        self.transport.set_protocol(successor)
        successor.connection_made(self.transport)
        successor.data_received(self._held)

    def _feed(self, data: bytes) -> None:
        try:
            self._parse(data)
        except httptools.HttpParserInvalidMethodError:
            self._refuse(HTTPStatus.NOT_IMPLEMENTED)
        except httptools.HttpParserCallbackError:
            logger.exception("%s: the runner failed", self.peer.name)
            self.drop()
            return
        except httptools.HttpParserError as error:
            if not self._queue and not self._answering:
                logger.debug("%s: %s", self.peer.name, error)
                self._refuse(HTTPStatus.BAD_REQUEST)
            self._last_answer = True
        if self._refusal is None and self._phase is Phase.HEAD:
            self._octets += len(data)
            if self._octets > self.site.limits.head:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if self._refusal is not None:
            self._send_refusal()

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._refusal is not None:
                return
            self._parser = httptools.HttpRequestParser(self)
            again, self._skipped = b"" if self._skipped is None else _without_upgrade(self._skipped), None
            self._parser.feed_data(again + data[upgrade.args[0] :])
        except httptools.HttpParserInvalidURLError:
            cleaned = _escaped_line(data)
            if cleaned == data or self._phase is not Phase.HEAD or self._queue or self._octets:
                raise
            self._parser = httptools.HttpRequestParser(self)
            self._parser.feed_data(cleaned)

    def eof_received(self) -> bool:
        """The client sends no more. A body that breaks off here is no body: nothing is done with it."""
        if self._phase is Phase.BODY and not self._answering and self._refusal is None:
            logger.info("%s: a body broke off, nothing was done", self.peer.name)
            self._refuse(HTTPStatus.BAD_REQUEST)
            self._send_refusal()
        elif self._answering:
            self._last_answer = True
        else:
            self.close()
            return False
        return self.transport.get_extra_info("ssl_object") is None

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._incoming is not None:
            self._incoming.body.close()
            self._incoming = None
        while self._queue:
            self._queue.popleft().body.close()

    # the parser's calls

    def on_message_begin(self) -> None:
        self._phase = Phase.HEAD
        self._target = b""
        self._headers = []
        self._octets = 0
        if not self._answering:
            self.within(self.site.limits.head_timeout)

    def on_url(self, url: bytes) -> None:
        self._target += url
        if len(self._target) > self.site.limits.target:
            self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._phase is not Phase.HEAD:
            return  # a trailer
        if len(self._headers) >= self.site.limits.headers:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return
        self._headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        if self._refusal is not None:
            return
        # `_feed` counts what comes in pieces; a head that came in one is weighed here.
        if sum(len(name) + len(value) + 4 for name, value in self._headers) > self.site.limits.head:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return
        version = self._parser.get_http_version()
        if version not in ("1.1", "1.0"):
            self._refuse(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
            return
        target = _without_origin(self._target)
        head = Head(self._parser.get_method().decode("ascii"), target, f"HTTP/{version}", tuple(self._headers))
        length, chunked, waits, refusal = _about_body(head, self.site.limits.body)
        if refusal is not None:
            self._refuse(refusal)
            return
        if (length or chunked) and self._parser.should_upgrade():
            # `Upgrade: h2c` of Java's client. Nobody is obliged to upgrade, but llhttp skips the body then: once more
            self._skipped = head
            return
        body = Spool(self.site.limits.spool_memory, self.site.budget)
        self._incoming = Incoming(head, body, self._parser.should_keep_alive(), time.monotonic())
        self._phase = Phase.BODY
        if not self._answering:
            self.deadline = self.site.limits.body_until(self._incoming.since, self._incoming.since, 0)
        if (length or chunked) and waits and not self._answering and not self._queue:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, data: bytes) -> None:
        incoming, limits = self._incoming, self.site.limits
        if incoming is None or self._refusal is not None:
            return
        if limits.body and incoming.body.size + len(data) > limits.body:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        try:
            incoming.body.write(data)
        except SpoolFull:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
        except OSError as error:
            logger.error("a body cannot be spooled: %s", error)
            self._refuse(refusal_of(error))
        if not self._answering:
            self.deadline = limits.body_until(time.monotonic(), incoming.since, incoming.body.size)

    def on_message_complete(self) -> None:
        incoming, self._incoming = self._incoming, None
        if incoming is None or self._refusal is not None:
            return
        self._phase = Phase.WAIT
        self._queue.append(incoming)
        if len(self._queue) > PIPELINE:
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS)
        elif not self._answering:
            self._next()

    # answering

    def _next(self) -> None:
        incoming = self._queue.popleft()
        self._answering = True
        self.deadline = NEVER
        self._keep_alive = incoming.keep_alive
        self._old = incoming.head.version == "HTTP/1.0"
        Exchange(self.site, incoming.head, self.peer, incoming.body, self)

    def answered(self) -> None:
        self._answering = False
        if self.gone or self.closing:
            return
        if not self._keep_alive or self.site.stopping or (self._last_answer and not self._queue):
            self.close()
        elif self._queue:
            self._next()
        else:
            self._wait()

    def _wait(self) -> None:
        """Wait for the next request, which may be here already."""
        if self._phase is Phase.WAIT:
            self.within(self.site.limits.idle)
        elif self._phase is Phase.HEAD:
            self.within(self.site.limits.head_timeout)
        else:
            self.within(self.site.limits.body_timeout)
        held, self._held = self._held, b""
        if held:
            self._feed(held)
        if not self._answering and not self.closing:
            self.transport.resume_reading()

    def start(self, status: int, reason: str, headers: Headers, length: int | None, bodiless: bool = False) -> None:
        if self.site.stopping or (self._last_answer and not self._queue):
            self._keep_alive = False
        self._chunked = length is None and not bodiless and not self._old
        lines = [b"HTTP/1.1 %d %s\r\n" % (status, reason.encode("latin-1", "replace"))]
        lines += [b"%s: %s\r\n" % header for header in headers]
        if length is not None:
            lines.append(b"Content-Length: %d\r\n" % length)
        elif self._chunked:
            lines.append(b"Transfer-Encoding: chunked\r\n")
        elif not bodiless:
            self._keep_alive = False  # HTTP/1.0: the end is the connection's end
        if not self._keep_alive:
            lines.append(b"Connection: close\r\n")
        elif self._old:
            lines.append(b"Connection: keep-alive\r\n")
        lines.append(b"\r\n")
        self._start = b"".join(lines)

    def write(self, data: bytes, last: bool) -> bytes:
        if self.gone:
            raise ClientGone
        start, self._start = self._start, b""
        if not self._chunked:
            data = start + data
        elif data:
            data = b"%s%x\r\n%s\r\n%s" % (start, len(data), data, b"0\r\n\r\n" if last else b"")
        else:
            data = start + (b"0\r\n\r\n" if last else b"")
        if data:
            self.transport.write(data)
        return b""

    async def ready(self, more: bool) -> None:
        await self.drain()

    def abort(self) -> None:
        self._keep_alive = False
        self.drop()

    # ends

    def _refuse(self, status: HTTPStatus) -> None:
        """Note that the request that is being read will not be served."""
        if self._refusal is None:
            self._refusal = status

    def _send_refusal(self) -> None:
        """Answer with the noted refusal, after the answers that are due before it, and close."""
        status, self._refusal = self._refusal, None
        assert status is not None
        if self._incoming is not None:
            self._incoming.body.close()
            self._incoming = None
        self._last_answer = True
        self._phase = Phase.LINGER
        if self._answering or self._queue:
            return  # those answers come first, then the connection closes
        logger.info("%s: answered %d %s", self.peer.name, status.value, status.phrase)
        self._answering = True
        self._keep_alive = False
        self.spawn(self._linger(status), "refuse")

    async def _linger(self, status: HTTPStatus) -> None:
        headers = [(b"Retry-After", b"30")] if status is HTTPStatus.SERVICE_UNAVAILABLE else []
        try:
            await refuse(self, status, headers)
        except ClientGone:
            return
        self._answering = False
        if self.transport.can_write_eof():
            with contextlib.suppress(OSError):  # the client closed meanwhile
                self.transport.write_eof()
        self.within(LINGER)

    def expire(self, now: float) -> None:
        if self._phase in (Phase.WAIT, Phase.LINGER):
            self.close()
        elif self._phase is Phase.HEAD:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
            self._send_refusal()
        else:
            logger.info("%s: a body came too slowly, nothing was done", self.peer.name)
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
            self._send_refusal()

    @property
    def idle(self) -> bool:
        return self._phase is Phase.WAIT and not self._answering

    def stop(self) -> None:
        if not self._answering and self._phase is not Phase.LINGER:
            self.close()


def _about_body(head: Head, limit: int) -> tuple[int, bool, bool, HTTPStatus | None]:
    """Content-Length, whether chunked, whether the client waits for `100 Continue`, and a reason to refuse.

    That both lengths, several or foreign ones are refused is llhttp's work (RFC 9112 §6.3).
    """
    length, chunked, waits, hosts = 0, False, False, 0
    for name, value in head.headers:
        if name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            chunked = True
        elif name == b"host":
            hosts += 1
        elif name == b"expect":
            if value.lower() != b"100-continue":
                return 0, False, False, HTTPStatus.EXPECTATION_FAILED
            waits = head.version == "HTTP/1.1"
    if hosts > 1 or (hosts == 0 and head.version == "HTTP/1.1"):  # RFC 9112 §3.2
        return 0, False, False, HTTPStatus.BAD_REQUEST
    if head.method == "CONNECT" or not (head.target.startswith(b"/") or head.target == b"*"):
        return 0, False, False, HTTPStatus.BAD_REQUEST
    if limit and length > limit:
        return 0, False, False, HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return length, chunked, waits, None


def _without_upgrade(head: Head) -> bytes:
    """The head once more, for a parser that is not to see the wish to upgrade."""
    lines = [b"%s: %s\r\n" % (name, value) for name, value in head.headers if name not in (b"upgrade", b"connection")]
    return b"%s %s %s\r\n%s\r\n" % (head.method.encode(), head.target, head.version.encode(), b"".join(lines))


def _without_origin(target: bytes) -> bytes:
    """The path of a request target in absolute form (RFC 9112 §3.2.2)."""
    found = _ORIGIN(target)
    if found is None:
        return target
    rest = target[found.end() :]
    return rest if rest.startswith(b"/") else b"/" + rest


def _escaped_line(data: bytes) -> bytes:
    """The request line in the grammar's octets; llhttp refuses others."""
    line, newline, rest = data.partition(b"\r\n")
    return escaped(line) + newline + rest
