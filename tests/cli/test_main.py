"""What is said of commands and arguments that there are not: a line, with what may have been meant."""

from __future__ import annotations

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
