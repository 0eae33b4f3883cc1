"""A server is restarted or replaced while clients go on: none is refused, no answer breaks."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from calsync.server.runner import POLITE
from tests.dav.conftest import PASSWORD, event
from tests.server.test_workers import SLOW, made, until, workers
from tests.server_process import ServerProcess
from tests.soak.wire import Wire

#: Under `make soak` more often.
TIMES = 10 if os.environ.get("CALSYNC_SOAK_MINUTES") else 2


class Visitor(threading.Thread):
    """Asks without end, over one connection or each time over a new one.

    What is closed while it waits it asks again over a new connection, as every HTTP client does (RFC 9112 §9.3.1), and
    on a busy machine it may wait before its first request, too. All else is an error: a connection that is refused, an
    answer that breaks off, a status that should not be.
    """

    def __init__(self, address: tuple[str, int], number: int, keep: bool) -> None:
        super().__init__(daemon=True)
        self._address = address
        self._keep = keep
        self._path = f"/anna/calendar/{number}.ics"
        self._octets = event(f"uid{number}", "DESCRIPTION:" + "x" * 20_000)
        self.ended = threading.Event()
        self.counts: Counter[str] = Counter()
        self.errors: list[str] = []

    def run(self) -> None:
        wire, fresh = Wire(self._address, "anna"), True
        while not self.ended.is_set():
            method = "PUT" if self.counts["asked"] % 3 == 0 else "GET"
            began = time.monotonic()
            try:
                answer = wire.ask(method, self._path, self._octets if method == "PUT" else b"")
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
                wire.close()
                if fresh and time.monotonic() - began < POLITE:
                    self.errors.append(f"new connection: {error!r}")
                self.counts["closed while idle"] += 1
                wire, fresh = Wire(self._address, "anna"), True
                continue
            except Exception as error:  # noqa: BLE001 - the test looks at it
                self.errors.append(repr(error))
                wire.close()
                wire, fresh = Wire(self._address, "anna"), True
                continue
            self.counts["asked"] += 1
            fresh = wire._connection.sock is None  # the answer said that it was the last
            if answer.status not in (200, 201, 204) or (method == "GET" and answer.body != self._octets):
                self.errors.append(f"{method} {answer.status} {answer.body[:80]!r}")
            if not self._keep:
                wire.close()
                fresh = True
        wire.close()


@contextmanager
def visited(address: tuple[str, int]) -> Iterator[list[Visitor]]:
    visitors = [Visitor(address, number, keep=number % 2 == 0) for number in range(4)]
    for visitor in visitors:
        visitor.start()
    try:
        yield visitors
        until(lambda: all(visitor.counts["asked"] > 10 or visitor.errors for visitor in visitors), 100)
    finally:
        for visitor in visitors:
            visitor.ended.set()
            visitor.join()
    assert [visitor.errors for visitor in visitors] == [[]] * len(visitors)
    assert all(visitor.counts["asked"] > 10 for visitor in visitors)


def replace(server: ServerProcess) -> None:
    """Have all workers replaced; asked again where a reload was still under way."""
    new, refused = (server.log().count(words) for words in ("2 workers are new", "cannot replace"))
    os.kill(server.pid, signal.SIGUSR2)

    def is_done() -> bool:
        nonlocal refused
        log = server.log()
        if log.count("cannot replace") > refused:
            refused += 1
            os.kill(server.pid, signal.SIGUSR2)
        return log.count("2 workers are new") > new

    until(is_done, 180)


@SLOW
def test_workers_are_replaced_under_load(tmp_path: Path) -> None:
    with made(tmp_path, "--workers", "2") as server:
        old = set(workers(server))
        with visited(server.address):
            for number in range(1, TIMES + 1):
                replace(server)
                if number % 2 == 0:
                    server.reload()
                    all_three = 3 * number // 2
                    until(lambda count=all_three: server.log().count("INFO    reloading") == count)  # type: ignore[misc]
        until(lambda: len(workers(server)) == 2)
        assert not old & set(workers(server))
        assert "ended" not in server.log()


@SLOW
def test_what_does_not_start_replaces_nothing(tmp_path: Path) -> None:
    with made(tmp_path, "--workers", "2") as server:
        old = set(workers(server))
        server.config.write_text("[nonsense]\nx = y\n")
        os.kill(server.pid, signal.SIGUSR2)
        server.log_until("not replaced", 120)
        assert old <= set(workers(server))
        with visited(server.address):
            time.sleep(0.5)


START = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.set_inheritable(3, True);"
    "os.environ.update(LISTEN_FDS='1', LISTEN_FDNAMES='calsync.socket', LISTEN_PID=str(os.getpid()));"
    "os.execv(sys.executable, [sys.executable, '-m', 'calsync', *sys.argv[2:]])"
)


class Activated(ServerProcess):
    """Started as systemd does it: descriptor 3 listens, and goes on listening while no server runs."""

    def __init__(self, folder: Path, listening: socket.socket) -> None:
        super().__init__(folder, config_text="[auth]\ndelay = 0\n", pass_fds=[listening.fileno()])
        self._listening = listening

    def _command(self) -> list[str]:
        return [sys.executable, "-c", START, str(self._listening.fileno()), "serve", "--config", str(self.config)]


@SLOW
def test_a_restart_with_socket_activation_refuses_nobody(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        server = Activated(tmp_path, listening)
        with server.start():
            server.add_user("anna", PASSWORD)
            with visited(server.address):
                for _ in range(TIMES):
                    time.sleep(0.3)
                    assert server.stop() == 0
                    server.start()
                    wire = Wire(server.address, "anna")
                    assert wire.ask("PROPFIND", "/anna/", Depth="0").status == 207
                    wire.close()
