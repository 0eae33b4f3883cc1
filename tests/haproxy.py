"""HAProxy as `config/haproxy.cfg` sets it up, before servers of a test."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import pytest

from tests.ports import free_port

CONFIG = Path(__file__).resolve().parent.parent / "config" / "haproxy.cfg"


def program() -> str:
    """Skip where it is missing; under CALSYNC_TEST_ALL that is a failure."""
    found = shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if found is None:
        reason = "HAProxy is not installed (apt install haproxy)"
        if os.environ.get("CALSYNC_TEST_ALL"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class HAProxy:
    """In the clear on a free port of loopback, before servers there; all else is as the file says."""

    def __init__(self, folder: Path, servers: Sequence[int]) -> None:
        self.address = ("127.0.0.1", free_port())
        text = _replaced(
            r"    bind :443 .*\n    bind :80\n", f"    bind 127.0.0.1:{self.address[1]}\n", CONFIG.read_text()
        )
        text = _replaced(r"    http-request redirect scheme https .*\n", "", text)
        lines = "".join(f"    server s{port} 127.0.0.1:{port}\n" for port in servers)
        self._config = folder / "haproxy.cfg"
        self._config.write_text(_replaced(r"(    server \w+ .*\n)+", lines, text))
        self._log = folder / "haproxy.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen([program(), "-db", "-f", str(self._config)], stdout=log, stderr=log)
        until = time.monotonic() + 60
        while self._process.poll() is None and time.monotonic() < until:
            try:
                socket.create_connection(self.address, 10).close()
            except OSError:
                time.sleep(0.02)
            else:
                return self
        raise AssertionError(self._log.read_text())

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()


def _replaced(pattern: str, by: str, text: str) -> str:
    text, count = re.subn(pattern, by, text)
    assert count == 1, pattern
    return text
