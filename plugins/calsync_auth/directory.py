"""Whom an LDAP directory knows, found with the options that Radicale's LDAP login has."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from radicale.config import Configuration

from calsync.accounts.incoming import Newcomer
from calsync_auth.backends.ldap import Ldap

_PAGE = 500


class DirectoryError(RuntimeError):
    """The directory could not be asked; the message says why, for people."""


def people(configuration: Configuration, seconds: float = 30.0) -> list[Newcomer]:
    """Everybody whom `[auth] ldap_filter` could let in, with groups and address, by name. Raises `DirectoryError`."""
    try:
        login = Ldap(_as_ldap(configuration), seconds)
    except ModuleNotFoundError as error:
        raise DirectoryError("LDAP needs a library: pip install 'calsync[ldap]'") from error
    except RuntimeError as error:
        raise DirectoryError(f"[auth]: {error}") from error
    attribute = login._ldap_user_attr or _login_attribute(login._ldap_filter)
    ldap3 = login.ldap3
    ldap3.begin()
    try:
        connection = _connected(login, ldap3)
        groups = _groups(login, connection)
        found = [
            _newcomer(login, entry, attribute, groups)
            for entry in _search(
                connection,
                login._ldap_base,
                login._ldap_filter.replace("{0}", "*"),
                [attribute, "mail", "displayName", "cn", *filter(None, [login._ldap_groups_attr])],
            )
        ]
    except (ldap3.core.exceptions.LDAPException, OSError) as error:
        raise DirectoryError(f"{login._ldap_uri}: {error}") from error
    finally:
        ldap3.close()
    return sorted((one for one in found if one is not None), key=lambda one: one.name.casefold())


def _as_ldap(configuration: Configuration) -> Configuration:
    copy = configuration.copy()
    copy.update({"auth": {"type": "ldap", "cache_logins": "False"}}, "calsync_auth", privileged=True)
    return copy


def _connected(login: Ldap, ldap3: Any) -> Any:
    """A connection that may search."""
    # Without its schema the library checks no names: not every directory has a displayName.
    options: dict[str, Any] = {"get_info": ldap3.NONE}
    if login._ldap_security in ("tls", "starttls"):
        import ssl

        modes = {"NONE": ssl.CERT_NONE, "OPTIONAL": ssl.CERT_OPTIONAL, "REQUIRED": ssl.CERT_REQUIRED}
        verify = modes[login._ldap_ssl_verify_mode]
        options["tls"] = ldap3.Tls(validate=verify, ca_certs_file=login._ldap_ssl_ca_file or None)
        options["use_ssl"] = login._ldap_security == "tls"
    server = ldap3.Server(login._ldap_uri, **options)
    connection = ldap3.Connection(
        server, login._ldap_reader_dn or None, password=login._ldap_secret or None, raise_exceptions=True
    )
    if login._ldap_security == "starttls":
        connection.start_tls()
    connection.bind()
    return connection


def _search(connection: Any, base: str, condition: str, attributes: list[str]) -> Iterator[dict[str, Any]]:
    """Entries page by page (RFC 2696)."""
    search = connection.extend.standard.paged_search
    for entry in search(base, condition, attributes=attributes, paged_size=_PAGE, generator=True):
        if entry.get("type") == "searchResEntry":
            yield entry


def _groups(login: Ldap, connection: Any) -> dict[str, set[str]] | None:
    """DN of a member, in lower case → groups; None where groups are not looked up that way."""
    member = login._ldap_group_members_attr
    if not member:
        return None
    found: dict[str, set[str]] = defaultdict(set)
    condition = f"(&{login._ldap_group_filter}({member}=*))"
    for entry in _search(connection, login._ldap_group_base, condition, [member]):
        for dn in _values(entry, member):
            found[dn.lower()].add(_first_value(entry["dn"]))
    return found


def _newcomer(
    login: Ldap, entry: dict[str, Any], attribute: str, groups: dict[str, set[str]] | None
) -> Newcomer | None:
    name = next(iter(_values(entry, attribute)), "")
    if not name:
        return None
    if groups is not None:
        member: frozenset[str] | None = frozenset(groups.get(entry["dn"].lower(), ()))
    elif login._ldap_groups_attr:
        member = frozenset(_first_value(value) for value in _values(entry, login._ldap_groups_attr))
    else:
        member = None
    return Newcomer(
        name,
        email=next(iter(_values(entry, "mail")), ""),
        displayname=next(iter([*_values(entry, "displayName"), *_values(entry, "cn")]), ""),
        groups=member,
    )


def _values(entry: dict[str, Any], attribute: str) -> list[str]:
    found = entry["attributes"].get(attribute) or []
    return [str(value) for value in (found if isinstance(found, list) else [found])]


def _first_value(dn: str) -> str:
    """`family` of `cn=family,dc=example,dc=org`, as Radicale writes groups; what is no DN stays as it is."""
    from ldap3.core.exceptions import LDAPException
    from ldap3.utils.dn import parse_dn

    try:
        return str(parse_dn(dn)[0][1])
    except (LDAPException, IndexError):
        return dn


def _login_attribute(condition: str) -> str:
    """The attribute that the filter compares with the login: `uid` of `(&(objectClass=person)(uid={0}))`."""
    match = re.search(r"\(\s*([A-Za-z][A-Za-z0-9;-]*)\s*=\s*\{0\}\s*\)", condition)
    if match is None:
        raise DirectoryError(f"[auth] ldap_filter: {condition!r} names no attribute=" + "{0} (set ldap_user_attribute)")
    return match[1]
