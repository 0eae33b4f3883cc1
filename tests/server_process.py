"""A real calsync server process on loopback, for every test that talks HTTP.

with ServerProcess(tmp_path) as server:
    requests.get(server.url, …)
"""

from __future__ import annotations

import io
import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Self
from unittest.mock import patch

from calsync.cli.main import main
from tests.postgresql import instead_of

ROOT = Path(__file__).resolve().parent.parent

#: Variables of the test's own surroundings that would change what the server does.
FOREIGN = ("CALSYNC_", "RADICALE_", "LISTEN_", "NOTIFY_", "JOURNAL_", "MAKELEVEL", "XDG_")

#: What tests/conftest.py sets, so that tests do not pay for argon2; benchmarks and soak runs of their own do.
CHEAP_PASSWORDS = {"CALSYNC_AUTH_PASSWORD_MEMORY": "8", "CALSYNC_AUTH_PASSWORD_PASSES": "1"}

_numbers = itertools.count()


def _with_store(text: str, url: str | None) -> str:
    if not url or re.search(r"^(url|filesystem_folder|type = multifilesystem)\b", text, re.MULTILINE):
        return text
    line = f"[storage]\nurl = {url}\n"
    return text.replace("[storage]\n", line, 1) if "[storage]\n" in text else f"{text}\n{line}"


class NotStarted(AssertionError):
    """The server ended, or did not say that it is ready; with its log."""


class ServerProcess:
    """`python -m calsync` with its data below `folder`, on a free port of 127.0.0.1.

    `config_text` becomes its only configuration file, `args` follow on the command line. Nothing of the user's own
    configuration is read, `store` is its `[storage] url`. `start` returns when requests are answered; the same object
    can be started again.
    """

    def __init__(
        self,
        folder: Path,
        *,
        config_text: str = "",
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        store: str = "",
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.config = folder / "config"
        self.urls: list[str] = []
        self._config_text = _with_store(config_text, store or instead_of(self.data))
        self._args = args
        self._env = env or {}
        self._pass_fds = pass_fds
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    # life

    def start(self, timeout: float = 90) -> Self:
        assert self._process is None, "it runs already"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(self._config_text)
        name = f"@calsync-test-{os.getpid()}-{next(_numbers)}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
            notices.bind("\0" + name[1:])
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    self._command(),
                    env=self.environment | {"NOTIFY_SOCKET": name},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    pass_fds=self._pass_fds,
                )
            try:
                self.urls = self._ready(notices, timeout)
            except BaseException:
                self.kill()
                raise
        return self

    def stop(self, timeout: float = 60) -> int:
        """Ask it to end (SIGTERM) and wait; the exit status. Does nothing if it ended already."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def reload(self) -> None:
        """Send SIGHUP."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def wait(self, timeout: float = 60) -> int:
        """Wait until it ends by itself; the exit status."""
        assert self._process is not None
        process, self._process = self._process, None
        return process.wait(timeout)

    def __enter__(self) -> Self:
        return self if self._process is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # what tests ask

    @property
    def url(self) -> str:
        """Its first address, `http://127.0.0.1:43211/`."""
        return self.urls[0]

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the first address, for a socket."""
        match = re.fullmatch(r"https?://\[?([^\]/]+?)\]?:(\d+)/", self.url)
        assert match is not None, self.url
        return match[1], int(match[2])

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the process, also for other commands on the same data."""
        own = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(FOREIGN) or CHEAP_PASSWORDS.get(name) == value
        }
        python_path = os.pathsep.join((str(ROOT), str(ROOT / "plugins")))
        return {
            **own,
            "PYTHONPATH": python_path,
            "XDG_DATA_HOME": str(self.data),
            "HOME": str(self.folder),
            **self._env,
        }

    def log(self) -> str:
        """What all its runs have written."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def log_until(self, text: str, timeout: float = 60) -> str:
        """The log, once `text` is in it."""
        until = time.monotonic() + timeout
        while text not in (log := self.log()):
            assert time.monotonic() < until, f"no {text!r} in:\n{log}"
            time.sleep(0.02)
        return log

    def command(self, *arguments: str, input: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run another `calsync` command with the same configuration, also while the server runs."""
        return subprocess.run(
            [sys.executable, "-m", "calsync", *arguments, "--config", str(self.config)],
            env=self.environment,
            input=input,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def add_user(self, name: str, password: str) -> None:
        """Make an account: the command, but not in a process of its own, which costs more than the rest of it."""
        words = ["user", "add", name, "--password-file", "-", "--config", str(self.config)]
        with (
            patch.dict(os.environ, self.environment, clear=True),
            patch("sys.stdin", io.StringIO(password + "\n")),
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()) as said,
        ):
            assert main(words) == 0, said.getvalue()

    def _command(self) -> list[str]:
        port = [] if self._names_hosts() else ["--hosts", "127.0.0.1:0"]
        return [sys.executable, "-m", "calsync", "--config", str(self.config), *port, *self._args]

    def _names_hosts(self) -> bool:
        return bool(
            re.search(r"^hosts\s*=", self._config_text, re.MULTILINE)
            or {"--hosts", "-H", "--server-hosts"} & set(self._args)
        )

    def _ready(self, notices: socket.socket, timeout: float) -> list[str]:
        assert self._process is not None
        until = time.monotonic() + timeout
        notices.settimeout(0.05)
        ended = False
        while time.monotonic() < until:
            try:
                notice = notices.recv(4096).decode()
            except TimeoutError:
                if ended:
                    break
                ended = self._process.poll() is not None  # what it said before is there by now
                continue
            if "READY=1" in notice:
                return notice.partition("STATUS=listening on ")[2].split()
        raise NotStarted(f"not ready (exit status {self._process.poll()}):\n{self.log()[-4000:]}")
