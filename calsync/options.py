"""calsync's own options, and what its defaults change in Radicale's.

`OWN` has its sections, `ADDED` its options in sections of Radicale's, `CHANGED` what is otherwise there; `schema()` is
the whole. All have the form of Radicale's: section → option → value (the default, as text), help, type.
"""

from __future__ import annotations

import copy
import ipaddress
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from calsync import upstream

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Option = dict[str, Any]
Schema = dict[str, dict[str, Any]]

#: Where stock Radicale keeps collections that no configuration places elsewhere.
STOCK_FOLDER: Final = Path("/var/lib/radicale/collections")

#: The folder below which Radicale's multifilesystem keeps users, inside of `filesystem_folder`.
STOCK_ROOT: Final = "collection-root"


def data_folder() -> Path:
    """Where calsync keeps things unless told otherwise: `$XDG_DATA_HOME/calsync`."""
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base.startswith("/") else Path("~/.local/share").expanduser()) / "calsync"


def networks(value: str | tuple[Network, ...]) -> tuple[Network, ...]:
    """`192.0.2.1, 2001:db8::/32` as networks. ValueError for anything else."""
    if isinstance(value, tuple):
        return value
    return tuple(ipaddress.ip_network(part.strip()) for part in value.split(",") if part.strip())


def hosts(value: str | list[tuple[str, int]]) -> list[tuple[str, int]]:
    """`localhost:5232, [::1]:0, unix:/run/calsync.sock` as host and port.

    Unix sockets keep their prefix and have port 0; elsewhere port 0 takes a free one. ValueError says what is wrong.
    """
    if isinstance(value, list):
        return value
    return [_host(part.strip()) for part in value.split(",") if part.strip()]


def _host(text: str) -> tuple[str, int]:
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path.startswith("/"):
            raise ValueError(f"{text!r}: a unix socket needs a path that begins with / (unix:/run/calsync.sock)")
        return text, 0
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535 or (":" in host and not host.startswith("[")):
        raise ValueError(f"{text!r} is not HOST:PORT (localhost:5232, [::1]:5232, unix:/run/calsync.sock)")
    return host.strip("[]"), int(port)


def one_of(*words: str) -> Callable[[str], str]:
    """A type that takes one of `words`."""

    def choice(value: str) -> str:
        if value not in words:
            raise ValueError(f"{value!r} is none of {', '.join(words)}")
        return value

    return choice


def whole(value: str | int) -> int:
    """A whole number from 0."""
    number = int(value)
    if number < 0:
        raise ValueError(f"{number} is negative")
    return number


def size(value: str | int) -> int:
    """`500M`, `2G` or a number, in octets; K, M, G and T are powers of 1024. ValueError for anything else."""
    text = str(value).strip().upper().removesuffix("B").removesuffix("I")
    power = "KMGT".find(text[-1:]) + 1 if text else 0
    number = text[:-1] if power else text
    if not (number.isascii() and number.isdigit() and len(number) < 16):
        raise ValueError(f"{value!r} is no size (500M, 2G, or octets)")
    return int(number) << (10 * power)


def seconds(value: str | float) -> float:
    """A time from 0."""
    number = float(value)
    if not 0 <= number < 10**9:
        raise ValueError(f"{value} is no time in seconds")
    return number


def seconds_if_any(value: str | float | None) -> float | None:
    """A time from 0, or nothing."""
    return None if value is None or value == "" else seconds(value)


def folder(value: str) -> str:
    """A folder, absolute; empty for none."""
    return str(Path(value.strip()).expanduser().absolute()) if value.strip() else ""


def _option(value: str, kind: Callable[[Any], Any], text: str, **more: Any) -> Option:
    return {"value": value, "type": kind, "help": text, **more}


