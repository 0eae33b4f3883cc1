"""A request that is whole becomes an answer: the same for HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Protocol

from calsync import counters
from calsync.counters import families
from calsync.server.call import Application, Call, Piece
from calsync.server.crew import READING, Crew, Crowded, Lane
from calsync.server.environ import Head, Network, Peer, environ_of
from calsync.server.limits import Limits
from calsync.server.spool import Budget, Spool

logger = logging.getLogger("calsync.server")

#: No failed login is held back longer than this, in seconds.
LONGEST_DELAY = 30.0

#: Headers that belong to a connection, or that the runner writes itself.
OWN_HEADERS = frozenset({"connection", "date", "keep-alive", "transfer-encoding", "upgrade"})

#: RFC 9110 §6.4.1; the others are below 200, which no application sends.
BODILESS = (204, 304)

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_NOT_IN_VALUE = re.compile(r"[\x00\r\n]").search

Headers = list[tuple[bytes, bytes]]


class ClientGone(Exception):
    """The client closed the connection or took too long; there is nobody to answer."""


class Out(Protocol):
    """Where an answer goes: a connection of HTTP/1.1, a stream of HTTP/2."""

    gone: bool

    def start(self, status: int, reason: str, headers: Headers, length: int | None, bodiless: bool = False) -> None:
        """The head. `length` is None where it is not known: then the end is marked otherwise, unless it is bodiless."""

    def write(self, data: bytes, last: bool) -> bytes:
        """Write what the client has room for, and return the rest. Raises `ClientGone`."""

    @property
    def clogged(self) -> bool:
        """Something written is still to be taken."""

    async def ready(self, more: bool) -> None:
        """Return when all that was written was taken, and with `more` when there is room. Raises `ClientGone`."""

    def abort(self) -> None:
        """End in a way that no client takes for a whole answer."""

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run a coroutine on the event loop."""

    def answered(self) -> None:
        """The exchange is over, in whatever way. Called once."""


@dataclass(slots=True)
class Site:
    """What all connections of a process share."""

    application: Application
    crew: Crew
    limits: Limits
    budget: Budget
    proxies: tuple[Network, ...] = ()
    multiprocess: bool = False
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def stopping(self) -> bool:
        return self.stop.is_set()


