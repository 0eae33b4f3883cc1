"""The configuration: Radicale's files and options, and calsync's (decision D4).

Read in this order, the later wins: the defaults, the files, the environment (`calsync.config_environment`), what the
caller overrides (the command line). The files are those named by `--config`, else by `CALSYNC_CONFIG`, else by
`RADICALE_CONFIG`, else `/etc/calsync/config` and `~/.config/calsync/config` where they exist, each with `radicale`
beside it before; several are joined by `:`, and one with a `?` before it may be missing.
Radicale's own places (`/etc/radicale/config`) are not read unless named: calsync beside an installed Radicale must not
open its store by accident.
"""

from __future__ import annotations

import configparser
import difflib
import importlib.util
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from calsync import config_environment, upstream
from calsync.options import PLUGINS, STOCK_FOLDER, STOCK_ROOT, Schema, data_folder, schema

Values = dict[str, dict[str, str]]

#: The variables that name configuration files; the first that is set counts.
VARIABLES: Final = ("CALSYNC_CONFIG", "RADICALE_CONFIG")

#: The files in /etc/calsync or ~/.config/calsync: what stock Radicale knows too, where it was taken over; and ours.
FILES: Final = ("radicale", "config")

_BOOLEANS: Final = configparser.RawConfigParser.BOOLEAN_STATES


class ConfigurationError(ValueError):
    """The configuration cannot be used; the message names where, what and what to do, for people."""


def default_paths() -> str:
    """The files that are read when none is named."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    home = Path(base) if base.startswith("/") else Path("~/.config").expanduser()
    return os.pathsep.join(f"?{folder}/calsync/{name}" for folder in ("/etc", home) for name in FILES)


@dataclass(frozen=True, slots=True)
class Source:
    """Where options stand: a file, a variable, the command line. `values`: None for a file that is not there."""

    kind: str
    place: str
    values: Values | None

    @property
    def name(self) -> str:
        """As a configuration keeps it (`Configuration.get_source`)."""
        return f"{self.kind} {self.place}".strip()

    @property
    def where(self) -> str:
        """As messages begin."""
        return self.place or self.kind


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


def load(
    paths: str | Sequence[str] | None = None, overrides: Mapping[str, Mapping[str, str]] | None = None
) -> upstream.Configuration:
    """The configuration from files, environment and overrides (section → option → text). Raises `ConfigurationError`.

    `paths` as for `--config`: files joined by `:`, or several of such; None: the environment's or the default ones.
    """
    sources = [Source("file", str(path), values) for path, values in map(read_file, named_files(paths))]
    variables, wrong = config_environment.read(os.environ, known_options())
    if wrong:
        raise ConfigurationError(f"config: {wrong[0]}")
    sources += [*of_variables(variables), *of_command_line(overrides)]
    configuration, faults = build(sources)
    for fault in faults:
        if fault.stops:
            raise ConfigurationError(str(fault))
    return configuration


def named_files(paths: str | Sequence[str] | None = None) -> list[str]:
    """The files that are to be read, with a `?` before those that may be missing."""
    if paths is None:
        paths = next((os.environ[name] for name in VARIABLES if name in os.environ), None) or default_paths()
    joined = paths if isinstance(paths, str) else os.pathsep.join(paths)
    return list(filter(None, joined.split(os.pathsep)))


def of_variables(variables: Sequence[config_environment.Variable]) -> list[Source]:
    """Each variable is a source of its own, so that each value's is known."""
    return [Source("environment", one.name, {one.section: {one.option: one.value}}) for one in variables]


def of_command_line(overrides: Mapping[str, Mapping[str, str]] | None) -> list[Source]:
    """The options that a command was given, if it was."""
    if not overrides:
        return []
    return [Source("command line", "", {section: dict(options) for section, options in overrides.items()})]


def build(sources: Sequence[Source]) -> tuple[upstream.Configuration, list[Fault]]:
    """The configuration of all that can be used of the sources, and all that cannot."""
    rules = schema()
    there = [source for source in sources if source.values is not None]
    if not any("filesystem_folder" in (source.values or {}).get("storage", {}) for source in there):
        # Variables are calsync's alone: they make no configuration of Radicale's.
        rules["storage"]["filesystem_folder"]["value"] = str(_folder(any(one.kind != "environment" for one in there)))
    configuration = upstream.Configuration(rules)
    faults: list[Fault] = []
    for source in sources:
        if source.values is None:
            configuration.update(upstream.Configuration.SOURCE_MISSING, source.name)
            continue
        found = list(_faults(rules, source, configuration))
        configuration.update(_without(source.values, found), source.name)
        faults += found
    return configuration, faults


