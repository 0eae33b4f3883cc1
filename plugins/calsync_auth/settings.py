"""The plugin's options in `[auth]`, read the same under stock Radicale, which gives them as text or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from radicale.config import Configuration

from calsync.options import ADDED, OWN

_BOOLEANS: Final = {
    "1": True,
    "yes": True,
    "true": True,
    "on": True,
    "0": False,
    "no": False,
    "false": False,
    "off": False,
}


class BadOption(ValueError):
    """An option of `[auth]` cannot be used; the message says which and why, for people."""


def option(configuration: Configuration, name: str, section: str = "auth") -> Any:
    """An option of ours, or its default. Raises `BadOption`."""
    rule = (ADDED.get(section) or OWN[section])[name]
    given = name in configuration.options(section) if section in configuration.sections() else False
    value = configuration.get(section, name) if given else rule["value"]
    try:
        if rule["type"] is bool and not isinstance(value, bool):
            return _BOOLEANS[str(value).strip().lower()]
        return rule["type"](value)
    except (ValueError, KeyError) as error:
        raise BadOption(f"[{section}] {name}: {value!r} cannot be used ({rule['help']})") from error


def given(configuration: Configuration, name: str) -> object:
    """An option of `[auth]` as it stands, None where it does not."""
    return configuration.get("auth", name) if name in configuration.options("auth") else None


@dataclass(frozen=True, slots=True)
class OpenIdOptions:
    """What `[auth]` says of an OpenID provider beside the protocol's own settings."""

    create: bool
    link: bool
    bearer: bool
    introspect: bool


def secret(configuration: Configuration) -> str:
    """`oidc_client_secret`, or the first line of `oidc_client_secret_file`. Raises `BadOption`."""
    file = option(configuration, "oidc_client_secret_file")
    if not file:
        return str(option(configuration, "oidc_client_secret"))
    try:
        return Path(file).expanduser().read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadOption(f"[auth] oidc_client_secret_file: {file}: {error}") from error
