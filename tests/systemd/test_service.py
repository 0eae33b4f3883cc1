"""The service as systemd runs it: what both sides say, and the command lines of the units under their fetters."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import requests

from tests.dav.conftest import event
from tests.pages import UNITS
from tests.server_process import ServerProcess
from tests.systemd.test_units import run

pytestmark = pytest.mark.timeout(300)

#: In the place of systemd: descriptors 3 and 4 listen, the process is named, and no memory may be written and run
#: (prctl(2), PR_SET_MDWE) where the kernel knows how to forbid it.
START = """
import ctypes, os, sys
for number, descriptor in enumerate(map(int, sys.argv[1].split(","))):
    os.dup2(descriptor, 3 + number)
own = str(os.getpid())
os.environ.update(LISTEN_FDS="2", LISTEN_FDNAMES="web:proxy", LISTEN_PID=own, WATCHDOG_PID=own)
ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-m", "calsync", *sys.argv[2:]])
"""


class Notices:
    """What a service says of itself (sd_notify(3))."""

    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(path))
        self.sock.settimeout(60)

    def until(self, name: str) -> Mapping[str, str]:
        while True:
            lines = self.sock.recv(4096).decode().splitlines()
            found = dict(line.split("=", 1) for line in lines)
            if name in found:
                return found


def command(unit: str) -> list[str]:
    """What follows the program in ExecStart=."""
    found = re.search(r"^ExecStart=/opt/calsync/bin/calsync (.*)$", UNITS[f"systemd/{unit}"], re.MULTILINE)
    assert found is not None
    return found[1].split()


def asked(sock: socket.socket) -> bytes:
    with sock:
        sock.settimeout(60)
        sock.sendall(b"OPTIONS / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return sock.recv(200)


def test_both_sides_say_what_systemd_expects(tmp_path: Path) -> None:
    environment = ServerProcess(tmp_path).environment
    notices = Notices(tmp_path / "notify")
    with notices.sock, socket.create_server(("127.0.0.1", 0)) as web, socket.socket(socket.AF_UNIX) as proxy:
        proxy.bind(str(tmp_path / "proxy"))
        proxy.listen(16)
        handed = (web.fileno(), proxy.fileno())
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", START, ",".join(map(str, handed)), *command("calsync.service")],
                env=environment | {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"},
                pass_fds=handed,
                stdout=log,
                stderr=log,
            )
        try:
            ready = notices.until("READY")
            port = web.getsockname()[1]
            assert ready["STATUS"] == f"listening on http://127.0.0.1:{port}/ unix:{tmp_path}/proxy"
            assert asked(socket.create_connection(("127.0.0.1", port), 60)).startswith(b"HTTP/1.1 ")
            behind = socket.socket(socket.AF_UNIX)
            behind.connect(str(tmp_path / "proxy"))
            assert asked(behind).startswith(b"HTTP/1.1 ")
            assert notices.until("WATCHDOG") == {"WATCHDOG": "1"}
            process.send_signal(signal.SIGHUP)
            assert notices.until("RELOADING")["MONOTONIC_USEC"].isdigit()
            notices.until("READY")
            process.send_signal(signal.SIGTERM)
            notices.until("STOPPING")
            assert process.wait(60) == 0
            assert (tmp_path / "proxy").exists(), "the file is systemd's"
        finally:
            process.kill()
            process.wait()


def allowed(unit: str) -> set[str]:
    """The system calls that are left of `SystemCallFilter=`."""
    sets: dict[str, list[str]] = {}
    for line in run("systemd-analyze", "syscall-filter", "--no-pager").splitlines():
        if line.startswith("@"):
            sets[name := line.strip()] = []
        elif line.startswith("    ") and not line.strip().startswith("#"):
            sets[name].append(line.strip())

    def flat(name: str) -> set[str]:
        return set().union(*(flat(one) for one in sets[name])) if name.startswith("@") else {name}

    left: set[str] = set()
    for value in re.findall(r"^SystemCallFilter=(.*)$", UNITS[f"systemd/{unit}"], re.MULTILINE):
        left = left - flat(value[1:]) if value.startswith("~") else left | flat(value)
    return left | flat("@default")


class Fettered(ServerProcess):
    """Without privileges, and every system call is written down."""

    def _command(self) -> list[str]:
        return self.fettered("serve", *super()._command()[3:])

    def fettered(self, *arguments: str) -> list[str]:
        privileges = ["setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
        if os.getuid() != 0:
            privileges = ["setpriv", "--no-new-privs"]
        trace = ["strace", "-f", "-qq", "-A", "-e", "signal=none", "-o", str(self.folder / "calls")]
        return [*privileges, *trace, sys.executable, "-m", "calsync", *arguments]

    @property
    def pid(self) -> int:
        """Of the server, not of strace."""
        return int((self.folder / "calls").read_text().split(" ", 1)[0])


def test_the_units_need_no_more_than_they_are_given(tmp_path: Path) -> None:
    for program in ("strace", "setpriv"):
        if shutil.which(program) is None:
            reason = f"{program} is not installed (apt install strace util-linux)"
            if os.environ.get("CALSYNC_TEST_ALL"):
                pytest.fail(reason)
            pytest.skip(reason)
    server = Fettered(tmp_path / "s")
    with server.start(90):
        server.add_user("anna", "correct horse")
        host, port = server.address
        asked(socket.create_connection((host, port), 60))
        put(f"http://{host}:{port}/anna/calendar/one.ics")
        for arguments in (["backup", str(tmp_path / "backup"), "--keep", "14"], command("calsync-verify.service")):
            done = subprocess.run(
                server.fettered(*arguments, "--config", str(server.config)),
                env=server.environment, capture_output=True, text=True, timeout=200, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
        os.kill(server.pid, signal.SIGTERM)
        assert server.wait(60) == 0
    text = (server.folder / "calls").read_text()
    called = set(re.findall(r"^\d+ +(\w+)\(", text, re.MULTILINE))
    assert {"bind", "listen", "fsync", "rename"} & called
    left = allowed("calsync.service")
    # SQLite gives files to the owner of the database, if it runs as root.
    assert called - left - ({"fchown"} if os.getuid() == 0 else set()) == set()
    assert left == allowed("calsync-backup.service") == allowed("calsync-verify.service")
    # MemoryDenyWriteExecute=, RestrictAddressFamilies=
    assert not re.search(r"PROT_WRITE\|PROT_EXEC|shmat\(.*SHM_EXEC", text)
    assert set(re.findall(r"\bsocket\((AF_\w+)", text)) <= {"AF_INET", "AF_INET6", "AF_UNIX"}


def put(url: str) -> None:
    answer = requests.put(url, data=event("one"), auth=("anna", "correct horse"), timeout=60)
    assert answer.status_code == 201, answer.text


def test_a_reload_needs_no_program_that_may_be_missing(tmp_path: Path) -> None:
    """A small Debian has no /bin/kill (procps)."""
    found = re.search(r"^ExecReload=(/\S+) -c '(.*)'$", UNITS["systemd/calsync.service"], re.MULTILINE)
    assert found is not None
    with ServerProcess(tmp_path) as server:
        surroundings = {"MAINPID": str(server.pid), "PATH": "/nowhere"}
        done = subprocess.run(
            [found[1], "-c", found[2]], env=surroundings, capture_output=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")
        server.log_until("reloading")
