"""Radicale's configuration, taken over: its file as it is, and what calsync's own says otherwise (decision D4)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from calsync import config, upstream
from calsync.cli.setup.files import Planned
from calsync.config import ConfigurationError, is_set

#: Where Radicale keeps its configuration.
PLACE: Final = Path("/etc/radicale/config")

#: Files that Radicale's user reads, and calsync's perhaps not: they are copied.
_FILES: Final = (("auth", "htpasswd_filename", "htpasswd"), ("rights", "file", "from_file"))

_HEAD: Final = """\
# Taken over from {place} by `calsync init`. Stock Radicale reads it too; calsync's own options stand in {own}.

"""

#: Values of `[auth] type` beside which calsync's accounts make no sense.
_WITHOUT_ACCOUNTS: Final = ("none", "denyall")


@dataclass(frozen=True, slots=True)
class Taken:
    """`values`: what calsync's file says otherwise. `collections`: Radicale's folder, which is taken in."""

    place: Path
    values: dict[tuple[str, str], str]
    files: tuple[Planned, ...]
    collections: Path
    backend: str
    tls: bool

    @property
    def has_users(self) -> bool:
        """Whether somebody knows who may log in, so that no first user is needed."""
        return self.backend not in ("", "denyall")


def find(place: Path = PLACE) -> Path | None:
    """The configuration of a Radicale on this machine, if it has one that can be read."""
    try:
        place.open("rb").close()
    except OSError:
        return None
    return place


def taken(place: Path, folder: Path) -> Taken:
    """What becomes of Radicale's configuration at `place`; `folder` is calsync's own. Raises `ConfigurationError`."""
    path, found = config.read_file(str(place))
    configuration, faults = config.build([config.Source("file", str(path), found)])
    if any(fault.stops for fault in faults):
        raise ConfigurationError(
            "; ".join(str(fault) for fault in faults if fault.stops) + " (mend it first, or --radicale no)"
        )
    own, copy = folder / "config", folder / "radicale"
    text = _HEAD.format(place=place, own=own) + place.read_text(encoding="utf-8")
    values, files = _values(configuration), [Planned(copy, text, "what was Radicale's", 0o640)]
    for section, option, kind in _FILES:
        file = Path(str(configuration.get(section, option)))
        if configuration.get(section, "type") == kind and file.is_file():
            target = folder / file.name if file.name not in ("config", "radicale") else folder / option
            content = file.read_text(encoding="utf-8")
            files.append(Planned(target, content, f"copy of {file}", 0o640, secret=section == "auth"))
            values[section, option] = str(target)
    return Taken(
        place=place,
        values=values,
        files=tuple(files),
        collections=Path(configuration.get("storage", "filesystem_folder")),
        backend=_backend(configuration),
        tls=bool(configuration.get("server", "ssl")),
    )


def _backend(configuration: upstream.Configuration) -> str:
    """Who knows Radicale's users; empty where nobody was asked."""
    return str(configuration.get("auth", "type")) if is_set(configuration, "auth", "type") else ""


def _values(configuration: upstream.Configuration) -> dict[tuple[str, str], str]:
    values: dict[tuple[str, str], str] = {}
    if is_set(configuration, "storage", "type"):
        values["storage", "type"] = "calsync_storage"
    backend = _backend(configuration)
    if backend and not backend.startswith("calsync") and backend not in _WITHOUT_ACCOUNTS:
        values["auth", "type"] = "calsync_auth"
        values["auth", "backend"] = backend
    return values
