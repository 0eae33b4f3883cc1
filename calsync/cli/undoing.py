"""`calsync restore USER/COLLECTION[/ITEM]`: an item, a deleted collection, or a calendar as it was at a time."""

from __future__ import annotations

import argparse
import sys

from calsync.accounts import audit
from calsync.cli import moments, place, whereabouts
from calsync.cli.progress import Bar
from calsync.cli.whereabouts import NotThere, Place
from calsync.store import collections, history, items, trash, undo
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.errors import Absent, Exists, UidConflict
from calsync.store.history import DELETED, MOVED, Revision, Unknown
from calsync.store.rows import Item
from calsync.store.transaction import Transaction
from calsync.store.trash import Trashed
from calsync.store.undo import BACK, CHANGE, DELETE, Plan, Step

_ACTOR = "calsync restore"
_DONE = {BACK: "put back", CHANGE: "changed back", DELETE: "deleted, it came later"}


def add_restore_options(parser: argparse.ArgumentParser) -> None:
    """The options with which `bring_back` is asked for; the path is `args.path`."""
    parser.add_argument("--as-of", type=moments.past, metavar="WHEN", help=f"as it was then: {moments.WHEN}")
    parser.add_argument("--revision", type=int, metavar="N", help="this one, as `calsync history` names it")
    parser.add_argument("--into", metavar="USER/COLLECTION", help="put it there, and leave alone what is there now")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument("--yes", action="store_true", help="do not ask")


@place.told
def bring_back(args: argparse.Namespace) -> int:
    """Bring back what `args.path` names; the exit status: 0 done, 1 not, or not all of it."""
    with place.opened(args, create=False) as store:
        with store.read() as tx:
            where = whereabouts.find(tx, args.path)
        try:
            if where.collection is None:
                raise NotThere(
                    f"which collection of {args.path}? (calsync history {args.path} --trash lists deleted ones)"
                )
            if where.item:
                return _item(store, args, where, where.collection)
            if args.as_of is not None:
                return _calendar(store, args, where, where.collection)
            return _collection(store, args, where)
        except Absent:
            raise NotThere(f"{args.path} has gone meanwhile") from None
        except Exists as error:
            raise NotThere(f"{error.name!r} is taken (another --into)") from None


def _note(store: Store, where: Place, what: str, path: str, into: str) -> None:
    with store.write() as tx:
        audit.note(tx, what, account=where.principal.name, actor=_ACTOR, path=path, into=into)


# --- an item ----------------------------------------------------------------------------------------------------------


def _item(store: Store, args: argparse.Namespace, where: Place, collection: Collection) -> int:
    with store.read() as tx:
        target = _target(tx, args, where, collection)
        one = _chosen(tx, args, where, collection)
    if isinstance(one, Revision):
        state = f"the state that was {one.reason} {moments.shown(one.until)}"
    elif target.id != collection.id:
        state = f"the state that it had since {moments.shown(one.modified)}"
    else:
        print(f"calsync: {args.path} is as it was then")
        return 0
    into = args.into or args.path.rpartition("/")[0]
    if args.dry_run:
        print(f"calsync: would put {state} into {into}")
        return 0
    try:
        made = undo.bring_back(store, one, collection, target, _ACTOR)
    except UidConflict as conflict:
        raise NotThere(f"it is still there, as {into}/{conflict.href} (restore that, or --into another)") from None
    except undo.Failed as error:
        raise NotThere(str(error)) from None
    _note(store, where, "item-restored", args.path, f"{into}/{made.href}")
    print(f"calsync: {into}/{made.href} holds {state}")
    return 0


def _chosen(tx: Transaction, args: argparse.Namespace, where: Place, collection: Collection) -> Revision | Item:
    """What is meant: a revision, or the item, where it holds that still."""
    present = items.get(tx, collection, where.item)
    if args.as_of is not None:
        held = history.held_at(tx, collection, where.item, args.as_of)
        found = (held.revision or held.item) if held is not None else None
        if found is None:
            raise NotThere(f"there was no {args.path} at {moments.shown(args.as_of)} (calsync history {args.path})")
        return found
    if args.revision is not None:
        one = history.find(tx, collection.owner, args.revision)
        ids = set(history.items_at(tx, collection.owner, collection.id, where.item))
        if one is None or one.item not in ids | ({present.id} if present else set()):
            raise NotThere(f"there is no revision {args.revision} of {args.path} (calsync history {args.path})")
        return one
    if present is not None:
        if where.trashed is not None:
            return present
        raise NotThere(
            f"{args.path} is there; which state of it? (--revision N or --as-of, calsync history {args.path})"
        )
    gone = history.revisions(
        tx, collection.owner, collection=collection.id, href=where.item, reasons=(DELETED, MOVED), limit=1
    )
    if not gone:
        raise NotThere(f"nothing is kept of {args.path}")
    return gone[0]


