"""The package as it is installed: built, put into a fresh virtual environment, and used from there alone."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
import requests

from tests.pages import ROOT
from tests.server_process import ServerProcess

pytestmark = pytest.mark.timeout(300)

#: What the wheel holds: source folder → its name there.
HELD = {
    "calsync": "calsync",
    **{f"plugins/{name}": name for name in ("calsync_auth", "calsync_rights", "calsync_storage")},
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    words = [
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        str(folder),
        str(ROOT),
    ]
    done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel in it. What calsync needs is found where the tests have it, and calsync
    itself is not: a path in a .pth file has no .pth files of its own."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    words = ["--python", str(folder), "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True, capture_output=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


class Installed(ServerProcess):
    """A server from that environment, started in a folder that holds no source."""

    def __init__(self, folder: Path, environment: Path) -> None:
        super().__init__(folder)
        self._bin = environment / "bin"

    def _command(self) -> list[str]:
        _, *words = super()._command()
        return [str(self._bin / "python"), *words]


def run(environment: Path, *words: str, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | (env or {})
    done = subprocess.run(
        [str(environment / "bin" / "calsync"), *words], capture_output=True, text=True, check=False, cwd=cwd,
        env=surroundings,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_that_lies_in_the_packages_is_in_the_wheel(wheel: Path) -> None:
    """Templates, styles, migrations, the marker of types: whatever is no cache."""
    wanted = {
        f"{name}/{path.relative_to(ROOT / folder).as_posix()}"
        for folder, name in HELD.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert any(name.endswith(".html") for name in wanted) and any("/versions/r0001" in name for name in wanted)
    held = set(zipfile.ZipFile(wheel).namelist())
    assert wanted - held == set()
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    brought = set(build["force-include"].values())
    assert {name for name in held - wanted if ".dist-info/" not in name} == brought, "and nothing else is"


def test_it_runs_from_there(environment: Path, tmp_path: Path) -> None:
    assert run(environment, "--version", cwd=tmp_path).startswith("calsync ")
    code = "import calsync, calsync_auth; print(calsync.__file__, calsync_auth.__file__)"
    words = [str(environment / "bin" / "python"), "-c", code]
    where = subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path).stdout.split()
    assert all(Path(one).is_relative_to(environment) for one in where)
    with Installed(tmp_path / "site", environment) as server:
        page = requests.get(f"{server.url}.calsync/", timeout=60)
        assert page.ok and "<form" in page.text
        style = page.text.partition('<link rel="stylesheet" href="')[2].partition('"')[0]
        assert (
            requests.get(f"{server.url}{style.lstrip('/')}", timeout=60).headers["content-type"].startswith("text/css")
        )
        assert requests.request("PROPFIND", server.url, timeout=60).status_code == 401
