"""The identifiers of the installed tzdata, and which of them are other names of others."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Any, Final

_DATA: Any = import_module("tzdata")

#: Of the data, as in `2025b`.
VERSION: Final[str] = _DATA.IANA_VERSION


@cache
def known() -> frozenset[str]:
    """All names, the aliases among them."""
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="ascii").split())


@cache
def aliases() -> dict[str, tuple[str, ...]]:
    """The zones that are no aliases, each with its aliases, all sorted."""
    text = files("tzdata").joinpath("zoneinfo", "tzdata.zi").read_text(encoding="utf-8")
    links = [line.split()[1:3] for line in text.splitlines() if line.startswith("L ")]
    found: dict[str, list[str]] = {name: [] for name in sorted(known() - {alias for _, alias in links})}
    targets = {alias: target for target, alias in links}
    for alias in sorted(known() & targets.keys()):
        target = targets[alias]
        while target in targets:
            target = targets[target]
        found.setdefault(target, []).append(alias)
    return {name: tuple(others) for name, others in found.items()}
