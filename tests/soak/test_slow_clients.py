"""A besieged server: many slow, silent and greedy clients, and one that only wants its calendar."""

from __future__ import annotations

import resource
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from tests.dav.conftest import PASSWORD, event
from tests.server_process import ServerProcess
from tests.soak import figures
from tests.soak.wire import Wire, whole

HOME = "/anna/calendar/"
BASIC = b"Authorization: Basic " + b64encode(f"anna:{PASSWORD}".encode()) + b"\r\n"
HEAD = b"GET /anna/calendar/a.ics HTTP/1.1\r\nHost: x\r\nX-Long: "
BODY = b"PUT /anna/calendar/never.ics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n" + BASIC + b"\r\n"
LARGE = b"GET /anna/large/ HTTP/1.1\r\nHost: x\r\n" + BASIC + b"\r\n"


@dataclass(frozen=True)
class Siege:
    """How many of each kind."""

    heads: int
    bodies: int
    idle: int
    readers: int
    uploads: int
    megabytes: int
    requests: int
    """Of the normal client, in each phase."""


SHORT = Siege(heads=30, bodies=30, idle=100, readers=10, uploads=2, megabytes=2, requests=10)
LONG = Siege(heads=200, bodies=200, idle=1000, readers=50, uploads=10, megabytes=8, requests=300)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("server"), config_text="[limits]\nconnections = 1300\n")
    with server:
        server.add_user("anna", PASSWORD)
        anna = Wire(server.address, "anna")
        assert anna.ask("PUT", f"{HOME}a.ics", event("a")).status == 201
        many = whole(*(event(f"u{number}", "DESCRIPTION:" + "x" * 900) for number in range(4000)))
        assert anna.ask("PUT", "/anna/large/", many).status == 201
        anna.close()
        yield server


@contextmanager
def files(number: int) -> Iterator[None]:
    """Many connections are many files of this process, too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < number:
        pytest.skip(f"this process may have only {hard} files (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, number), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def ask(server: ServerProcess, times: int) -> list[float]:
    """A normal client, which comes anew each time: it syncs, reads and writes. How long the three take together."""
    found = []
    for number in range(times):
        began = time.perf_counter()
        wire = Wire(server.address, "anna")
        assert wire.sync(HOME, "", None).status == 207
        assert wire.ask("GET", f"{HOME}a.ics").status == 200
        assert wire.ask("PUT", f"{HOME}a.ics", event("a", f"SUMMARY:{number} {began}")).status == 204
        wire.close()
        found.append(time.perf_counter() - began)
    return found


@contextmanager
def again_and_again(act: Callable[[], None], pause: float) -> Iterator[None]:
    """`act` in a thread until the block ends."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(pause):
            act()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def opened(server: ServerProcess, stack: ExitStack, number: int, sent: bytes, buffer: int = 0) -> list[socket.socket]:
    found = []
    for _ in range(number):
        sock = stack.enter_context(socket.socket())
        if buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.settimeout(20)
        sock.connect(server.address)
        sock.sendall(sent)
        found.append(sock)
    return found


def drip(socks: list[socket.socket]) -> Callable[[], None]:
    def act() -> None:
        for sock in list(socks):
            try:
                sock.sendall(b"x")
            except OSError:  # it was told to go
                socks.remove(sock)

    return act


def sip(socks: list[socket.socket]) -> Callable[[], None]:
    for sock in socks:
        sock.setblocking(False)

    def act() -> None:
        for sock in list(socks):
            try:
                if not sock.recv(512):
                    socks.remove(sock)
            except BlockingIOError:  # nothing has come yet
                pass
            except OSError:
                socks.remove(sock)

    return act


@pytest.mark.parametrize(
    "siege",
    [
        pytest.param(SHORT, id="short"),
        pytest.param(LONG, id="long", marks=[pytest.mark.soak, pytest.mark.timeout(900)]),
    ],
)
def test_a_normal_client_among_the_slow(server: ServerProcess, siege: Siege) -> None:
    def note(what: str, times: list[float]) -> None:
        if siege is LONG:
            figures.note(f"slow clients: sync + GET + PUT, {what}", figures.spread(times))

    with files(2000), ExitStack() as stack:
        ask(server, 3)
        note("alone", ask(server, siege.requests))
        heads = opened(server, stack, siege.heads, HEAD)
        with again_and_again(drip(heads), 0.2):
            note(f"among {siege.heads} dripping heads", ask(server, siege.requests))
        bodies = opened(server, stack, siege.bodies, BODY)
        with again_and_again(drip(bodies), 0.2):
            note(f"among {siege.bodies} dripping bodies", ask(server, siege.requests))
        readers = opened(server, stack, siege.readers, LARGE, 4096)
        with again_and_again(sip(readers), 0.5):
            note(f"among {siege.readers} slow readers", ask(server, siege.requests))
        opened(server, stack, siege.idle, b"")
        note(f"among {siege.idle} idle connections", ask(server, siege.requests))
        upload = event("large", *["DESCRIPTION:" + "x" * 999] * (siege.megabytes * 1000))

        def put(number: int) -> int:
            wire = Wire(server.address, "anna", timeout=120)
            try:
                return wire.ask(
                    "PUT", f"{HOME}large{number}.ics", upload.replace(b"UID:large", b"UID:l%d" % number)
                ).status
            finally:
                wire.close()

        with ThreadPoolExecutor(siege.uploads) as threads:
            uploads = [threads.submit(put, number) for number in range(siege.uploads)]
            note(
                f"beside {siege.uploads} uploads of {siege.megabytes} MB, and all of these", ask(server, siege.requests)
            )
            assert {one.result() for one in uploads} <= {201, 204}
        assert "Traceback" not in server.log()
