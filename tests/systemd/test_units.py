"""systemd's own programs on the units: they hold, they are tight, and the user and the folders come about."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from calsync.cli.setup import systemd_unit
from tests.pages import ROOT

UNITS = sorted(path for path in (ROOT / "systemd").iterdir() if path.suffix in (".service", ".socket", ".timer"))
SERVICES = [path for path in UNITS if path.suffix == ".service"]

#: What `systemd-analyze security` may say at most.
EXPOSURE = 1.5


def run(*command: str, check: bool = True) -> str:
    if shutil.which(command[0]) is None:
        reason = f"{command[0]} is not installed (apt install systemd)"
        if os.environ.get("CALSYNC_TEST_ALL"):
            pytest.fail(reason)
        pytest.skip(reason)
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_units_hold(tmp_path: Path) -> None:
    """With a program that is there; all beside each other, for timers and sockets name services."""
    for path in UNITS:
        (tmp_path / path.name).write_text(path.read_text().replace("/opt/calsync/bin/calsync", "/bin/true"))
    said = run("systemd-analyze", "verify", "--man=no", *(str(tmp_path / path.name) for path in UNITS))
    assert [line for line in said.splitlines() if str(tmp_path) in line or "calsync" in line] == []


def test_none_starts_before_the_disk_of_its_folder(tmp_path: Path) -> None:
    """On an empty folder under a disk that is not mounted a store would be begun anew."""
    folder = Path("/srv/calendars")
    units = {systemd_unit.NAME: systemd_unit.system_unit(["/bin/true", "serve"], folder)}
    units |= systemd_unit.timed_units(["/bin/true"], [], folder)
    for name, text in units.items():
        (tmp_path / name).write_text(text)
        wanted = re.findall(r"^RequiresMountsFor=(.*)$", text, re.MULTILINE)
        also = f" {systemd_unit.BACKUPS}" if name == systemd_unit.BACKUP else ""
        assert wanted == ([f"{folder}{also}"] if name.endswith(".service") else [])
    said = run("systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in units))
    assert [line for line in said.splitlines() if str(tmp_path) in line or "calsync" in line] == []


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_services_are_tight(path: Path) -> None:
    said = run("systemd-analyze", "security", "--offline=true", "--no-pager", str(path), check=False)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert found is not None, said
    assert float(found[1]) <= EXPOSURE


def test_services_are_alike() -> None:
    """What holds for one holds for all: the program, the user, the place, what is forbidden."""
    alike = (
        "User=",
        "Environment=",
        "StateDirectory=",
        "StateDirectoryMode=",
        "UMask=",
        "System",
        "Protect",
        "Restrict",
    )
    texts = [path.read_text().splitlines() for path in SERVICES]
    lines = [{line for line in text if line.startswith(alike) and "AddressFamilies" not in line} for text in texts]
    assert lines[0] == lines[1] == lines[2]
    for text in texts:
        assert sum(line.startswith("ExecStart=/opt/calsync/bin/calsync ") for line in text) == 1


def test_the_user_and_the_folders_come_about(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    run("systemd-sysusers", f"--root={root}", str(ROOT / "systemd" / "calsync.sysusers"))
    name, _, uid, gid, _, home, shell = (root / "etc" / "passwd").read_text().strip().split(":")
    assert (name, home, shell) == ("calsync", "/var/lib/calsync", "/usr/sbin/nologin")
    if os.getuid() != 0:
        pytest.skip("only root can give folders to other users")
    for _ in range(2):  # the second time nothing is left to do
        run("systemd-tmpfiles", "--create", f"--root={root}", str(ROOT / "systemd" / "calsync.tmpfiles"))
    for folder in ("var/lib/calsync", "var/backups/calsync"):
        facts = (root / folder).stat()
        assert (facts.st_uid, facts.st_gid, facts.st_mode & 0o777) == (int(uid), int(gid), 0o700)
    assert (root / "etc/calsync").stat().st_mode & 0o777 == 0o755
