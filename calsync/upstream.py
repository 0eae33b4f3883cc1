"""The one door to Radicale.

Inside `calsync`, only this module imports Radicale; it says which version is served, checks at start-up that the
signatures calsync relies on are as they were when this was written, and turns Radicale's values (share dictionaries,
login tuples, WSGI answers) into calsync's. The plugins import Radicale's base classes themselves.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import radicale
import radicale.config as config
from radicale import auth, hook, log, rights, sharing, storage, web
from radicale.app import Application as RadicaleApplication
from radicale.auth import AuthContext
from radicale.hook import HookNotificationItem, HookNotificationItemTypes

VERSION: str = radicale.VERSION
SERVED = (3, 9)

Configuration = config.Configuration
DEFAULT_CONFIG_SCHEMA = config.DEFAULT_CONFIG_SCHEMA
logger = log.logger

#: What calsync calls, and the parameters that it passes. Checked by `check`.
_SIGNATURES: tuple[tuple[Any, str, tuple[str, ...]], ...] = (
    (auth.BaseAuth, "get_external_login", ("self", "environ")),
    (auth.BaseAuth, "_login_ext_with_groups", ("self", "login", "password", "context")),
    (rights.BaseRights, "authorization", ("self", "user", "user_groups", "path")),
    (storage.BaseStorage, "discover", ("self", "path", "depth", "child_context_manager", "user_groups")),
    (storage.BaseStorage, "move", ("self", "item", "to_collection", "to_href")),
    (storage.BaseStorage, "create_collection", ("self", "href", "items", "props")),
    (sharing.BaseSharing, "sharing_collection_resolver", ("self", "path", "user", "user_groups")),
    (web.BaseWeb, "get", ("self", "environ", "base_prefix", "path", "user", "user_groups", "request_info")),
    (hook.BaseHook, "notify", ("self", "notification_item")),
)


class UpstreamError(RuntimeError):
    """Radicale is not the one that calsync was written for."""


def check() -> None:
    """Raise `UpstreamError` where the installed Radicale differs from what calsync calls."""
    numbers = VERSION.split(".")
    if tuple(int(part) for part in numbers[:2] if part.isdigit()) != SERVED:
        served = ".".join(map(str, SERVED))
        raise UpstreamError(
            f"Radicale {VERSION} is installed, calsync extends {served} (pip install 'radicale=={served}.*')"
        )
    for owner, name, expected in _SIGNATURES:
        found = tuple(inspect.signature(getattr(owner, name)).parameters)
        if found[: len(expected)] != expected:
            raise UpstreamError(f"Radicale {VERSION}: {owner.__name__}.{name}{found} is not {expected}")


@dataclass(frozen=True, slots=True)
class Login:
    """Who a request is from: `user` is empty where the credentials did not hold."""

    user: str
    groups: frozenset[str] = frozenset()
    method: str = ""


def login(backend: auth.BaseAuth, name: str, password: str, remote: str) -> Login:
    """Ask one of Radicale's auth back ends, without its delays.

    `BaseAuth.login` sleeps in the calling thread to even out failures; a worker thread is too dear for that, the
    runner delays failed answers instead. Its cache of logins is kept where the configuration asks for it.
    """
    context = AuthContext()  # type: ignore[no-untyped-call]
    context.remote_addr = remote
    context.x_remote_addr = remote
    if backend._cache_logins:
        user, method, groups = backend.login(name, password, context)
        return Login(user, frozenset(groups), method)
    if backend._lc_username:
        name = name.lower()
    if backend._uc_username:
        name = name.upper()
    if backend._urldecode_username:
        name = unquote(name)
    if backend._strip_domain:
        name = name.split("@")[0]
    user, groups = backend._login_ext_with_groups(name, password, context)
    return Login(user, frozenset(groups), backend._type)


@dataclass(frozen=True, slots=True)
class Share:
    """A path that Radicale's sharing maps to another one (`[sharing]`, by map or by token).

    `shown` and `real` are paths as Radicale writes them (`/anna/team/`), `permissions` its letters.
    """

    shown: str
    real: str
    owner: str
    permissions: str
    token: bool
    conversion: str
    properties: Mapping[str, str]


def _share(row: Mapping[str, Any]) -> Share:
    return Share(
        shown=str(row["PathOrToken"]),
        real=str(row["PathMapped"]),
        owner=str(row["Owner"]),
        permissions=str(row["Permissions"]),
        token=row["ShareType"] == "token",
        conversion=str(row["Conversion"] or ""),
        properties=dict(row["Properties"] or {}),
    )


def resolve_share(backend: sharing.BaseSharing, path: str, user: str, groups: frozenset[str]) -> Share | None:
    """The share that `path` lies in, or None.

    Radicale answers with the mapped path of the very resource asked for; a share's own two ends are what is kept here.
    """
    if not backend._enabled:
        return None
    row = backend.sharing_collection_resolver(path, user, set(groups))
    if not row or row["PathMapped"] == path:
        return None
    return _share(row)


def shares_of(backend: sharing.BaseSharing, user: str, groups: frozenset[str]) -> tuple[Share, ...]:
    """The collections of others that are mapped into the home of `user`, enabled and not hidden."""
    if not backend._enabled or not user:
        return ()
    rows = backend.sharing_collection_list(User=user, Enabled=True, Hidden=False, user_groups=set(groups))
    return tuple(_share(row) for row in rows)


def is_shared_out(backend: sharing.BaseSharing, path: str) -> bool:
    """Whether the collection at `path` is the target of a share."""
    return bool(backend._enabled and backend.database_list_sharing(PathMapped=path))


@dataclass(frozen=True, slots=True)
class Notice:
    """What a `[hook]` plugin is told after a commit. Contents are text, or None."""

    deleted: bool
    path: str
    kind: str
    uid: str
    old: str | None
    new: str | None
    actor: str


def notify(backend: hook.BaseHook, notice: Notice) -> None:
    """Tell Radicale's hook plugin of a change that is already committed; what it raises is logged, nothing more."""
    item = HookNotificationItem(  # type: ignore[no-untyped-call]
        notification_item_type=HookNotificationItemTypes.DELETE if notice.deleted else HookNotificationItemTypes.UPSERT,
        path=notice.path,
        content=notice.uid if notice.deleted else notice.new,
        content_type=notice.kind,
        uid=notice.uid if notice.deleted else None,
        old_content=notice.old,
        new_content=notice.new,
        actor=notice.actor,
    )
    try:
        backend.notify(item)  # type: ignore[no-untyped-call]
    except Exception:
        logger.exception("hook: %s failed on %s", type(backend).__module__, notice.path)


def set_log_level(level: str, backtrace: bool = False) -> None:
    """Set the level of Radicale's logger (`debug`, `info`, `notice`, `warning`, `error`, `critical`)."""
    log.set_level(level, backtrace)


__all__ = [
    "DEFAULT_CONFIG_SCHEMA",
    "VERSION",
    "Configuration",
    "Login",
    "Notice",
    "RadicaleApplication",
    "Share",
    "UpstreamError",
    "auth",
    "check",
    "config",
    "hook",
    "is_shared_out",
    "logger",
    "login",
    "notify",
    "resolve_share",
    "rights",
    "set_log_level",
    "shares_of",
    "sharing",
    "storage",
    "web",
]
