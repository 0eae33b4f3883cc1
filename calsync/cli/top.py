"""`calsync top`: who syncs what right now, from the memory of the servers that run on this machine."""

from __future__ import annotations

import argparse
import contextlib
import curses
import json
import locale
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from calsync import config
from calsync.cli import place, serve_metrics
from calsync.counters import folder
from calsync.gate.observe import one_line
from calsync.metrics.activity import Activity, Row
from calsync.store.errors import StoreError

#: By what is sorted: word → key, greatest first.
SORTS: Final[dict[str, Callable[[Row, float], float]]] = {
    "last": lambda row, now: row.last.began if row.last is not None else 0.0,
    "rate": lambda row, now: row.rate(now),
    "requests": lambda row, now: row.requests,
    "ms": lambda row, now: row.seconds / row.requests if row.requests else 0.0,
    "bytes": lambda row, now: row.octets_in + row.octets_out,
    "failed": lambda row, now: row.failed,
}

_HEAD: Final = (
    f"{'USER':14} {'DEVICE':14} {'CLIENT':12} {'REQ/S':>6} {'REQ':>5} {'NOW':>3} {'FAIL':>4} {'ITEMS':>7} {'IN':>6}"
    f" {'OUT':>6} {'MS':>7}  AGO  LAST"
)


class NoServer(StoreError):
    """There is nothing to look at."""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "top",
        help="who syncs what right now",
        description="A live view of the server that runs on this machine: for each user, app password and kind of "
        "program the requests of the last minute, those under way, what failed, how long they took, and the last one. "
        "To be run as the server's user, or as root. Keys: s sorts by the next column, q ends. Where the output is no "
        "terminal the table is written again and again. Exit status: 1 where no server runs.",
    )
    place.add_options(parser)
    parser.add_argument("--interval", type=_interval, default=2.0, metavar="SECONDS", help="between two looks (2)")
    parser.add_argument("--sort", choices=list(SORTS), default="last", help="by what (last)")
    parser.add_argument("--once", action="store_true", help="look once, write a table and end")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table, an object for each look")
    parser.set_defaults(func=_run)


def _interval(text: str) -> float:
    seconds = float(text)
    if not 0.1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text}: from 0.1 to 3600 seconds")
    return seconds


@place.told
def _run(args: argparse.Namespace) -> int:
    activity = Activity(_servers(args))
    activity.look()
    if args.once or args.json or not (sys.stdout.isatty() and sys.stdin.isatty()):
        return _lines(args, activity)
    locale.setlocale(locale.LC_ALL, "")
    try:
        curses.wrapper(_screen, args, activity)
    except curses.error:  # a terminal that curses does not know
        return _lines(args, activity)
    except KeyboardInterrupt:
        pass
    return 0


def _servers(args: argparse.Namespace) -> list[Path]:
    configuration = config.load(args.config)
    wanted, data, store = serve_metrics.where(configuration)
    found = folder.find(wanted, data, args.store or store)
    if not found:
        raise NoServer(
            "top: no server of this store runs here, or not as this user (run it as the server's user, with its "
            "--config; [metrics] live must be on)"
        )
    return found


def _lines(args: argparse.Namespace, activity: Activity) -> int:
    while True:
        now = time.time()
        rows = _sorted(activity, args.sort, now)
        if args.json:
            told: dict[str, Any] = {"totals": asdict(activity.totals), "who": [row.told(now) for row in rows]}
            print(json.dumps(told), flush=True)
        else:
            width = shutil.get_terminal_size((160, 0)).columns if sys.stdout.isatty() else 0
            lines = [_totals(activity), _HEAD, *(_line(row, now) for row in rows)]
            print("\n".join(line[:width] if width else line for line in lines), flush=True)
        if args.once:
            return 0
        time.sleep(args.interval)
        _look(activity, args)


def _look(activity: Activity, args: argparse.Namespace) -> None:
    """Look again; a server that was restarted is another one."""
    if not any(folder.alive(one) for one in activity.servers):
        activity.servers = _servers(args)
    activity.look()


def _sorted(activity: Activity, by: str, now: float) -> list[Row]:
    return sorted(activity.rows.values(), key=lambda row: SORTS[by](row, now), reverse=True)


def _totals(activity: Activity) -> str:
    one = activity.totals
    return (
        f"{one.workers} worker{'' if one.workers == 1 else 's'}  "
        f"{one.connections} connection{'' if one.connections == 1 else 's'}  {one.in_flight} under way  "
        f"{one.requests_per_second:.1f} req/s  {one.requests} requests  {one.writes} writes  "
        f"wait for the writer {one.writer_wait_ms:.1f} ms  {one.refused_logins} logins refused"
    )


def _line(row: Row, now: float) -> str:
    last, said, ago = row.last, "", ""
    if last is not None:
        asked = f"{last.method} {last.report}".strip()
        said = f"{asked} {last.path} {last.status or '…'}"
        ago = _ago(now - last.began)
    mean = row.seconds * 1000 / row.requests if row.requests else 0.0
    return one_line(
        f"{row.user[:14] or '-':14} {row.device[:14] or '-':14} {row.client[:12]:12} {row.rate(now):6.2f} "
        f"{row.requests:5} {row.at_work:3} {row.failed:4} {row.items:7} {_short(row.octets_in):>6} "
        f"{_short(row.octets_out):>6} {mean:7.1f} {ago:>4}  {said}"
    )


def _ago(seconds: float) -> str:
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{letter}"
    return f"{max(0, int(seconds))}s"


def _short(octets: float) -> str:
    for letter in ("", "K", "M", "G"):
        if octets < 1000:
            return f"{octets:.0f}{letter}"
        octets /= 1024
    return f"{octets:.0f}T"


# --- the screen -------------------------------------------------------------------------------------------------------


def _screen(screen: curses.window, args: argparse.Namespace, activity: Activity) -> None:
    with contextlib.suppress(curses.error):  # a terminal that cannot hide it
        curses.curs_set(0)
    by, due = args.sort, time.monotonic() + args.interval
    while True:
        _draw(screen, activity, by)
        screen.timeout(max(0, int((due - time.monotonic()) * 1000)))
        key = screen.getch()
        if key in (ord("q"), 27):
            return
        if key == ord("s"):
            words = list(SORTS)
            by = words[(words.index(by) + 1) % len(words)]
        if time.monotonic() >= due:
            due = time.monotonic() + args.interval
            _look(activity, args)


def _draw(screen: curses.window, activity: Activity, by: str) -> None:
    now = time.time()
    height, width = screen.getmaxyx()
    lines = [_totals(activity), f"sorted by {by}   s: another   q: end", _HEAD]
    lines += [_line(row, now) for row in _sorted(activity, by, now)]
    screen.erase()
    for at, line in enumerate(lines[: height - 1]):
        try:
            screen.addnstr(at, 0, line, width - 1, curses.A_REVERSE if at == 2 else curses.A_NORMAL)
        except curses.error:
            continue  # it has just become smaller
    screen.refresh()
