"""`calsync serve`: takes what `python -m radicale` takes, prepares the store and runs the server."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from calsync import config, upstream
from calsync.accounts import tried
from calsync.cli import logs, memory, parent, serve_metrics, welcome
from calsync.options import schema
from calsync.recovery import hold
from calsync.server import addresses
from calsync.server.limits import Limits
from calsync.server.notify import notify, speak_to
from calsync.server.runner import Runner
from calsync.server.tls import Tls
from calsync.server.workers import Place, processors
from calsync.store import journal, quota
from calsync.store.errors import ReadOnly
from calsync_storage.location import auth_url, storage_url

if TYPE_CHECKING:
    from calsync.app import Application
    from calsync.jobs.keeper import Keeper
    from calsync.store.engine import Store

logger = logging.getLogger("calsync")

#: What `calsync serve --help` shows; the rest comes with `--help-all`.
COMMON: Final = {
    ("server", "hosts"),
    ("server", "ssl"),
    ("server", "certificate"),
    ("server", "key"),
    ("auth", "type"),
    ("rights", "type"),
    ("storage", "filesystem_folder"),
    ("logging", "level"),
    ("limits", "workers"),
}

_EPILOG: Final = """\
Each option of the configuration can be given as --SECTION-OPTION VALUE, like --auth-type htpasswd; --help-all
lists them.
Without --config: CALSYNC_CONFIG, else RADICALE_CONFIG, else /etc/calsync/config and ~/.config/calsync/config.
Variables win over files: CALSYNC_SERVER_HOSTS, and CALSYNC_STORAGE_URL_FILE for a file with the value.

Signals: SIGTERM and SIGINT stop after the requests in flight (a second one at once); SIGHUP reads certificates, log
level and rights anew, everything else needs a restart. With --workers: SIGUSR2 puts new processes, with all they read
at their start, in the place of the old ones, and no request is refused meanwhile.
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    everything = "--help-all" in sys.argv
    parser = subparsers.add_parser(
        "serve",
        help="run the server",
        description="Runs the server. The first start makes the store and, where nobody has an account, a first user.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--help-all", action="help", help="show every option")
    parser.add_argument("-C", "--config", nargs="*", action="extend", metavar="FILE", help="configuration files")
    parser.add_argument(
        "-D", "--debug", action="store_const", const="debug", dest="c:logging:level", default=argparse.SUPPRESS,
        help="log at level debug",
    )  # fmt: skip
    parser.add_argument("--verify-storage", action="store_true", help="check the storage and exit")
    parser.add_argument("--verify-sharing", action="store_true", help="check the sharing database and exit")
    parser.add_argument("--traceback", action="store_true", help=argparse.SUPPRESS)
    for section, options in schema().items():
        if not section.startswith("_"):
            _add_section(parser, section, options, everything)
    parser.set_defaults(func=run, rest=[])


def _add_section(parser: argparse.ArgumentParser, section: str, options: dict[str, Any], everything: bool) -> None:
    group = parser.add_argument_group(f"[{section}]") if everything else parser
    for name, rule in options.items():
        if name.startswith("_"):
            continue
        long = f"--{section}-{name.replace('_', '-')}"
        shown = everything or (section, name) in COMMON
        text = f"{rule['help']} (default: {rule['value'] or 'none'})".replace("%", "%%") if shown else argparse.SUPPRESS
        common: dict[str, Any] = {"dest": f"c:{section}:{name}", "default": argparse.SUPPRESS}
        if rule["type"] is bool:
            group.add_argument(
                *rule.get("aliases", ()), long, nargs="?", const="True", metavar="BOOL", help=text, **common
            )
            off = (*rule.get("opposite_aliases", ()), f"--no{long[1:]}")
            group.add_argument(*off, action="store_const", const="False", help=argparse.SUPPRESS, **common)
        else:
            group.add_argument(*rule.get("aliases", ()), long, metavar="VALUE", help=text, **common)


