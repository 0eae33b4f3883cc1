"""What README.md, docs/ and systemd/ name is there, and what is there is named: commands, options, files, RFCs."""

from __future__ import annotations

import pkgutil
import re
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement

from calsync import __version__, options
from calsync.cli import main
from calsync.counters import families
from calsync.store.migrations import CHAIN
from tests import test_rfc
from tests.pages import PAGES, ROOT, UNITS, blocks, children, commands, every_command, parser, spans

TEXTS = PAGES | UNITS

#: Options of the plugins, which Radicale's schema does not hold.
OF_PLUGINS = {("storage", "url"), ("auth", "calsync_url"), ("rights", "backend")}

#: Options of the examples in docs/extending.md.
OF_EXAMPLES = {("hook", "diary_file")}


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


# --- commands ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in TEXTS if name != "docs/commands.md"])
def test_the_commands_exist_with_their_options(name: str) -> None:
    for words in commands(TEXTS[name]):
        if words[0].startswith("-"):
            words.insert(0, "serve")
        at = words.pop(0)
        if at == "COMMAND":
            continue
        for path in at.split("|"):
            assert path in main.COMMANDS, (path, *words)
            _check(path, children(parser())[path], words)


def _check(path: str, one: Any, words: list[str]) -> None:
    below = children(one)
    if below and words and not words[0].startswith("-") and words[0] not in ("COMMAND", "…"):
        for word in words[0].split("|"):
            assert word in below, f"calsync {path} {word}"
            _check(f"{path} {word}", below[word], words[1:])
        return
    known = {string for action in one._actions for string in action.option_strings}
    named = {word.partition("=")[0] for word in words if re.match(r"-{1,2}[a-zA-Z]", word)}
    assert named <= known, (path, named - known)


def test_every_command_stands_in_the_list_of_commands() -> None:
    headings = set(re.findall(r"(?m)^#{2,3} (.+)$", PAGES["docs/commands.md"]))
    assert {name for name, _ in every_command()} == headings


@pytest.mark.parametrize("command", ["user", "token", "group", "audit"])
def test_every_command_about_accounts_is_explained(command: str) -> None:
    named = {" ".join(words[:2]) for words in commands(PAGES["docs/accounts.md"])} | {
        words[0] for words in commands(PAGES["docs/accounts.md"])
    }
    wanted = {name for name, _ in every_command() if name.split()[0] == command}
    assert wanted <= named


@pytest.mark.parametrize("name", TEXTS)
def test_the_make_targets_exist(name: str) -> None:
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text()))
    assert {one for line in spans(TEXTS[name]) for one in re.findall(r"^make ([a-z]+)", line)} <= targets


# --- files and links --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_the_files_exist(name: str) -> None:
    tops = {one.name for one in ROOT.iterdir() if not one.name.startswith(".")}
    here = (ROOT / name).parent
    named = {span for span in spans(PAGES[name]) if re.fullmatch(r"[\w.-]+(/[\w.-]*)*", span)}
    paths = {span for span in named if span.partition("/")[0] in tops or re.search(r"\w\.(md|service|timer)$", span)}
    places = (ROOT, here, ROOT / "systemd")  # units are named as systemctl has them
    assert not {path for path in paths if not any((place / path).exists() for place in places)}


@pytest.mark.parametrize("name", PAGES)
def test_the_links_lead_somewhere(name: str) -> None:
    text = re.sub(r"(?s)```.*?```|`[^`]*`", "", PAGES[name])
    for target in re.findall(r"\]\(([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        if target.startswith("https://"):
            continue
        found = (ROOT / name).parent / path if path else ROOT / name
        assert found.exists(), target
        if anchor:
            assert anchor in _anchors(found.read_text()), target


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"(?m)^#+ (.+)$", text)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


def _links(name: str) -> set[str]:
    """The pages that a page links to."""
    here = (ROOT / name).parent
    found = {(here / one).resolve() for one in re.findall(r"\]\(([^)#:]+)", PAGES[name])}
    return {path.relative_to(ROOT).as_posix() for path in found if path.is_relative_to(ROOT)} & PAGES.keys()


def test_every_page_stands_in_the_list_of_pages() -> None:
    """A folder's pages stand in the list of that folder, which the list of all names."""
    index = "docs/README.md"
    assert index in _links("README.md")
    listed = _links(index)
    for name in [one for one in listed if one.count("/") > 1]:
        listed |= {other for other in _links(name) if (ROOT / other).parent == (ROOT / name).parent}
    assert PAGES.keys() - listed == {index}


# --- options ----------------------------------------------------------------------------------------------------------


def _exists(section: str, option: str) -> bool:
    return (section, option) in OF_PLUGINS | OF_EXAMPLES or option in options.schema().get(section, {})


@pytest.mark.parametrize("name", PAGES)
def test_the_options_of_the_configuration_exist(name: str) -> None:
    for span in spans(PAGES[name]):
        for section, option in re.findall(r"^\[(\w+)\] (\w+)", span):
            assert _exists(section, option), (section, option)


