"""Which store a command works on: `--store URL`, or what the configuration says; and how its errors reach a person."""

from __future__ import annotations

import argparse
import functools
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from calsync import config
from calsync.accounts.accounts import AccountExists, BadLabel, BadRole, NoSuchAccount, NoSuchToken
from calsync.accounts.groups import BadGroup
from calsync.accounts.names import BadName
from calsync.accounts.newcomer import First
from calsync.accounts.passwords import BadPassword
from calsync.accounts.policy import BadPolicy, Policy, configured
from calsync.accounts.scopes import BadScope
from calsync.gate.observe import one_line
from calsync.store.engine import Store, commits
from calsync.store.errors import Again, StoreError
from calsync.transfer.source import SourceError
from calsync_storage.location import auth_url, partitions, storage_url
from calsync_storage.predefined import predefined

Command = Callable[[argparse.Namespace], int]

# How often a command is begun.
_TRIES: Final = 5

_FAILED: Final = (
    StoreError,
    AccountExists,
    NoSuchAccount,
    NoSuchToken,
    BadGroup,
    BadLabel,
    BadName,
    BadPassword,
    BadPolicy,
    BadRole,
    BadScope,
)


def told(command: Command) -> Command:
    """The command, with what a person can mend said in one line: exit status 1, or 2 where there was nothing to do."""

    @functools.wraps(command)
    def run(args: argparse.Namespace) -> int:
        try:
            return _begun(command, args)
        except SourceError as error:
            _complain(error)
            return 2
        except _FAILED as error:
            _complain(error)
            return 1

    return run


def _complain(error: Exception) -> None:
    """What another server or a file says must not control the terminal."""
    print("\n".join(map(one_line, f"calsync: {error}".split("\n"))), file=sys.stderr)


def _begun(command: Command, args: argparse.Namespace) -> int:
    """Begin anew where other writers came between before anything was committed.

    Nobody types twice what went to standard input: `-` is tried once.
    """
    for tries in range(_TRIES):
        before = commits()
        try:
            return command(args)
        except Again:
            if commits() != before or "-" in vars(args).values() or tries == _TRIES - 1:
                raise
            time.sleep(random.random() * 0.1 * 2**tries)
    raise AssertionError("unreachable")


def add_options(parser: argparse.ArgumentParser) -> None:
    """`--config` and `--store`, which every command about stored things takes."""
    parser.add_argument("--config", action="append", metavar="FILE", help="configuration as for `calsync serve`")
    parser.add_argument("--store", metavar="URL", help="the store itself, e.g. sqlite:////srv/calsync/calsync.db")


@contextmanager
def opened(args: argparse.Namespace, *, create: bool = True) -> Iterator[Store]:
    """The store of the collections, made where there is none. Raises `StoreError` and others that are for people."""
    with _open(args.store or _configured(args), create, _partitions(args)) as store:
        yield store


@contextmanager
def opened_for_logins(args: argparse.Namespace, *, create: bool = False) -> Iterator[Store]:
    """The store of the accounts, which may be another one (`[auth] calsync_url`)."""
    with _open(args.store or auth_url(config.load(args.config)), create, _partitions(args)) as store:
        yield store


def all_stores(args: argparse.Namespace) -> Sequence[str]:
    """The URLs of the store of the accounts and, where it is another one that is there, of that of the collections."""
    if args.store:
        return (args.store,)
    configuration = config.load(args.config)
    logins, collections = auth_url(configuration), storage_url(configuration)
    if logins == collections or not config.is_own_storage(configuration):
        return (logins,)
    return logins, collections


@contextmanager
def opened_at(url: str) -> Iterator[Store]:
    """The store at a URL, which is there."""
    with _open(url, False) as store:
        yield store


def policy(args: argparse.Namespace) -> Policy:
    """What the configuration says about logins. Raises `BadPolicy`."""
    return Policy() if args.store else configured(config.load(args.config))


def predefined_collections(args: argparse.Namespace) -> Sequence[First] | None:
    """What `[storage] predefined_collections` gives a new user; None for calsync's own."""
    return None if args.store else predefined(config.load(args.config))


@contextmanager
def _open(url: str, create: bool, partitions: int = 0) -> Iterator[Store]:
    store = Store.open(url, create=create, partitions=partitions)
    try:
        yield store
    finally:
        store.close()


def _partitions(args: argparse.Namespace) -> int:
    return 0 if args.store else partitions(config.load(args.config))


def _configured(args: argparse.Namespace) -> str:
    configuration = config.load(args.config)
    if not config.is_own_storage(configuration):
        kind = configuration.get("storage", "type")
        raise SourceError(f"[storage] type is {kind}, so there is no store of calsync's (--store URL names one)")
    return storage_url(configuration)