OWN: Final[Schema] = {
    "calsync": {
        "trusted_proxies": _option(
            "",
            networks,
            "addresses or networks of proxies whose X-Forwarded-*, X-Script-Name and X-Remote-User are believed",
        ),
        "directory": _option(
            "groups",
            one_of("self", "groups", "all"),
            "whom a user can find by searching: self, groups (who shares a group), all",
        ),
        "jobs": _option("True", bool, "do in this process what is to be done now and then (calsync jobs)"),
        "mirror": _option("", folder, "folder of plain .ics and .vcf files that follows the store (empty: none)"),
        "log_format": _option("human", one_of("human", "json"), "how the log is written: human, or json, a line each"),
        "pages": _option("True", bool, "calsync's own pages below /.calsync/: sign in, devices, the account"),
        "session_idle": _option("86400", whole, "seconds after which an unused web session ends"),
        "session_longest": _option("2592000", whole, "seconds after which any web session ends"),
        "outbound_private": _option(
            "", networks, "private networks that the server may ask for others (subscriptions, providers)"
        ),
    },
    "metrics": {
        "live": _option("True", bool, "count requests, and keep the last of them in memory (calsync top)"),
        "listen": _option("", hosts, "address on which Prometheus is answered, for no one else: 127.0.0.1:9232"),
        "folder": _option("", folder, "folder of its own for the figures while the server runs (empty: on memory)"),
    },
    "backup": {
        "folder": _option("", folder, "where calsync backup puts backups unless it is told otherwise"),
        "keep": _option("", str.strip, "how many good backups stay (14), or for how many days (90d) (empty: all)"),
    },
    "history": {
        "days": _option("90", whole, "days for which what was overwritten or deleted is kept (0: for ever)"),
        "size": _option("1073741824", whole, "octets of it that are kept of a user, the oldest go first (0: no bound)"),
        "tombstone_days": _option("400", whole, "days for which deletions are told to syncing clients (0: for ever)"),
        "journal": _option(
            "", folder, "folder, best on another disk, to which a change goes before it is acknowledged (empty: none)"
        ),
        "journal_days": _option("0", whole, "days for which files of the journal are kept (0: for ever)"),
        "quarantine_days": _option("90", whole, "days for which refused objects are kept (0: for ever)"),
        "quarantine_items": _option("1000", whole, "refused objects that are kept of a user (0: none)"),
        "quarantine_size": _option("50000000", whole, "octets of refused objects that are kept of a user"),
    },
    "quota": {
        "octets": _option("0", size, "octets that all items of a user may have together: 500M, 2G (0: no bound)"),
        "items": _option("0", whole, "events, tasks, contacts and files that a user may have (0: no bound)"),
        "collections": _option("0", whole, "calendars, address books and folders that a user may have (0: no bound)"),
    },
    "limits": {
        "connections": _option("1000", whole, "connections at a time; over it those that wait longest are closed"),
        "connections_per_address": _option(
            "200",
            whole,
            "connections at a time of one address (IPv6: /64) that is no trusted proxy (0: no bound)",
        ),
        "handshake_timeout": _option("10", seconds, "seconds in which TLS must have begun (0: a minute)"),
        "head_timeout": _option("", seconds_if_any, "seconds for the head of a request (empty: [server] timeout)"),
        "body_timeout": _option(
            "", seconds_if_any, "seconds in which nothing comes of a body (empty: [server] timeout)"
        ),
        "body_rate": _option(
            "1024", whole, "octets a second that a body must bring on average, after 4 x body_timeout (0: no bound)"
        ),
        "idle_timeout": _option("75", seconds, "seconds a connection may wait for its next request"),
        "workers": _option(
            "1", whole, "processes that answer requests (0: as many as processors)", aliases=("--workers",)
        ),
        "threads": _option("0", whole, "requests computed at a time in each (0: by the number of processors)"),
        "spool": _option("1073741824", whole, "octets that all request bodies on their way may take together"),
        "stop_timeout": _option("10", seconds, "seconds that requests in flight get when the server stops"),
        "propfind_infinity": _option("True", bool, "answer PROPFIND with Depth: infinity"),
    },
}

