"""HTTP/2 (RFC 9113): over TLS where the client asks for it, and in the clear with prior knowledge. By the h2 package.

Each stream is a request like any other; streams share the connection's window, and at most `Limits.streams` of them
are open at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from http import HTTPStatus
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from calsync.server.connection import Connection, logger
from calsync.server.environ import Head, escaped
from calsync.server.exchange import ClientGone, Exchange, Headers, Site, refuse
from calsync.server.frames import Frames
from calsync.server.guests import Guests
from calsync.server.limits import NEVER
from calsync.server.spool import Spool, SpoolFull, refusal_of

WINDOW = 1024 * 1024

#: With more than this unsent (answers to pings, mostly), nothing more is read.
BACKLOG = 256 * 1024

#: Streams that a client may take back, beside as many as it let be answered (the "rapid reset" of 2023).
RESETS = 100


class Stream:
    """One request and its answer."""

    __slots__ = (
        "_connection",
        "_head",
        "body",
        "gone",
        "head",
        "id",
        "reading",
        "since",
        "touched",
        "waiting",
        "woken",
    )

    def __init__(self, connection: Http2, number: int, head: Head, body: Spool) -> None:
        self._connection = connection
        self._head: Headers = []
        self.id = number
        self.head = head
        self.body = body
        self.reading = True
        self.gone = False
        self.since = self.touched = time.monotonic()
        self.waiting: asyncio.Future[None] | None = None

    def start(self, status: int, reason: str, headers: Headers, length: int | None, bodiless: bool = False) -> None:
        fields = [(b":status", b"%d" % status), *((name.lower(), value) for name, value in headers)]
        if length is not None:
            fields.append((b"content-length", b"%d" % length))
        self._head = fields

    def write(self, data: bytes, last: bool) -> bytes:
        if self.gone:
            raise ClientGone
        connection, view = self._connection, memoryview(data)
        try:
            if self._head:
                connection.h2.send_headers(self.id, self._head, end_stream=last and not data)
            elif last and not data:
                connection.h2.end_stream(self.id)
            self._head = []
            room = min(connection.h2.local_flow_control_window(self.id), len(view)) if view else 0
            while room > 0:
                size = min(room, connection.h2.max_outbound_frame_size)
                connection.h2.send_data(self.id, bytes(view[:size]), end_stream=last and size == len(view))
                view = view[size:]
                room -= size
        except h2.exceptions.H2Error as error:  # the client reset the stream or left the connection
            raise ClientGone from error
        connection.flush()
        return bytes(view)

    @property
    def clogged(self) -> bool:
        return self._connection.clogged

    async def ready(self, more: bool) -> None:
        await self._connection.drain()
        try:
            while more and not self.gone and self._connection.h2.local_flow_control_window(self.id) <= 0:
                self.touched = time.monotonic()
                self.waiting = asyncio.get_running_loop().create_future()
                await self.waiting
        except h2.exceptions.H2Error as error:
            raise ClientGone from error
        if self.gone:
            raise ClientGone

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._connection.spawn(work, name)

    def answered(self) -> None:
        self._connection.answered(self)

    def abort(self) -> None:
        """RFC 9113 §5.4.2: a reset tells the client that the answer is not whole."""
        self.reset(h2.errors.ErrorCodes.INTERNAL_ERROR)

    def reset(self, code: h2.errors.ErrorCodes) -> None:
        if not self.gone:
            self.leave()
            with contextlib.suppress(h2.exceptions.H2Error):
                self._connection.h2.reset_stream(self.id, code)
            self._connection.flush()

    def leave(self) -> None:
        self.gone = True
        self.wake()

    def wake(self) -> None:
        waiting, self.waiting = self.waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)


class Http2(Connection):
    """A connection of HTTP/2."""

    def __init__(self, site: Site, guests: Guests) -> None:
        super().__init__(site, guests)
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=False,
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._frames = Frames()
        self._streams: dict[int, Stream] = {}
        self._answered = 0
        self._resets = 0
        self._leaving = False

    # reading

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        settings = h2.settings.SettingCodes
        self.h2.local_settings = h2.settings.Settings(
            client=False,
            initial_values={
                settings.MAX_CONCURRENT_STREAMS: self.site.limits.streams,
                settings.INITIAL_WINDOW_SIZE: WINDOW,
                settings.MAX_HEADER_LIST_SIZE: self.site.limits.head,
                settings.ENABLE_PUSH: 0,
            },
        )
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(WINDOW)
        self.flush()
        self.within(self.site.limits.head_timeout)

    def data_received(self, data: bytes) -> None:
        if self.closing:
            return
        if (length := self._frames.longest(data)) > self.h2.max_inbound_frame_size:
            # RFC 9113 §4.2: said before it is there, for h2 would keep all that comes of it
            logger.info("%s: a frame of %d octets, connection dropped", self.peer.name, length)
            self._goodbye(h2.errors.ErrorCodes.FRAME_SIZE_ERROR)
            return
        try:
            events = self.h2.receive_data(data)
        except h2.exceptions.ProtocolError as error:
            logger.debug("%s: %s", self.peer.name, error)
            self._goodbye()
            return
        for event in events:
            self._heed(event)
        self.flush()
        if self._full and self.transport.get_write_buffer_size() > BACKLOG:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.gone:
            self.transport.resume_reading()

    def _heed(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self._begin(event)
        elif isinstance(event, h2.events.DataReceived):
            self._take(event)
        elif isinstance(event, h2.events.StreamEnded):
            stream = self._streams.get(event.stream_id)
            if stream is not None and stream.reading:
                stream.reading = False
                Exchange(self.site, stream.head, self.peer, stream.body, stream)
        elif isinstance(event, h2.events.StreamReset):
            self._lost(event.stream_id)
        elif isinstance(event, h2.events.WindowUpdated | h2.events.RemoteSettingsChanged):
            for stream in self._streams.values():
                stream.wake()
        elif isinstance(event, h2.events.ConnectionTerminated):
            for stream in self._streams.values():
                stream.leave()
            self.close()

    def _begin(self, event: h2.events.RequestReceived) -> None:
        pseudo: dict[bytes, bytes] = {}
        headers: list[tuple[bytes, bytes]] = []
        for name, value in event.headers:
            if name.startswith(b":"):
                pseudo[bytes(name)] = bytes(value)
            else:
                headers.append((bytes(name), bytes(value)))
        if b":authority" in pseudo:  # RFC 9113 §8.3.1: it comes before Host
            headers = [header for header in headers if header[0] != b"host"]
            headers.append((b"host", pseudo[b":authority"]))
        target = escaped(pseudo.get(b":path", b""))
        head = Head(pseudo.get(b":method", b"").decode("latin-1"), target, "HTTP/2.0", tuple(headers))
        limits = self.site.limits
        if self._leaving:
            self.h2.reset_stream(event.stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
            return
        stream = Stream(self, event.stream_id, head, Spool(limits.spool_memory, self.site.budget))
        self._streams[stream.id] = stream
        self.deadline = NEVER
        length = next((value for name, value in headers if name == b"content-length"), b"0")
        if head.method == "CONNECT" or not (target.startswith(b"/") or target == b"*") or not length.isdigit():
            self._refuse(stream, HTTPStatus.BAD_REQUEST)
        elif len(target) > limits.target:
            self._refuse(stream, HTTPStatus.REQUEST_URI_TOO_LONG)
        elif len(headers) > limits.headers:
            self._refuse(stream, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif 0 < limits.body < int(length):
            self._refuse(stream, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    def _take(self, event: h2.events.DataReceived) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is not None and stream.reading:
            stream.touched = time.monotonic()
            try:
                if 0 < self.site.limits.body < stream.body.size + len(event.data):
                    self._refuse(stream, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
                else:
                    stream.body.write(bytes(event.data))
            except SpoolFull:
                self._refuse(stream, HTTPStatus.SERVICE_UNAVAILABLE)
            except OSError as error:
                logger.error("a body cannot be spooled: %s", error)
                self._refuse(stream, refusal_of(error))
        if event.flow_controlled_length:
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)

    def _lost(self, number: int) -> None:
        """The client took a request back, or does not want its answer any more."""
        self._resets += 1
        stream = self._streams.get(number)
        if stream is not None:
            stream.leave()
            if stream.reading:
                self._forget(stream)
        if self._resets > RESETS + self._answered:
            logger.info("%s: took back %d requests, connection dropped", self.peer.name, self._resets)
            self._goodbye(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM)

    # answering

    def answered(self, stream: Stream) -> None:
        self._answered += not stream.gone
        self._forget(stream)

    def _refuse(self, stream: Stream, status: HTTPStatus) -> None:
        stream.reading = False
        logger.info("%s: answered %d %s", self.peer.name, status.value, status.phrase)
        self.spawn(self._refused(stream, status), "refuse")

    async def _refused(self, stream: Stream, status: HTTPStatus) -> None:
        try:
            await refuse(stream, status)
            stream.reset(h2.errors.ErrorCodes.NO_ERROR)  # RFC 9113 §8.1: the rest of the body is not wanted
        except (ClientGone, h2.exceptions.H2Error):
            pass
        self._forget(stream)

    def _forget(self, stream: Stream) -> None:
        stream.gone = True
        stream.body.close()
        self._streams.pop(stream.id, None)
        if not self._streams:
            if self._leaving or self.site.stopping:
                self._goodbye(h2.errors.ErrorCodes.NO_ERROR)
            else:
                self.within(self.site.limits.idle)

    def flush(self) -> None:
        data = self.h2.data_to_send()
        if data and not self.closing:
            self.transport.write(data)

    # ends

    def check(self, now: float) -> None:
        super().check(now)
        limits = self.site.limits
        for stream in list(self._streams.values()):
            if stream.reading:
                if now > limits.body_until(stream.touched, stream.since, stream.body.size):
                    logger.info("%s: a body came too slowly, nothing was done", self.peer.name)
                    self._refuse(stream, HTTPStatus.REQUEST_TIMEOUT)
            elif stream.waiting is not None and 0 < limits.timeout < now - stream.touched:
                stream.reset(h2.errors.ErrorCodes.CANCEL)

    def expire(self, now: float) -> None:
        self._goodbye(h2.errors.ErrorCodes.NO_ERROR)

    @property
    def idle(self) -> bool:
        return not self._streams

    def stop(self) -> None:
        self._leaving = True
        if not self._streams:
            self._goodbye(h2.errors.ErrorCodes.NO_ERROR)

    def _goodbye(self, code: h2.errors.ErrorCodes | None = None) -> None:
        """Send what is due, with a GOAWAY where h2 has not made one itself, and close."""
        if code is not None and self.h2.state_machine.state is not h2.connection.ConnectionState.CLOSED:
            self.h2.close_connection(code)
        self.flush()
        self.close()

    def eof_received(self) -> bool:
        self.close()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for stream in list(self._streams.values()):
            stream.leave()
            if stream.reading:
                stream.body.close()
