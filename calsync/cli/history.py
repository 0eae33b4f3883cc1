"""`calsync history`: what was there before, and forgetting it. What brings it back is in `undoing`."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from typing import Any, Final

from calsync.accounts import audit
from calsync.cli import moments, place, traces, whereabouts
from calsync.cli.undoing import add_restore_options, bring_back
from calsync.cli.whereabouts import Place
from calsync.ical.lines import ScanError, scan, unescape
from calsync.store import history, items, trash
from calsync.store.engine import Store
from calsync.store.errors import Damaged, StoreError
from calsync.store.history import DELETED, REASONS, Revision
from calsync.store.rows import ALL
from calsync.store.transaction import Transaction
from calsync.store.trash import Trashed

__all__ = ["add_restore_options", "bring_back", "register"]

_DESCRIPTION: Final = """\
Lists what items held before they were changed, deleted or moved away, the newest first, and who did it. Each line
begins with the number of the revision, by which `calsync history show` prints it and `calsync restore` brings it back.

  calsync history anna                                  everything that anna's collections held
  calsync history anna/work/dentist.ics                 the earlier states of one event
  calsync history anna --trash                          calendars and address books that were deleted
  calsync history show anna/work/dentist.ics --revision 812 --diff
  calsync history purge anna/work/dentist.ics           forget its earlier states now