def run(args: argparse.Namespace) -> int:
    """Serve until told to stop."""
    configuration = config.load(args.config, overrides(args))
    place = Place.found()
    if place is not None:
        speak_to(place.control)
        if place.memory >= 0:
            tried.share(place.memory)
    log_format = configuration.get("calsync", "log_format")
    logs.setup(configuration.get("logging", "level"), log_format)
    if place is None or place.first:
        _tell(configuration)
    if args.verify_storage or args.verify_sharing:
        return _verify(configuration, args)
    tls = Tls.from_options(configuration)
    if tls is not None:
        tls.context()
    inherited = place.sockets if place is not None else addresses.inherited()
    sockets = inherited or addresses.listen(configuration.get("server", "hosts"))
    beside = place.beside if place is not None else addresses.listen(configuration.get("metrics", "listen"))
    if place is None:
        serve_metrics.prepare(configuration)
    if place is None and (count := configuration.get("limits", "workers") or processors()) > 1:
        _tell_of_sharing(configuration)
        urls = [addresses.url(sock, tls is not None) for sock in sockets]
        stop, level = configuration.get("limits", "stop_timeout"), configuration.get("logging", "level")
        parent.become(sockets, count, urls, stop, own=not inherited, level=level, log_format=log_format, beside=beside)
    counting = serve_metrics.Counting.begin(configuration)
    memory.share_arena()
    keeper = None
    try:
        application = _application(configuration)
        greeting = None
        if application.store is not None:
            notify("STATUS=preparing the store", "EXTEND_TIMEOUT_USEC=3600000000")  # a large folder may be taken in
            kept = configuration.get("history", "journal")
            journal.keep(application.store, Path(kept) if kept else None)
            quota.keep(application.store, _quota(configuration))
            with application.store.read() as tx:
                reason = hold.reason_of(tx)
            if reason is not None:
                logger.warning("ON HOLD: %s; clients are answered 503 until `calsync release`", reason)
            _tell_read_only(application.store)
            greeting = welcome.prepare(application.store, configuration)
            keeper = _keeper(application.store, configuration)
        if counting is not None:
            figures = counting.figures(configuration, application.store)
            if application.services is not None:
                application.services.figures = figures
            counting.answer(beside)
        memory.settle()
        runner = Runner(
            application=application,
            sockets=sockets,
            limits=Limits.from_options(configuration),
            own=not inherited,
            tls=tls,
            proxies=configuration.get("calsync", "trusted_proxies"),
            control=place.control if place is not None else None,
            reload=lambda: _reload(args, application),
            ready=lambda urls: _ready(place, greeting, urls, configuration),
        )
        if keeper is not None:
            keeper.start()
        if application.hands is not None:
            application.hands.start()
        runner.run()
    finally:
        if keeper is not None:
            keeper.stop()
        if counting is not None:
            counting.stop(last=place is None)
        addresses.close([] if inherited else [sock for sock in sockets if sock.fileno() >= 0])
    close = getattr(application, "close", None)
    if close is not None:
        close()
    return 0


def _quota(configuration: upstream.Configuration) -> quota.Amounts:
    return quota.Amounts(*(configuration.get("quota", what) for what in quota.Amounts._fields))


def _ready(
    place: Place | None, greeting: welcome.Greeting | None, urls: Sequence[str], configuration: upstream.Configuration
) -> None:
    if place is None or place.first or greeting is not None:
        welcome.show(greeting, urls, configuration)


def _tell_of_sharing(configuration: upstream.Configuration) -> None:
    if configuration.get("sharing", "type") == "csv":
        logger.warning(
            "[sharing] type = csv: each worker keeps the shares that it has read at its start; with several, take "
            "type = files"
        )


def _tell_read_only(store: Store) -> None:
    """It may be meant so, or the disk has made itself read-only: calendars can be read in either case."""
    try:
        with store.write():
            pass
    except ReadOnly as error:
        logger.warning("%s: calendars can be read, but not changed (503) until that is mended", error)


