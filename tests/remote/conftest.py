from __future__ import annotations

from pathlib import Path

import pytest

from tests.remote.moving import Here


@pytest.fixture
def here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Here:
    folder = tmp_path / "here"
    folder.mkdir()
    return Here(folder, capsys)
