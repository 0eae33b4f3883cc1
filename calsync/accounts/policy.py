"""What an administrator decides about logins: options of `[auth]`, read the same under stock Radicale and calsync.

Stock Radicale gives the options of a plugin as the text that stands in the file, calsync as values; both are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from calsync.accounts.passwords import DEFAULT, Parameters

#: What `dav_main_password` takes: always, never, or only while the account has no app password that works.
MAIN_PASSWORDS: Final = ("yes", "no", "until_app_password")

_TRUE: Final = ("1", "true", "yes", "on")


class BadPolicy(ValueError):
    """An option of `[auth]` cannot be used; the message says which and why, for people."""


@dataclass(frozen=True, slots=True)
class Policy:
    """`dav_main_password`: whether devices may log in with it. `argon2`: what a new hash costs.

    `remember`: seconds for which a main password that another back end has checked is not asked of it again.
    `audit_days`: for how long the audit trail is kept, 0 for ever. `throttle`: whether failures slow down what follows.
    `second_step`: whether the sign-in asks for the second step that an account has.
    """

    dav_main_password: str = "yes"
    argon2: Parameters = DEFAULT
    remember: int = 300
    audit_days: int = 365
    throttle: bool = True
    second_step: bool = True

    @classmethod
    def read(cls, option: Callable[[str], object]) -> Policy:
        """From a function that gives an option of `[auth]`, None where it is not set. Raises `BadPolicy`."""
        main = str(option("dav_main_password") or "yes")
        if main not in MAIN_PASSWORDS:
            raise BadPolicy(f"[auth] dav_main_password: {main!r} is none of {', '.join(MAIN_PASSWORDS)}")
        argon2 = Parameters(
            _number(option, "password_memory", DEFAULT.memory, 8),
            _number(option, "password_passes", DEFAULT.time, 1),
            _number(option, "password_lanes", DEFAULT.lanes, 1),
        )
        if argon2.memory < 8 * argon2.lanes:  # RFC 9106 §3.1
            raise BadPolicy(f"[auth] password_memory: {argon2.memory} KiB are less than 8 for each of password_lanes")
        throttle = option("throttle")
        return cls(
            main,
            argon2,
            _number(option, "remember", 300, 0),
            _number(option, "audit_days", 365, 0),
            True if throttle is None else throttle is True or str(throttle).strip().lower() in _TRUE,
            str(option("totp") or "") != "off",
        )


class Options(Protocol):
    """A configuration of Radicale's."""

    def options(self, section: str) -> Iterable[str]: ...
    def get(self, section: str, option: str) -> Any: ...


def configured(configuration: Options) -> Policy:
    """The policy that a configuration asks for. Raises `BadPolicy`."""
    there = frozenset(configuration.options("auth"))
    return Policy.read(lambda name: configuration.get("auth", name) if name in there else None)


def _number(option: Callable[[str], object], name: str, default: int, least: int) -> int:
    value = option(name)
    if value is None or value == "":
        return default
    try:
        number = int(str(value))
    except ValueError:
        raise BadPolicy(f"[auth] {name}: {value!r} is not a whole number") from None
    if number < least:
        raise BadPolicy(f"[auth] {name}: {number} is less than {least}")
    return number
