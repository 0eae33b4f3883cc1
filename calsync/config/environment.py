"""The configuration's options as environment variables: `CALSYNC_SERVER_HOSTS` is `[server] hosts`.

`CALSYNC_…_FILE` names a file that holds the value, as containers and systemd hand over secrets. Variables that name no
section (`CALSYNC_CONFIG`, a test's own) are none of the configuration's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PREFIX: Final = "CALSYNC_"

_FILE: Final = "_file"

#: Far more than any secret; a wrong path must not fill the memory.
_LARGEST: Final = 1 << 20


class VariableError(ValueError):
    """A variable cannot be used; the message says which and why, for people."""


@dataclass(frozen=True, slots=True)
class Variable:
    """An option that the environment sets: the variable's name, and `file`, of which the value is the content."""

    name: str
    section: str
    option: str
    value: str
    file: str = ""


def name_of(section: str, option: str) -> str:
    """The variable of an option."""
    return f"{PREFIX}{section}_{option}".upper().replace("-", "_")


def read(environ: Mapping[str, str], rules: Mapping[str, Mapping[str, Any]]) -> tuple[list[Variable], list[str]]:
    """What the environment sets, and what of it cannot be used, as messages.

    `rules`: section → options that are known; others are taken as they are called. `type` comes first of a section: it
    says which options there are.
    """
    found: dict[tuple[str, str], Variable] = {}
    wrong: list[str] = []
    for name in sorted(environ):
        named = _named(name, rules)
        if named is None:
            continue
        try:
            variable = _variable(name, environ[name], *named)
        except VariableError as error:
            wrong.append(str(error))
            continue
        key = (variable.section, variable.option)
        if key in found:
            wrong.append(f"{found[key].name} and {name} are both set (unset one)")
            continue
        found[key] = variable
    return sorted(found.values(), key=lambda one: (one.section, one.option != "type", one.option)), wrong


def strangers(environ: Mapping[str, str], rules: Mapping[str, Mapping[str, Any]], own: frozenset[str]) -> list[str]:
    """Variables with our prefix that name no section, nor anything in `own`: perhaps misspelt."""
    return [
        name
        for name in sorted(environ)
        if name.startswith(PREFIX)
        and name not in own
        and not name.startswith((f"{PREFIX}TEST_", f"{PREFIX}SOAK_"))
        and _named(name, rules) is None
    ]


def _named(name: str, rules: Mapping[str, Mapping[str, Any]]) -> tuple[str, str, bool] | None:
    """The section and option that a variable means, and whether its value is the name of a file."""
    section, _, option = name.removeprefix(PREFIX).lower().partition("_")
    if not name.startswith(PREFIX) or name != name.upper() or not option or section not in rules:
        return None
    known = rules[section]
    if "_allow_extra" in known:  # names of header fields
        return section, option.replace("_", "-"), False
    stem = option.removesuffix(_FILE)
    if option not in known and stem != option and stem in known:
        return section, stem, True
    return section, option, False


def _variable(name: str, value: str, section: str, option: str, is_file: bool) -> Variable:
    if not is_file:
        return Variable(name, section, option, value)
    path = Path(value).expanduser()
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise VariableError(f"{name}: {value or 'no file'}: {(error.strerror or str(error)).lower()}") from error
    if len(content) > _LARGEST:
        raise VariableError(f"{name}: {path}: larger than a megabyte")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise VariableError(f"{name}: {path}: not UTF-8 at octet {error.start}") from error
    return Variable(name, section, option, text.removesuffix("\n").removesuffix("\r"), str(path.absolute()))
