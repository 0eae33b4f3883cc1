"""What of a source cannot be used, said in a way that helps; and what in it nothing knows."""

from __future__ import annotations

import configparser
import difflib
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from calsync import upstream
from calsync.config.sources import Source, Values, line_of
from calsync.options import PLUGINS, Schema, schema

_BOOLEANS: Final = configparser.RawConfigParser.BOOLEAN_STATES


@dataclass(frozen=True, slots=True)
class Fault:
    """What of a source cannot be used, or is not known; `stops` where nothing starts with it."""

    source: Source
    section: str
    option: str
    text: str
    stops: bool = True

    @property
    def where(self) -> str:
        """The source, with the line in a file."""
        place = self.source.where
        line = line_of(Path(place), self.section, self.option) if self.source.kind == "file" else 0
        return f"{place}:{line}" if line else place

    def __str__(self) -> str:
        named = f"[{self.section}] {self.option}".rstrip()
        return f"config: {self.where}: {named}: {self.text}"


def faults_of(rules: Schema, source: Source, configuration: upstream.Configuration) -> Iterator[Fault]:
    """What Radicale's own check would refuse, and what nothing knows.

    `configuration`: what the sources before this one came to.
    """
    assert source.values is not None
    for section, options in source.values.items():
        if section not in rules or section.startswith("_"):
            yield Fault(source, section, "", f"no such section{like(section, rules)}")
            continue
        for name, text in options.items():
            rule = rules[section].get(name)
            if rule is None or name.startswith("_"):
                if name.startswith("_") or name not in PLUGINS.get(section, {}):
                    yield from _unknown(rules, source, section, name, configuration)
                elif not _is_foreign(rules, source.values, section, configuration):
                    yield Fault(source, section, name, f"no such option with this [{section}] type")
                continue
            try:
                _converted(rule["type"], text)
            except (ValueError, TypeError, KeyError) as error:
                reason = _reason(error)
                told = reason if "(" in reason else f"{reason} ({rule['help']})"
                yield Fault(source, section, name, f"{text!r} cannot be used: {told}")


def without(values: Values, faults: Sequence[Fault]) -> Values:
    """The values without those that cannot be used; options that nothing knows do no harm."""
    if not any(fault.stops for fault in faults):
        return values
    refused = {(fault.section, fault.option) for fault in faults if fault.stops}
    return {
        section: {name: text for name, text in options.items() if (section, name) not in refused}
        for section, options in values.items()
        if (section, "") not in refused
    }


def unknown_types(configuration: upstream.Configuration) -> Iterator[tuple[str, str, str]]:
    """Plugins that are none of Radicale's and cannot be found: section, option, what is to be said."""
    for section, rules in schema().items():
        if "internal" not in rules.get("type", {}):
            continue
        known = dict.fromkeys((*rules["type"]["internal"], f"calsync_{section}"))
        for option in {"type", "backend"} & set(configuration.options(section)):
            kind = configuration.get(section, option)
            if isinstance(kind, str) and kind not in ("", "accounts", *known) and not _is_module(kind):
                yield section, option, f"{kind!r} is no type, and no module of Python's{like(kind, known)}"


def like(name: str, known: Mapping[str, object]) -> str:
    """A hint at what may have been meant."""
    names = [entry for entry in known if not entry.startswith("_")]
    near = difflib.get_close_matches(name, names, 1)
    return f" (did you mean {near[0]}?)" if near else f" (there are: {', '.join(sorted(names)[:12])}…)"


def _unknown(
    rules: Schema, source: Source, section: str, name: str, configuration: upstream.Configuration
) -> Iterator[Fault]:
    """Whether an option that is in no schema may be there nevertheless.

    A file may be one that is read with another plugin too, so nothing stops there; a variable is meant for calsync.
    """
    assert source.values is not None
    if "_allow_extra" in rules[section] and not name.startswith("_"):
        return
    text = f"no such option{like(name, rules[section] | PLUGINS.get(section, {}))}"
    foreign = _is_foreign(rules, source.values, section, configuration)
    if name.startswith("_") or not foreign:
        yield Fault(source, section, name, text)
    elif _is_known_plugin(rules, source.values, section, configuration):
        yield Fault(source, section, name, text, stops=source.kind == "environment")


def _is_foreign(rules: Schema, values: Values, section: str, configuration: upstream.Configuration) -> bool:
    """Whether a section takes options that its schema does not know: a plugin's, or free ones (`[headers]`)."""
    if "_allow_extra" in rules[section]:
        return True
    kind = rules[section].get("type")
    if kind is None or "internal" not in kind:
        return False
    return values[section].get("type", configuration.get(section, "type")) not in kind["internal"]


def _is_known_plugin(rules: Schema, values: Values, section: str, configuration: upstream.Configuration) -> bool:
    """Whether the plugin of a section is one of ours, and nobody else's stands behind it."""
    if values[section].get("type", configuration.get(section, "type")) != f"calsync_{section}":
        return False
    there = configuration.options(section)
    backend = values[section].get("backend", configuration.get(section, "backend") if "backend" in there else "")
    return backend in ("", "accounts", "calsync_auth", *rules[section]["type"]["internal"])


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _converted(kind: Any, text: str) -> Any:
    if kind is bool:
        if str(text).lower() not in _BOOLEANS:
            raise ValueError("neither True nor False")
        return _BOOLEANS[str(text).lower()]
    return kind(text)


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    if "invalid literal for int" in text:
        return "not a whole number"
    if "could not convert string to float" in text:
        return "not a number"
    return text
