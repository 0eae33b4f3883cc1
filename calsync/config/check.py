"""Whether a server would start with a configuration, and what of it is suspicious: all at once, and nothing is made.

`calsync config check` and the doctor show what is found here.
"""

from __future__ import annotations

import errno
import logging
import os
import pwd
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from calsync import config, upstream
from calsync.config import ConfigurationError, Fault, Source, environment
from calsync.config.lint import lint
from calsync.config.questions import back_end, is_set, place_of, text_of
from calsync.server import addresses
from calsync.server.tls import Tls, TlsError
from calsync.store import urls
from calsync.store.errors import StoreError
from calsync_storage.location import auth_url, storage_url

ERROR: Final = "error"
WARNING: Final = "warning"

#: Variables that are calsync's own without being options.
_OWN_VARIABLES: Final = frozenset({*config.VARIABLES, "CALSYNC_FIGURES", "CALSYNC_PARENT", "CALSYNC_WORKER"})


@dataclass(frozen=True, slots=True)
class Finding:
    """`level`: an error keeps the server from starting or from answering. `where`: a file with its line, a variable."""

    level: str
    where: str
    section: str
    option: str
    text: str

    def __str__(self) -> str:
        named = f"[{self.section}] {self.option}".rstrip() if self.section else ""
        return ": ".join(part for part in (self.where, named, self.text) if part)


#: What a check finds: level, section, option, text.
Found = tuple[str, str, str, str]


def examine(
    paths: str | Sequence[str] | None = None, overrides: Mapping[str, Mapping[str, str]] | None = None
) -> tuple[upstream.Configuration, list[Finding]]:
    """The configuration, as far as it can be used, and what is wrong with it."""
    sources, findings = _sources(paths)
    configuration, faults = config.build([*sources, *config.of_command_line(overrides)])
    findings += [_of(fault) for fault in faults]
    readable = all(finding.level != ERROR for finding in findings)
    for check in (*_CHECKS, _rehearsal):
        if check is _rehearsal and not readable:
            continue  # it would fail for what is told already
        for level, section, option, text in check(configuration):
            readable = readable and not (check in (_types, _files) and level == ERROR)
            finding = Finding(level, place_of(configuration, section, option), section, option, text)
            if not any((one.section, one.option) == (section, option) and one.level == level for one in findings):
                findings.append(finding)
    return configuration, sorted(findings, key=lambda one: one.level != ERROR)


def _of(fault: Fault) -> Finding:
    return Finding(ERROR if fault.stops else WARNING, fault.where, fault.section, fault.option, fault.text)


def _sources(paths: str | Sequence[str] | None) -> tuple[list[Source], list[Finding]]:
    """All that can be read, and what cannot."""
    sources: list[Source] = []
    findings: list[Finding] = []
    for name in config.named_files(paths):
        try:
            path, values = config.read_file(name)
        except ConfigurationError as error:
            findings.append(Finding(ERROR, "", "", "", str(error).removeprefix("config: ")))
            continue
        sources.append(Source("file", str(path), values))
        if values is None and os.path.exists(path):  # noqa: PTH110  False below a folder that cannot be looked into
            findings.append(Finding(WARNING, str(path), "", "", "is there, but cannot be read, and is passed over"))
    rules = config.known_options()
    variables, wrong = environment.read(os.environ, rules)
    findings += [Finding(ERROR, "", "", "", text) for text in wrong]
    for name in environment.strangers(os.environ, rules, _OWN_VARIABLES):
        section = name.removeprefix(environment.PREFIX).partition("_")[0].lower()
        text = f"names no section, and is passed over{config.like(section, rules)}"
        findings.append(Finding(WARNING, name, "", "", text))
    return [*sources, *config.of_variables(variables)], findings


# --- checks -----------------------------------------------------------------------------------------------------------


def _suspicious(configuration: upstream.Configuration) -> Iterator[Found]:
    for section, option, text in lint(configuration):
        yield WARNING, section, option, text


def _tls(configuration: upstream.Configuration) -> Iterator[Found]:
    tls = Tls.from_options(configuration)
    if tls is None:
        return
    try:
        tls.context()
    except TlsError as error:
        named, _, text = str(error).removeprefix("[server] ").partition(": ")
        yield ERROR, "server", named.partition(",")[0], text
        return
    if stat.S_IMODE(Path(tls.key).stat().st_mode) & stat.S_IROTH:
        yield WARNING, "server", "key", f"{tls.key}: everybody on this machine can read it (chmod o-r {tls.key})"


def _hosts(configuration: upstream.Configuration) -> Iterator[Found]:
    """Each address is bound for a moment. One that is in use may be in use by calsync."""
    for host, port in configuration.get("server", "hosts"):
        if host.startswith(addresses.UNIX):
            folder = Path(host.removeprefix(addresses.UNIX)).parent
            if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
                text = f"{host}: {folder} {'cannot be written' if folder.is_dir() else 'is no folder'}"
                yield ERROR, "server", "hosts", text
            continue
        try:
            addresses.close(addresses.listen([(host, port)]))
        except addresses.AddressError as error:
            taken = error.errno == errno.EADDRINUSE
            text = (
                f"{host}:{port} is in use (by calsync itself, or stop what runs there)"
                if taken
                else str(error.strerror)
            )
            yield WARNING if taken else ERROR, "server", "hosts", text


