"""The store: who may read it, which versions are at work, and a quick look at whether it is sound."""

from __future__ import annotations

import os
import platform
import random
import sqlite3
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final

from sqlalchemy import func, select

from calsync import __version__
from calsync.doctor.finding import Checks, Finding, note, ok, problem, warning
from calsync.doctor.inside.context import OLDER, Context
from calsync.recovery import hold
from calsync.store import places, principals, rows, verify
from calsync.store.engine import Store
from calsync.store.errors import Damaged, StoreError
from calsync.store.schema import quarantine
from calsync.store.sqlite import WAL_RESET_FIXED
from calsync.store.statement import Prepared
from calsync.store.urls import is_postgresql, path_of

CHECKS: Final[Checks[Context]] = Checks("Store", (OSError, StoreError))

_DAY: Final = 86_400
#: How much of the store is read: owners, collections of each, items of each.
_SAMPLE: Final = (10, 3, 10)
#: Entries in quarantine from which an administrator should look.
_MANY: Final = 100

_QUARANTINED: Final = Prepared(select(func.count(), func.coalesce(func.sum(quarantine.c.size), 0)))


@CHECKS("versions")
def versions(context: Context) -> Iterator[Finding]:
    text = f"calsync {__version__}, Radicale {version('radicale')}, Python {platform.python_version()}"
    if context.store is None or is_postgresql(context.url):
        yield ok(text)
        return
    yield ok(f"{text}, SQLite {sqlite3.sqlite_version}{_wal_reset()}")


def _wal_reset() -> str:
    if sqlite3.sqlite_version_info >= WAL_RESET_FIXED:
        return ""
    fixed = ".".join(map(str, WAL_RESET_FIXED))
    return f" (its WAL-reset bug, mended in {fixed}, is kept away by calsync's lock file)"


@CHECKS("store")
def opened(context: Context) -> Iterator[Finding]:
    if not context.url:
        return
    if context.store is None:
        text = context.not_opened
        if text == OLDER:
            yield note(
                text, "this version's", "the next start of calsync migrates it, and keeps a copy", "older-schema"
            )
        elif "there is no store" in text:
            yield note(text, "a store", "calsync serve makes one; calsync restore BACKUP brings one back", "no-store")
        elif "is gone, and was there" in text:
            yield problem(text, "the store's file", "calsync restore BACKUP (docs/backup.md)", "lost-store")
        else:
            yield problem(text, "a store that opens", "calsync verify; docs/damage.md says what helps", "store")
        return
    facts = context.store.describe()
    where = facts.get("file") or facts.get("database", "")
    yield ok(f"{facts['back end']} {facts['version'] if facts['back end'] != 'SQLite' else ''}".strip() + f", {where}")
    if facts.get("page checksums") == "off":
        yield note(
            "PostgreSQL does not check its pages",
            "data checksums, which find damage of the disk",
            "stop the database, then pg_checksums --enable",
            "page-checksums",
        )


@CHECKS("permissions")
def permissions(context: Context) -> Iterator[Finding]:
    folder = context.folder
    if folder is None or not folder.exists():
        return
    found = folder.stat()
    who = context.owner.pw_name if context.owner is not None else str(found.st_uid)
    mode = stat.filemode(found.st_mode)
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        yield problem(
            f"everybody may write in {folder} ({mode})", "only the owner", f"chmod o= {folder}", "folder-mode"
        )
    file = path_of(context.url)
    if not file.exists():
        return
    own = file.stat()
    if own.st_mode & stat.S_IRWXO:
        yield warning(
            f"everybody on this machine may read {file} ({stat.filemode(own.st_mode)})",
            "only the server's user may",
            f"chmod o= {file}",
            "store-readable",
        )
    strangers = [
        path for path in sorted(folder.glob(file.name + "*")) if path.is_file() and path.stat().st_uid != own.st_uid
    ]
    if own.st_uid != found.st_uid or strangers:
        named = ", ".join(path.name for path in strangers) or file.name
        yield problem(
            f"{named} in {folder} belongs to another user than the {'store' if strangers else 'folder'}",
            f"all of it is {who}'s",
            f"chown -R {who}: {folder} (and run calsync's commands as {who})",
            "strangers-files",
        )
    elif not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        yield warning(
            f"{folder} is {who}'s ({mode}), and whoever asks now cannot write there",
            "the server's user asks, or root",
            f"runuser -u {who} -- calsync doctor; if the server is to run as another user: chown -R USER: {folder}",
            "not-writable",
        )
    else:
        yield ok(f"{folder} is {who}'s ({mode})")


@CHECKS("on hold")
def held(context: Context) -> Iterator[Finding]:
    if context.store is None:
        return
    with context.store.read() as tx:
        reason = hold.reason_of(tx)
    if reason is not None:
        yield problem(
            f"clients are answered 503: {reason}",
            "an administrator's word",
            "calsync release, once it is right",
            "hold",
        )


@CHECKS("a sample of the items")
def sample(context: Context) -> Iterator[Finding]:
    if context.store is None:
        return
    looked, damaged = _sampled(context.store)
    if damaged:
        more = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
        yield problem(
            f"{damaged[0]}{more}: not the octets that were put",
            "each item as its checksum says",
            "calsync verify --repair --from BACKUP",
            "damaged",
        )
    else:
        yield ok(
            f"{looked} item{' is as it was' if looked == 1 else 's are as they were'} put"
            if looked
            else "nothing is stored yet"
        )


def _sampled(store: Store) -> tuple[int, list[str]]:
    """How many items were read, and the paths of those that are damaged."""
    owners, collections, items = _SAMPLE
    looked, damaged = 0, []
    with store.read() as tx:
        known = principals.listing(tx)
    for principal in random.sample(known, min(owners, len(known))):
        with store.read() as tx:
            there = [one for one in places.children(tx, principal.id) if one.items and one.owner == principal.id]
        for collection in random.sample(there, min(collections, len(there))):
            with store.read() as tx:
                page = rows.page(tx, collection, 0, items)
                octets = rows.page_bodies(tx, collection, [row.id for row in page])
            for row in page:
                looked += 1
                try:
                    rows.checked(row, octets.get(row.id))
                except Damaged:
                    damaged.append(f"{principal.name}/{collection.name}/{row.url}")
    return looked, damaged


@CHECKS("the whole of it")
def verified(context: Context) -> Iterator[Finding]:
    if context.store is None:
        return
    with context.store.read() as tx:
        last = verify.last(tx)
    if last is None:
        yield ok("calsync verify was not run yet")
        return
    when, problems = last
    day = f"{datetime.fromtimestamp(when, UTC):%Y-%m-%d}"
    if problems:
        yield problem(
            f"calsync verify found {problems} problem{'s' if problems != 1 else ''} on {day}",
            "none",
            "calsync verify --repair",
            "verify",
        )
    elif context.now - when > 60 * _DAY:
        yield note(
            f"calsync verify was last run on {day}", "now and then", "systemctl enable --now calsync-verify.timer",
            "verify-old",
        )  # fmt: skip
    else:
        yield ok(f"calsync verify found nothing on {day}")


@CHECKS("quarantine")
def quarantined(context: Context) -> Iterator[Finding]:
    if context.store is None:
        return
    with context.store.read() as tx:
        count, octets = tx.all(_QUARANTINED)[0]
    if count:
        text = f"{count} refused object{'s' if count != 1 else ''} wait there, {octets} octets"
        make = warning if count >= _MANY else note
        yield make(text, "somebody who mends or drops them", "calsync quarantine list", "quarantine")
