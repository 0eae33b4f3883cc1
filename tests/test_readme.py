"""README.md is short and true: every command, what is tested with what, the RFCs; and so are the units of systemd."""

from __future__ import annotations

import configparser
import re
import tomllib

from packaging.requirements import Requirement

from calsync.cli import main
from tests.pages import README, ROOT, UNITS, commands


def test_readme_names_every_command() -> None:
    named = {words[0] for words in commands(README)}
    assert named >= set(main.COMMANDS) - {"serve"}


def test_the_rfcs_are_named_where_they_are_done() -> None:
    source = "".join(path.read_text() for path in (ROOT / "calsync").rglob("*.py"))
    for numbers in re.findall(r"\(RFC ([\d, ]+)\)", README):
        for number in numbers.split(", "):
            assert f"RFC {number}" in source, number


def test_the_versions_of_clients_are_those_that_are_installed_for_tests() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {one.name: one.specifier for one in map(Requirement, project["optional-dependencies"]["test"])}
    names = {"python-caldav": "caldav"}
    table = README.partition("| tested with")[2].partition("\n\n")[0]
    found = re.findall(r"([a-z-]+) (\d+\.\d+)", table)
    assert len(found) >= 5
    for client, version in found:
        if client != "litmus":
            assert wanted[names.get(client, client)].contains(f"{version}.99"), (client, version)


def test_readme_is_a_screen_and_a_half() -> None:
    assert len(README.splitlines()) <= 90


def test_the_unit_waits_until_calsync_is_ready() -> None:
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(UNITS["systemd/calsync.service"])
    assert parser["Service"]["type"] == "notify"
    assert parser["Service"]["execstart"].endswith("calsync serve")
