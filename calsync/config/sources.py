"""Where options stand, and reading it: files, variables, a command line.

The files are those named by `--config`, else by `CALSYNC_CONFIG`, else by `RADICALE_CONFIG`, else `/etc/calsync/config`
and `~/.config/calsync/config` where they exist, each with `radicale` beside it before; several are joined by `:`, and
one with a `?` before it may be missing. Radicale's own places (`/etc/radicale/config`) are not read unless named:
calsync beside an installed Radicale must not open its store by accident.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from calsync.config.environment import Variable

Values = dict[str, dict[str, str]]

#: The variables that name configuration files; the first that is set counts.
VARIABLES: Final = ("CALSYNC_CONFIG", "RADICALE_CONFIG")

#: The files in /etc/calsync or ~/.config/calsync: what stock Radicale knows too, where it was taken over; and ours.
FILES: Final = ("radicale", "config")


class ConfigurationError(ValueError):
    """The configuration cannot be used; the message names where, what and what to do, for people."""


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


def default_paths() -> str:
    """The files that are read when none is named."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    home = Path(base) if base.startswith("/") else Path("~/.config").expanduser()
    return os.pathsep.join(f"?{folder}/calsync/{name}" for folder in ("/etc", home) for name in FILES)


def named_files(paths: str | Sequence[str] | None = None) -> list[str]:
    """The files that are to be read, with a `?` before those that may be missing."""
    if paths is None:
        paths = next((os.environ[name] for name in VARIABLES if name in os.environ), None) or default_paths()
    joined = paths if isinstance(paths, str) else os.pathsep.join(paths)
    return list(filter(None, joined.split(os.pathsep)))


def of_variables(variables: Sequence[Variable]) -> list[Source]:
    """Each variable is a source of its own, so that each value's is known."""
    return [Source("environment", one.name, {one.section: {one.option: one.value}}) for one in variables]


def of_command_line(overrides: Mapping[str, Mapping[str, str]] | None) -> list[Source]:
    """The options that a command was given, if it was."""
    if not overrides:
        return []
    return [Source("command line", "", {section: dict(options) for section, options in overrides.items()})]


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
