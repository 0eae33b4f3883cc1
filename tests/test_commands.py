"""docs/commands.md says what `--help` says. `python -m tests.test_commands` writes it anew."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

from tests.pages import ROOT, Parser, children, every_command, parser

PAGE = ROOT / "docs" / "commands.md"

_HEAD = """\
# Commands

What `calsync COMMAND --help` says, in one place; written by `python -m tests.test_commands`. `calsync` alone is
`calsync serve`.

Most commands work while the server runs, on the store that the configuration names: `--config FILE` (several times, or
`a:b`) says which configuration, else `CALSYNC_CONFIG`, `RADICALE_CONFIG`, `/etc/calsync/config` and
`~/.config/calsync/config`; `--store URL` names a store itself (`sqlite:////srv/calsync/calsync.db`). Both are left out
below, and so is `--help`. Where there is `--json`, standard output is for programs, and what is said to people goes to
standard error. The exit status is 0 where all went well.
"""

_EVERYWHERE = frozenset({"help", "config", "store", "help_all"})


def written() -> str:
    """The page, from the parsers."""
    parts = [_HEAD]
    for name, one in every_command():
        parts.append(_command(name, one))
    return "\n".join(parts)


def _command(name: str, one: Parser) -> str:
    positional = [action for action in one._actions if not action.option_strings and not _is_sub(action)]
    words = " ".join([f"calsync {name}", *map(_word, positional), *(["COMMAND"] if children(one) else [])])
    parts = [
        f"{'###' if ' ' in name else '##'} {name}",
        f"`{words}`",
        _sentence(_summary(name)),
        _prose(one.description or ""),
        _prose(one.epilog or ""),
        "\n".join(_options(one, positional)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _options(one: Parser, positional: list[argparse.Action]) -> Iterator[str]:
    for action in positional:
        if action.help and action.help != argparse.SUPPRESS:
            yield f"- `{_named(action)}`: {_text(action, one)}"
    for action in one._actions:
        shown = action.help != argparse.SUPPRESS and action.dest not in _EVERYWHERE
        if action.option_strings and shown and not isinstance(action, argparse._HelpAction):
            value = "" if action.nargs == 0 else f" {_word(action)}"
            yield f"- `{', '.join(action.option_strings)}{value}`: {_text(action, one)}"


def _summary(name: str) -> str:
    """The line of a command in the list of its parent."""
    above = parser()
    *path, last = name.split()
    for word in path:
        above = children(above)[word]
    for action in above._actions:
        if isinstance(action, argparse._SubParsersAction):
            for choice in action._choices_actions:
                if choice.dest == last:
                    return choice.help or ""
    return ""


def _is_sub(action: argparse.Action) -> bool:
    return isinstance(action, argparse._SubParsersAction)


def _named(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    return "|".join(map(str, action.choices)) if action.choices else action.dest.upper()


def _word(action: argparse.Action) -> str:
    name = _named(action)
    if name.startswith("["):
        return name
    return {"?": f"[{name}]", "*": f"[{name} …]", "+": f"{name} …"}.get(str(action.nargs), name)


def _text(action: argparse.Action, one: Parser) -> str:
    text = (action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%")
    return _prose(re.sub(r"/\S*/calsync\)", "~/.local/share/calsync)", text))


def _sentence(text: str) -> str:
    return "" if not text else f"{text[0].upper()}{text[1:]}."


def _prose(text: str) -> str:
    """Indented lines of a description are examples; they stay as they are."""
    return re.sub(r"(?m)^  (?=\S)", "    ", text.strip("\n"))


def test_the_page_is_what_the_help_says() -> None:
    """Where this fails after a change of a command, run `python -m tests.test_commands` and read the difference."""
    assert PAGE.read_text(encoding="utf-8") == written()


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")
