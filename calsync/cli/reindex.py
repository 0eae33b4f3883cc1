"""`calsync reindex`: everything derived from the octets, derived anew."""

from __future__ import annotations

import argparse
import json
import sys

from calsync.cli import place
from calsync.cli.progress import Bar
from calsync.store import collections, principals, reindex
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.reindex import Reindexed
from calsync.transfer.source import SourceError


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "reindex",
        help="derive anew what items are found by",
        description="Reads all items, or those of a user or collection, and derives anew what they are found by: "
        "times, occurrences, UIDs, the fields of cards. ETags and sync tokens stay, so no client notices. The server "
        "may run meanwhile; while everything is derived anew, searches read the items themselves and are slower.",
        epilog="Exit status: 0 all was derived anew, 1 some items could not be read, 2 there is no such collection.",
    )
    parser.add_argument("what", nargs="?", metavar="USER[/COLLECTION]", help="without it everything")
    parser.add_argument("--json", action="store_true", help="a JSON object instead of words")
    place.add_options(parser)
    parser.set_defaults(func=_reindex)


@place.told
def _reindex(args: argparse.Namespace) -> int:
    with place.opened(args, create=False) as store:
        told = _everything(store) if args.what is None else _some(store, args.what)
    if args.json:
        print(json.dumps({"done": told.done, "problems": [list(one) for one in told.problems]}, ensure_ascii=False))
    else:
        for path, text in told.problems:
            print(f"{path}: {text}", file=sys.stderr)
        print(f"calsync: reindex: {told.done} items derived anew")
    return 1 if told.problems else 0


def _everything(store: Store) -> Reindexed:
    reindex.begin(store)
    told = Reindexed()
    while not told.ended:  # a window that was moved meanwhile begins anew
        with Bar("reindex", reindex.total(store)) as bar:
            told = reindex.run(store, progress=bar.advance)
    return told


def _some(store: Store, what: str) -> Reindexed:
    user, *names = [part for part in what.split("/") if part] or [""]
    with store.read() as tx:
        principal = principals.find(tx, user)
        if principal is None:
            raise SourceError(f"there is no user {user!r}")
        chosen: list[Collection] = []
        if names:
            found = collections.find(tx, principal, names)
            if found is None:
                raise SourceError(f"there is no collection {'/'.join(names)!r} of {principal.name}")
            chosen = [found, *collections.below(tx, found)]
        else:
            own = [one for one in collections.children(tx, principal.id) if one.owner == principal.id]
            chosen = [each for one in own for each in (one, *collections.below(tx, one))]
    told = Reindexed(ended=True)
    with Bar("reindex", sum(one.items for one in chosen)) as bar:
        for one in chosen:
            done = reindex.one(store, one, principal.name, progress=bar.advance)
            told.done += done.done
            told.problems += done.problems
    return told
