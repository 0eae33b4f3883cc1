"""`calsync restore`: a store from a backup, or what somebody overwrote or deleted; and `calsync release`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from calsync import config
from calsync.accounts import audit
from calsync.cli import place, undoing
from calsync.recovery import hold
from calsync.recovery.database import restore_into
from calsync.recovery.manifest import DATABASE, FILE, BackupError
from calsync.recovery.restore import Report, Wish, restore
from calsync.store.errors import StoreError
from calsync.store.urls import is_postgresql, path_of
from calsync_storage.location import storage_url

_DESCRIPTION: Final = """\
A whole store, from a backup's folder or a copy of calsync.db (stop the server first):

  calsync restore /srv/backup/2026-11-23T063000Z

The backup is checked and put beside the store; what the journal and the store that is there know of the time since is
brought over; then the files are exchanged, and the old one is kept. Phones sync anew from the start. Where something
that was acknowledged is missing, it is listed, and the store starts on hold: clients are answered "come back later"
until `calsync release`, because they would delete what they no longer find.

Something that was overwritten or deleted (the server goes on):

  calsync restore anna/work/party.ics
  calsync restore anna/work

Exit status: 0 done, nothing is missing; 1 nothing was done; 3 done, but something is missing (it is listed).
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "restore",
        help="bring back a store from a backup, or an item or a collection from the history",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", metavar="WHAT", nargs="?", help="BACKUP, or USER/COLLECTION or USER/COLLECTION/ITEM")
    store = parser.add_argument_group("of a store")
    store.add_argument("--journal", metavar="FOLDER", help="where the journal is now (default: [history] journal)")
    store.add_argument("--no-journal", action="store_true", help="leave out what the journal knows")
    store.add_argument("--no-salvage", action="store_true", help="leave out what the store that is there knows")
    store.add_argument("--hold", action="store_true", default=None, help="start on hold in any case")
    store.add_argument("--no-hold", action="store_false", dest="hold", help="do not, whatever is missing")
    store.add_argument("--release", action="store_true", help="let clients in again: the same as `calsync release`")
    store.add_argument("--json", action="store_true", help="a JSON object")
    undoing.add_restore_options(parser)
    place.add_options(parser)
    parser.set_defaults(func=_run)

    release = subparsers.add_parser(
        "release",
        help="let clients in again after a restore that left the store on hold",
        description="Ends the hold. From then on clients take what the store has for the whole truth, and delete what "
        "they do not find in it. `calsync doctor` tells whether there is one. Exit status: 1 where there is none.",
    )
    place.add_options(release)
    release.set_defaults(func=_release)


def _run(args: argparse.Namespace) -> int:
    if args.release:
        return _release(args)
    if not args.path:
        print("calsync: restore what? (a backup's folder, or USER/COLLECTION[/ITEM])", file=sys.stderr)
        return 1
    what = Path(args.path).expanduser()
    if _is_store(what):
        return _store(args)
    if args.path.startswith((".", "/", "~")):
        reason = _plain(what) if what.is_dir() else "no backup of calsync's, and no USER/COLLECTION"
        print(f"calsync: {what}: {reason}", file=sys.stderr)
        return 1
    return undoing.bring_back(args)


def _is_store(what: Path) -> bool:
    if what.is_file():
        with what.open("rb") as file:
            return file.read(16) == b"SQLite format 3\0"
    return (what / FILE).is_file()


def _plain(folder: Path) -> str:
    if (folder / DATABASE).is_file():
        return f"has no {FILE} (calsync restore {folder / DATABASE} takes the store in it as it is)"
    if folder.name == "collection-root" or (folder / "collection-root").is_dir() or any(folder.glob("*.[iv]c[sf]")):
        return f"plain files; calsync import {folder} takes them in"
    return f"no backup of calsync's (it has no {FILE})"


@place.told
def _store(args: argparse.Namespace) -> int:
    configuration = None if args.store else config.load(args.config)
    url = args.store or storage_url(configuration or config.load(args.config))
    kept = configuration.get("history", "journal") if configuration is not None else ""
    folder = args.journal or kept
    wish = Wish(
        what=Path(args.path).expanduser().absolute(),
        target=Path() if is_postgresql(url) else path_of(url),
        journal=Path(folder).expanduser().absolute() if folder else None,
        use_journal=not args.no_journal,
        use_salvage=not args.no_salvage,
        hold=args.hold,
        dry_run=args.dry_run,
    )
    try:
        report = restore_into(url, wish, _say) if is_postgresql(url) else restore(wish, _say)
    except BackupError as error:
        print(f"calsync: {error}", file=sys.stderr)
        return 1
    _tell(args, report)
    return 0 if report.complete else 3


def _tell(args: argparse.Namespace, report: Report) -> None:
    if args.json:
        facts = {
            "complete": report.complete,
            "held": report.held,
            "items": report.done.items,
            "deleted": report.done.deleted,
            "unknown": report.unknown,
            "vanishing": report.vanishing,
            "notices": report.notices,
            "replaced": str(report.replaced) if report.replaced else None,
        }
        print(json.dumps(facts, ensure_ascii=False))
        return
    for line in report.lines():
        print(line)
    print("calsync: restore (dry run): nothing was changed" if args.dry_run else "calsync: restore: done")


@place.told
def _release(args: argparse.Namespace) -> int:
    with place.opened(args, create=False) as store, store.write() as tx:
        tx.actor = "calsync release"
        reason = hold.release(tx)
        if reason is None:
            raise StoreError("the store is not on hold")
        audit.note(tx, "released")
    print("calsync: clients are served again within a second")
    return 0


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(f"calsync: {text} …", file=sys.stderr)
