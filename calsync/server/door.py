"""A listening socket: who knocks, who comes in, and how long a TLS handshake may take."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
import time

from calsync.server.connection import RESET, Connection
from calsync.server.environ import is_trusted
from calsync.server.exchange import Site
from calsync.server.guests import Guests, household_of
from calsync.server.http1 import Http1

logger = logging.getLogger("calsync.server")

#: Connections taken in one turn of the event loop; the others wait in the kernel's queue for the next.
AT_ONCE = 64

#: The same where other processes take from the same queue: what one does not take at once, another does that is less
#: busy. With 64, the first to wake up took them all.
AT_ONCE_OF_MANY = 1

#: Seconds for which nobody is let in when the system has no file or memory left for one more.
BREATH = 0.5

#: Seconds that a TLS handshake may take where nothing is configured.
SLOWEST = 60.0

#: Seconds between two complaints about it.
RARELY = 60.0

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Door:
    """Takes connections from one listening socket. With `context`, they speak TLS.

    asyncio's own server knows nothing of a connection until its handshake is done; a thousand that never finish theirs
    would be in nobody's count.
    """

    def __init__(self, sock: socket.socket, site: Site, guests: Guests, context: ssl.SSLContext | None) -> None:
        self._sock = sock
        self._site = site
        self._guests = guests
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._complaint = Complaint()
        self._tasks: set[asyncio.Task[None]] = set()
        sock.setblocking(False)
        self._open()

    def close(self) -> None:
        """Let nobody in any more."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._sock.fileno())
            self._sock.close()

    def _open(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._sock.fileno(), self._knock)

    def _knock(self) -> None:
        for _ in range(AT_ONCE_OF_MANY if self._site.multiprocess else AT_ONCE):
            try:
                sock, address = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    logger.debug("a connection was gone before it came in: %s", error)
                    continue
                self._wait(error)
                return
            self._let_in(sock, address[0] if isinstance(address, tuple) else "")
            if self._guests.full:
                return  # who had to go for this one closes its file in the loop's next turn

    def _wait(self, error: OSError) -> None:
        """Whoever has waited longest goes, so that somebody can come in soon."""
        times = self._complaint.due(time.monotonic())
        if times:
            logger.error(
                "no connection can be accepted%s: %s (more open files: ulimit -n, LimitNOFILE=)",
                "" if times == 1 else f", {times} times since it was said last",
                error.strerror,
            )
        self._loop.remove_reader(self._sock.fileno())
        self._loop.call_later(BREATH, self._open)
        self._guests.let_one_go()

    def _let_in(self, sock: socket.socket, address: str) -> None:
        household = "" if is_trusted(address, self._site.proxies) else household_of(address)
        if not self._guests.make_room(household):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            sock.close()
            return
        sock.setblocking(False)
        limits = self._site.limits
        patience = limits.head_timeout if self._context is None else limits.handshake or SLOWEST
        arrival = Arrival(self._site, self._guests, household, time.monotonic() + patience)
        task = self._loop.create_task(self._greet(sock, arrival))
        arrival.task = task
        self._tasks.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            arrival.end()
            if not arrival.greeted:  # it had to go before its turn came
                sock.close()

        task.add_done_callback(done)

    async def _greet(self, sock: socket.socket, arrival: Arrival) -> None:
        arrival.greeted = True
        try:
            timeout = self._site.limits.handshake if self._context is not None else 0
            await self._loop.connect_accepted_socket(
                lambda: arrival, sock, ssl=self._context, ssl_handshake_timeout=timeout or None
            )
        except (OSError, asyncio.CancelledError) as error:  # a handshake that failed, was too slow, or had to go
            logger.debug("no connection was made: %s", error)


class Complaint:
    """What happens twice a second as long as it lasts is said once, and once a minute, with how often it was."""

    def __init__(self) -> None:
        self._said = float("-inf")
        self._times = 0

    def due(self, now: float) -> int:
        """It has happened again; how often since it was said last, 0 where it is not to be said yet."""
        self._times += 1
        if now - self._said < RARELY:
            return 0
        self._said, times, self._times = now, self._times, 0
        return times


class Arrival(asyncio.Protocol):
    """A guest until its handshake has told which HTTP it speaks (RFC 7301)."""

    def __init__(self, site: Site, guests: Guests, household: str, deadline: float) -> None:
        self.household = household
        self.deadline = deadline
        self.closing = False
        self.idle = True
        """It is waited for, like one that is open and says nothing."""
        self.greeted = False
        self.task: asyncio.Task[None] | None = None
        self._site = site
        self._guests = guests
        guests.add(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.end()
        connection: Connection
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and tls.selected_alpn_protocol() == "h2":
            from calsync.server.http2 import Http2  # a server behind a proxy never needs it

            connection = Http2(self._site, self._guests)
        else:
            connection = Http1(self._site, self._guests)  # which sees HTTP/2 in the clear by itself
        transport.set_protocol(connection)
        connection.connection_made(transport)

    def end(self) -> None:
        """It has come in, or went away."""
        self._guests.discard(self)

    def check(self, now: float) -> None:
        """The handshake has its own time-out."""

    def stop(self) -> None:
        self.drop()

    def drop(self) -> None:
        self.closing = True
        if self.task is not None:
            self.task.cancel()