def _target(tx: Transaction, args: argparse.Namespace, where: Place, collection: Collection) -> Collection:
    if args.into:
        into = whereabouts.find(tx, args.into)
        if into.collection is None or into.item or into.trashed:
            raise NotThere(f"{args.into} is no collection (--into USER/COLLECTION)")
        return into.collection
    if where.trashed is not None:
        path = f"{where.principal.name}/{where.trashed.path}"
        raise NotThere(f"{path} was deleted, too (calsync restore {path}, or --into USER/COLLECTION)")
    return collection


# --- a deleted collection ---------------------------------------------------------------------------------------------


def _collection(store: Store, args: argparse.Namespace, where: Place) -> int:
    with store.read() as tx:
        one = _deleted(tx, args, where)
        principal, parent, name = whereabouts.room(tx, args.into) if args.into else (where.principal, None, "")
        if principal.id != one.owner:
            raise NotThere(f"{args.into}: a collection comes back to its owner ({where.principal.name}/NAME)")
        inside = trash.within(tx, one)
    count = one.items + sum(inner.items for inner in inside)
    what = f"{where.principal.name}/{one.path} with {_count(count, 'item')}, deleted {moments.shown(one.deleted)}"
    if args.dry_run:
        print(f"calsync: would bring back {what}")
        return 0
    with store.write() as tx:
        tx.actor = _ACTOR
        back = trash.bring_back(tx, principal, one, parent=parent, name=name)
        stands, _ = whereabouts.path_of(tx, principal.id, back.id)
        audit.note(tx, "collection-restored", account=principal.name, path=one.path, into=stands)
    print(f"calsync: brought back {what}: {stands}")
    return 0


def _deleted(tx: Transaction, args: argparse.Namespace, where: Place) -> Trashed:
    path = args.path.strip("/").partition("/")[2]
    found = [one for one in trash.at(tx, where.principal.id, path) if args.revision in (None, one.id)]
    if not found and args.revision is not None:
        raise NotThere(
            f"no {args.revision} of {args.path} is in the trash (calsync history {where.principal.name} --trash)"
        )
    if not found:
        raise NotThere(f"{args.path} is there; as of when is it to be? (--as-of WHEN, calsync history {args.path})")
    if found[0].root:
        raise NotThere(f"{args.path} went with the collection that it stood in (restore that)")
    return found[0]


# --- a calendar as of a time ------------------------------------------------------------------------------------------


def _calendar(store: Store, args: argparse.Namespace, where: Place, collection: Collection) -> int:
    if where.trashed is not None and not args.into:
        raise NotThere(f"{args.path} was deleted (calsync restore {args.path} first, or --into USER/NAME)")
    with store.read() as tx:
        try:
            if args.into:
                whereabouts.room(tx, args.into)
                plan = undo.plan_copy(tx, collection, args.as_of, collection)
            else:
                plan = undo.plan(tx, collection, args.as_of)
        except Unknown as error:
            older = trash.at(tx, where.principal.id, args.path.strip("/").partition("/")[2])
            hint = f"; another one that stood there was deleted {moments.shown(older[0].deleted)}" if older else ""
            raise NotThere(f"{error}{hint} (calsync history {where.principal.name} --trash)") from None
    _tell_plan(args, plan)
    if plan.empty or args.dry_run:
        return 0
    if not args.yes and not _agreed():
        print("calsync: nothing was changed (answer yes, or give --yes)", file=sys.stderr)
        return 1
    if args.into:
        with store.write() as tx:
            tx.actor = _ACTOR
            principal, parent, name = whereabouts.room(tx, args.into)
            made = collections.create(tx, principal, parent, name, collection.kind, collection.components)
            plan = undo.plan_copy(tx, collection, args.as_of, made)
    with Bar("restore", len(plan.steps)) as bar:
        outcome = undo.carry_out(store, plan, _ACTOR, lambda _step, _why: bar.advance(1))
    _note(store, where, "calendar-restored", args.path, args.into or args.path)
    for href, why in outcome.refused:
        print(f"calsync: {href}: {why}", file=sys.stderr)
    left = f", {len(outcome.refused)} left as they are" if outcome.refused else ""
    print(
        f"calsync: {args.into or args.path} is as of {moments.shown(args.as_of)}: {_count(outcome.done, 'item')}{left}"
    )
    return 1 if outcome.refused else 0


def _tell_plan(args: argparse.Namespace, plan: Plan) -> None:
    counts = {action: sum(step.action == action for step in plan.steps) for action in _DONE}
    told = ", ".join(f"{count} to be {_DONE[action]}" for action, count in counts.items() if count)
    if plan.properties:
        described = _count(len(plan.properties), "property", "properties")
        told = f"{told}, and {described}" if told else described
    print(f"calsync: {args.into or args.path} as of {moments.shown(plan.instant)}: {told or 'it is so already'}")
    if args.dry_run:
        for step in plan.steps:
            print(_line(step))


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number} {one if number == 1 else several or one + 's'}"


def _line(step: Step) -> str:
    return f"  {step.action:<11}  {step.href}"


def _agreed() -> bool:
    return sys.stdin.isatty() and input("Do it? It can be undone in the same way. [yes/no] ").strip().lower() == "yes"
