"""What a configuration says that does nothing, or not what it seems to: options that do not go together.

Nothing outside of the configuration is looked at (`check` does that).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from calsync.config.questions import back_end, is_open, is_set, text_of
from calsync.upstream import Configuration
from calsync_storage.location import storage_url

#: Section, option, what is to be said of it.
Suspicion = tuple[str, str, str]

_IN_FRONT: Final = ("remote_user", "http_remote_user", "http_x_remote_user")


def lint(configuration: Configuration) -> Iterator[Suspicion]:
    """All that is suspicious."""
    for check in _CHECKS:
        yield from check(configuration)


def _without_effect(configuration: Configuration) -> Iterator[Suspicion]:
    """Options that only count beside another one."""
    ssl = bool(configuration.get("server", "ssl"))
    backend = back_end(configuration)
    own = configuration.get("storage", "type") == "calsync_storage"
    postgresql = storage_url(configuration).startswith("postgres")
    from_file = "from_file" in (configuration.get("rights", "type"), text_of(configuration, "rights", "backend"))
    oidc = is_set(configuration, "auth", "oidc_issuer")
    beside: tuple[tuple[bool, str, tuple[str, ...], str], ...] = (
        (ssl, "server", ("certificate", "key", "certificate_authority", "protocol", "ciphersuite"), "ssl = True"),
        (backend == "htpasswd", "auth", ("htpasswd_filename", "htpasswd_encryption"), "backend = htpasswd"),
        (backend == "ldap", "auth", _of(configuration, "ldap_"), "backend = ldap"),
        (backend == "imap", "auth", _of(configuration, "imap_"), "backend = imap"),
        (backend == "dovecot", "auth", _of(configuration, "dovecot_"), "backend = dovecot"),
        (backend == "oauth2", "auth", _of(configuration, "oauth2_"), "backend = oauth2"),
        (backend == "pam", "auth", _of(configuration, "pam_"), "backend = pam"),
        (oidc, "auth", _of(configuration, "oidc_", but="oidc_issuer"), "oidc_issuer"),
        (from_file, "rights", ("file",), "type = from_file"),
        (own and postgresql, "storage", ("partitions", "replica_urls"), "a url of a PostgreSQL database"),
        (not own, "storage", ("hook",), "type = multifilesystem"),
        (bool(configuration.get("history", "journal")), "history", ("journal_days",), "journal"),
    )
    for counts, section, options, needed in beside:
        for option in () if counts else options:
            if is_set(configuration, section, option):
                yield section, option, f"has no effect without {needed}"


def _of(configuration: Configuration, prefix: str, but: str = "") -> tuple[str, ...]:
    return tuple(name for name in configuration.options("auth") if name.startswith(prefix) and name != but)


def _of_another_server(configuration: Configuration) -> Iterator[Suspicion]:
    if configuration.get("server", "type") != "builtin":
        yield "server", "type", "is not used: calsync has one server, which speaks HTTP/1.1 and HTTP/2"
    if configuration.get("storage", "type") == "calsync_storage":
        return
    for section in ("history", "quota", "backup"):
        for option in configuration.options(section):
            if is_set(configuration, section, option):
                yield section, option, "has no effect without [storage] type = calsync_storage"
                break


def _open_doors(configuration: Configuration) -> Iterator[Suspicion]:
    backend, reached = back_end(configuration), is_open(configuration)
    if backend == "none" and reached:
        yield "auth", "type", "none: whoever reaches the server reads and changes everything"
    if backend in _IN_FRONT and reached and not configuration.get("calsync", "trusted_proxies"):
        yield (
            "auth",
            "backend" if configuration.get("auth", "type") == "calsync_auth" else "type",
            f"{backend}: the server listens beyond this machine; only a proxy may reach it, for only it is believed "
            "([server] hosts = localhost:5232, or [calsync] trusted_proxies)",
        )
    if reached and not configuration.get("server", "ssl") and not configuration.get("calsync", "trusted_proxies"):
        yield (
            "server",
            "hosts",
            "others reach it without TLS, and passwords with it (ssl = True, or a proxy that does TLS in "
            "[calsync] trusted_proxies)",
        )
    if configuration.get("auth", "htpasswd_encryption") == "plain" and backend == "htpasswd":
        yield "auth", "htpasswd_encryption", "plain: whoever reads the file has the passwords"


def _twice(configuration: Configuration) -> Iterator[Suspicion]:
    """A secret, and the file with the same secret."""
    for section, option in (("auth", "oidc_client_secret"), ("auth", "ldap_secret"), ("hook", "smtp_password")):
        if is_set(configuration, section, option) and is_set(configuration, section, f"{option}_file"):
            yield section, option, f"{option}_file is set too (leave one of them out)"


def _amounts(configuration: Configuration) -> Iterator[Suspicion]:
    largest, item = configuration.get("server", "max_content_length"), configuration.get("server", "max_resource_size")
    if 0 < largest < item:
        yield "server", "max_resource_size", f"{item} is more than max_content_length ({largest}) lets in"
    idle, longest = configuration.get("calsync", "session_idle"), configuration.get("calsync", "session_longest")
    if 0 < longest < idle:
        yield "calsync", "session_idle", f"{idle} is more than session_longest ({longest})"
    if configuration.get("sharing", "type") == "csv" and configuration.get("limits", "workers") != 1:
        yield "sharing", "type", "csv: each worker keeps the shares that it has read at its start (type = files)"
    if configuration.get("limits", "connections_per_address") > configuration.get("limits", "connections"):
        yield "limits", "connections_per_address", "is more than connections"


_CHECKS: Final[tuple[Callable[[Configuration], Iterator[Suspicion]], ...]] = (
    _without_effect,
    _of_another_server,
    _open_doors,
    _twice,
    _amounts,
)
