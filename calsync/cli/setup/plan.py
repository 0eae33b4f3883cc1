"""What `calsync init` is going to write, from the answers; nothing is written here."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from calsync import config, upstream
from calsync.cli.setup import config_file, systemd_unit
from calsync.cli.setup.answers import Address, BadAnswer, Certificate
from calsync.cli.setup.files import Planned
from calsync.cli.setup.radicale import Taken
from calsync.config import environment
from calsync.options import data_folder
from calsync.store.urls import is_postgresql
from calsync_storage.location import auth_url, storage_url

#: The service's user on a machine.
ACCOUNT: Final = "calsync"

_PORT: Final = 5232
_FIRST_PERSON: Final = 1000  # below are accounts of services (login.defs, UID_MIN)


@dataclass(frozen=True, slots=True)
class Room:
    """Where things go: on the machine, for all, or in somebody's home."""

    is_machine: bool
    config: Path
    data: Path
    unit: Path

    @classmethod
    def of(cls, whom: str | None, named: str | None) -> Room:
        """`whom`: machine or me; None: by who asks. `named`: the configuration's file. Raises `BadAnswer`."""
        machine = os.geteuid() == 0 if whom is None else whom == "machine"
        if machine and os.geteuid() != 0:
            raise BadAnswer("--for machine needs root (sudo), else it is --for me")
        home = Path("~/.config").expanduser()
        folder = Path("/etc") if machine else Path(os.environ.get("XDG_CONFIG_HOME") or home)
        units = Path("/etc/systemd/system") if machine else folder / "systemd" / "user"
        file = Path(named).expanduser().absolute() if named else folder / "calsync" / "config"
        return cls(machine, file, Path("/var/lib/calsync") if machine else data_folder(), units / systemd_unit.NAME)

    @property
    def files(self) -> list[str]:
        """The configuration, as `--config` takes it."""
        return [f"?{self.config.with_name('radicale')}", str(self.config)]

    @property
    def is_usual(self) -> bool:
        """Whether commands find the configuration by themselves."""
        return any(self.config == Path(name.removeprefix("?")) for name in config.default_paths().split(os.pathsep))

    @property
    def person(self) -> str:
        """Who is likely to be the first user."""
        name = os.environ.get("SUDO_USER", "") or _login()
        try:
            return name if pwd.getpwnam(name).pw_uid >= _FIRST_PERSON else "me"
        except KeyError:
            return "me"


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user id without a name, as in containers
        return ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The answers. `tls`: own, proxy or later; `asked_tls`: whether it is to be written, for Radicale may have said it.

    `user`: empty where nobody is to be made; `password`: empty where it is to be made up. `store`: empty for the usual.
    """

    address: Address
    tls: str
    asked_tls: bool
    certificate: Certificate | None
    user: str
    password: str
    folder: Path
    store: str
    radicale: Taken | None
    unit: bool


@dataclass(frozen=True)
class Plan:
    """All that will be there. `configuration`: as it will be read."""

    wanted: Wanted
    room: Room
    values: dict[tuple[str, str], str]
    configuration: upstream.Configuration

    @classmethod
    def of(cls, wanted: Wanted, room: Room) -> Plan:
        """Raises `BadAnswer`, `ConfigurationError`."""
        values = dict(wanted.radicale.values) if wanted.radicale else {}
        values["storage", "filesystem_folder"] = str(wanted.folder)
        if wanted.store:
            values["storage", "url"] = wanted.store
        if wanted.asked_tls:
            values |= _server(wanted, room)
        if wanted.unit and room.is_machine:
            values |= {("backup", "folder"): str(systemd_unit.BACKUPS), ("backup", "keep"): "14"}
        nested: config.Values = {}
        for (section, option), value in values.items():
            nested.setdefault(section, {})[option] = value
        sources = [config.Source("file", str(room.config), nested)]
        if wanted.radicale is not None:
            place, stock = config.read_file(str(wanted.radicale.place))
            sources.insert(0, config.Source("file", str(place), stock))
        configuration, faults = config.build(sources)
        for fault in faults:
            if fault.stops:
                raise BadAnswer(str(fault).removeprefix("config: "))
        return cls(wanted, room, values, configuration)

    @property
    def url(self) -> str:
        """What people type."""
        if self.wanted.tls == "later":
            return Address("localhost").url("http", self.port)
        port = self.port if self.configuration.get("server", "ssl") else self.wanted.address.port or 443
        return self.wanted.address.url("https", port)

    @property
    def port(self) -> int:
        """The first that it listens on."""
        ports = [port for _, port in self.configuration.get("server", "hosts") if port]
        return ports[0] if ports else 0

    @property
    def stores(self) -> list[str]:
        """The stores that are opened, that of the accounts first."""
        return list(dict.fromkeys((auth_url(self.configuration), storage_url(self.configuration))))

    @cached_property
    def files(self) -> list[Planned]:
        """The configuration, then the units."""
        taken = self.wanted.radicale
        mode = 0o640 if self.room.is_machine else 0o600
        beside = str(self.room.config.with_name("radicale")) if taken else ""
        own = Planned(self.room.config, config_file.written(self.values, self.url, beside), "configuration", mode)
        files = [*(replace(one, mode=mode) for one in (taken.files if taken else ())), own]
        if self.wanted.unit:
            files.append(Planned(self.room.unit, self._unit(), "unit of systemd"))
            files += [
                Planned(self.room.unit.with_name(name), text, "unit of systemd") for name, text in self._timed().items()
            ]
        return files

    @property
    def command(self) -> list[str]:
        """What runs this very calsync."""
        running = Path(sys.argv[0])
        found = shutil.which(sys.argv[0]) if running.name == "calsync" else None
        return [str(Path(found).absolute())] if found else [sys.executable, "-m", "calsync"]

    @property
    def _named(self) -> list[str]:
        return [] if self.room.is_usual else ["--config", os.pathsep.join(self.room.files)]

    def _timed(self) -> dict[str, str]:
        """Of a machine; a user's own systemd has another night."""
        if not self.room.is_machine:
            return {}
        network = any(map(is_postgresql, self.stores))
        folder, needed = self.wanted.folder, [self.room.config]
        return systemd_unit.timed_units(self.command, self._named, folder, needed=needed, network=network)

    def _unit(self) -> str:
        command = [*self.command, "serve", *self._named]
        if not self.room.is_machine:
            return systemd_unit.user_unit(command)
        tls = [Path(self.configuration.get("server", name)) for name in ("certificate", "key")]
        return systemd_unit.system_unit(
            command,
            self.wanted.folder,
            low_port=0 < self.port < 1024,
            needed=[self.room.config, *(tls if self.configuration.get("server", "ssl") else [])],
            credentials=self.credentials,
        )

    @cached_property
    def credentials(self) -> dict[str, Path]:
        """Variable → file, of a certificate that the service's user cannot read: systemd hands it over."""
        if not self.room.is_machine or not self.wanted.unit or not self.configuration.get("server", "ssl"):
            return {}
        named = {
            environment.name_of("server", name): Path(self.configuration.get("server", name))
            for name in ("certificate", "key")
        }
        return {} if all(service_may("-r", path) for path in named.values()) else named


