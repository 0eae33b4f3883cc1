"""What README.md, docs/ and systemd/ name is there: make targets, commands and their options, files, options, RFCs."""

from __future__ import annotations

import configparser
import contextlib
import io
import pkgutil
import re
import shlex
import tomllib
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from calsync import options
from calsync.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = {name: (ROOT / name).read_text() for name in ("README.md", "docs/architecture.md", "docs/plugins.md")}
TEXTS = PAGES | {"systemd/calsync.service": (ROOT / "systemd/calsync.service").read_text()}

#: Options of the plugins, which Radicale's schema does not hold.
OF_PLUGINS = {("storage", "url"), ("auth", "calsync_url")}


def spans(text: str) -> list[str]:
    """What stands in `code` and in indented blocks, without comments."""
    blocks = re.findall(r"(?m)^    (?![|*-])(.+)$", text)
    return [one.partition("  #")[0].strip() for one in [*re.findall(r"`([^`\n]+)`", text), *blocks]]


@cache
def help_of(*words: str) -> str:
    """What `calsync WORDS --help` prints."""
    out = io.StringIO()
    every = ("--help-all",) if words == ("serve",) else ("--help",)
    with contextlib.redirect_stdout(out), pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr("sys.argv", ["calsync", *words, *every])
        main.main([*words, *every])
    assert ended.value.code == 0, words
    return out.getvalue()


def commands(text: str) -> list[list[str]]:
    lines = [*spans(text), *re.findall(r"(?m)^(?:ExecStart=|# Further users: )(.+)$", text)]
    found = [
        re.search(r"(?:^|/|\s)calsync (?=(?:--)?[a-z]).*", line)
        for line in lines
        if not line.startswith(("type", "url"))
    ]
    return [shlex.split(one[0])[1:] for one in found if one is not None]


@pytest.mark.parametrize("name", TEXTS)
def test_the_commands_exist_with_their_options(name: str) -> None:
    for words in commands(TEXTS[name]):
        if words[0].startswith("-"):
            words.insert(0, "serve")
        if words == ["serve", "--help"]:
            continue
        assert words[0] in main.COMMANDS, words
        path = words[:1] if words[0] not in ("user", "token") else words[:2]
        for path_of_one in ([path[0], one] for one in path[-1].split("|")) if len(path) == 2 else [path]:
            text = help_of(*path_of_one)
            for option in (word.partition("=")[0] for word in words if word.startswith("-") and word != "-"):
                assert re.search(rf"(?m)[ ,\[]{option}[ ,\]\n]", text), (path_of_one, option)


def test_readme_names_every_command() -> None:
    named = {words[0] for words in commands(README)}
    assert named >= set(main.COMMANDS) - {"serve"}


@pytest.mark.parametrize("name", TEXTS)
def test_the_make_targets_exist(name: str) -> None:
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text()))
    assert {one for line in spans(TEXTS[name]) for one in re.findall(r"^make ([a-z]+)", line)} <= targets


@pytest.mark.parametrize("name", PAGES)
def test_the_files_exist(name: str) -> None:
    tops = {one.name for one in ROOT.iterdir() if not one.name.startswith(".")}
    named = {span for span in spans(PAGES[name]) if re.fullmatch(r"[\w.-]+(/[\w.-]*)*", span)}
    paths = {span for span in named if span.partition("/")[0] in tops or span.endswith((".md", ".service", ".conf"))}
    assert paths
    assert not {path for path in paths if not (ROOT / path).exists()}


def test_the_modules_of_the_map_exist() -> None:
    """`calsync.store`, `dav.answer.Listing`, `transfer.dropin`: in full, or without the package."""
    packages = {path.parent.name for path in (ROOT / "calsync").glob("*/__init__.py")}
    named = {span for span in spans(PAGES["docs/architecture.md"]) if re.fullmatch(r"[A-Za-z_]+(\.[A-Za-z_]+)+", span)}
    dotted = {one for one in named if one.split(".")[0] in {"calsync", *packages} and not one.endswith(".py")}
    assert len(dotted) > 10
    for one in dotted:
        pkgutil.resolve_name(one if one.startswith("calsync.") else f"calsync.{one}")


def test_the_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target


@pytest.mark.parametrize("name", PAGES)
def test_the_options_of_the_configuration_exist(name: str) -> None:
    schema = options.schema()
    for section, option in re.findall(r"`\[(\w+)\] (\w+)", PAGES[name]):
        assert option in schema[section] or (section, option) in OF_PLUGINS, (section, option)


def test_the_rfcs_are_named_where_they_are_done() -> None:
    source = "".join(path.read_text() for path in (ROOT / "calsync").rglob("*.py"))
    for numbers in re.findall(r"\(RFC ([\d, ]+)\)", README):
        for number in numbers.split(", "):
            assert f"RFC {number}" in source, number


def test_the_versions_of_clients_are_those_that_are_installed_for_tests() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {one.name: one.specifier for one in map(Requirement, project["optional-dependencies"]["test"])}
    names = {"python-caldav": "caldav"}
    table = README.partition("| tested with |")[2].partition("\n\n")[0]
    found = re.findall(r"([a-z-]+) (\d+\.\d+)", table)
    assert len(found) >= 5
    for client, version in found:
        if client != "litmus":
            assert wanted[names.get(client, client)].contains(f"{version}.99"), (client, version)


def test_readme_is_a_screen_and_a_half() -> None:
    assert len(README.splitlines()) <= 90


def test_the_unit_waits_until_calsync_is_ready() -> None:
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(TEXTS["systemd/calsync.service"])
    assert parser["Service"]["type"] == "notify"
    assert parser["Service"]["execstart"].endswith("calsync serve")
