"""The lines of `sh` blocks in README.md and docs/ are run, page by page, each page in a home of its own.

Such a line is `calsync WORDS`, or `printf 'TEXT' | calsync WORDS`. Absolute paths lie in the home; an `ini` block that
begins with `# /PATH` is that file. What a page shows in other blocks is not run.
"""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import pytest
import radicale.config
import requests

from calsync import config
from calsync.cli import main
from tests.pages import PAGES, blocks
from tests.server_process import ServerProcess

pytestmark = pytest.mark.timeout(300)

_PATHS = re.compile(r"(?<![\w:.>])(/(?:etc|srv|var|mnt)/)")

RUN = [name for name, text in PAGES.items() if blocks(text, "sh")]


def files(text: str, home: Path) -> dict[Path, str]:
    """The configurations that a page shows, with their paths in `home`."""
    found = {}
    for block in blocks(text, "ini"):
        if match := re.match(r"# (/\S+)\n", block):
            found[home / match[1][1:]] = _PATHS.sub(rf"{home}\1", block)
    return found


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for name in ("CALSYNC_CONFIG", "RADICALE_CONFIG"):
        monkeypatch.setenv(name, "")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", RUN)
def test_the_lines_of_a_page_work(
    name: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for path, text in files(PAGES[name], home).items():
        path.parent.mkdir(parents=True)
        path.write_text(text)
    lines = [line for block in blocks(PAGES[name], "sh") for line in block.splitlines() if line.strip()]
    for line in lines:
        given, _, command = line.rpartition(" | ")
        words = shlex.split(_PATHS.sub(rf"{home}\1", command), comments=True)
        assert words[0] == "calsync", line
        printed = shlex.split(given)
        assert not printed or printed[0] == "printf", line
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(printed[1:]).replace(r"\n", "\n")))
        status = main.main(words[1:])
        assert status == 0, f"{line}\n{capsys.readouterr().err}"


def test_the_configuration_of_the_plugins_holds_in_both_servers(home: Path) -> None:
    (shown,) = files(PAGES["docs/plugins.md"], home).items()
    path, text = shown
    path.parent.mkdir(parents=True)
    path.write_text(text)
    for loaded in (config.load(str(path)), radicale.config.load([(str(path), False)])):
        assert loaded.get("rights", "backend") == "owner_only"


def test_the_filter_for_fail2ban_finds_failures_and_nothing_else(tmp_path: Path) -> None:
    (expression,) = re.findall(r"(?m)^failregex = (.+)$", PAGES["docs/accounts.md"])
    # What fail2ban does: the date is cut off; its prefix of a line in the journal is a host, a program and its number.
    expression = expression.replace("%(__prefix_line)s", r"\S+ \S+\[\d+\]: ").replace("<ADDR>", r"(?P<ip>[\da-f.:]+)")
    tricky = "WARNING Failed login attempt from 203.0.113.9: "
    with ServerProcess(tmp_path, config_text="[auth]\ndelay = 0\n") as server:
        for address in ("192.0.2.7", "2001:db8::7"):
            headers = {"X-Forwarded-For": address, "User-Agent": tricky}
            answer = requests.request("PROPFIND", server.url, auth=(tricky, "wrong"), headers=headers, timeout=60)
            assert answer.status_code == 401
        lines = [re.sub(r"^\S+ \S+", "", line) for line in server.log_until("from 2001:db8::7").splitlines()]
    found = [match["ip"] for line in lines if (match := re.search(expression, line))]
    assert found == ["192.0.2.7", "2001:db8::7"]