def known_options() -> Schema:
    """Radicale's and calsync's options, those of calsync's plugins too."""
    rules = schema()
    for section, options in PLUGINS.items():
        rules[section].update(options)
    return rules


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


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def line_of(path: Path, section: str, option: str) -> int:
    """The line of a file on which an option stands, or its section (an empty option); 0 where it is not found."""
    at, found = "", 0
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return 0
    for number, line in enumerate(text.splitlines(), 1):
        if match := configparser.RawConfigParser.SECTCRE.match(line):
            at = match["header"]
            found = number if at == section and not option else found
        elif at == section and option and (match := configparser.RawConfigParser.OPTCRE.match(line)):
            found = number if match["option"].rstrip().lower() == option else found
    return found


def missing_files(configuration: upstream.Configuration) -> list[str]:
    """The files that were looked for and not found."""
    return [source.removeprefix("file ") for source, missing in configuration.sources() if missing]


def read_files(configuration: upstream.Configuration) -> list[str]:
    """The files that were read."""
    return [
        source.removeprefix("file ")
        for source, missing in configuration.sources()
        if not missing and source.startswith("file ")
    ]


def is_own_storage(configuration: upstream.Configuration) -> bool:
    """Whether calsync serves (else Radicale's code does, whole)."""
    return bool(configuration.get("storage", "type") == "calsync_storage")


def _folder(configured: bool) -> Path:
    """The data folder of a configuration that names none.

    Radicale's own default, for a Radicale configuration whose collections are there; calsync's in every other case.
    """
    if configured and (STOCK_FOLDER / STOCK_ROOT).is_dir():
        return STOCK_FOLDER
    return data_folder()


def read_file(text: str) -> tuple[Path, Values | None]:
    """A file, `?` before it where it may be missing. Raises `ConfigurationError`."""
    optional = text.startswith("?")
    path = Path(text.removeprefix("?")).expanduser().absolute()
    parser = configparser.RawConfigParser()
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file, str(path))
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        if optional:
            return path, None
        raise ConfigurationError(
            f"config: {path}: {_no_stop(error.strerror or str(error))} (check --config)"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"config: {path}: {_no_stop(error.strerror or str(error))}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"config: {path}: not UTF-8 at octet {error.start}") from error
    except configparser.Error as error:
        raise ConfigurationError(f"config: {path}{_not_understood(error)}") from error
    return path, {section: dict(parser[section]) for section in parser.sections()}


def _faults(rules: Schema, source: Source, configuration: upstream.Configuration) -> Iterator[Fault]:
    """What Radicale's own check would refuse, said in a way that helps, and what nothing knows."""
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


def _without(values: Values, faults: Sequence[Fault]) -> Values:
    """The values without those that cannot be used; options that nothing knows do no harm."""
    if not any(fault.stops for fault in faults):
        return values
    refused = {(fault.section, fault.option) for fault in faults if fault.stops}
    return {
        section: {name: text for name, text in options.items() if (section, name) not in refused}
        for section, options in values.items()
        if (section, "") not in refused
    }


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


def like(name: str, known: Mapping[str, object]) -> str:
    """A hint at what may have been meant."""
    names = [entry for entry in known if not entry.startswith("_")]
    near = difflib.get_close_matches(name, names, 1)
    return f" (did you mean {near[0]}?)" if near else f" (there are: {', '.join(sorted(names)[:12])}…)"


def _not_understood(error: configparser.Error) -> str:
    """What configparser says, as `:LINE: …`."""
    if isinstance(error, configparser.MissingSectionHeaderError):
        line = error.line.strip() if isinstance(error.line, str) else repr(error.line)
        return f":{error.lineno}: {line!r} stands in no section (no section headers like [server] before it)"
    if isinstance(error, configparser.DuplicateOptionError):
        return f":{error.lineno}: [{error.section}] {error.option}: is there twice (leave one of them out)"
    if isinstance(error, configparser.DuplicateSectionError):
        return f":{error.lineno}: [{error.section}]: is there twice (make one of them)"
    if isinstance(error, configparser.ParsingError) and error.errors:
        number, line = error.errors[0]
        return f":{number}: {line} is neither [section] nor option = value"
    return f": {' '.join(str(error).split())}"


def _no_stop(text: str) -> str:
    return text.rstrip(".").lower()
