"""`calsync init`: from a fresh machine to a server that syncs; asks little, and overwrites nothing."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from calsync.accounts.accounts import Accounts
from calsync.cli import place
from calsync.cli.configuration import line_without_secrets
from calsync.cli.password_input import first_line
from calsync.cli.setup import answers, radicale, summary
from calsync.cli.setup.answers import Address, BadAnswer, Certificate, Questions
from calsync.cli.setup.apply import apply
from calsync.cli.setup.files import in_the_way
from calsync.cli.setup.plan import Plan, Room, Wanted
from calsync.config import ConfigurationError
from calsync.store.engine import Store
from calsync.store.errors import StoreError
from calsync.store.urls import is_postgresql, path_of
from calsync_storage.location import default_url

_DESCRIPTION = """\
Writes a configuration, makes the store with a first user, and writes a systemd unit; as root for the whole machine,
else for yourself. It asks for what it has to know, and shows what it will write before it writes anything; --yes asks
nothing. What is there already is left as it is. A Radicale on this machine can be taken over, with its configuration,
its users and its calendars; its own files stay as they are. --config FILE names another place for the configuration,
--store URL another one for the store.
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "init", help="set calsync up: configuration, store, first user, unit", description=_DESCRIPTION
    )
    parser.add_argument("--yes", action="store_true", help="do not ask: take the options, and else what is proposed")
    parser.add_argument("--address", help="what people type into their devices: calendar.example.org")
    parser.add_argument(
        "--tls",
        choices=answers.TLS,
        help="own: calsync does it, with --certificate and --key; proxy: nginx, Caddy, … in front of it; "
        "later: calsync is reached from this machine only",
    )
    parser.add_argument("--certificate", metavar="FILE", help="the certificate with its chain, PEM")
    parser.add_argument("--key", metavar="FILE", help="its key, PEM, without a passphrase")
    parser.add_argument("--user", metavar="NAME", help="the first user")
    parser.add_argument(
        "--password-file", metavar="FILE", help="take the password from the first line of FILE (-: standard input)"
    )
    parser.add_argument("--folder", metavar="FOLDER", help="where calendars are kept")
    parser.add_argument("--store", metavar="URL", help="the store itself, e.g. postgresql://calsync@db/calsync")
    parser.add_argument(
        "--radicale", metavar="FILE", help=f"take over this configuration of Radicale's ({radicale.PLACE}; no: none)"
    )
    parser.add_argument("--config", metavar="FILE", help="the configuration to write")
    parser.add_argument("--for", dest="whom", choices=("machine", "me"), help="for the machine (as root), or for me")
    parser.add_argument("--no-unit", action="store_true", help="no unit of systemd")
    parser.add_argument(
        "--force", action="store_true", help="write what is there already anew, and keep a copy beside it"
    )
    parser.set_defaults(func=run)


@place.told
def run(args: argparse.Namespace) -> int:
    room = Room.of(args.whom, args.config)
    if room.config.exists() and not args.force and not _is_told(args):
        return summary.tell_what_is_there(room)
    if not args.yes and not answers.on_terminal():
        print("calsync: no terminal to ask on (--yes takes what is proposed; calsync init --help)", file=sys.stderr)
        return 2
    try:
        return _set_up(args, room)
    except (BadAnswer, ConfigurationError, StoreError) as error:
        print(f"calsync: {' '.join(str(error).split())}; nothing was written", file=sys.stderr)
        return 1


def _is_told(args: argparse.Namespace) -> bool:
    """Whether there is an answer among the options, so that more is wanted than to see what is there."""
    return any((args.address, args.tls, args.certificate, args.user, args.folder, args.store, args.radicale))


def _set_up(args: argparse.Namespace, room: Room) -> int:
    plan = Plan.of(_wanted(args, room), room)
    blocked = in_the_way(plan.files)
    if blocked and not args.force:
        for one in blocked:
            print(one.difference(line_without_secrets))
            print(f"calsync: {one.path} is there and says something else: nothing was written", file=sys.stderr)
        print("calsync: --force writes it anew, and keeps a copy of it beside it", file=sys.stderr)
        return 1
    if not args.yes:
        summary.show_plan(plan)
        if not Questions(True).agreed("Write this?"):
            print("calsync: nothing was written", file=sys.stderr)
            return 1
    made = apply(plan)
    summary.tell(plan, made)
    return 0


def _wanted(args: argparse.Namespace, room: Room) -> Wanted:
    """The answers. Raises `BadAnswer`."""
    questions = Questions(not args.yes)
    if questions.asks:
        print("Enter takes what stands in brackets. Nothing is written before the end.\n")
    folder = Path(args.folder).expanduser().absolute() if args.folder else room.data
    taken = _radicale(args, room, questions)
    address = questions.answer(
        "Address that people type into their devices", args.address, answers.likely_host(), Address.parse
    )
    tls, certificate = "", None
    if taken is None or args.tls:
        tls, certificate = _tls(args, questions, address)
    elif taken.tls:
        tls = "own"
    url = args.store or default_url(str(folder))
    known = _known(url)
    user, password = "", ""
    if args.user or not (known or (taken is not None and taken.has_users)):
        user = questions.answer("First user", args.user, room.person, answers.user_name)
        if user.casefold() not in {name.casefold() for name in known}:
            password = _password(args, questions)
    return Wanted(
        address=address,
        tls=tls or "proxy",
        asked_tls=bool(tls) and not (taken is not None and not args.tls),
        certificate=certificate,
        user=user,
        password=password,
        folder=folder,
        store=args.store or "",
        radicale=taken,
        unit=not args.no_unit,
    )


def _radicale(args: argparse.Namespace, room: Room, questions: Questions) -> radicale.Taken | None:
    """Radicale's configuration, where it is to be taken over: for the machine it is proposed, for one user not."""
    if args.radicale == "no":
        return None
    if args.radicale:
        found: Path | None = Path(answers.readable("--radicale")(args.radicale))
    else:
        found = radicale.find() if room.is_machine and questions.asks else None
        if found is not None and not questions.agreed(f"There is {found}: take Radicale over?"):
            found = None
    return None if found is None else radicale.taken(found, room.config.parent)


def _tls(args: argparse.Namespace, questions: Questions, address: Address) -> tuple[str, Certificate | None]:
    proposed = "own" if args.certificate else answers.likely_tls(address.host)
    tls = questions.answer(
        "TLS: own (calsync has the certificate), proxy (nginx, Caddy, … in front), later",
        args.tls,
        proposed,
        answers.one_of_tls,
    )
    if tls != "own":
        return tls, None
    known = answers.acme(address.host)
    certificate = questions.answer(
        "Certificate with its chain (PEM)",
        args.certificate,
        known.certificate if known else "",
        answers.readable("--certificate"),
    )
    proposed = known.key if known and known.certificate == certificate else ""
    return tls, questions.answer(
        "Its key (PEM)",
        args.key,
        proposed,
        lambda key: Certificate.checked(certificate, answers.readable("--key")(key)),
    )


def _password(args: argparse.Namespace, questions: Questions) -> str:
    """Empty where one is to be made up."""
    if args.password_file:
        return first_line(args.password_file)
    return questions.password() if questions.asks else ""


def _known(url: str) -> list[str]:
    """Who has an account already, where there is a store."""
    if not is_postgresql(url) and not path_of(url).exists():
        return []
    store = Store.open(url)
    try:
        return [account.name for account in Accounts(store).listing()]
    finally:
        store.close()
