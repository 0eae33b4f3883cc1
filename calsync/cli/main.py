"""`calsync`: which command it is, and what becomes of errors."""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import platform
import re
import signal
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

from calsync import __version__

#: Command → the module that registers it, in the order of the help.
COMMANDS: Final = {
    "serve": "calsync.cli.serve",
    "init": "calsync.cli.init",
    "config": "calsync.cli.configuration",
    "user": "calsync.cli.users",
    "token": "calsync.cli.tokens",
    "group": "calsync.cli.groups",
    "quota": "calsync.cli.quota",
    "audit": "calsync.cli.audit",
    "import": "calsync.cli.transfer",
    "export": "calsync.cli.transfer",
    "backup": "calsync.cli.backup",
    "restore": "calsync.cli.restore",
    "release": "calsync.cli.restore",
    "history": "calsync.cli.history",
    "verify": "calsync.cli.verify",
    "reindex": "calsync.cli.reindex",
    "quarantine": "calsync.cli.quarantine",
    "jobs": "calsync.cli.jobs",
    "top": "calsync.cli.top",
    "migrate": "calsync.cli.migrate",
    "migrate-store": "calsync.cli.migrate_store",
    "mirror": "calsync.cli.mirror",
    "doctor": "calsync.cli.doctor",
}

_DESCRIPTION: Final = "A calendar and contacts server (CalDAV, CardDAV) that extends Radicale."

_EPILOG: Final = """\
`calsync` alone, or with options only, is `calsync serve`: whatever `python -m radicale` takes is taken.
`calsync COMMAND --help` tells the rest.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status. Errors that are meant for people are one line, others keep their traceback."""
    argv = _arranged(list(sys.argv[1:] if arguments is None else arguments))
    try:
        args = _parsed(argv)
        status = args.func(args)
        sys.stdout.flush()
        return int(status)
    except KeyboardInterrupt:
        if arguments is None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # pressed again, it would break off the end
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whoever read the output has seen enough
        return 0
    except Exception as error:
        if not _is_for_people(error) or "--traceback" in argv:
            raise
        print(f"calsync: {' '.join(_said(error).split())}", file=sys.stderr)
        return 1


def _arranged(argv: list[str]) -> list[str]:
    """The arguments with the command first: `--config F user list` is `user list --config F`."""
    if not argv:
        return ["serve"]
    if argv[0] in ("-h", "--help", "--version") or not argv[0].startswith("-"):
        return argv
    for index, argument in enumerate(argv):
        if argument in COMMANDS and argv[0] in ("-C", "--config") and index > 1:
            return [*argv[index:], *(part for path in argv[1:index] for part in ("--config", path))]
    return ["serve", *argv]


def _parsed(argv: list[str]) -> argparse.Namespace:
    parser = _Parser(
        prog="calsync",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the versions and exit")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    wanted = [COMMANDS[argv[0]]] if argv[0] in COMMANDS else list(dict.fromkeys(COMMANDS.values()))
    for module in wanted:
        importlib.import_module(module).register(subparsers)
    args, rest = parser.parse_known_args(argv)
    if argv[0] == "serve":
        args.rest = rest
    elif rest:
        parser.exit(2, f"calsync {argv[0]}: unknown argument {rest[0]!r} (calsync {argv[0]} --help)\n")
    return args


class _Parser(argparse.ArgumentParser):
    """One that says what is wrong in a line, and what may have been meant. Those of commands are made from it too."""

    _CHOICE: Final = re.compile(r"argument COMMAND: invalid choice: '(.*)' \(choose from (.*)\)")

    def error(self, message: str) -> NoReturn:
        hint = f"{self.prog} --help"
        if choice := self._CHOICE.fullmatch(message):
            near = difflib.get_close_matches(choice[1], re.findall(r"[\w-]+", choice[2]), 1)
            message = f"no such command: {choice[1]!r}"
            hint = f"did you mean {near[0]}? {hint}" if near else hint
        self.exit(2, f"{self.prog}: {message} ({hint})\n")


class _Version(argparse.Action):
    """`--version`; what it prints is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        import sqlite3
        from importlib.metadata import version

        print(
            f"calsync {__version__} (Radicale {version('radicale')}, Python {platform.python_version()},"
            f" SQLite {sqlite3.sqlite_version})"
        )
        parser.exit()


def _is_for_people(error: Exception) -> bool:
    """Our own errors say what is wrong and what to do; so does the system about a file."""
    return type(error).__module__.split(".")[0] in ("calsync", "calsync_storage", "calsync_auth") or isinstance(
        error, OSError
    )


def _said(error: Exception) -> str:
    """The message, of the system's errors without their numbers."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
