"""`calsync backup`: make backups, list them, check them."""

from __future__ import annotations

import argparse
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from calsync import config
from calsync.cli import place
from calsync.recovery import backup
from calsync.recovery.manifest import BackupError

_DESCRIPTION: Final = """\
Makes DIR/2026-11-23T063000Z with the whole store, the same as plain .ics and .vcf files, and a list of checksums, while
the server goes on. It is checked before it gets its name.

  calsync backup DIR           make one (without DIR: in [backup] folder)
  calsync backup list DIR      which there are
  calsync backup verify DIR    is this one still what was written?

Exit status: 0 all well; 1 there is no backup; 3 there is one, but something in the store is damaged (it is named).
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "backup",
        help="make a backup, list backups, check one",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("words", metavar="[list | verify] [DIR]", nargs="*")
    parser.add_argument(
        "--keep", metavar="N|Nd", type=_kept, help="afterwards remove all but the N newest good ones, or those older "
        "than N days (default: [backup] keep, else none)",
    )  # fmt: skip
    parser.add_argument("--no-files", action="store_true", help="only the store, no plain .ics and .vcf files")
    parser.add_argument("--json", action="store_true", help="a JSON object")
    place.add_options(parser)
    parser.set_defaults(func=_run)


def _kept(text: str) -> tuple[int | None, int | None]:
    match = re.fullmatch(r"([1-9][0-9]{0,5})(d?)", text.strip(), re.ASCII)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of backups (14) nor of days (90d)")
    number = int(match[1])
    return (None, number) if match[2] else (number, None)


def _run(args: argparse.Namespace) -> int:
    try:
        return _done(args)
    except BackupError as error:
        print(f"calsync: {error}", file=sys.stderr)
        return 1


@place.told
def _done(args: argparse.Namespace) -> int:
    words = list(args.words)
    what = words.pop(0) if words and words[0] in ("list", "verify") else "make"
    if len(words) > 1:
        raise BackupError(f"one folder is enough: {' '.join(words)}")
    named = Path(words[0]).expanduser().absolute() if words else None
    if what == "verify":
        if named is None:
            raise BackupError("which one? (calsync backup verify DIR/2026-11-23T063000Z)")
        return _verify(args, named)
    folder = named or _configured(args)
    return _list(args, folder) if what == "list" else _make(args, folder)


def _configured(args: argparse.Namespace) -> Path:
    folder = config.load(args.config).get("backup", "folder")
    if not folder:
        raise BackupError("where? (calsync backup DIR, or set [backup] folder)")
    return Path(folder)


def _make(args: argparse.Namespace, folder: Path) -> int:
    with place.opened(args, create=False) as store:
        made = backup.make(store, folder, files=not args.no_files, say=_say)
    manifest = made.manifest
    removed: list[Path] = []
    keep = args.keep or (None if args.store else _keep_configured(args))
    if keep is not None and not manifest.damaged:
        removed = backup.prune(folder, count=keep[0], days=keep[1], made=made.folder)
    if args.json:
        facts = {"folder": str(made.folder), "items": manifest.items, "damaged": list(manifest.damaged)}
        print(json.dumps({**facts, "removed": [str(path) for path in removed]}, ensure_ascii=False))
    else:
        for text in made.notices:
            print(text)
        users = f"{len(manifest.principals)} user{'' if len(manifest.principals) == 1 else 's'}"
        print(f"calsync: backup: {made.folder}: {users}, {manifest.items} items, checked")
        for path in removed:
            print(f"calsync: backup: removed {path}")
    for text in manifest.damaged:
        print(f"calsync: damaged in the store: {text}", file=sys.stderr)
    if manifest.damaged:
        print("calsync: backup: made, but what is named above is damaged; no older one was removed", file=sys.stderr)
    return 3 if manifest.damaged else 0


def _keep_configured(args: argparse.Namespace) -> tuple[int | None, int | None] | None:
    text = config.load(args.config).get("backup", "keep")
    if not text:
        return None
    try:
        return _kept(text)
    except argparse.ArgumentTypeError as error:
        raise BackupError(f"config: [backup] keep: {error}") from error


def _list(args: argparse.Namespace, folder: Path) -> int:
    found = backup.listing(folder)
    if args.json:
        facts = [
            {
                "folder": str(one.folder),
                "made": one.manifest.made if one.manifest else None,
                "users": len(one.manifest.principals) if one.manifest else None,
                "items": one.manifest.items if one.manifest else None,
                "damaged": list(one.manifest.damaged) if one.manifest else [one.reason],
            }
            for one in found
        ]
        print(json.dumps(facts, ensure_ascii=False, indent=1))
        return 0
    for one in found:
        if one.manifest is None:
            print(f"{one.folder.name}  {one.reason}")
            continue
        when = datetime.fromtimestamp(one.manifest.made, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
        state = "good" if one.good else f"{len(one.manifest.damaged)} damaged"
        print(f"{one.folder.name}  {when}  {len(one.manifest.principals)} users  {one.manifest.items} items  {state}")
    if not found:
        print(f"calsync: no backup in {folder}")
    return 0


def _verify(args: argparse.Namespace, folder: Path) -> int:
    wrong = []
    for text in backup.check(folder):
        wrong.append(text)
        if not args.json:
            print(text)
    if args.json:
        print(json.dumps({"folder": str(folder), "wrong": wrong}, ensure_ascii=False))
    else:
        print(f"calsync: backup: {folder}: {'good' if not wrong else f'{len(wrong)} problems'}")
    return 3 if wrong else 0


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(f"calsync: {text} …", file=sys.stderr)
