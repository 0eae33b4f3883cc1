"""`calsync jobs`: what the server does now and then, what waits in its queue, and how that went."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from calsync import config
from calsync.cli import place
from calsync.jobs import leases, queue
from calsync.jobs.keeper import Taken, next_due, run
from calsync.jobs.leases import State
from calsync.jobs.retention import Retention
from calsync.jobs.tasks import TASKS, Task
from calsync.store.engine import Store
from calsync.store.errors import StoreError
from calsync.store.transaction import Transaction


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "jobs",
        help="what the server does beside answering: show it, run, retry, drop",
        description="Without a command: what is done now and then, when it was last, when it is due, and the last "
        "error; then the queue of what changes have brought about ([hook]): what waits, runs, or was given up. "
        "`calsync serve` does all of it by itself ([calsync] jobs); where something else serves the store, let a timer "
        "call `run`.",
    )
    place.add_options(parser)
    parser.add_argument("--json", action="store_true", help="one JSON array instead of a table")
    parser.set_defaults(func=_list)
    commands = parser.add_subparsers(metavar="COMMAND")
    now = commands.add_parser(
        "run",
        help="do one of them now, or all that are due",
        description="Exit status: 0 done, 1 it failed, 2 there is no such job.",
    )
    now.add_argument("name", nargs="?", metavar="NAME", help="as `calsync jobs` lists it; without one all that are due")
    place.add_options(now)
    now.set_defaults(func=_run)
    again = commands.add_parser(
        "retry",
        help="try a job of the queue again at once",
        description="It is taken up within a second by a server that runs. Exit status: 1 where there is no such job, "
        "or it runs or waits for another one right now.",
    )
    _which(again, "all that were given up")
    again.set_defaults(func=_retry)
    gone = commands.add_parser(
        "drop",
        help="forget a job of the queue",
        description="What it was to do is never done. Exit status: 1 where there is no such job, or it runs right now.",
    )
    _which(gone, "all that were given up")
    gone.set_defaults(func=_drop)


def _which(parser: argparse.ArgumentParser, everything: str) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("id", nargs="?", metavar="ID", help="as `calsync jobs` lists it")
    which.add_argument("--all", action="store_true", help=everything)
    place.add_options(parser)


@contextlib.contextmanager
def _stores(args: argparse.Namespace) -> Iterator[tuple[Store, Store]]:
    """Of the collections, and of the logins."""
    with place.opened(args, create=False) as store, place.opened_for_logins(args) as accounts:
        yield store, accounts


@place.told
def _list(args: argparse.Namespace) -> int:
    with _stores(args) as stores:
        told = [_told(task, _state(task, stores)) for task in TASKS.values()]
        with stores[0].read() as tx:
            jobs = queue.listing(tx)
    queued = [_queued(one) for one in jobs]
    if args.json:
        print(json.dumps([*told, *queued], ensure_ascii=False))
        return 0
    for one in told:
        line = f"{one['name']:<11} last {_when(one['last'])}  next {_when(one['next'])}  {one['text']}"
        print(line + (f"\n{'':<11} failed {one['failures']} times: {one['error']}" if one["error"] else ""))
    for job in queued:
        line = f"{job['id']:<12} {job['kind']:<7} {job['state']:<8} since {_when(job['since'])}  {job['about']}"
        print(line + (f"\n{'':<12} tried {job['tries']} times: {job['error']}" if job["error"] else ""))
    return 0


def _queued(one: queue.Job) -> dict[str, str | int]:
    return {
        "id": f"{one.id:x}",
        "kind": one.kind,
        "state": one.state(time.time()),
        "since": one.created,
        "next": 0 if one.dead or one.due >= queue.BLOCKED else one.due,
        "tries": one.attempts,
        "error": one.error,
        "about": str(one.payload.get("path", one.topic)),
    }


@place.told
def _retry(args: argparse.Namespace) -> int:
    return _each(args, queue.retry, "tried again")


@place.told
def _drop(args: argparse.Namespace) -> int:
    return _each(args, queue.drop, "dropped")


def _each(args: argparse.Namespace, act: Callable[[Transaction, int, int], bool], done: str) -> int:
    try:
        wanted = None if args.all else int(args.id, 16)
    except ValueError:
        print(f"calsync: {args.id!r} is no job (calsync jobs lists them)", file=sys.stderr)
        return 1
    with place.opened(args, create=False) as store, store.write() as tx:
        chosen = queue.dead(tx) if wanted is None else [wanted]
        count = sum(act(tx, which, int(time.time())) for which in chosen)
    if wanted is not None and not count:
        print(f"calsync: no job {args.id}, or it cannot be touched right now (calsync jobs)", file=sys.stderr)
        return 1
    print(f"calsync: {count} {done}")
    return 0


def _state(task: Task, stores: tuple[Store, Store]) -> State:
    with stores[task.of_accounts].read() as tx:
        return leases.states(tx).get(task.name, State())


def _told(task: Task, state: State) -> dict[str, str | int]:
    return {
        "name": task.name,
        "every": task.every,
        "last": state.done,
        "next": next_due(task, state),
        "running": state.holder if state.until > time.time() else "",
        "did": state.count,
        "failures": state.failures,
        "error": state.error,
        "text": task.text,
    }


def _when(instant: str | int) -> str:
    return f"{datetime.fromtimestamp(int(instant), UTC):%Y-%m-%d %H:%M}" if instant else f"{'never':<16}"


@place.told
def _run(args: argparse.Namespace) -> int:
    if args.name is not None and args.name not in TASKS:
        print(f"calsync: no job {args.name!r}; there are {', '.join(TASKS)}", file=sys.stderr)
        return 2
    kept = Retention() if args.store else Retention.of(config.load(args.config))
    failed = False
    with _stores(args) as stores:
        for task in TASKS.values():
            due = next_due(task, _state(task, stores)) <= time.time()
            if task.name != args.name and (args.name is not None or not due):
                continue
            try:
                count = run(task, stores[task.of_accounts], kept, leases.holder())
            except (StoreError, OSError, Taken) as error:
                failed = True
                print(f"calsync: {task.name}: {error}", file=sys.stderr)
            else:
                print(f"calsync: {task.name}: {count} done")
    return int(failed)