def service_may(what: str, path: Path) -> bool:
    """Whether the service's user may read (-r) or run (-x) a file; who is not there yet may what everybody may."""
    try:
        found = pwd.getpwnam(ACCOUNT)
        user, group, groups = found.pw_uid, found.pw_gid, os.getgrouplist(ACCOUNT, found.pw_gid)
    except KeyError:
        user, group, groups = 65534, 65534, []
    done = subprocess.run(["test", what, str(path)], user=user, group=group, extra_groups=groups, check=False)
    return done.returncode == 0


def _server(wanted: Wanted, room: Room) -> dict[tuple[str, str], str]:
    if wanted.tls != "own":
        own_port = wanted.address.port if wanted.tls == "later" and wanted.address.host == "localhost" else None
        return {("server", "hosts"): f"localhost:{own_port or _PORT}"}
    assert wanted.certificate is not None
    port = wanted.address.port or (443 if room.is_machine else _PORT)
    if port < 1024 and not room.is_machine:
        raise BadAnswer(
            f"port {port}: below 1024 it takes root (sudo calsync init); {wanted.address.host}:{_PORT} works"
        )
    return {
        ("server", "hosts"): ", ".join(f"{host}:{port}" for host in ("0.0.0.0", *(["[::]"] if _has_ipv6() else []))),
        ("server", "ssl"): "True",
        ("server", "certificate"): wanted.certificate.certificate,
        ("server", "key"): wanted.certificate.key,
    }


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True
