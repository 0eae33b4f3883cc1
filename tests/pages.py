"""The pages of the documentation, read: what they name, and the commands as they are."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from calsync.cli import main

ROOT: Final = Path(__file__).parents[1]
README: Final = (ROOT / "README.md").read_text()
PAGES: Final = {"README.md": README} | {
    path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted((ROOT / "docs").rglob("*.md"))
}
UNITS: Final = {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted((ROOT / "systemd").glob("*.*"))}

Parser = argparse.ArgumentParser


def blocks(text: str, kind: str) -> list[str]:
    """The fenced blocks of a kind: `sh` are run by a test, `ini` are configurations."""
    return re.findall(rf"(?ms)^```{kind}\n(.*?)^```$", text)


def spans(text: str) -> list[str]:
    """What stands in `code` and in indented or fenced lines, without comments."""
    fenced = [line for block in re.findall(r"(?ms)^```[a-z]*\n(.*?)^```$", text) for line in block.splitlines()]
    plain = re.sub(r"(?ms)^```[a-z]*\n.*?^```$", "", text)
    indented = re.findall(r"(?m)^    (?![|*-])(.+)$", plain)
    inline = [" ".join(one.split()) for one in re.findall(r"`([^`]+)`", plain)]
    return [one.partition("  #")[0].strip() for one in [*inline, *indented, *fenced]]


def commands(text: str) -> list[list[str]]:
    """The words after `calsync` of each command that a text names."""
    lines = [*spans(text), *re.findall(r"(?m)^(?:ExecStart=|# Further users: )(.+)$", text)]
    found = [
        re.search(r"(?:^|/|\s)calsync (?=(?:--)?[a-z]).*", line)
        for line in lines
        if not re.match(r"#|type|url|[a-z_]+ = |(systemctl|journalctl) ", line)
    ]
    return [shlex.split(one[0].replace("…", ""))[1:] for one in found if one is not None]


@cache
def parser() -> Parser:
    """The parser of the whole command line."""
    whole = Parser(prog="calsync")
    subparsers = whole.add_subparsers()
    for module in dict.fromkeys(main.COMMANDS.values()):
        importlib.import_module(module).register(subparsers)
    return whole


def children(one: Parser) -> dict[str, Parser]:
    """The subcommands of a command, by name."""
    for action in one._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def every_command(one: Parser | None = None, name: str = "") -> Iterator[tuple[str, Parser]]:
    """`user`, `user add`, …, with what parses them."""
    for word, below in children(parser() if one is None else one).items():
        path = f"{name} {word}".strip()
        yield path, below
        yield from every_command(below, path)