"""


class Wrong(StoreError):
    """The command line asks for what does not go together."""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "history",
        help="what was there before: list it, show it, forget it",
        usage="calsync history [show|purge] USER[/COLLECTION[/ITEM]] [options]",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("words", nargs="+", metavar="USER[/COLLECTION[/ITEM]]", help="before it: show or purge")
    parser.add_argument("--deleted", action="store_true", help="only what was deleted")
    parser.add_argument("--trash", action="store_true", help="the collections that were deleted")
    parser.add_argument("--since", type=moments.past, metavar="WHEN", default=0, help=f"from then on: {moments.WHEN}")
    parser.add_argument("--limit", type=_count, default=50, metavar="N", help="so many lines (50)")
    parser.add_argument("--before", type=int, default=ALL, metavar="N", help="the page after the revision N")
    parser.add_argument("--json", action="store_true", help="one JSON array instead of a table")
    show = parser.add_argument_group("show")
    show.add_argument("--revision", type=int, metavar="N", help="which one, as the list names it")
    show.add_argument("--diff", action="store_true", help="how it differs from what is stored now")
    purge = parser.add_argument_group("purge")
    purge.add_argument("--yes", action="store_true", help="do not ask")
    place.add_options(parser)
    parser.set_defaults(func=_history)


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of lines")
    return int(text)


@place.told
def _history(args: argparse.Namespace) -> int:
    command = {"show": _show, "purge": _purge}.get(args.words[0]) if len(args.words) > 1 else None
    path = args.words[-1]
    if len(args.words) > 1 + (command is not None):
        raise Wrong(f"one path at a time, not {' '.join(args.words)!r} (quote names with blanks in them)")
    with place.opened(args, create=False) as store:
        if command is not None:
            return command(store, args, path)
        with store.read() as tx:
            where = whereabouts.find(tx, path)
            if args.trash:
                return _trash(tx, args, where)
            return _list(tx, args, where)


# --- list -------------------------------------------------------------------------------------------------------------


def _list(tx: Transaction, args: argparse.Namespace, where: Place) -> int:
    found = _revisions(tx, args, where)
    titles = {one.ended: _title(tx, one) for one in found}
    paths = {id_: whereabouts.path_of(tx, where.owner, id_) for id_ in {one.collection for one in found}}
    if args.json:
        print(json.dumps([_facts(one, *paths[one.collection], titles[one.ended]) for one in found], ensure_ascii=False))
        return 0
    number = max((len(str(one.ended)) for one in found), default=0)
    for one in found:
        who = f"by {one.actor}" if one.actor else ""
        path, trashed = paths[one.collection]
        lies = "(in the trash)" if trashed else ""
        marks = [f"{path}/{one.href}", lies, f"{one.size} octets", who, titles[one.ended]]
        print(f"{one.ended:>{number}}  {moments.shown(one.until)}  {one.reason:<7}  {'  '.join(filter(None, marks))}")
    if len(found) == args.limit:
        print(f"calsync: there may be more (--before {found[-1].ended})", file=sys.stderr)
    if where.trashed is not None:
        print(f"calsync: it was deleted {_when(where.trashed)}; calsync restore brings it back", file=sys.stderr)
    return 0


def _revisions(tx: Transaction, args: argparse.Namespace, where: Place) -> list[Revision]:
    reasons = (DELETED,) if args.deleted else REASONS
    if where.item:
        assert where.collection is not None
        ids = _ids(tx, where)
        return history.of_items(
            tx, where.owner, ids, reasons=reasons, since=args.since, before=args.before, limit=args.limit
        )
    collection = None if where.collection is None else where.collection.id
    return history.revisions(
        tx,
        where.owner,
        collection=collection,
        reasons=reasons,
        since=args.since,
        before=args.before,
        limit=args.limit,
    )


def _ids(tx: Transaction, where: Place) -> list[int]:
    """The items that a name means: the one that has it, and those that had it."""
    assert where.collection is not None
    ids = set(history.items_at(tx, where.owner, where.collection.id, where.item))
    present = items.get(tx, where.collection, where.item)
    return sorted(ids | ({present.id} if present is not None else set()))


def _facts(one: Revision, path: str, trashed: bool, title: str) -> dict[str, Any]:
    fields = ("uid", "component", "etag", "size", "since", "until", "reason", "actor")
    return {
        "revision": one.ended,
        "path": f"{path}/{one.href}",
        "title": title,
        "in_trash": trashed,
        **{name: getattr(one, name) for name in fields},
    }


def _title(tx: Transaction, one: Revision) -> str:
    """What a person knows it by: the summary, or the name of the card."""
    if not one.component:
        return ""
    try:
        roots = scan(history.octets(tx, one)).components
    except (Damaged, ScanError):
        return "(damaged)"
    wanted = "FN" if one.component == "VCARD" else "SUMMARY"
    for component in (inner for root in roots for inner in (root, *root.components)):
        line = component.first(wanted)
        if line is not None:
            text = unescape(line.value)[:60]
            return "".join(letter if letter.isprintable() else " " for letter in text)
    return ""


def _trash(tx: Transaction, args: argparse.Namespace, where: Place) -> int:
    found = [one for one in trash.listing(tx, where.owner) if one.deleted >= args.since][: args.limit]
    if args.json:
        fields = ("path", "kind", "items", "octets", "deleted", "actor")
        rows = [{"revision": one.id, **{name: getattr(one, name) for name in fields}} for one in found]
        print(json.dumps(rows, ensure_ascii=False))
        return 0
    number = max((len(str(one.id)) for one in found), default=0)
    for one in found:
        path = f"{where.principal.name}/{one.path}"
        print(f"{one.id:>{number}}  {_when(one)}  {path}  {one.kind}  {one.items} items  {one.octets} octets")
    return 0


def _when(one: Trashed) -> str:
    return f"{moments.shown(one.deleted)}{f' by {one.actor}' if one.actor else ''}"


# --- show -------------------------------------------------------------------------------------------------------------


def _show(store: Store, args: argparse.Namespace, path: str) -> int:
    if args.revision is None:
        raise Wrong(f"which revision? (--revision N, as calsync history {path} lists it)")
    with store.read() as tx:
        where = whereabouts.find(tx, path)
        one = history.find(tx, where.owner, args.revision)
        if one is None or (where.item and one.item not in _ids(tx, where)):
            raise whereabouts.NotThere(f"there is no revision {args.revision} of {path} (calsync history {path})")
        then = history.octets(tx, one)
        present = items.get(tx, where.collection, one.href) if where.collection is not None else None
        now = items.body(tx, present) if args.diff and present is not None else b""
    if not args.diff:
        sys.stdout.buffer.write(then)
        return 0
    before, after = (text.decode("utf-8", "replace").splitlines() for text in (then, now))
    was, is_ = f"{one.href} until {moments.shown(one.until)}", f"{one.href} now" if present else "nothing now"
    for line in difflib.unified_diff(before, after, was, is_, lineterm=""):
        print(line)
    return 0


# --- purge ------------------------------------------------------------------------------------------------------------


def _purge(store: Store, args: argparse.Namespace, path: str) -> int:
    with store.read() as tx:
        where = whereabouts.find(tx, path)
        ids = _ids(tx, where) if where.item else None
    if where.trashed is not None and where.trashed.root and not where.item:
        raise Wrong(f"{path} went with the collection that it stood in (purge that)")
    what = _what(path, where)
    if not args.yes and not _agreed(f"Forget {what}? It cannot be brought back. [yes/no] "):
        print("calsync: nothing was forgotten (answer yes, or give --yes)", file=sys.stderr)
        return 1
    if where.collection is None:
        count = history.forget_all(store, where.owner)
    elif where.trashed is not None and not where.item:
        count = trash.purge(store, where.owner, where.trashed.id)
    else:
        count = history.forget(store, where.collection, ids)
    with store.write() as tx:
        audit.note(tx, "history-purged", account=where.principal.name, actor="calsync history", path=path, rows=count)
    traces.wipe(store)
    print(f"calsync: forgot {what}: {count} rows (backups keep what they have)", file=sys.stderr)
    return 0


def _what(path: str, where: Place) -> str:
    if where.collection is None:
        return f"all history of {path} and everything in the trash"
    if where.trashed is not None and not where.item:
        return f"{path} in the trash, {where.trashed.items} items"
    return f"the history of {path}"


def _agreed(question: str) -> bool:
    return sys.stdin.isatty() and input(question).strip().lower() == "yes"
