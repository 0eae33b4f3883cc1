"""The systemd units of this installation, made from those that calsync brings (`systemd/`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

NAME: Final = "calsync.service"

#: What is done each night and each week: the unit of the service, its timer is named alike.
BACKUP: Final = "calsync-backup.service"
VERIFY: Final = "calsync-verify.service"

#: Where backups go on a machine.
BACKUPS: Final = Path("/var/backups/calsync")

#: In the package, where it was installed; in a checkout, where it is kept.
_PLACES: Final = (Path(__file__).parent, Path(__file__).parents[3] / "systemd")

#: What a user's own systemd can do without rights over the machine.
_FOR_ONE: Final = frozenset(
    {
        "Type",
        "ExecStart",
        "ExecReload",
        "KillMode",
        "TimeoutStartSec",
        "TimeoutStopSec",
        "WatchdogSec",
        "Restart",
        "RestartSec",
        "UMask",
        "LimitNOFILE",
        "NoNewPrivileges",
        "LockPersonality",
        "MemoryDenyWriteExecute",
        "RestrictNamespaces",
        "RestrictRealtime",
        "RestrictSUIDSGID",
        "RestrictAddressFamilies",
        "SystemCallArchitectures",
        "SystemCallFilter",
        "SystemCallErrorNumber",
        "NotifyAccess",
    }
)

_HOMES: Final = ("/home", "/root", "/run/user")


def system_unit(
    command: Sequence[str],
    folder: Path,
    *,
    low_port: bool = False,
    needed: Sequence[Path] = (),
    credentials: Mapping[str, Path] | None = None,
) -> str:
    """The unit of a service for the whole machine.

    `low_port`: it listens below 1024. `needed`: other files and folders that it reads. `credentials`: variable → file
    that only root can read; systemd hands it over.
    """
    changes = _place(command, folder, needed)
    if low_port:
        right = ["CAP_NET_BIND_SERVICE"]
        changes |= {"CapabilityBoundingSet": right, "AmbientCapabilities": right, "PrivateUsers": []}
    if credentials:
        changes["LoadCredential"] = [f"{name.lower()}:{path}" for name, path in credentials.items()]
        given = [f"{name}=%d/{name.lower()}" for name in credentials]
        changes["Environment"] = [*changes.get("Environment", _values("Environment")), *given]
    return "\n".join([*_HEAD, *_changed(_body(), changes)]) + "\n"


def timed_units(
    program: Sequence[str], options: Sequence[str], folder: Path, *, needed: Sequence[Path] = (), network: bool = False
) -> dict[str, str]:
    """Backup and look for damage, each a service and its timer, by name. `network`: the store is reached over one."""
    units = {}
    for name, command in ((BACKUP, "backup"), (VERIFY, "verify")):
        changes = _place([*program, command, *options], folder, needed)
        if name == BACKUP:
            changes["ReadWritePaths"] = [str(BACKUPS), *changes.get("ReadWritePaths", ())]
            changes["RequiresMountsFor"] = [f"{folder} {BACKUPS}"]
        if network:
            changes |= {"PrivateNetwork": [], "RestrictAddressFamilies": ["AF_UNIX AF_INET AF_INET6"]}
        units[name] = "\n".join([*_HEAD, *_changed(_body(name), changes)]) + "\n"
        timer = name.replace(".service", ".timer")
        units[timer] = "\n".join([*_HEAD, *_body(timer)]) + "\n"
    return units


def _place(command: Sequence[str], folder: Path, needed: Sequence[Path]) -> dict[str, list[str]]:
    """What differs with what is run, and with where it reads and writes."""
    changes: dict[str, list[str]] = {"ExecStart": [_words(command)]}
    if folder != Path("/var/lib/calsync"):
        changes |= {"Environment": [], "StateDirectory": [], "StateDirectoryMode": [], "ReadWritePaths": [str(folder)]}
        changes["RequiresMountsFor"] = [str(folder)]
    if any(_is_in_a_home(path) for path in (Path(command[0]), folder, *needed)):
        changes["ProtectHome"] = ["read-only"]
    return changes


def user_unit(command: Sequence[str]) -> str:
    """The unit of a service that belongs to one user."""
    lines: list[str] = [*_HEAD, "[Unit]"]
    section = ""
    for line in _body():
        if line.startswith("["):
            section = line
            lines += ["", line] if line == "[Service]" else []
        name, equals, _ = line.partition("=")
        if section == "[Unit]" and name in ("Description", "Documentation", "StartLimitIntervalSec"):
            lines.append(line)
        if section == "[Service]" and equals and name in _FOR_ONE:
            lines.append(f"ExecStart={_words(command)}" if name == "ExecStart" else line)
    lines += ["", "[Install]", "WantedBy=default.target"]
    return "\n".join(lines) + "\n"


_HEAD: Final = ("# Written by `calsync init`.", "")


def _text(name: str) -> str:
    return next(place / name for place in _PLACES if (place / name).exists()).read_text(encoding="utf-8")


def _body(unit: str = NAME) -> list[str]:
    """The unit without what its head says about a checkout."""
    lines = _text(unit).splitlines()
    return lines[lines.index("[Unit]") :]


def _values(name: str) -> list[str]:
    return [line.partition("=")[2] for line in _body() if line.startswith(f"{name}=")]


def _changed(lines: Sequence[str], changes: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The lines with other values of some directives; those that were not there come at the end of [Service]."""
    done: set[str] = set()
    section = ""
    for index, line in enumerate(lines):
        section = line if line.startswith("[") else section
        name, equals, _ = line.partition("=")
        if equals and name in changes:
            if name not in done:
                yield from (f"{name}={value}" for value in changes[name])
            done.add(name)
            continue
        if section == "[Service]" and not line and lines[index + 1 : index + 2] == ["[Install]"]:
            for missing in [one for one in changes if one not in done]:
                yield from (f"{missing}={value}" for value in changes[missing])
        yield line


def _is_in_a_home(path: Path) -> bool:
    return any(path.is_relative_to(home) or path.resolve().is_relative_to(home) for home in _HOMES)


def _words(command: Sequence[str]) -> str:
    return " ".join(map(_word, command))


def _word(text: str) -> str:
    """As systemd reads it (systemd.service(5), command lines)."""
    text = text.replace("%", "%%").replace("$", "$$")
    return f'"{text}"' if " " in text else text
