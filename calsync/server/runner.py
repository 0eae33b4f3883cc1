"""The process: it listens, accepts, looks at deadlines, heeds signals and ends in good order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from calsync.server import addresses
from calsync.server.call import Application
from calsync.server.connection import Connection, Connections
from calsync.server.crew import Crew
from calsync.server.environ import Network
from calsync.server.exchange import Site
from calsync.server.http1 import Http1
from calsync.server.limits import Limits
from calsync.server.notify import notify, reloading
from calsync.server.spool import Budget
from calsync.server.tls import Tls, TlsError

logger = logging.getLogger("calsync.server")

#: Seconds between two looks at all deadlines.
LOOK = 0.5

#: Seconds for which a thread keeps the interpreter when others want it. With Python's 5 ms, a short request beside four
#: that compute took 58 ms in the middle; with 1 ms it takes 12.
SWITCH = 0.001

#: Seconds that a TLS handshake may take.
HANDSHAKE = 10.0


@dataclass(slots=True)
class Runner:
    """Serves one application on sockets that already listen; `own` says that this process made them.

    `reload` is called on SIGHUP, after the certificates were read anew; `ready` once with the addresses, when requests
    are answered.
    """

    application: Application
    sockets: Sequence[socket.socket]
    limits: Limits
    own: bool = True
    tls: Tls | None = None
    proxies: tuple[Network, ...] = ()
    reload: Callable[[], None] = field(default=lambda: None)
    ready: Callable[[list[str]], None] = field(default=lambda urls: None)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; requests in flight may end, within `Limits.stop` seconds."""
        _allow_files(self.limits.connections)
        sys.setswitchinterval(SWITCH)
        asyncio.run(self._run())

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        crew = Crew(self.limits.threads, loop)
        site = Site(self.application, crew, self.limits, Budget(self.limits.spool_total), self.proxies)
        connections: Connections = set()
        context = self.tls.context() if self.tls is not None else None
        servers = [await self._listen(sock, site, connections, _tls_on(sock, context)) for sock in self.sockets]
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, stopped, connections)
        loop.add_signal_handler(signal.SIGHUP, self._reload, context)
        watch = asyncio.create_task(_watch(connections))
        urls = [addresses.url(sock, context is not None) for sock in self.sockets]
        made = addresses.files(self.sockets) if self.own else []
        for url in urls:
            logger.info("listening on %s", url)
        self.ready(urls)
        notify("READY=1", f"STATUS=listening on {' '.join(urls)}")
        await stopped.wait()
        logger.info("stopping")
        notify("STOPPING=1")
        site.stop.set()
        for server in servers:
            server.close()
        whole = await _finish(connections, self.limits.stop)
        watch.cancel()
        whole = await asyncio.to_thread(crew.stop, 1.0 if whole else self.limits.stop) and whole
        for path in made:
            path.unlink(missing_ok=True)
        logger.info("stopped" if whole else "stopped; some requests were cut off")

    async def _listen(
        self, sock: socket.socket, site: Site, connections: Connections, context: ssl.SSLContext | None
    ) -> asyncio.Server:
        kind = _Greeting if context is not None else Http1

        def connect() -> asyncio.Protocol:
            return kind(site, connections)

        loop = asyncio.get_running_loop()
        timeout = HANDSHAKE if context is not None else None
        if sock.family == socket.AF_UNIX:
            return await loop.create_unix_server(
                connect, sock=sock, ssl=context, backlog=addresses.BACKLOG, ssl_handshake_timeout=timeout
            )
        return await loop.create_server(
            connect, sock=sock, ssl=context, backlog=addresses.BACKLOG, ssl_handshake_timeout=timeout
        )

    def _stop(self, stopped: asyncio.Event, connections: Connections) -> None:
        if stopped.is_set():  # asked again: at once
            for connection in list(connections):
                connection.drop()
        stopped.set()

    def _reload(self, context: ssl.SSLContext | None) -> None:
        logger.info("reloading")
        reloading()
        if self.tls is not None and context is not None:
            try:
                self.tls.context()  # on trial: a certificate that does not fit its key must not spoil the one in use
                self.tls.load(context)
            except TlsError as error:
                logger.error("%s; the old certificate stays", error)
        try:
            self.reload()
        except Exception:  # the server goes on with what it had
            logger.exception("not reloaded")
        notify("READY=1")


class _Greeting(asyncio.Protocol):
    """A TLS connection until its handshake has told which HTTP it speaks (RFC 7301)."""

    def __init__(self, site: Site, connections: Connections) -> None:
        self._site = site
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        connection: Connection
        if transport.get_extra_info("ssl_object").selected_alpn_protocol() == "h2":
            from calsync.server.http2 import Http2  # a server behind a proxy never needs it

            connection = Http2(self._site, self._connections)
        else:
            connection = Http1(self._site, self._connections)
        transport.set_protocol(connection)
        connection.connection_made(transport)


def _tls_on(sock: socket.socket, context: ssl.SSLContext | None) -> ssl.SSLContext | None:
    """A unix socket is a proxy's, which speaks TLS with the clients itself."""
    return None if sock.family == socket.AF_UNIX else context


def _allow_files(connections: int) -> None:
    """Each connection is an open file; the usual soft bound of 1024 is too near."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections + 256
    if soft != resource.RLIM_INFINITY and soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


async def _watch(connections: Connections) -> None:
    while True:
        await asyncio.sleep(LOOK)
        now = time.monotonic()
        for connection in list(connections):
            connection.check(now)


async def _finish(connections: Connections, timeout: float) -> bool:
    """Let requests in flight end; False where some did not within `timeout` seconds."""
    for connection in list(connections):
        connection.stop()
    until = time.monotonic() + timeout
    while connections and time.monotonic() < until:
        await asyncio.sleep(0.02)
    rest = list(connections)
    for connection in rest:
        connection.drop()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            while connections:
                await asyncio.sleep(0.01)
    return not rest
