"""docs/rfc.md and the code say the same. `python -m tests.test_rfc` writes the files into the table anew."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import calsync.app  # noqa: F401 - fills the registries
from calsync.dav import registry

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "docs" / "rfc.md"

#: An RFC and its sections: `RFC 4791 §5.2.2, §9.8`, `RFC 4791 §7.8 to §7.10`.
NAMED = re.compile(r"RFC (\d{4})((?:(?: \([^)]*\))?(?:,? | and | to |, and )§[0-9]+(?:\.[0-9]+)*)*)")
ROW = re.compile(
    r"\| (?P<what>RFC \d{4}|§[0-9.]+) \| [^|]+ \| (?P<state>yes|partly|no) \| [^|]*\| (?P<files>[^|]*) ?\|"
)


class Row(NamedTuple):
    """A line of the table; `section` is empty where it is about the whole RFC."""

    rfc: str
    section: str
    state: str
    files: tuple[str, ...]


def named(text: str) -> Iterator[tuple[str, str]]:
    """The RFCs with their sections that a text speaks of; an empty section for the RFC alone."""
    joined = re.sub(r"\s*\n\s*(?:#:? ?)?", " ", text)
    for found in NAMED.finditer(joined):
        sections = re.findall(r"§([0-9]+(?:\.[0-9]+)*)", found[2])
        yield from ((found[1], section) for section in sections or [""])


def references() -> dict[tuple[str, str], set[str]]:
    """(RFC, section) → the files that speak of it."""
    found: dict[tuple[str, str], set[str]] = {}
    for folder in ("calsync", "plugins"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for one in named(path.read_text(encoding="utf-8")):
                found.setdefault(one, set()).add(path.relative_to(ROOT).as_posix().removeprefix("calsync/"))
    return found


def rows(text: str) -> list[Row]:
    """The lines of all tables."""
    found: list[Row] = []
    heading = ""
    for line in text.splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ").removeprefix("RFC ")[:4]
        elif match := ROW.fullmatch(line):
            files = tuple(re.findall("`([^`]+)`", match["files"]))
            whole = match["what"].startswith("RFC ")
            rfc, section = (match["what"][4:], "") if whole else (heading, match["what"][1:])
            found.append(Row(rfc, section, match["state"], files))
    return found


def row_of(rfc: str, section: str, known: dict[tuple[str, str], Row]) -> Row | None:
    """The line about a section: its own, or that of the nearest one around it."""
    parts = section.split(".") if section else []
    around = [".".join(parts[:length]) for length in range(len(parts), -1, -1)]
    return next((known[rfc, one] for one in around if (rfc, one) in known), None)


def expected() -> dict[tuple[str, str], set[str]]:
    """The files of each line, by what the code says."""
    known = {(row.rfc, row.section): row for row in rows(TABLE.read_text(encoding="utf-8"))}
    found: dict[tuple[str, str], set[str]] = {place: set() for place in known}
    for (rfc, section), files in references().items():
        row = row_of(rfc, section, known)
        if row is not None:
            found[row.rfc, row.section] |= files
    return found


def test_every_section_named_in_the_code_is_in_the_table() -> None:
    table = rows(TABLE.read_text(encoding="utf-8"))
    known = {(row.rfc, row.section): row for row in table}
    rfcs = {row.rfc for row in table}
    missing = [
        f"RFC {rfc} §{section} ({', '.join(sorted(files))})"
        for (rfc, section), files in sorted(references().items())
        if (row_of(rfc, section, known) is None if section else rfc not in rfcs)
    ]
    assert not missing, missing


def test_each_line_names_the_files_that_speak_of_it() -> None:
    """Where this fails after a change of the code, run `python -m tests.test_rfc` and read the difference."""
    files = expected()
    for row in rows(TABLE.read_text(encoding="utf-8")):
        assert set(row.files) == files[row.rfc, row.section], f"RFC {row.rfc} §{row.section}"


def test_what_is_done_is_done_somewhere() -> None:
    """What is done has a file; of what is not, no more than its name is known."""
    for row in rows(TABLE.read_text(encoding="utf-8")):
        if row.rfc == "7986":  # nothing is asked of a server
            continue
        if row.state == "no":
            assert all(file.startswith("webdav/") for file in row.files), row
        else:
            assert row.files, row


def test_every_line_is_read() -> None:
    text = TABLE.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith(("| §", "| RFC"))]
    assert len(rows(text)) == len(lines) == len({row[:2] for row in rows(text)})


def test_the_source_of_everything_registered_is_in_the_table() -> None:
    known = {(row.rfc, row.section): row for row in rows(TABLE.read_text(encoding="utf-8"))}
    declared = [
        *registry.METHODS.values(),
        *registry.REPORTS.values(),
        *registry.PROPERTIES.values(),
        *registry.DATA.values(),
        *registry.SERVICES.values(),
        *registry.COMPLIANCE,
    ]
    for one in declared:
        for rfc, section in named(one.source):
            row = row_of(rfc, section, known)
            assert row is not None, one
            assert row.state != "no", one


def main() -> None:
    files = expected()
    lines: list[str] = []
    heading = ""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            heading = line
        match = ROW.fullmatch(line)
        if match:
            (row,) = rows(f"{heading}\n{line}\n")
            named_ = ", ".join(f"`{file}`" for file in sorted(files[row.rfc, row.section]))
            line = f"{line[: match.start('files')]}{named_}{' ' if named_ else ''}|"
        lines.append(line)
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
