"""`calsync audit`: who signed in, failed to, and changed what about accounts."""

from __future__ import annotations

import argparse
import json
import re
import time
from datetime import UTC, date, datetime
from typing import Final

from calsync.accounts import audit
from calsync.accounts.audit import Entry
from calsync.cli import place

_SECONDS: Final = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "audit",
        help="the audit trail: sign-ins, failures, app passwords, roles, exports, restores",
        description="The newest entries, the last of them at the end. A device is written down once a day and address, "
        "failures are counted together. Entries are kept for [auth] audit_days.",
    )
    parser.add_argument("user", metavar="USER", nargs="?", help="only what concerns this user")
    parser.add_argument("--since", type=since, default=0, metavar="WHEN", help="2h, 7d, 4w or a date")
    parser.add_argument("--action", action="append", metavar="ACTION", help="only these: signed-in, token-added, …")
    parser.add_argument("--limit", type=_count, default=100, metavar="N", help="how many entries (default: 100)")
    parser.add_argument("--json", action="store_true", help="one JSON array instead of lines")
    place.add_options(parser)
    parser.set_defaults(func=_audit)


def since(text: str) -> int:
    """The instant that `7d` (before now) or `2027-01-31` (its first second, UTC) means."""
    match = re.fullmatch(r"(\d{1,5})([mhdwy])", text)
    if match:
        return int(time.time()) - int(match[1]) * _SECONDS[match[2]]
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a time like 2h, 7d, 4w nor a date") from None
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1000000")
    return int(text)


@place.told
def _audit(args: argparse.Namespace) -> int:
    found: list[Entry] = []
    for url in place.all_stores(args):
        with place.opened_at(url) as store, store.read() as tx:
            found += audit.chosen(tx, account=args.user, since=args.since, actions=args.action, limit=args.limit)
    found.sort(key=lambda entry: (entry.at, entry.id))
    found = found[-args.limit :]
    if args.json:
        print(json.dumps([entry._asdict() for entry in found], ensure_ascii=False))
        return 0
    for entry in found:
        print(_line(entry))
    return 0


def _line(entry: Entry) -> str:
    at = datetime.fromtimestamp(entry.at, UTC)
    facts = [f"{name}={_shown(value)}" for name, value in entry.detail.items() if value not in (None, False, "")]
    by = f"by {entry.actor}" if entry.actor and entry.actor != entry.account else ""
    where = f"from {entry.address}" if entry.address else ""
    client = f"({entry.client})" if entry.client else ""
    told = (entry.action, entry.account or "-", by, where, client)
    return "  ".join([f"{at:%Y-%m-%d %H:%M:%S}Z", *(_shown(part) for part in told if part), *facts])


def _shown(value: object) -> str:
    """On one line, whatever a device calls itself."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else repr(text)
