"""`calsync doctor`: what is wrong with a server, and how to mend it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Final

from calsync.cli import password_input, place
from calsync.doctor.finding import Finding, Level, command
from calsync.gate.observe import one_line

_OK, _PROBLEM, _COULD_NOT, _WARNING = 0, 1, 2, 3

_DESCRIPTION: Final = """\
Says what is wrong, what is needed, and how to mend it. Nothing is changed by looking.

  calsync doctor                                      the server on this machine, from inside
  calsync doctor https://dav.example.org --user anna  a server from outside, as its clients see it
  calsync doctor anna@example.org                     the same, found as a client finds it by DNS

From outside: DNS, TLS, redirects, the login, what a proxy changes on the way, and then the discovery and the first
sync of iOS, macOS, DAVx5, Thunderbird and Evolution, with the requests that they send. Any CalDAV or CardDAV server.
"""
_EPILOG: Final = """\
The password comes from the terminal, or from --password-file (-: standard input). It goes to that server alone, and
over TLS that is believed, unless --insecure says otherwise.
Exit status: 0 all is well, or there are notes only; 3 warnings; 1 something is wrong; 2 it could not be looked at.
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "doctor",
        help="find out what is wrong, from inside or as a client",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("url", nargs="?", metavar="URL", help="a server, a domain or an e-mail address")
    parser.add_argument("--user", default="", metavar="NAME", help="log in as this user, and play the clients")
    parser.add_argument("--password-file", metavar="FILE", help="take the first line of FILE (-: standard input)")
    parser.add_argument("--client", action="append", default=[], metavar="NAME", help="play only this one (ios, macos, "
                        "davx5, thunderbird, evolution); may be given more than once")  # fmt: skip
    parser.add_argument("--write", action="store_true", help="also make a calendar, write in it, and delete it")
    parser.add_argument(
        "--nameserver", default="", metavar="ADDRESS", help="ask this name server (9.9.9.9, 192.0.2.1:53)"
    )
    parser.add_argument("--ca", default="", metavar="FILE", help="believe this authority's certificates, too")
    parser.add_argument("--insecure", action="store_true", help="go on, password and all, where TLS is not believed")
    parser.add_argument("--timeout", type=float, default=15.0, metavar="SECONDS", help="for each answer (15)")
    parser.add_argument("-v", "--verbose", action="store_true", help="show each request and answer, without secrets")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    place.add_options(parser)
    parser.set_defaults(func=_run)


@place.told
def _run(args: argparse.Namespace) -> int:
    try:
        found = map(Finding.printable, _outside(args) if args.url else _inside(args))
    except (ValueError, OSError) as error:
        print(one_line(f"calsync: {error}"), file=sys.stderr)
        return _COULD_NOT
    from calsync.doctor.report import Report, as_json

    if args.json:
        gathered = list(found)
        print(as_json(gathered))
        return _status({one.level for one in gathered})
    report = Report.on(sys.stdout)
    for one in found:
        report.write(one)
    report.sum_up("" if args.url else f"{command('https://YOUR-SERVER', 'NAME')} sees it as clients do")
    return _status(set(report.counts))


def _status(levels: set[Level]) -> int:
    return _PROBLEM if Level.PROBLEM in levels else _WARNING if Level.WARNING in levels else _OK


def _inside(args: argparse.Namespace) -> Iterator[Finding]:
    from calsync.doctor import inside

    if args.user or args.password_file or args.write or args.client:
        raise ValueError("doctor: --user, --password-file, --client and --write need the URL of a server")
    return inside.findings(args.config, args.store or "")


def _outside(args: argparse.Namespace) -> Iterator[Finding]:
    from calsync.doctor import outside
    from calsync.doctor.outside.clients import NAMES
    from calsync.doctor.outside.probe import Options, begin

    known = {name.lower(): name for name in NAMES}
    unknown = [name for name in args.client if name.lower() not in known]
    if unknown:
        raise ValueError(f"doctor: --client {unknown[0]}: there are {', '.join(known)}")
    nameserver, _, port = (
        args.nameserver.partition(":") if args.nameserver.count(":") == 1 else (args.nameserver, "", "")
    )
    options = Options(
        nameserver,
        int(port or 53),
        args.ca,
        args.insecure,
        args.write,
        args.timeout,
        [known[name.lower()] for name in args.client],
    )
    user = args.user or (args.url if "@" in args.url and "://" not in args.url else "")
    if args.write and not user:
        raise ValueError("doctor: --write needs --user")
    password = password_input.password(args.password_file, f"Password of {user}") if user else None
    return outside.findings(begin(args.url, user, password, options, _tell if args.verbose else _tell_nothing))


def _tell_nothing(_request: str, _reply: object, _error: str) -> None:
    pass


def _tell(request: str, reply: object, error: str) -> None:
    """One exchange, on standard error."""
    from calsync.doctor.outside.reply import Reply

    lines = [f"> {line}" for line in request.splitlines()]
    if isinstance(reply, Reply):
        lines.append(f"< {reply}  ({reply.seconds * 1000:.0f} ms)")
        secret = ("set-cookie",)
        lines += [f"< {name}: {'…' if name in secret else value}" for name, value in reply.headers]
        lines += [f"< {line}" for line in reply.body[:4000].decode(errors="replace").splitlines()]
    else:
        lines.append(f"< {error}")
    print("\n".join(map(one_line, lines)), end="\n\n", file=sys.stderr, flush=True)
