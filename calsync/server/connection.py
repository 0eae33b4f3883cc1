"""What connections of HTTP/1.1 and HTTP/2 have in common: the transport, its deadlines, and taking turns."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any, cast

from calsync.server.environ import Peer, peer_of
from calsync.server.exchange import ClientGone, Site
from calsync.server.guests import Guests, household_of
from calsync.server.limits import NEVER

logger = logging.getLogger("calsync.server")

#: A kernel holds at most this many unsent octets for us, so that "written" means nearly "taken" (tcp(7)).
NOT_SENT = 128 * 1024

#: Seconds in which a closed connection must have taken its last octets.
CLOSING = 5.0

#: linger on, for 0 seconds: close() sends a reset (socket(7)).
RESET = struct.pack("ii", 1, 0)


class Connection(asyncio.Protocol, ABC):
    """One connection. `deadline` (monotonic seconds) is looked at by `check` about once a second."""

    def __init__(self, site: Site, guests: Guests) -> None:
        self.site = site
        self.guests = guests
        self.household = ""
        self.gone = False
        self.deadline = NEVER
        self.closing = False
        self.transport: asyncio.Transport
        self.peer: Peer
        self._writable: asyncio.Future[None] | None = None
        self._full = False
        self._left = 0
        self._moved = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    # what a kind of connection says

    @abstractmethod
    def expire(self, now: float) -> None:
        """The deadline has passed."""

    @property
    @abstractmethod
    def idle(self) -> bool:
        """Nothing is being read or answered."""

    @abstractmethod
    def stop(self) -> None:
        """The server stops: close now if idle, else after what is in flight."""

    # the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.peer = _peer(self.transport, self.site)
        self.transport.set_write_buffer_limits(high=1, low=0)  # asyncio's TLS would stop at a high of 0 for good
        self.household = "" if self.peer.trusted else household_of(self.peer.address)
        self.guests.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self.guests.discard(self)
        self.resume_writing()

    def pause_writing(self) -> None:
        self._full = True
        self._left = -1

    def resume_writing(self) -> None:
        self._full = False
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    @property
    def clogged(self) -> bool:
        return self._full

    async def drain(self) -> None:
        """Return when all that was written has left for the client. Raises `ClientGone`."""
        while self._full and not self.gone:
            if self._writable is None:
                self._writable = asyncio.get_running_loop().create_future()
            await self._writable
        if self.gone:
            raise ClientGone

    # deadlines

    def check(self, now: float) -> None:
        """Heed the deadlines; called again and again."""
        if self._full:
            left = self.transport.get_write_buffer_size()
            if left != self._left:
                self._left, self._moved = left, now
            elif 0 < self.site.limits.timeout < now - self._moved:
                logger.info("%s: took nothing for %g s, connection dropped", self.peer.name, self.site.limits.timeout)
                self.drop()
                return
        if now >= self.deadline:
            if self.closing:
                self.drop()
            else:
                self.expire(now)

    def within(self, seconds: float) -> None:
        """Set the deadline; 0 is no deadline."""
        self.deadline = time.monotonic() + seconds if seconds else NEVER

    def close(self) -> None:
        """Close when the last octets are taken, at the latest after `CLOSING` seconds."""
        if not self.closing:
            self.closing = True
            self.within(CLOSING)
            self.transport.close()

    def drop(self) -> None:
        """Close at once, with a reset: what was not sent is lost, and no client takes it for a regular end."""
        self.closing = True
        sock: socket.socket = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):  # closed already
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s: the runner failed", self.peer.name, exc_info=error)
            self.drop()


def _peer(transport: asyncio.Transport, site: Site) -> Peer:
    tls: dict[str, Any] | None = None
    ssl_object = transport.get_extra_info("ssl_object")
    if ssl_object is not None:
        cipher = ssl_object.cipher()
        tls = {"HTTPS": "on", "SSL_PROTOCOL": ssl_object.version() or "", "SSL_CIPHER": cipher[0] if cipher else ""}
        certificate = ssl_object.getpeercert()
        if certificate:
            tls["REMOTE_CERTIFICATE"] = certificate
    sock: socket.socket = transport.get_extra_info("socket")
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOT_SENT)
    return peer_of(
        transport.get_extra_info("peername"), transport.get_extra_info("sockname"), site.proxies, tls, site.multiprocess
    )
