"""litmus, the WebDAV conformance suite: all of it, in a plain collection that takes any file."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.clients.conftest import PASSWORD
from tests.server_process import ServerProcess

SUITES = ("basic", "copymove", "props", "locks", "http")

#: Everything below the own home; Radicale's `owner_only` grants no plain collections.
RIGHTS = """
[root]
user: .+
collection:
permissions: R

[home]
user: .+
collection: {user}(/.*)?
permissions: RrWw
"""

_SUMMARY = re.compile(r"summary for `(\w+)': of (\d+) tests run: (\d+) passed, (\d+) failed")

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]


@pytest.fixture
def files(tmp_path: Path) -> Iterator[str]:
    """The URL of an empty plain collection of anna's."""
    rights = tmp_path / "rights"
    rights.write_text(RIGHTS)
    config = f"[rights]\ntype = from_file\nfile = {rights}\n[storage]\npermit_files = True\n"
    with ServerProcess(tmp_path / "server", config_text=config) as server:
        server.add_user("anna", PASSWORD)
        url = f"{server.url}anna/files/"
        made = requests.request("MKCOL", url, auth=("anna", PASSWORD), timeout=60)
        assert made.status_code == 201, made.text
        yield url


def test_every_suite_passes(files: str, tmp_path: Path) -> None:
    litmus = shutil.which("litmus")
    if litmus is None:
        assert not os.environ.get("CALSYNC_TEST_ALL"), "litmus is not installed (apt install litmus)"
        pytest.skip("litmus is not installed")
    done = subprocess.run(
        [litmus, "--keep-going", files, "anna", PASSWORD],
        env={"PATH": os.environ["PATH"], "TESTS": " ".join(SUITES), "LANG": "C.UTF-8"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    report = done.stdout + done.stderr
    suites = {name: (int(run), int(failed)) for name, run, _, failed in _SUMMARY.findall(report)}
    assert tuple(suites) == SUITES, report
    assert all(run > 0 and failed == 0 for run, failed in suites.values()), report
    assert "SKIPPED" not in report, report
    assert "WARNING" not in report, report
