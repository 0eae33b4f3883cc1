"""A server process with a small application, and raw connections to it."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server_process import ServerProcess

#: Seconds that a hasty site waits.
HASTE = 5.0


class Site(ServerProcess):
    """The runner with `small_site`; `options` as that takes them."""

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(folder)
        self.options = options

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "tests.server.small_site", json.dumps(self.options)]

    def counts(self) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.url}counts", timeout=60) as answer:
            found: dict[str, int] = json.load(answer)
            return found

    def connect(self, receive_buffer: int = 0) -> socket.socket:
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(60)
        try:
            sock.connect(self.address)
        except OSError:
            sock.close()
            raise
        return sock

    def talk(self, *parts: bytes, end: bool = True) -> bytes:
        """Send, say that nothing follows, and read until the server closes. A reset shows as `<reset>`.

        A server that has heard enough may close before all is sent.
        """
        with self.connect() as sock:
            with contextlib.suppress(OSError):
                for part in parts:
                    sock.sendall(part)
                if end:
                    sock.shutdown(socket.SHUT_WR)
            return read_all(sock)


def read_all(sock: socket.socket) -> bytes:
    data = b""
    try:
        while part := sock.recv(1 << 18):
            data += part
    except ConnectionResetError:
        data += b"<reset>"
    return data


def read_until(sock: socket.socket, end: bytes) -> bytes:
    data = b""
    while end not in data:
        part = sock.recv(65536)
        assert part, data
        data += part
    return data


def until(condition: Callable[[], object], timeout: float = 60) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One process for all tests of a module; sizes are small, times longer than any machine takes."""
    limits = {
        "timeout": 120.0,
        "idle": 120.0,
        "body": 1_000_000,
        "head": 16384,
        "target": 4096,
        "stop": 2.0,
        "spool_memory": 65536,
    }
    with Site(tmp_path_factory.mktemp("site"), limits=limits, proxies="192.0.2.0/24") as server:
        yield server


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One that waits for nobody: not long, but longer than a busy machine may keep a test from sending.

    Whoever tests it sends all that is too slow at once, and waits once.
    """
    with Site(tmp_path_factory.mktemp("hasty"), limits={"timeout": HASTE, "idle": HASTE}) as server:
        yield server