@pytest.mark.parametrize("name", PAGES)
def test_the_configurations_shown_have_options_that_exist(name: str) -> None:
    """`[section]` on a line of its own, then `option = value`; `ini` blocks count that say which file they are."""
    section = ""
    for line in spans(re.sub(r"(?ms)^```ini\n(?!# /).*?^```$", "", PAGES[name])):
        if match := re.fullmatch(r"\[(\w+)\]", line):
            section = match[1] if match[1] in options.schema() else ""
        elif section and (match := re.match(r"#?([a-z_]+) =", line)):
            assert _exists(section, match[1]), (section, match[1])
        else:
            section = ""


def test_every_option_and_every_metric_is_explained() -> None:
    """The pages are written from the same tables; this holds whatever becomes of that."""
    added = {(section, name) for of in (options.OWN, options.ADDED) for section, names in of.items() for name in names}
    text = PAGES["docs/configuration.md"]
    assert {name for _, name in added if f"`{name}`" not in text and not re.search(rf"(?m)^#?{name} =", text)} == set()
    assert {name for name in families.ALL if f"`{name}`" not in PAGES["docs/observing.md"]} == set()


def test_every_option_of_the_plugins_is_explained() -> None:
    text = PAGES["docs/plugins.md"]
    wanted = {(section, name) for section, added in options.ADDED.items() for name in added} | OF_PLUGINS
    assert {name for _, name in wanted if not re.search(rf"[` ]{name}`", text)} == set()


# --- RFCs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in PAGES if name != "docs/rfc.md"])
def test_the_rfcs_are_in_the_table(name: str) -> None:
    """And what is said to be done is not said there to be not done."""
    known = {(row.rfc, row.section): row for row in test_rfc.rows(PAGES["docs/rfc.md"])}
    lists = re.findall(r"RFC (\d{4}(?:, \d{4})+)", PAGES[name])
    wanted = [*test_rfc.named(PAGES[name]), *((rfc, "") for one in lists for rfc in one.split(", "))]
    for rfc, section in wanted:
        of_it = [row for row in known.values() if row.rfc == rfc]
        assert of_it, f"RFC {rfc}"
        row = test_rfc.row_of(rfc, section, known)
        assert not section or row is not None, f"RFC {rfc} §{section}"
        assert any(one.state != "no" for one in of_it) if row is None else row.state != "no", f"RFC {rfc} §{section}"


# --- the map and its reasons ------------------------------------------------------------------------------------------


def test_the_floors_of_the_map_are_those_that_hold() -> None:
    (drawn,) = [block for block in blocks(PAGES["docs/architecture.md"], "") if block.startswith("calsync.cli")]
    floors = [re.split(r" {2,}", line)[0].strip() for line in drawn.splitlines()]
    (layers,) = [one["layers"] for one in project()["tool"]["importlinter"]["contracts"] if one["type"] == "layers"]
    assert floors == layers


def test_every_room_is_on_the_map() -> None:
    rooms = {f"calsync.{path.parent.name}" for path in (ROOT / "calsync").glob("*/__init__.py")}
    rooms |= {f"plugins/{path.parent.name}" for path in (ROOT / "plugins").glob("*/__init__.py")}
    assert rooms <= set(re.findall(r"(?m)^\| `([\w./]+)` \|", PAGES["docs/architecture.md"]))


def test_the_modules_of_the_map_exist() -> None:
    """`calsync.store`, `dav.answer.Listing`, `transfer.dropin`: in full, or without the package."""
    packages = {path.parent.name for path in (ROOT / "calsync").glob("*/__init__.py")}
    named = {span for span in spans(PAGES["docs/architecture.md"]) if re.fullmatch(r"[A-Za-z_]+(\.[A-Za-z_]+)+", span)}
    dotted = {one for one in named if one.split(".")[0] in {"calsync", *packages} and not one.endswith(".py")}
    assert len(dotted) > 10
    for one in dotted:
        pkgutil.resolve_name(one if one.startswith("calsync.") else f"calsync.{one}")


def test_the_files_of_the_map_exist() -> None:
    rows = re.findall(r"(?m)^\| `([\w./]+)` \| .* \| (.*) \|$", PAGES["docs/architecture.md"])
    for room, begin in rows:
        folder = ROOT / room.replace("calsync.", "calsync/")
        assert not {name for name in re.findall(r"`(\w+\.py)`", begin) if not (folder / name).exists()}, room


def test_the_newest_version_of_the_upgrade_notes_has_the_tables_of_this_one() -> None:
    rows = re.findall(r"(?m)^\| (\d+\.\d+\.\d+) \| (\d{4}) \|", PAGES["docs/upgrading.md"])
    assert rows[-1] == (__version__, CHAIN.head)


def test_every_dependency_has_its_reason() -> None:
    declared = project()["project"]
    extras = declared["optional-dependencies"]
    wanted = [*declared["dependencies"], *(one for name, of in extras.items() if name != "check" for one in of)]
    names = {Requirement(one).name for one in wanted} - {"calsync"}
    text = PAGES["docs/decisions.md"].partition("## Dependencies")[2]
    assert {name for name in names if not re.search(rf"\b{name}\b", text)} == set()