def _keeper(store: Store, configuration: upstream.Configuration) -> Keeper | None:
    if not configuration.get("calsync", "jobs"):
        return None
    from calsync.jobs.keeper import Keeper
    from calsync.jobs.retention import Retention
    from calsync.store.engine import Store

    url = auth_url(configuration) if configuration.get("auth", "type") == "calsync_auth" else ""
    accounts = Store.open(url) if url and url != storage_url(configuration) else None
    return Keeper(store, Retention.of(configuration), accounts)


def _application(configuration: upstream.Configuration) -> Application:
    from calsync.app import Application  # imports half of calsync: after all that can go wrong before

    with logs.without_inventory():
        try:
            return Application(configuration)
        except RuntimeError as error:  # Radicale's plugins: a file that is not there
            for section, option, text in config.unknown_types(configuration):
                raise config.ConfigurationError(f"config: [{section}] {option}: {text}") from error
            raise config.ConfigurationError(f"config: {error}{_to_install(error.__cause__)}") from error
        except ImportError as error:
            raise config.ConfigurationError(f"config: {error}{_to_install(error)}") from error


#: Modules that Radicale's back ends ask for, by the packages that hold them.
_PACKAGES: Final = {"ldap": "ldap3", "pam": "python-pam six", "bcrypt": "bcrypt"}


def _to_install(error: BaseException | None) -> str:
    """The command that installs what an optional back end needs."""
    while error is not None:
        package = _PACKAGES.get(getattr(error, "name", None) or "")
        if package:
            return f" ({sys.executable} -m pip install {package})"
        error = error.__cause__
    return ""


def overrides(args: argparse.Namespace) -> dict[str, dict[str, str]]:
    """The options of the command line as a configuration, those of plugins too. Raises `ConfigurationError`."""
    values: dict[str, dict[str, str]] = {}
    for key, value in vars(args).items():
        if key.startswith("c:"):
            _, section, option = key.split(":", 2)
            values.setdefault(section, {})[option] = "True" if value is None else value
    rest = list(args.rest)
    rules = schema()
    while rest:
        argument = rest.pop(0)
        name, equals, value = argument.removeprefix("--").partition("=")
        section, dash, option = name.partition("-")
        foreign = section in rules and ("type" in rules[section] or "_allow_extra" in rules[section])
        if not (argument.startswith("--") and dash and foreign):
            raise config.ConfigurationError(f"unknown argument {argument!r} (calsync serve --help)")
        if not equals and rest and not rest[0].startswith("-"):
            value = rest.pop(0)
        values.setdefault(section, {})[option if "_allow_extra" in rules[section] else option.replace("-", "_")] = value
    return values


def _tell(configuration: upstream.Configuration) -> None:
    """Log what the configuration comes from, and what of it is not done."""
    for path in config.read_files(configuration):
        logger.info("configuration: %s", path)
    for path in config.missing_files(configuration):
        logger.debug("configuration: no %s", path)
    if configuration.get("server", "type") != "builtin":
        logger.warning("[server] type is not used: calsync has one server, which speaks HTTP/1.1 and HTTP/2")
    if config.is_set(configuration, "server", "certificate") and not configuration.get("server", "ssl"):
        logger.warning("[server] certificate has no effect without ssl = True (--ssl): passwords travel in the clear")


def _verify(configuration: upstream.Configuration, args: argparse.Namespace) -> int:
    sound = True
    if args.verify_storage:
        storage = upstream.storage.load(configuration)
        with storage.acquire_lock("r"):
            sound = storage.verify()
    if args.verify_sharing:
        sound = bool(upstream.sharing.load(configuration).verify()) and sound
    print("calsync: sound" if sound else "calsync: damaged, see above", file=sys.stderr)
    return 0 if sound else 1


def _reload(args: argparse.Namespace, application: Any) -> None:
    try:
        configuration = config.load(args.config, overrides(args))
    except config.ConfigurationError as error:
        logger.error("not reloaded: %s", error)
        return
    logs.set_level(configuration.get("logging", "level"))
    reload = getattr(application, "reload", None)
    if reload is not None:
        reload(configuration)