class Exchange:
    """Runs the application on a request and sends what it answers. Logs what goes wrong, raises nothing.

    A short answer is sent in the very turn of the event loop in which it came from the worker; only what must wait is
    worth a task.
    """

    __slots__ = ("_bodiless", "_body", "_call", "_head", "_lane", "_length", "_out", "_sent", "_site")

    def __init__(self, site: Site, head: Head, peer: Peer, body: Spool, out: Out) -> None:
        self._site = site
        self._head = head
        self._body = body
        self._out = out
        self._bodiless = head.method == "HEAD"
        self._length: int | None = None
        self._sent = 0
        environ = environ_of(head, peer, body.reader(), body.size)
        if site.stopping:
            environ["calsync.stopping"] = True
        environ["calsync.checks"] = "later"
        self._call = Call(site.application, environ, site.limits.batch)
        self._lane = Lane(writes=head.method not in READING, whose=id(peer))
        site.crew.submit(self._begin, self._begun, self._lane)

    # the beginning

    def _begin(self) -> Piece | None:
        return None if self._out.gone else self._call.begin()

    def _begun(self, piece: Piece | None, error: BaseException | None) -> None:
        if isinstance(error, Crowded):
            self._call.again("crowded")
            self._site.crew.submit(self._begin, self._begun, self._lane)
        elif error is not None:
            self._out.spawn(self._failed(error), self._head.method)
        elif self._call.unchecked is not None and not self._out.gone:
            # One address has one turn; what comes from this machine tells nobody from another but by connection.
            whose = self._call.unchecked or self._lane.whose
            self._call.again("")
            self._site.crew.check(self._begin, self._begun, whose)
        elif piece is None or self._out.gone:
            self._out.spawn(self._end(), self._head.method)
        elif self._call.delay > 0:
            self._out.spawn(self._delayed(piece), self._head.method)
        else:
            self._answer(piece)

    async def _delayed(self, piece: Piece) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._site.stop.wait(), min(self._call.delay, LONGEST_DELAY))
        self._answer(piece)

    async def _failed(self, error: BaseException) -> None:
        logger.error("the application failed on %s", self._shown, exc_info=error)
        with contextlib.suppress(ClientGone):
            await refuse(self._out, HTTPStatus.INTERNAL_SERVER_ERROR)
        await self._end()

    def _answer(self, piece: Piece) -> None:
        """Send the head and the first piece; the rest has a task."""
        call, out = self._call, self._out
        try:
            headers = _headers(call)
            self._bodiless = self._bodiless or call.status in BODILESS
            self._length = _length(headers, call, piece, self._bodiless)
        except Exception as error:  # noqa: BLE001 - headers that are none: the application's failure, answered as one
            out.spawn(self._failed(error), self._head.method)
            return
        try:
            if not out.gone:
                out.start(call.status, call.reason, headers, self._length, self._bodiless)
            rest = self._write(piece)
        except ClientGone:
            out.spawn(self._end(), self._head.method)
            return
        if piece.last and not rest and not out.clogged:
            self._over()
        else:
            out.spawn(self._go_on(piece, rest), self._head.method)

    # the rest

    async def _go_on(self, piece: Piece, rest: bytes) -> None:
        try:
            while True:
                await self._out.ready(bool(rest))
                if rest:
                    rest = self._out.write(rest, piece.last)
                elif piece.last:
                    break
                else:
                    piece = await self._site.crew.run(self._call.more, self._lane)
                    rest = self._write(piece)
        except ClientGone:
            logger.debug("%s: the client went away before the answer's end", self._shown)
        except Exception:  # the application's; too late for a 500: the answer must not look complete
            logger.exception("the answer to %s broke off", self._shown)
            self._out.abort()
        await self._end()

    def _write(self, piece: Piece) -> bytes:
        """Write a piece and return its unsent rest. Raises `ClientGone`, also when the announced length is not true."""
        if self._out.gone:
            raise ClientGone
        self._sent += len(piece.data)
        expected = None if self._bodiless else self._length
        if expected is not None and (self._sent > expected or (piece.last and self._sent < expected)):
            logger.error("%s: Content-Length: %d is not true", self._shown, expected)
            self._out.abort()
            raise ClientGone
        return self._out.write(b"" if self._bodiless else piece.data, piece.last)

    # the end

    async def _end(self) -> None:
        if not self._call.ended:
            try:
                await self._site.crew.run(self._call.end, self._lane)
            except Exception:  # the application's; the answer is decided
                logger.exception("the application failed in close() of %s", self._shown)
        self._over()

    def _over(self) -> None:
        self._body.close()
        self._out.answered()

    @property
    def _shown(self) -> str:
        """The request for the log, without its query (that may hold a token)."""
        return f"{self._head.method} {self._head.target.partition(b'?')[0].decode('latin-1')}"


def _headers(call: Call) -> Headers:
    """The application's headers as octets. Raises ValueError on one that would split the answer."""
    headers: Headers = []
    for name, value in call.headers:
        if name.lower() in OWN_HEADERS:
            continue
        if not _NAME(name) or _NOT_IN_VALUE(value):
            raise ValueError(f"not a header: {name!r}: {value!r}")
        try:
            octets = value.encode("latin-1")
        except UnicodeEncodeError:
            octets = value.encode()
        headers.append((name.encode("ascii"), octets))
    headers.append((b"Date", http_date()))
    return headers


def _length(headers: Headers, call: Call, piece: Piece, bodiless: bool) -> int | None:
    """The length to announce; taken out of the headers where it stands there."""
    for index, (name, value) in enumerate(headers):
        if name.lower() == b"content-length":
            del headers[index]
            return None if call.status == 204 else int(value)  # RFC 9110 §8.6
    if bodiless:
        return None if call.status in BODILESS else call.length or None
    if call.length is not None:
        return call.length
    return len(piece.data) if piece.last else None


async def refuse(out: Out, status: HTTPStatus, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
    """Answer with a status and its name. Raises `ClientGone`."""
    counters.add(families.REFUSED, (str(status.value),))
    text = f"{status.value} {status.phrase}\n".encode()
    out.start(
        status.value,
        status.phrase,
        [
            (b"Content-Type", b"text/plain; charset=utf-8"),
            (b"X-Content-Type-Options", b"nosniff"),
            *headers,
            (b"Date", http_date()),
        ],
        len(text),
    )
    rest = out.write(text, True)
    while True:
        await out.ready(bool(rest))
        if not rest:
            break
        rest = out.write(rest, True)


_date = (0, b"")


def http_date() -> bytes:
    """Now, as RFC 9110 §6.6.1 wants it; made once a second."""
    global _date
    now = int(time.time())
    if _date[0] != now:
        _date = (now, formatdate(now, usegmt=True).encode())
    return _date[1]
