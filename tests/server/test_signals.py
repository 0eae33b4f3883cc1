"""How the process ends and reloads."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.server.conftest import Site, read_all, read_until, until
from tests.server.test_http2 import Client


def test_requests_in_flight_end_and_idle_connections_close(tmp_path: Path) -> None:
    end = tmp_path / "end"
    with (
        Site(tmp_path, limits={"stop": 60}) as site,
        site.connect() as busy,
        site.connect() as idle,
        site.connect() as h2,
    ):
        client = Client(h2)
        number = client.request("GET", f"/hold?until={end}")
        busy.sendall(f"GET /hold?until={end} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        idle.sendall(b"GET /ok HTTP/1.1\r\nHost: x\r\n\r\n")
        read_until(idle, b"ok\n")
        until(lambda: site.counts().get("GET /hold") == 2)
        os.kill(site.pid, signal.SIGTERM)
        assert read_all(idle) == b""
        end.touch()
        answer = read_all(busy)
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b"Connection: close" in answer
        client.finish(number)
        assert client.data[number] == b"ok\n"
        assert site.wait(60) == 0
        assert "stopped" in site.log()


@pytest.mark.parametrize("path", ["/sleep?s=100", "/stream?n=1000000", "/delay?s=100"])
def test_the_end_is_bounded(tmp_path: Path, path: str) -> None:
    with Site(tmp_path, limits={"stop": 0.5}) as site, site.connect(4096) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        until(lambda: site.counts().get(f"GET {path.partition('?')[0]}") == 1)
        assert site.stop(60) == 0


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with Site(tmp_path, limits={"stop": 100}) as site, site.connect(4096) as sock:
        sock.sendall(b"GET /stream?n=1000000 HTTP/1.1\r\nHost: x\r\n\r\n")
        sock.recv(100)
        os.kill(site.pid, signal.SIGTERM)
        site.log_until("stopping")
        os.kill(site.pid, signal.SIGTERM)
        assert site.wait(45) == 0


def test_sighup_does_not_disturb(tmp_path: Path) -> None:
    with Site(tmp_path) as site, site.connect() as sock:
        sock.sendall(b"GET /sleep?s=0.3 HTTP/1.1\r\nHost: x\r\n\r\n")
        site.reload()
        site.log_until("reloading")
        assert read_until(sock, b"ok\n").startswith(b"HTTP/1.1 200")
