"""A server process on loopback, and what it costs: CPU seconds and memory of it and its children."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.ports import free_port

USERS = ("bench", "many")
PASSWORD = "benchmark"


class NotStarted(RuntimeError):
    """The server did not answer in time; the text carries the end of its log."""


@dataclass(slots=True)
class Server:
    """A running server. `port` on 127.0.0.1; `log`: where its output went."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    started_after: float  # seconds from start to the first answer

    def _family(self) -> list[psutil.Process]:
        try:
            root = psutil.Process(self.process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def cpu(self) -> float:
        """CPU seconds used so far, user and system, of all threads."""
        return cpu_of(self._family())

    def pss(self) -> int:
        """Octets of memory, shared pages divided by those who share them."""
        total = 0
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += process.memory_full_info().pss
        return total

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """For a server that is still busy with a request nobody waits for any more."""
        for process in reversed(self._family()):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()


def cpu_of(processes: Iterable[psutil.Process]) -> float:
    """CPU seconds that they have used so far."""
    total = 0.0
    for process in processes:
        with contextlib.suppress(OSError):
            # The clock of another process, as clock_getcpuclockid(3) makes it on Linux.
            total += time.clock_gettime((~process.pid << 3) | 2)
    return total


def configure(folder: Path, storage: Path | str, port: int, names: Iterable[str] = USERS) -> Path:
    """One configuration file that stock Radicale and calsync both read. `storage`: a folder, or a URL of calsync's."""
    users = folder / "users"
    users.write_text("".join(f"{user}:{PASSWORD}\n" for user in names))
    config = folder / "config"
    config.write_text(
        f"[server]\nhosts = 127.0.0.1:{port}\n"
        f"[auth]\ntype = htpasswd\nhtpasswd_filename = {users}\nhtpasswd_encryption = plain\n"
        # Else Radicale reads all of it with each request.
        f"htpasswd_cache = {names is not USERS}\n"
        "[rights]\ntype = owner_only\n"
        f"[storage]\n{'url' if isinstance(storage, str) else 'filesystem_folder'} = {storage}\n"
        "[web]\ntype = none\n"
        "[logging]\nlevel = warning\n"
    )
    return config


@contextlib.contextmanager
def running(
    command: Sequence[str], folder: Path, storage: Path | str, *, wait: float = 60, names: Iterable[str] = USERS
) -> Iterator[Server]:
    server = start(command, folder, storage, wait=wait, names=names)
    try:
        yield server
    finally:
        server.stop()


def start(
    command: Sequence[str], folder: Path, storage: Path | str, *, wait: float = 60, names: Iterable[str] = USERS
) -> Server:
    """Start `command --config FILE` over `storage` and return once it answers (at most `wait` seconds)."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = configure(folder, storage, port, names)
    log = folder / "server.log"
    environ = {key: value for key, value in os.environ.items() if not key.startswith("RADICALE")}
    environ["XDG_DATA_HOME"] = str(folder / "data")
    with log.open("ab") as output:
        began = time.monotonic()
        process = subprocess.Popen([*command, "--config", str(config)], stdout=output, stderr=output, env=environ)
    while time.monotonic() - began < wait:
        if process.poll() is not None:
            break
        if answers(port, wait - (time.monotonic() - began)):
            return Server(process, port, log, time.monotonic() - began)
        time.sleep(0.02)
    else:
        process.kill()
    process.wait()
    tail = log.read_text(errors="replace")[-1500:]
    raise NotStarted(f"{' '.join(command)}: no answer after {time.monotonic() - began:.0f} s\n{tail}")


def answers(port: int, wait: float) -> bool:
    """Whether a request gets an answer. A connection alone says little: it may be taken long before it is served."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=wait) as connection:
            connection.sendall(b"OPTIONS / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(1) == b"H"
    except OSError:
        return False
