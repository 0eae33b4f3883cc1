"""What a configuration that was made can be asked: where its values come from, and what they come to together."""

from __future__ import annotations

from pathlib import Path

from calsync.config.sources import line_of
from calsync.upstream import Configuration
from calsync.webdav.hosts import is_loopback


def missing_files(configuration: Configuration) -> list[str]:
    """The files that were looked for and not found."""
    return [source.removeprefix("file ") for source, missing in configuration.sources() if missing]


def read_files(configuration: Configuration) -> list[str]:
    """The files that were read."""
    return [
        source.removeprefix("file ")
        for source, missing in configuration.sources()
        if not missing and source.startswith("file ")
    ]


def place_of(configuration: Configuration, section: str, option: str) -> str:
    """Where a value comes from: a file with its line, a variable, the command line; empty for a default."""
    try:
        source = configuration.get_source(section, option)
    except KeyError:
        return ""
    kind, _, place = source.partition(" ")
    if kind == "file":
        line = line_of(Path(place), section, option)
        return f"{place}:{line}" if line else place
    return place if kind == "environment" else "" if source == "default config" else source


def is_set(configuration: Configuration, section: str, option: str) -> bool:
    """Whether somebody has given the option a value."""
    try:
        return configuration.get_source(section, option) != "default config" and bool(
            str(configuration.get_raw(section, option)).strip()
        )
    except KeyError:
        return False


def is_own_storage(configuration: Configuration) -> bool:
    """Whether calsync serves (else Radicale's code does, whole)."""
    return bool(configuration.get("storage", "type") == "calsync_storage")


def back_end(configuration: Configuration) -> str:
    """Who knows the main passwords: a type of Radicale's, or `accounts`."""
    kind = str(configuration.get("auth", "type"))
    return str(configuration.get("auth", "backend")).strip() or "accounts" if kind == "calsync_auth" else kind


def is_open(configuration: Configuration) -> bool:
    """Whether others than this machine reach the server."""
    return any(
        not host.startswith("unix:") and not is_loopback(host) for host, _ in configuration.get("server", "hosts")
    )


def text_of(configuration: Configuration, section: str, option: str) -> str:
    """An option as text; empty where no plugin that is loaded has it."""
    return str(configuration.get(section, option)) if option in configuration.options(section) else ""