#: Options of calsync in sections of Radicale.
ADDED: Final[Schema] = {
    "auth": {
        "totp": _option(
            "optional",
            one_of("off", "optional", "required", "admins"),
            "second step of the web sign-in: off, optional, required, admins (required of administrators)",
        ),
        "dav_main_password": _option(
            "yes",
            one_of("yes", "no", "until_app_password"),
            "whether devices may log in with the main password: yes, no (app passwords only), or until_app_password",
        ),
        "password_memory": _option("19456", whole, "KiB that checking a main password takes"),
        "password_passes": _option("2", whole, "passes that checking a main password takes"),
        "password_lanes": _option("1", whole, "lanes that are computed side by side"),
        "remember": _option("300", whole, "seconds until the back end is asked about the same main password again"),
        "throttle": _option("True", bool, "make those wait whose logins fail again and again"),
        "audit_days": _option("365", whole, "days that the audit trail is kept (0: for ever)"),
        "backend": _option("accounts", str, "who knows the main passwords: accounts, or a type of Radicale's"),
        "backend_timeout": _option("10", seconds, "seconds that the back end may take"),
        "backend_concurrent": _option("2", whole, "logins that the back end is asked about at a time"),
        "oidc_issuer": _option("", str, "OpenID Connect: the provider's address, as its tokens write it"),
        "oidc_client_id": _option("", str, "OpenID Connect: the name under which the provider knows this server"),
        "oidc_client_secret": _option("", str, "OpenID Connect: the secret that goes with it"),
        "oidc_client_secret_file": _option("", str, "OpenID Connect: a file that holds the secret"),
        "oidc_scopes": _option("openid profile email", str, "OpenID Connect: what the provider is asked for"),
        "oidc_user_claim": _option("preferred_username", str, "OpenID Connect: the claim that names the account"),
        "oidc_groups_claim": _option("groups", str, "OpenID Connect: the claim that lists groups (empty: none)"),
        "oidc_create": _option("False", bool, "OpenID Connect: make an account at the first sign-in"),
        "oidc_link": _option("False", bool, "OpenID Connect: let somebody in as the account that has their name"),
        "oidc_name": _option("OpenID Connect", str, "OpenID Connect: what the button on the sign-in page says"),
        "oidc_bearer": _option("False", bool, "take the provider's access tokens on DAV (Authorization: Bearer)"),
        "oidc_audience": _option("", str, "whom access tokens must be for (empty: oidc_client_id)"),
        "oidc_introspect": _option("False", bool, "ask the provider about access tokens (RFC 7662)"),
    },
    "storage": {
        "permit_files": _option(
            "False", bool, "take any file in plain collections (not in calendars or address books)"
        ),
        "partitions": _option("0", whole, "PostgreSQL: a new database's tables are cut by owner into so many parts"),
        "replica_urls": _option("", str, "PostgreSQL: databases that follow the store's and may answer for it"),
    },
}

#: Options of calsync's plugins, which stock Radicale gives them too; they stand in no schema of Radicale's.
PLUGINS: Final[Schema] = {
    "auth": {"calsync_url": _option("", str, "the store of the accounts, where it is another than [storage] url")},
    "rights": {"backend": _option("", str, "with type = calsync_rights: the rights that an app password's scope cuts")},
    "storage": {
        "url": _option("", str, "the store: sqlite:////PATH or postgresql://… (empty: calsync.db in filesystem_folder)")
    },
}

#: Options whose values are nobody's business; in others it is the password within a URL.
SECRETS: Final = frozenset(
    {
        ("auth", "ldap_secret"),
        ("auth", "oauth2_client_secret"),
        ("auth", "oidc_client_secret"),
        ("hook", "smtp_password"),
    }
)

#: Where calsync's default is another than Radicale's, or its option takes more.
CHANGED: Final[Schema] = {
    "server": {
        "hosts": {
            "type": hosts,
            "help": "addresses to listen on: HOST:PORT, [IPV6]:PORT, unix:/PATH, several with commas",
        },
        "validate_path_value": {"value": "none"},  # `minimal` refuses quote'.ics, which clients send
    },
    "auth": {"type": {"value": "calsync_auth"}},
    "storage": {"type": {"value": "calsync_storage"}},
}


def schema() -> Schema:
    """Radicale's schema with what calsync adds and changes; a new copy each time, for the data folder may move."""
    made: Schema = {
        section: {name: copy.copy(option) if isinstance(option, dict) else option for name, option in options.items()}
        for section, options in upstream.DEFAULT_CONFIG_SCHEMA.items()
    }
    for section, options in CHANGED.items():
        for name, changes in options.items():
            made[section][name].update(changes)
    for section, options in (OWN | ADDED).items():
        made.setdefault(section, {}).update(copy.deepcopy(options))
    for section, own in (("auth", "calsync_auth (accounts in the store)"), ("storage", "calsync_storage")):
        kind = made[section]["type"]
        kind["help"] = f"{own}, Radicale's {', '.join(kind['internal'])}, or a module"
    made["storage"]["filesystem_folder"]["value"] = str(data_folder())
    return made
