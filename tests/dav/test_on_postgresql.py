"""What pulls hardest at the store, once more over PostgreSQL; `CALSYNC_TEST_STORE=postgresql pytest tests/dav` is all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgresql import everywhere, required

FILES = ("copy_move", "locks", "put_get", "queries", "races", "sync", "sync_oracle")


@pytest.mark.skipif(everywhere(), reason="they run on PostgreSQL anyway")
@pytest.mark.timeout(1200)
def test_the_same_tests_over_postgresql() -> None:
    required()
    folder = Path(__file__).parent
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            *(f"{folder}/test_{name}.py" for name in FILES),
        ],
        env=os.environ | {"CALSYNC_TEST_STORE": "postgresql"},
        cwd=folder.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
