"""A store that nobody may write: the server starts, says so once, serves reads and answers writes with 503."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.dav.conftest import event
from tests.server_process import ServerProcess

NOBODY = 65534


class Unprivileged(ServerProcess):
    """As somebody to whom the modes of files mean something."""

    def _command(self) -> list[str]:
        return [*as_nobody(), *super()._command()]


def as_nobody() -> list[str]:
    if os.geteuid():
        return []
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


@cache
def runs_as_nobody() -> bool:
    """Whether calsync can be run by somebody to whom modes mean something."""
    tried = [*as_nobody(), sys.executable, "-c", "import calsync.app"]
    return (
        shutil.which("setpriv") is not None and not subprocess.run(tried, check=False, capture_output=True).returncode
    )


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of which all that is above can be passed by anybody."""
    if not os.geteuid() and not runs_as_nobody():
        pytest.skip("root passes over the modes of files, and nobody else here can run calsync")
    path = Path(tempfile.mkdtemp(prefix="calsync-read-only-"))
    path.chmod(0o755)
    yield path
    for inner in [path, *path.rglob("*")]:
        inner.chmod(0o755)
    shutil.rmtree(path)


def ask(server: ServerProcess, method: str, path: str, body: bytes = b"") -> tuple[int, str, bytes]:
    credentials = base64.b64encode(b"anna:correct horse").decode()
    request = urllib.request.Request(
        server.url + path, body or None, {"Authorization": f"Basic {credentials}", "Depth": "1"}, method=method
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, "", answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("Retry-After", ""), error.read()


def made(folder: Path, files: int, folders: int) -> Unprivileged:
    with ServerProcess(folder) as server:
        server.add_user("anna", "correct horse")
        assert ask(server, "PUT", "anna/calendar/a.ics", event("a"))[0] == 201
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (data,) = {path.parent for path in folder.rglob("calsync.db")}
    for path in data.iterdir():
        path.chmod(files)
    data.chmod(folders)
    return Unprivileged(folder)


@pytest.mark.parametrize(("files", "folders"), [(0o444, 0o555), (0o444, 0o777), (0o666, 0o555)])
def test_it_is_read_and_not_written(folder: Path, files: int, folders: int) -> None:
    with made(folder, files, folders) as server:
        for _ in range(2):
            assert ask(server, "GET", "anna/calendar/a.ics")[2] == event("a")
            assert ask(server, "PROPFIND", "anna/calendar/")[0] == 207
            for method, path in (("PUT", "b.ics"), ("PUT", "a.ics"), ("DELETE", "a.ics")):
                status, again, _ = ask(server, method, f"anna/calendar/{path}", event("b") if method == "PUT" else b"")
                assert (status, int(again) > 0) == (503, True), (method, path)
        log = server.log()
    assert log.count("calendars can be read, but not changed") == 1
    assert "Traceback" not in log


def test_what_another_writes_is_seen(folder: Path) -> None:
    """Nothing is kept in memory of a file that somebody else may change after all."""
    with made(folder, 0o444, 0o555) as server:
        assert ask(server, "GET", "anna/calendar/b.ics")[0] == 404
        (folder / "b.ics").write_bytes(event("b"))
        if os.geteuid():
            return
        done = server.command("import", str(folder / "b.ics"), "--user", "anna", "--collection", "calendar")
        assert done.returncode == 0, done.stderr
        assert ask(server, "PROPFIND", "anna/calendar/")[2].count(b".ics<") == 2
