"""What the looks from inside are given: the configuration, and the store that it names, opened by who owns it."""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from calsync import config, upstream
from calsync.store.engine import Store
from calsync.store.errors import StoreError
from calsync.store.urls import is_current, is_postgresql, path_of
from calsync_storage.location import auth_url, storage_url

OLDER: Final = "written by an older calsync"


@dataclass(slots=True)
class Context:
    """What the looks are given. `configuration` and `store` are None where they cannot be used: the texts say why.

    `owner`: the user whose the data folder is; looks are done as that user where root asks. `url`: of the store.
    """

    now: float
    configuration: upstream.Configuration | None = None
    not_read: str = ""
    url: str = ""
    store: Store | None = None
    not_opened: str = ""
    logins: Store | None = None
    owner: pwd.struct_passwd | None = None
    files: Sequence[str] = field(default_factory=tuple)
    paths: Sequence[str] | None = None

    @property
    def folder(self) -> Path | None:
        """Where the store's file is; None for a store that is none, and where it is not known."""
        return None if not self.url or is_postgresql(self.url) else path_of(self.url).parent

    def option(self, section: str, name: str) -> str:
        """An option as text, empty where there is none."""
        if self.configuration is None or name not in self.configuration.options(section):
            return ""
        return str(self.configuration.get(section, name) or "").strip()


def begin(paths: Sequence[str] | None, store: str) -> Context:
    """What is known before anything is opened."""
    context = Context(time.time(), url=store, paths=paths)
    if not store:
        try:
            context.configuration = config.load(paths)
        except config.ConfigurationError as error:
            context.not_read = str(error).removeprefix("config: ")
            return context
        context.files = config.read_files(context.configuration)
        if config.is_own_storage(context.configuration):
            context.url = storage_url(context.configuration)
    folder = context.folder
    if folder is not None and folder.exists():
        context.owner = _user(folder.stat().st_uid)
    return context


def _user(number: int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(number)
    except KeyError:
        return None


@contextmanager
def as_owner(context: Context) -> Iterator[None]:
    """Root looks with the eyes of the folder's owner: what root may read says nothing, and the files that an opened
    store makes beside itself must be the server's."""
    owner = context.owner
    if os.geteuid() != 0 or owner is None or owner.pw_uid == 0:
        yield
        return
    groups = os.getgroups()
    os.initgroups(owner.pw_name, owner.pw_gid)
    os.setegid(owner.pw_gid)
    os.seteuid(owner.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def open_store(context: Context, stack: ExitStack) -> None:
    """Open it until `stack` ends; where that does not go, `not_opened` says why."""
    if not context.url:
        return
    try:
        there = is_postgresql(context.url) or path_of(context.url).exists()
        if there and not is_current(context.url):  # opening it would migrate it, and a look changes nothing
            context.not_opened = OLDER
            return
        context.store = _opened(context.url, stack)
        if context.configuration is not None and context.configuration.get("auth", "type") == "calsync_auth":
            logins = auth_url(context.configuration)
            context.logins = context.store if logins == context.url else _opened(logins, stack)
    except StoreError as error:
        context.not_opened = str(error).removeprefix("store: ")


def _opened(url: str, stack: ExitStack) -> Store:
    store = Store.open(url, create=False)
    closing: Callable[[], None] = store.close
    stack.callback(closing)
    return store