def _types(configuration: upstream.Configuration) -> Iterator[Found]:
    for section, option, text in config.unknown_types(configuration):
        yield ERROR, section, option, text


def _files(configuration: upstream.Configuration) -> Iterator[Found]:
    """Files and folders that are named."""
    rights = (configuration.get("rights", "type"), text_of(configuration, "rights", "backend"))
    backend = back_end(configuration)
    wanted = (
        ("from_file" in rights, "rights", "file"),
        (backend == "htpasswd", "auth", "htpasswd_filename"),
        (backend == "ldap", "auth", "ldap_secret_file"),
        (backend == "ldap", "auth", "ldap_ssl_ca_file"),
        (is_set(configuration, "auth", "oidc_issuer"), "auth", "oidc_client_secret_file"),
        (configuration.get("hook", "type") == "email", "hook", "smtp_password_file"),
    )
    for counts, section, option in wanted:
        path = str(configuration.get(section, option) or "") if counts else ""
        if not path:
            continue
        try:
            Path(path).expanduser().open("rb").close()
        except OSError as error:
            yield ERROR, section, option, f"{path}: {(error.strerror or str(error)).lower()}"


def _folders(configuration: upstream.Configuration) -> Iterator[Found]:
    for section, option in (("history", "journal"), ("calsync", "mirror"), ("backup", "folder")):
        named = str(configuration.get(section, option))
        if not named:
            continue
        reason = _not_writable(Path(named))
        if reason:
            yield ERROR if option == "journal" else WARNING, section, option, f"{named}: {reason}"


def _store(configuration: upstream.Configuration) -> Iterator[Found]:
    """The stores are looked at as they lie: none is made, none is brought up to date."""
    collections, accounts = storage_url(configuration), auth_url(configuration)
    named: dict[str, tuple[str, str]] = {}
    if configuration.get("auth", "type") == "calsync_auth":
        named[accounts] = ("auth", "calsync_url")
    if configuration.get("storage", "type") == "calsync_storage":
        there = "url" in configuration.options("storage")
        named[collections] = ("storage", "url" if there else "filesystem_folder")
    for url, (section, option) in named.items():
        try:
            if not urls.is_postgresql(url):
                path = urls.path_of(url)
                if urls.is_new(url):
                    reason = _not_writable(path.parent)
                    if reason:
                        yield ERROR, section, option, f"{path.parent}: {reason}"
                    continue
                if not os.access(path, os.W_OK, effective_ids=True):
                    yield WARNING, section, option, f"{path}: {_who()} cannot write it"
            if not urls.is_current(url):
                yield WARNING, section, option, "the store is of an older calsync; the next start brings it up to date"
        except StoreError as error:
            yield ERROR, section, option, str(error).removeprefix("store: ")


def _rehearsal(configuration: upstream.Configuration) -> Iterator[Found]:
    """What only the start itself finds: it is done, in a folder of its own that is thrown away."""
    from calsync.app import Application

    heard = _Heard()
    loggers = [logging.getLogger(name) for name in ("calsync", "calsync_auth", "calsync_storage", "radicale")]
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="calsync-check-"))
        for logger in loggers:
            stack.callback(setattr, logger, "propagate", logger.propagate)
            stack.callback(logger.removeHandler, heard)
            logger.addHandler(heard)
            logger.propagate = False
        try:
            application = Application(_elsewhere(configuration, Path(folder)))
        except (RuntimeError, ImportError, ValueError, OSError) as error:
            yield ERROR, "", "", " ".join(str(error).split())
            return
        application.close()
    for text in dict.fromkeys(heard.texts):
        yield WARNING, "", "", text


def _elsewhere(configuration: upstream.Configuration, folder: Path) -> upstream.Configuration:
    """The same, with all that is written in a folder."""
    copy = configuration.copy()
    moved = {"storage": {"filesystem_folder": str(folder)}, "sharing": {"database_path": str(folder / "sharing")}}
    for section, option in (("storage", "url"), ("auth", "calsync_url"), ("storage", "replica_urls")):
        if option in configuration.options(section) and configuration.get(section, option):
            url = "" if option == "replica_urls" else f"sqlite:///{folder / option}.db"
            moved.setdefault(section, {})[option] = url
    if configuration.get("storage", "type") not in upstream.storage.INTERNAL_TYPES:
        moved["storage"]["type"] = "calsync_storage"
    if "metrics" in configuration.sections():
        moved["metrics"] = {"live": "False", "listen": "", "folder": ""}
    copy.update(moved, "check", privileged=True)
    return copy


class _Heard(logging.Handler):
    """Warnings, kept."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def _not_writable(folder: Path) -> str:
    """Why nothing can be put into a folder that is there or would be made; empty where it can."""
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        return f"{there} is no folder"
    return "" if os.access(there, os.W_OK | os.X_OK, effective_ids=True) else f"{_who()} cannot write into {there}"


def _who() -> str:
    """Who looks: the doctor does so as the server's user."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user {os.geteuid()}"


_CHECKS: Final[tuple[Callable[[upstream.Configuration], Iterator[Found]], ...]] = (
    _tls,
    _hosts,
    _types,
    _files,
    _folders,
    _store,
    _suspicious,
)
