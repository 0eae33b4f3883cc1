"""The lines of README.md, docs/install.md and docs/upgrading.md that are no `sh` block: what one types before there is
a calsync, and around it. They are run as they stand there, in a copy of the checkout, or it is said here why not.

What lies in /opt, /usr/local, /etc and /root lies in a temporary folder here. pip takes nothing from the network: it
builds with what the tests have, and what calsync needs is found where the tests have it.
"""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import shutil
import subprocess
import sysconfig
import time
from pathlib import Path
from typing import Final

import pytest

from tests.pages import PAGES, ROOT
from tests.server_process import FOREIGN

NAMES: Final = ("README.md", "docs/install.md", "docs/upgrading.md")

#: Beginnings of lines that are not run, and why.
NOT_RUN: Final = {
    "make test": "it is what runs this",
    "apt install": "changes the machine; .ci/run begins with it",
    "pipx ": "is not there; it does what `pip install .` does, in an environment of its own",
    "/opt/calsync/bin/pip install --upgrade": "it does what `pip install .` does, once more",
    "git pull": "there is nothing to pull",
    "systemctl ": "there is no running systemd; the units are tested by themselves (tests/systemd)",
    "journalctl ": "likewise",
    "cp systemd/calsync.service ": "is followed by systemctl",
    "runuser ": "takes an account that the machine has not; backup and restore have tests of their own",
    "rm -r /var/lib/calsync ": "removes an account of the machine",
    "calsync init": "makes an account of the machine, or asks: tests/cli/test_init.py and test_init_machine.py",
    "calsync doctor": "judges the machine: tests/doctor",
    "calsync restore ": "of a backup that has another date: tests/recovery",
}

_PATHS: Final = re.compile(r"(?<![\w.~])(/(?:opt|usr/local|etc|srv)/)")

#: What the package is made of.
_SOURCE: Final = ("calsync", "plugins", "systemd", "Makefile", "pyproject.toml", "README.md", "LICENSE")


def lines(name: str) -> list[str]:
    """Without their comments."""
    plain = re.sub(r"(?ms)^```[a-z]*\n.*?^```$", "", PAGES[name])
    return [line.partition("  #")[0].strip() for line in re.findall(r"(?m)^    (\S.*)$", plain)]


def why_not(line: str) -> str:
    return next((why for beginning, why in NOT_RUN.items() if line.startswith(beginning)), "")


class Machine:
    """A copy of the checkout, and folders for what is installed."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.checkout = folder / "calsync"
        self.checkout.mkdir()
        for name in _SOURCE:
            here, there = ROOT / name, self.checkout / name
            if here.is_dir():
                shutil.copytree(here, there, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(here, there)
        for name in ("opt", "usr/local/bin", "etc/systemd/system", "srv", "home"):
            (self.root / name).mkdir(parents=True)
        shutil.copyfile(ROOT / "systemd" / "calsync.service", self.root / "etc/systemd/system/calsync.service")
        self.env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith((*FOREIGN, "PYTHON", "PIP", "MAKE", "MFLAGS"))
        }
        self.env |= {
            "HOME": str(self.root / "home"),
            "PATH": f"{self.root}/usr/local/bin:/usr/bin:/bin",
            "PYTHON": sysconfig.get_config_var("BINDIR") + "/python3",
            "PYTHONPATH": sysconfig.get_path("purelib"),
            "PIP_NO_INDEX": "1",
            "PIP_NO_DEPS": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it the other way round
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_CONFIG_FILE": os.devnull,
            "ARGS": "--hosts localhost:0",
        }

    def run(self, line: str) -> None:
        if line == "make serve":
            self._serve(line)
            return
        line = _PATHS.sub(rf"{self.root}\1", line)
        done = subprocess.run(
            ["bash", "-ec", line], cwd=self.checkout, env=self.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"

    def _serve(self, line: str) -> None:
        """As somebody at a terminal, until the card is shown."""
        main, side = pty.openpty()
        process = subprocess.Popen(
            ["bash", "-c", f"exec {line}"], cwd=self.checkout, env=self.env, stdin=subprocess.DEVNULL, stdout=side,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        os.close(side)
        seen, until = b"", time.monotonic() + 300  # a piece may end within a letter
        while b"0.0.0.0" not in seen and process.poll() is None and time.monotonic() < until:
            if select.select([main], [], [], 0.2)[0]:
                try:
                    seen += os.read(main, 4096)
                except OSError:  # nobody writes to it any more
                    break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        process.wait(60)
        os.close(main)
        shown = seen.decode(errors="replace")
        assert re.search(r"address +http://127\.0\.0\.1:\d+/", shown), shown
        assert re.search(r"password +\S{5}-", shown), shown
        assert ".venv/bin/calsync user passwd" in shown, "a command that can be typed in the checkout"


@pytest.mark.parametrize("name", NAMES)
def test_every_line_is_run_or_said_not_to_be(name: str) -> None:
    assert len(lines(name)) >= 4
    runnable = ("make serve", "python3 -m venv ", "/opt/calsync/bin/pip ", "ln -s ", "calsync export ", "rm -r /opt/")
    assert [line for line in lines(name) if not line.startswith(runnable) and not why_not(line)] == []


def test_no_reason_is_left_over() -> None:
    every = [line for name in NAMES for line in lines(name)]
    assert [beginning for beginning in NOT_RUN if not any(line.startswith(beginning) for line in every)] == []


@pytest.mark.timeout(600)
def test_the_lines_work_one_after_the_other(tmp_path: Path) -> None:
    """Of all pages, each once, in the order of installing, upgrading and removing."""
    every = dict.fromkeys(line for name in NAMES[1:] for line in lines(name) if not why_not(line))
    removing = [line for line in every if line.startswith("rm ")]
    machine = Machine(tmp_path)
    for line in [*(line for line in every if line not in removing), *removing]:
        machine.run(line)
    assert (machine.root / "srv/calendars/collection-root").is_dir()
    assert not (machine.root / "opt/calsync").exists()


def test_the_one_line_of_the_readme_is_those_of_the_page() -> None:
    (one,) = [line for line in lines("README.md") if line.startswith("python3 -m venv")]
    page = lines("docs/install.md")
    assert [re.sub(r"/calsync$", "/", step) if step.startswith("ln") else step for step in page[2:5]] == one.split(
        " && "
    )
