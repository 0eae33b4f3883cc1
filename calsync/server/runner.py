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
from dataclasses import dataclass, field, replace

from calsync import counters
from calsync.counters import families
from calsync.server import addresses
from calsync.server.call import Application
from calsync.server.crew import Crew
from calsync.server.door import Arrival, Door
from calsync.server.environ import Network
from calsync.server.exchange import Site
from calsync.server.guests import Guests
from calsync.server.http1 import Http1
from calsync.server.limits import Limits
from calsync.server.notify import notify, patience, reloading
from calsync.server.spool import Budget
from calsync.server.tls import Tls, TlsError

logger = logging.getLogger("calsync.server")

#: Seconds between two looks at all deadlines.
LOOK = 0.5

#: Seconds between two signs of life to who started us, at most.
SIGN = 5.0

#: Seconds for which a connection that waits for its next request may still bring one when others serve on: it is
#: answered, and told that it was the last. Whatever is in use learns so, and only what is idle is closed unasked.
POLITE = 1.0

#: Seconds for which a thread keeps the interpreter when others want it. With Python's 5 ms, a short request beside four
#: that compute took 58 ms in the middle; with 1 ms it takes 12.
SWITCH = 0.001

#: Seconds for which threads are waited for whose requests were cut off: a login at a server that does not answer takes
#: longer than anybody waits for this one's end. Shorter than `workers.BEYOND`, after which a worker is killed.
CUT_OFF = 5.0

#: Files that are open beside the connections: the store's, the log, spooled bodies.
OTHER_FILES = 128


@dataclass(slots=True)
class Runner:
    """Serves one application on sockets that already listen; `own` says that this process made them.

    `control`: where the parent of a worker speaks (`calsync.server.workers`). `reload` is called on SIGHUP, after the
    certificates were read anew; `ready` once with the addresses, when requests are answered.
    """

    application: Application
    sockets: Sequence[socket.socket]
    limits: Limits
    own: bool = True
    tls: Tls | None = None
    proxies: tuple[Network, ...] = ()
    control: socket.socket | None = None
    reload: Callable[[], None] = field(default=lambda: None)
    ready: Callable[[list[str]], None] = field(default=lambda urls: None)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; requests in flight may end, within `Limits.stop` seconds."""
        self.limits = replace(self.limits, connections=_allow_files(self.limits.connections))
        sys.setswitchinterval(SWITCH)
        asyncio.run(self._run())

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        crew = Crew(self.limits.threads, loop, self.limits.checks)
        site = Site(self.application, crew, self.limits, Budget(self.limits.spool_total), self.proxies)
        site.multiprocess = self.control is not None
        guests = Guests(self.limits.connections, self.limits.connections_per_address)
        context = self.tls.context() if self.tls is not None else None
        doors = [Door(sock, site, guests, _tls_on(sock, context)) for sock in self.sockets]
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, stopped, guests)
        loop.add_signal_handler(signal.SIGHUP, self._reload, context)
        loop.add_signal_handler(signal.SIGUSR2, self._cannot_replace)
        orders = _Orders(self, stopped, guests, context)
        if self.control is not None:
            self.control.setblocking(False)
            loop.add_reader(self.control.fileno(), orders.heed)
        watch = asyncio.create_task(_watch(guests, site.budget, self.control is not None))
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
        for door in doors:
            door.close()
        # Where others hold the sockets, too, clients come back to them at once; a plain end need not wait for anybody.
        polite = orders.polite if self.control is not None else not self.own
        whole = await _finish(guests, self.limits.stop, min(POLITE, self.limits.stop) if polite else 0.0)
        watch.cancel()
        whole = await asyncio.to_thread(crew.stop, 1.0 if whole else min(CUT_OFF, self.limits.stop)) and whole
        for path in made:
            path.unlink(missing_ok=True)
        logger.info("stopped" if whole else "stopped; some requests were cut off")

    def _stop(self, stopped: asyncio.Event, guests: Guests) -> None:
        if stopped.is_set():  # asked again: at once
            for guest in guests:
                guest.drop()
        stopped.set()

    def _cannot_replace(self) -> None:
        logger.warning(
            "SIGUSR2 replaces the workers of a server that has several ([limits] workers); here a restart does, "
            "and with systemd/calsync.socket it refuses nobody"
        )

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


def _tls_on(sock: socket.socket, context: ssl.SSLContext | None) -> ssl.SSLContext | None:
    """A unix socket is a proxy's, which speaks TLS with the clients itself."""
    return None if sock.family == socket.AF_UNIX else context


def _allow_files(connections: int) -> int:
    """Allow as many open files as connections need (the usual soft bound is 1024); how many there is room for.

    Where the hard bound leaves no room for so many, fewer are let in: a file that cannot be opened is worse, for the
    store needs some too.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections + 2 * OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft == resource.RLIM_INFINITY or soft >= connections + OTHER_FILES:
        return connections
    fewer = max(soft - OTHER_FILES, soft // 3, 1)
    logger.warning("%d connections at a time, not %d: only %d files may be open (ulimit -n)", fewer, connections, soft)
    return fewer


@dataclass(slots=True)
class _Orders:
    """What the parent says, a word a line. `polite`: others serve on."""

    runner: Runner
    stopped: asyncio.Event
    guests: Guests
    context: ssl.SSLContext | None
    polite: bool = False

    def heed(self) -> None:
        control = self.runner.control
        assert control is not None
        try:
            data = control.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(control.fileno())
            logger.error("the parent process is gone: no more requests are taken")
            self.stopped.set()
        for word in data.decode("ascii", "replace").split():
            if word == "reload":
                self.runner._reload(self.context)
            elif word == "drain":
                self.polite = True
                self.stopped.set()
            elif word == "stop":
                self.polite = False
                self.runner._stop(self.stopped, self.guests)


async def _watch(guests: Guests, spool: Budget, is_worker: bool) -> None:
    pause = SIGN if is_worker else patience() / 4
    said = time.monotonic()
    while True:
        await asyncio.sleep(LOOK)
        now = time.monotonic()
        for guest in guests:
            guest.check(now)
        counters.put(families.CONNECTIONS, len(guests))
        counters.put(families.SPOOL, spool.used)
        if pause and now - said >= pause:
            said = now
            notify("WATCHDOG=1")


async def _finish(guests: Guests, timeout: float, polite: float) -> bool:
    """Let requests in flight end; False where some did not within `timeout` seconds.

    For `polite` seconds a connection of HTTP/1.1 may still bring a request; HTTP/2 can say that no more is taken.
    """
    began = time.monotonic()
    for guest in guests:
        if not polite or not isinstance(guest, (Http1, Arrival)):
            guest.stop()
    while guests and time.monotonic() < began + polite:
        await asyncio.sleep(0.02)
    for guest in guests:
        if polite and guest.idle:
            guest.stop()
    while guests and time.monotonic() < began + timeout:
        await asyncio.sleep(0.02)
    rest = list(guests)
    for guest in rest:
        guest.drop()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            while guests:
                await asyncio.sleep(0.01)
    return not rest
