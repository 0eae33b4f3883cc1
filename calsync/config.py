"""The configuration: Radicale's files and options, and calsync's (decision D4).

Read in this order, the later wins: the defaults, the files, what the caller overrides (the command line). The files
are those named by `--config`, else by `CALSYNC_CONFIG`, else by `RADICALE_CONFIG`, else `/etc/calsync/config` and
`~/.config/calsync/config` where they exist; several are joined by `:`, and one with a `?` before it may be missing.
Radicale's own places (`/etc/radicale/config`) are not read unless named: calsync beside an installed Radicale must not
open its store by accident.
"""

from __future__ import annotations

import configparser
import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from calsync import upstream
from calsync.options import STOCK_FOLDER, STOCK_ROOT, Schema, data_folder, schema

Values = dict[str, dict[str, str]]

#: The variables that name configuration files; the first that is set counts.
VARIABLES: Final = ("CALSYNC_CONFIG", "RADICALE_CONFIG")

_BOOLEANS: Final = configparser.RawConfigParser.BOOLEAN_STATES


class ConfigurationError(ValueError):
    """The configuration cannot be used; the message names where, what and what to do, for people."""


def default_paths() -> str:
    """The files that are read when none is named."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    home = Path(base) if base.startswith("/") else Path("~/.config").expanduser()
    return f"?/etc/calsync/config:?{home}/calsync/config"


def load(
    paths: str | Sequence[str] | None = None, overrides: Mapping[str, Mapping[str, str]] | None = None
) -> upstream.Configuration:
    """The configuration from files and overrides (section → option → text). Raises `ConfigurationError`.

    `paths` as for `--config`: files joined by `:`, or several of such; None: the environment's or the default ones.
    """
    if paths is None:
        paths = next((os.environ[name] for name in VARIABLES if name in os.environ), None) or default_paths()
    joined = paths if isinstance(paths, str) else os.pathsep.join(paths)
    rules = schema()
    sources = [(f"file {path}", values) for path, values in map(_read, filter(None, joined.split(os.pathsep)))]
    if overrides:
        sources.append(("command line", {section: dict(options) for section, options in overrides.items()}))
    named = [values for _, values in sources if values is not None]
    if not any("filesystem_folder" in values.get("storage", {}) for values in named):
        rules["storage"]["filesystem_folder"]["value"] = str(_folder(bool(named)))
    configuration = upstream.Configuration(rules)
    for source, values in sources:
        if values is None:
            configuration.update(upstream.Configuration.SOURCE_MISSING, source)
            continue
        _check(rules, values, source, configuration)
        configuration.update(values, source)
    return configuration


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


def _read(text: str) -> tuple[Path, Values | None]:
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
        raise ConfigurationError(f"config: {path}: {' '.join(str(error).split())}") from error
    return path, {section: dict(parser[section]) for section in parser.sections()}


def _check(rules: Schema, values: Values, source: str, configuration: upstream.Configuration) -> None:
    """Find what Radicale's own check would refuse, and say it in a way that helps."""
    where = f"config: {source.removeprefix('file ')}"
    for section, options in values.items():
        if section not in rules or section.startswith("_"):
            raise ConfigurationError(f"{where}: [{section}]: no such section{_like(section, rules)}")
        for name, text in options.items():
            rule = rules[section].get(name)
            if rule is None or name.startswith("_"):
                if not _is_foreign(rules, values, section, configuration) or name.startswith("_"):
                    raise ConfigurationError(
                        f"{where}: [{section}] {name}: no such option{_like(name, rules[section])}"
                    )
                continue
            try:
                _converted(rule["type"], text)
            except (ValueError, TypeError, KeyError) as error:
                raise ConfigurationError(
                    f"{where}: [{section}] {name}: {text!r} cannot be used: {_reason(error)} ({rule['help']})"
                ) from error


def _is_foreign(rules: Schema, values: Values, section: str, configuration: upstream.Configuration) -> bool:
    """Whether a section takes options that its schema does not know: a plugin's, or free ones (`[headers]`)."""
    if "_allow_extra" in rules[section]:
        return True
    kind = rules[section].get("type")
    if kind is None or "internal" not in kind:
        return False
    return values[section].get("type", configuration.get(section, "type")) not in kind["internal"]


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


def _like(name: str, known: Mapping[str, object]) -> str:
    """A hint at what may have been meant."""
    names = [entry for entry in known if not entry.startswith("_")]
    near = difflib.get_close_matches(name, names, 1)
    return f" (did you mean {near[0]}?)" if near else f" (there are: {', '.join(sorted(names)[:12])}…)"


def _no_stop(text: str) -> str:
    return text.rstrip(".").lower()
