"""The one door to Radicale.

Inside `calsync`, only this module imports Radicale; it says which version is served, checks at start-up that the
signatures calsync relies on are as they were when this was written, and turns Radicale's values (share dictionaries,
login tuples, WSGI answers) into calsync's. The plugins import Radicale's base classes themselves.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

import radicale
import radicale.config as config
from radicale import auth, hook, log, rights, sharing, storage, web
from radicale.app import Application as RadicaleApplication
from radicale.auth import AuthContext
from radicale.hook import HookNotificationItem, HookNotificationItemTypes

from calsync.accounts.credentials import Identity

VERSION: str = radicale.VERSION
SERVED = (3, 9)

Configuration = config.Configuration
DEFAULT_CONFIG_SCHEMA = config.DEFAULT_CONFIG_SCHEMA
logger = log.logger

#: What a share may lay over a collection, in Radicale's writing.
OVERLAY_PROPERTIES = tuple(
    dict.fromkeys((*sharing.OVERLAY_PROPERTIES_WHITELIST_ICS, *sharing.OVERLAY_PROPERTIES_WHITELIST_VCF))
)

#: What calsync calls, and the parameters that it passes. Checked by `check`.
_SIGNATURES: tuple[tuple[Any, str, tuple[str, ...]], ...] = (
    (auth.BaseAuth, "get_external_login", ("self", "environ")),
    (auth.BaseAuth, "_login_ext_with_groups", ("self", "login", "password", "context")),
    (rights.BaseRights, "authorization", ("self", "user", "user_groups", "path")),
    (storage.BaseStorage, "discover", ("self", "path", "depth", "child_context_manager", "user_groups")),
    (storage.BaseStorage, "move", ("self", "item", "to_collection", "to_href")),
    (storage.BaseStorage, "create_collection", ("self", "href", "items", "props")),
    (sharing.BaseSharing, "sharing_collection_resolver", ("self", "path", "user", "user_groups")),
    (sharing.BaseSharing, "database_get_sharing", ("self", "ShareType", "PathOrToken", "OnlyEnabled")),
    (sharing.BaseSharing, "database_create_sharing", ("self", "ShareType", "PathOrToken")),
    (sharing.BaseSharing, "database_update_sharing", ("self", "ShareType", "PathOrToken")),
    (sharing.BaseSharing, "database_delete_sharing", ("self", "ShareType", "PathOrToken")),
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
    """Who a request is from: `user` is empty where the credentials did not hold. `identity` comes from our accounts."""

    user: str
    groups: frozenset[str] = frozenset()
    method: str = ""
    identity: Identity | None = None


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
    user, groups = backend._login_ext_with_groups(asked_name(backend, name), password, context)
    return Login(user, frozenset(groups), backend._type)


def asked_name(backend: auth.BaseAuth, name: str) -> str:
    """What is asked of the back end where `name` was typed: many ways of typing are one name there."""
    if backend._lc_username:
        name = name.lower()
    if backend._uc_username:
        name = name.upper()
    if backend._urldecode_username:
        name = unquote(name)
    if backend._strip_domain:
        name = name.split("@")[0]
    return name


def unlimited(backend: rights.BaseRights) -> rights.BaseRights:
    """What `calsync_rights` wraps, for it cuts the rights to an app password's, which `dav.access` does too."""
    wrapped: rights.BaseRights = getattr(backend, "unlimited", backend)
    return wrapped


@dataclass(frozen=True, slots=True)
class Share:
    """A path that Radicale's sharing maps to another one (`[sharing]`, by map or by token).

    `shown` and `real` are paths as Radicale writes them (`/anna/team/`), `permissions` its letters. `user`: for whom.
    `offered`, `taken`: whether its owner and `user` have enabled it.
    """

    shown: str
    real: str
    owner: str
    permissions: str
    token: bool
    conversion: str
    properties: Mapping[str, str]
    user: str = ""
    offered: bool = True
    taken: bool = True


def _share(row: Mapping[str, Any]) -> Share:
    return Share(
        shown=str(row["PathOrToken"]),
        real=str(row["PathMapped"]),
        owner=str(row["Owner"]),
        permissions=str(row["Permissions"]),
        token=row["ShareType"] == "token",
        conversion=str(row["Conversion"] or ""),
        properties=dict(row["Properties"] or {}),
        user=str(row.get("User") or ""),
        offered=row.get("EnabledByOwner") is not False,
        taken=row.get("EnabledByUser") is not False,
    )


def _is_plain(row: Mapping[str, Any]) -> bool:
    """Whether a share gives its collection as it is.

    One that converts (birthdays out of an address book) or shows busy times only would give away more than its owner
    meant; it is as if it did not exist.
    """
    limited = str(row["Conversion"] or "none").lower() != "none" or (row["Actions"] or {}).get("config", {}).get("view")
    if limited:
        logger.info("sharing: a share of %s is left out: conversions and views are not served", row["PathMapped"])
    return not limited


def resolve_share(backend: sharing.BaseSharing, path: str, user: str, groups: frozenset[str]) -> Share | None:
    """The share that `path` lies in, or None.

    Radicale answers with the mapped path of the very resource asked for; a share's own two ends are what is kept here.
    """
    if not backend._enabled:
        return None
    row = backend.sharing_collection_resolver(path, user, set(groups))
    if not row or row["PathMapped"] == path or not _is_plain(row):
        return None
    # Of a token Radicale names the link itself, of a map the very resource, as `real` does in both.
    return replace(_share(row), shown=path) if row["ShareType"] == "token" else _share(row)


