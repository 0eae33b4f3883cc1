"""URLs of stores: which database one names, and how that is opened."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from calsync.store.errors import StoreError
from calsync.store.serving import Presence
from calsync.store.transaction import Backend


def path_of(url: str) -> Path:
    """The file that an SQLite store's URL names. Raises `StoreError` for another URL."""
    scheme, separator, rest = url.partition("://")
    if scheme != "sqlite" or not separator or not rest.startswith("/") or len(rest) < 2:
        shown = f"{scheme}://…" if separator else url
        raise StoreError(
            f"store: {shown}: not a store that calsync knows "
            "(write sqlite:////folder/calsync.db or postgresql://user@host/database)"
        )
    return Path(rest[1:]).absolute()


def is_current(url: str) -> bool:
    """Whether the store that is there needs no migration; it is not changed. Raises `StoreError`, `NewerSchema`."""
    if is_postgresql(url):
        try:
            from calsync.store import postgresql
        except ImportError as error:
            raise StoreError(f"store: PostgreSQL needs more: pip install 'calsync[postgres]' ({error})") from error
        return postgresql.is_current(f"postgresql://{url.partition('://')[2]}")
    from calsync.store import prepare

    return prepare.is_current(path_of(url))


def is_new(url: str) -> bool:
    """Whether the file that an SQLite store's URL names is not there and never was. Raises `StoreError` where it was,
    or may have been."""
    from calsync.store import prepare

    named = path_of(url)
    _check_links(named)
    return prepare.is_new(Path(os.path.realpath(named)))


def is_postgresql(url: str) -> bool:
    """Whether a store's URL names a PostgreSQL database."""
    return url.startswith(("postgresql://", "postgres://"))


def without_login(url: str) -> str:
    """A URL for messages, without a password."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if separator else url


def opening(url: str, partitions: int = 0) -> tuple[str, Callable[[bool], Backend]]:
    """The name under which all that open this store meet, and how it is opened."""
    if is_postgresql(url):
        return url, partial(_postgresql, f"postgresql://{url.partition('://')[2]}", partitions)
    named = path_of(url)
    name = os.path.realpath(named)
    return name, partial(_sqlite, named, Path(name))


def _check_links(named: Path) -> None:
    """A link that leads nowhere is no place for a new store: the disk it led to is not there. Raises `StoreError`."""
    for one in (named, *named.parents):
        if one.is_symlink() and not one.exists():
            raise StoreError(
                f"store: {named}: {one} is a link to {os.path.realpath(one)}, which is not there: is its disk mounted? "
                f"(to begin a store there: {'touch' if one == named else 'mkdir -p'} {os.path.realpath(one)})"
            )


def _sqlite(named: Path, path: Path, create: bool) -> Backend:
    from calsync.store import prepare, sqlite

    _check_links(named)
    presence = Presence(path)
    if path.exists():
        presence.come(sqlite.PATIENCE)  # what a restore is about to replace is neither looked at nor migrated
    try:
        prepare.prepare(path, create=create)
        return sqlite.Database(path)
    finally:
        presence.leave()


def _postgresql(url: str, partitions: int, create: bool) -> Backend:
    try:
        from calsync.store import postgresql
    except ImportError as error:
        raise StoreError(f"store: PostgreSQL needs more: pip install 'calsync[postgres]' ({error})") from error
    postgresql.prepare(url, create=create, partitions=partitions)
    return postgresql.Database(url)
