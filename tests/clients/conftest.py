"""Real client programs against a real server process, each in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.server_process import ServerProcess

PASSWORD = "correct horse battery"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server with the accounts anna and bert."""
    process = ServerProcess(tmp_path / "server")
    with process:
        for name in ("anna", "bert"):
            process.add_user(name, PASSWORD)
        yield process


@dataclass
class Programs:
    """Client programs from the environment that runs the tests, with a home of their own."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(
        self, *command: str, input: str = "", check: bool = True, timeout: float = 250
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end; its output is in the failure where it exits with an error."""
        program = Path(sys.executable).parent / command[0]
        environment = {
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_DATA_HOME": str(self.home / "data"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "TZ": "Europe/Berlin",
            **self.environment,
        }
        done = subprocess.run(
            [str(program), *command[1:]],
            input=input,
            env=environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    home = tmp_path / "home"
    home.mkdir()
    return Programs(home)


def write_items(folder: Path, items: Sequence[tuple[str, bytes]]) -> None:
    """Files as a client's own store has them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, octets in items:
        (folder / name).write_bytes(octets)
