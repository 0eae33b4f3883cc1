"""`calsync user import`: accounts from a htpasswd file, an LDAP directory, or what a configuration uses."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from calsync import config
from calsync.accounts.accounts import Accounts
from calsync.accounts.incoming import Newcomer, Outcome, Skipped, htpasswd, take_in
from calsync.cli import place
from calsync.cli.progress import Bar
from calsync.transfer.source import SourceError
from calsync_storage.location import auth_url

_ACTOR: Final = "calsync user import"

_DESCRIPTION: Final = """\
Makes an account for everybody whom the source knows and who has none yet. Hashes of passwords (bcrypt, argon2,
SHA-512-crypt, SHA-256-crypt, MD5) come along and stay usable; at the first login each is replaced by argon2id.
Without FILE and --ldap the source is what [auth] of the configuration uses: its htpasswd file or its LDAP server.
From LDAP come names, addresses and groups; passwords stay there ([auth] backend = ldap)."""


@dataclass(frozen=True, slots=True)
class _Source:
    told: str
    newcomers: list[Newcomer]
    skipped: list[Skipped]


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`import`, below `calsync user`."""
    parser = commands.add_parser(
        "import",
        help="make accounts from a htpasswd file, from LDAP, or from Radicale's configuration",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("file", nargs="?", metavar="FILE", help="a htpasswd file (-: standard input)")
    source.add_argument("--ldap", action="store_true", help="search with the ldap_… options of the configuration")
    parser.add_argument("--plain", action="store_true", help="the file holds passwords, not hashes of them")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument("--json", action="store_true", help="the report as one JSON object")
    parser.set_defaults(func=_import)
    place.add_options(parser)


@place.told
def _import(args: argparse.Namespace) -> int:
    source = _source(args)
    url = args.store or auth_url(config.load(args.config))
    absent = args.dry_run and _is_new(url)
    with nullcontext() if absent else place.opened_for_logins(args, create=True) as store:
        accounts = None if store is None else Accounts(store, policy=place.policy(args))
        with Bar("import", len(source.newcomers)) as bar:
            outcome = take_in(accounts, source.newcomers, dry_run=args.dry_run, actor=_ACTOR, advance=bar.advance)
    outcome.skipped[:0] = source.skipped
    if args.json:
        print(json.dumps(_as_json(outcome, source, args.dry_run)))
    else:
        _tell(outcome, source, args.dry_run)
    return 1 if outcome.skipped else 0


def _is_new(url: str) -> bool:
    """Whether there is no store yet, so that nobody has an account."""
    return url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists()


def _source(args: argparse.Namespace) -> _Source:
    if args.file:
        return _from_file(args.file, args.plain)
    configuration = config.load(args.config)
    kind = "ldap" if args.ldap else str(configuration.get("auth", "type"))
    if kind == "calsync_auth":
        kind = str(configuration.get("auth", "backend"))
    if kind == "ldap":
        from calsync_auth.directory import DirectoryError, people

        try:
            return _Source(str(configuration.get("auth", "ldap_uri")), people(configuration), [])
        except DirectoryError as error:
            raise SourceError(str(error)) from error
    if kind == "htpasswd":
        form = configuration.get("auth", "htpasswd_encryption")
        return _from_file(configuration.get("auth", "htpasswd_filename"), args.plain or form == "plain")
    raise SourceError(
        f"[auth] type is {kind}, which has no list of users"
        " (name a htpasswd file, --ldap, or Radicale's configuration with --config)"
    )


def _from_file(name: str, plain: bool) -> _Source:
    try:
        octets = sys.stdin.buffer.read() if name == "-" else Path(name).expanduser().read_bytes()
    except OSError as error:
        raise SourceError(f"{name}: {error.strerror}") from error
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        text = octets.decode("latin-1")
    return _Source(name, *htpasswd(text, plain=plain))


def _as_json(outcome: Outcome, source: _Source, dry_run: bool) -> dict[str, Any]:
    skipped = [{"name": one.name, "reason": one.reason} for one in outcome.skipped]
    return {
        "source": source.told,
        "dry_run": dry_run,
        "added": outcome.added,
        "present": outcome.present,
        "skipped": skipped,
    }


def _tell(outcome: Outcome, source: _Source, dry_run: bool) -> None:
    word = "would add" if dry_run else "added"
    for name in outcome.added:
        print(f"{word} {name}")
    for name in outcome.present:
        print(f"has an account already: {name}")
    for one in outcome.skipped:
        print(f"calsync: skipped {one.name!r}: {one.reason}", file=sys.stderr)
    counts = f"{len(outcome.added)} {word}, {len(outcome.present)} there already, {len(outcome.skipped)} skipped"
    print(f"calsync: {source.told}: {counts}", file=sys.stderr)