def shares_of(backend: sharing.BaseSharing, user: str, groups: frozenset[str]) -> tuple[Share, ...]:
    """The collections of others that are mapped into the home of `user`, enabled and not hidden."""
    if not backend._enabled or not user:
        return ()
    rows = backend.sharing_collection_list(User=user, Enabled=True, Hidden=False, user_groups=set(groups))
    return tuple(_share(row) for row in rows if _is_plain(row))


def overlay_options(backend: sharing.BaseSharing) -> tuple[bool, bool]:
    """`[sharing] permit_properties_overlay` and `enforce_properties_overlay`."""
    return backend.permit_properties_overlay, backend.enforce_properties_overlay


def set_overlay(backend: sharing.BaseSharing, shown: str, user: str, properties: Mapping[str, str]) -> None:
    """Replace what a share lays over its collection; `shown` is its path, `user` whose it is."""
    kind = "token" if shown.startswith("/.token/") else "map"
    backend.sharing_collection_update(kind, shown, user, dict(properties))


def may_share(backend: sharing.BaseSharing) -> tuple[bool, bool]:
    """Whether anyone may share by token, and by map, where the rights say nothing (`[sharing] permit_create_…`)."""
    if not backend._enabled:
        return False, False
    token = backend.sharing_collection_by_token and backend.permit_create_token
    return bool(token), bool(backend.sharing_collection_by_map and backend.permit_create_map)


def is_shared_out(backend: sharing.BaseSharing, path: str) -> bool:
    """Whether the collection at `path` is the target of a share."""
    return bool(backend._enabled and backend.database_list_sharing(PathMapped=path))


#: Called with a share as it was and as it is; None where there was or is none.
Watcher = Callable[[Share | None, Share | None], None]


def watch_shares(backend: sharing.BaseSharing, told: Watcher) -> None:
    """Call `told` after each share that this object makes, changes or removes."""
    for name in ("database_create_sharing", "database_update_sharing", "database_delete_sharing"):
        setattr(backend, name, partial(_watched, backend, getattr(backend, name), told))


def _watched(
    backend: sharing.BaseSharing,
    change: Callable[..., dict[str, Any]],
    told: Watcher,
    ShareType: str,
    PathOrToken: str,
    *args: Any,
    **values: Any,
) -> dict[str, Any]:
    def now() -> Share | None:
        found = backend.database_get_sharing(ShareType=ShareType, PathOrToken=PathOrToken, OnlyEnabled=False)
        return _share({"ShareType": ShareType, **found}) if found and "Owner" in found else None

    before = now()
    answer = change(ShareType, PathOrToken, *args, **values)
    told(before, now())
    return answer


#: What of a share names somebody, and begins paths.
_NAMES: Final = ("Owner", "User")
_PATHS: Final = ("PathOrToken", "PathMapped")
_TIMES: Final = frozenset({"TimestampCreated", "TimestampUpdated"})


def rename_in_shares(configuration: Configuration, old: str, new: str) -> tuple[int, list[str]]:
    """Let Radicale's shares name a user otherwise: how many did, and the paths of those that cannot be changed.

    Raises `OSError`, and `RuntimeError` where the shares cannot be read.
    """
    backend = sharing.load(configuration)
    if not backend._enabled:
        return 0, []
    changed, failed, home = 0, [], f"/{old}/"
    for row in backend.database_list_sharing():
        before = {name: value for name, value in row.items() if name not in _TIMES}
        now = before | {name: new for name in _NAMES if row[name] == old}
        now |= {name: row[name].replace(home, f"/{new}/", 1) for name in _PATHS if row[name].startswith(home)}
        if all(row[name] == now[name] for name in (*_NAMES, *_PATHS)):
            continue
        kind, shown, user = row["ShareType"], row["PathOrToken"], row["User"]
        at = int(row["TimestampUpdated"] or 0)
        gone = backend.database_delete_sharing(ShareType=kind, PathOrToken=shown, User=user)
        made = backend.database_create_sharing(**now, Timestamp=at)
        if gone.get("status") == made.get("status") == "success":
            changed += 1
        else:
            if gone.get("status") == "success":
                backend.database_create_sharing(**before, Timestamp=at)
            failed.append(str(row["PathMapped"]))
    return changed, failed


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
    """Tell Radicale's hook plugin of a change that is already committed. Raises what it raises."""
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
    backend.notify(item)  # type: ignore[no-untyped-call]


def set_log_level(level: str, backtrace: bool = False) -> None:
    """Set the level of Radicale's logger (`debug`, `info`, `notice`, `warning`, `error`, `critical`)."""
    log.set_level(level, backtrace)


__all__ = [
    "DEFAULT_CONFIG_SCHEMA",
    "OVERLAY_PROPERTIES",
    "VERSION",
    "Configuration",
    "Login",
    "Notice",
    "RadicaleApplication",
    "Share",
    "UpstreamError",
    "Watcher",
    "asked_name",
    "auth",
    "check",
    "config",
    "hook",
    "is_shared_out",
    "logger",
    "login",
    "may_share",
    "notify",
    "overlay_options",
    "rename_in_shares",
    "resolve_share",
    "rights",
    "set_log_level",
    "set_overlay",
    "shares_of",
    "sharing",
    "storage",
    "unlimited",
    "watch_shares",
    "web",
]
