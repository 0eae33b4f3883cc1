"""`calsync quarantine`: what an import or a bulk write could not take, to be looked at, mended, taken in or dropped."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from calsync.accounts import audit
from calsync.cli import place
from calsync.store import principals, quarantine
from calsync.store.engine import Store
from calsync.store.quarantine import Entry
from calsync.transfer import quarantined
from calsync.transfer.quarantined import Taken
from calsync.transfer.source import SourceError


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "quarantine",
        help="objects that could not be taken: list, show, export, repair, take, drop",
        description="What an import or a bulk write of a client could not take is kept here with the reason, for "
        "[history] quarantine_days.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="list what is kept")
    listing.add_argument("user", nargs="?", metavar="USER", help="only what is theirs")
    listing.add_argument("--json", action="store_true", help="one JSON array instead of lines")
    listing.set_defaults(func=_list)

    show = commands.add_parser("show", help="write one to standard output, octet for octet; why on standard error")
    show.add_argument("id", type=int, metavar="ID", help="as the list shows it")
    show.set_defaults(func=_show)

    export = commands.add_parser("export", help="write them as files, and why each was refused")
    export.add_argument("user", nargs="?", metavar="USER", help="only what is theirs")
    export.add_argument("folder", metavar="DIR", help="made where it is not there; it must be empty")
    export.set_defaults(func=_export)

    repair = commands.add_parser(
        "repair",
        help="mend what can be mended, and take it in",
        description="Known repairs: UTF-16, Windows-1252 and vCard 2.1 rewritten, control characters and empty lines "
        "taken out, line ends made CRLF, UID, DTSTAMP, VTIMEZONE, VERSION and PRODID added. Nothing is guessed: an end "
        "before its start stays refused. Each repair is named. Exit status: 0 all were taken in, 1 some stay.",
    )
    repair.add_argument("what", nargs="*", metavar="USER|ID", help="whose, or which; without any all of them")
    repair.add_argument("--dry-run", action="store_true", help="only say what would be done")
    repair.set_defaults(func=_repair)

    take = commands.add_parser(
        "take",
        help="take them in as they are, where the reason has gone",
        description="Exit status: 0 all were taken in, 1 some stay.",
    )
    take.add_argument("what", nargs="+", type=int, metavar="ID", help="as the list shows it")
    take.set_defaults(func=_take, dry_run=False)

    drop = commands.add_parser("drop", help="forget them for good")
    drop.add_argument("ids", nargs="+", type=int, metavar="ID", help="as the list shows it")
    drop.set_defaults(func=_drop)

    for command in (repair, take):
        command.add_argument(
            "--into", default="", metavar="COLLECTION", help="a collection of the owner, in place of the one meant"
        )
        command.add_argument("--json", action="store_true", help="a JSON object for each instead of lines")
    for command in (listing, show, export, repair, take, drop):
        place.add_options(command)


def _entries(store: Store, user: str | None) -> Iterator[tuple[str, Entry]]:
    """With the names of their owners."""
    with store.read() as tx:
        if user is None:
            owners = principals.listing(tx)
        else:
            found = principals.find(tx, user)
            if found is None:
                raise SourceError(f"there is no user {user!r}")
            owners = [found]
        for owner in owners:
            for entry in quarantine.listing(tx, owner.id):
                yield owner.name, entry


def _entry(store: Store, id: int) -> tuple[str, Entry]:
    with store.read() as tx:
        entry = quarantine.get(tx, id)
        owner = principals.get(tx, entry.owner) if entry is not None else None
    if entry is None or owner is None:
        raise SourceError(f"nothing has the id {id} (calsync quarantine list)")
    return owner.name, entry


@place.told
def _list(args: argparse.Namespace) -> int:
    with place.opened(args, create=False) as store:
        found = list(_entries(store, args.user))
    if args.json:
        print(json.dumps([_facts(owner, entry) for owner, entry in found], ensure_ascii=False))
        return 0
    for owner, entry in found:
        day = f"{datetime.fromtimestamp(entry.received, UTC):%Y-%m-%d}"
        print(f"{entry.id:>5}  {day}  {owner}/{entry.target}  {entry.size} octets from {entry.origin}: {entry.reason}")
    print(f"calsync: quarantine: {len(found)} kept", file=sys.stderr)
    return 0


def _facts(owner: str, entry: Entry) -> dict[str, object]:
    return {**entry._asdict(), "owner": owner}


@place.told
def _show(args: argparse.Namespace) -> int:
    with place.opened(args, create=False) as store:
        owner, entry = _entry(store, args.id)
        octets = _octets(store, entry)
    for name, value in _facts(owner, entry).items():
        if value not in ("", None):
            print(f"{name}: {value}", file=sys.stderr)
    sys.stderr.flush()
    sys.stdout.buffer.write(octets)
    sys.stdout.buffer.flush()
    return 0


def _octets(store: Store, entry: Entry) -> bytes:
    with store.read() as tx:
        return quarantine.octets(tx, entry) or b""


@place.told
def _export(args: argparse.Namespace) -> int:
    folder = Path(args.folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SourceError(f"{folder}: is there already (choose an empty folder)")
    count = 0
    with place.opened(args, create=False) as store:
        found = list(_entries(store, args.user))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for owner, entry in found:
            octets = _octets(store, entry)
            ending = ".vcf" if b"BEGIN:VCARD" in octets.replace(b"\0", b"").upper() else ".ics"
            (folder / f"{entry.id}{ending}").write_bytes(octets)
            text = json.dumps(_facts(owner, entry), ensure_ascii=False, indent=2)
            (folder / f"{entry.id}.json").write_text(text + "\n", encoding="utf-8")
            count += 1
    print(f"calsync: quarantine: {count} written to {folder}", file=sys.stderr)
    return 0


@place.told
def _repair(args: argparse.Namespace) -> int:
    with place.opened(args, create=False) as store:
        return _in(store, args, list(_chosen(store, args.what)), mend=True)


@place.told
def _take(args: argparse.Namespace) -> int:
    with place.opened(args, create=False) as store:
        return _in(store, args, [_entry(store, id_)[1] for id_ in args.what], mend=False)


def _chosen(store: Store, what: Sequence[str]) -> Iterator[Entry]:
    for one in what:
        if one.isascii() and one.isdigit():
            yield _entry(store, int(one))[1]
        else:
            yield from (entry for _, entry in _entries(store, one))
    if not what:
        yield from (entry for _, entry in _entries(store, None))


def _in(store: Store, args: argparse.Namespace, entries: Sequence[Entry], *, mend: bool) -> int:
    left = 0
    for entry in entries:
        told = quarantined.take(store, entry, mend=mend, into=args.into, dry_run=args.dry_run)
        left += bool(told.reason)
        print(_as_json(told) if args.json else _as_line(told, dry_run=args.dry_run))
    went = "would be taken in" if args.dry_run else "taken in"
    print(f"calsync: quarantine: {len(entries) - left} {went}, {left} stay", file=sys.stderr)
    return 1 if left else 0


def _as_json(told: Taken) -> str:
    return json.dumps(
        {"id": told.entry.id, "place": told.place, "repairs": list(told.done), "reason": told.reason},
        ensure_ascii=False,
    )


def _as_line(told: Taken, *, dry_run: bool) -> str:
    repairs = f" ({', '.join(told.done)})" if told.done else ""
    if told.reason:
        return f"{told.entry.id}: stays: {told.reason}{repairs}"
    return f"{told.entry.id}: {'would become' if dry_run else 'is now'} {told.place}{repairs}"


@place.told
def _drop(args: argparse.Namespace) -> int:
    with place.opened(args, create=False) as store:
        found = [_entry(store, id_) for id_ in args.ids]
        with store.write() as tx:
            tx.actor = quarantined.ACTOR
            for owner, entry in found:
                quarantine.drop(tx, entry)
                audit.note(tx, "quarantine-dropped", account=owner, digest=entry.digest, target=entry.target)
    print(f"calsync: quarantine: {len(found)} dropped", file=sys.stderr)
    return 0
