"""What is said of commands and arguments that there are not: a line, with what may have been meant."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from calsync.cli.main import main


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("server", "calsync: no such command: 'server' (did you mean serve? calsync --help)"),
        ("user lst", "calsync user: no such command: 'lst' (did you mean list? calsync user --help)"),
        ("doctor --verbos x --brief", "calsync doctor: unknown argument '--brief' (calsync doctor --help)"),
        ("user add", "calsync user add: the following arguments are required: NAME (calsync user add --help)"),
    ],
)
def test_a_wrong_word_is_told_in_a_line(words: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert (ended.value.code, capsys.readouterr().err) == (2, f"{told}\n")


_PRESSED_TWICE = """
import atexit, signal, sys
from calsync.cli.main import main

signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it

class Terminal:
    def readline(self):
        signal.raise_signal(signal.SIGINT)

atexit.register(signal.raise_signal, signal.SIGINT)
sys.stdin = Terminal()
sys.argv = ["calsync", "user", "add", "anna", "--password-file", "-", "--store", sys.argv[1]]
sys.exit(main())
"""


def test_ctrl_c_again_while_it_ends(tmp_path: Path) -> None:
    words = [sys.executable, "-c", _PRESSED_TWICE, f"sqlite:///{tmp_path}/calsync.db"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stderr) == (130, "")
