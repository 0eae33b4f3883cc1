"""App passwords: one for each device, made by the server, shown once, typed on a phone.

Thirty-five characters of Crockford's alphabet in groups of five, `k3m70-wd2qa-…`: six to look it up by, twenty-six
that are the secret (130 random bits), three that are a checksum. Case, dashes and white space do not matter on input,
and the letters that look like digits are read as them. The store keeps the first six and a keyed hash of the whole.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

# Crockford's base 32: no i, l, o, u.
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES: Final = {letter: value for value, letter in enumerate(_ALPHABET)}
_READ_AS: Final = str.maketrans("oil", "011", "-‐‑‒–—−_. \t\r\n\u00a0\u2009\u200b")

PREFIX: Final = 6
_SECRET: Final = 26
_CHECK: Final = 3
LENGTH: Final = PREFIX + _SECRET + _CHECK
_GROUP: Final = 5


@dataclass(frozen=True, slots=True)
class Secret:
    """An app password. `plain` is the 35 characters without dashes."""

    plain: str

    @property
    def prefix(self) -> str:
        """What it is looked up and named by; no secret."""
        return self.plain[:PREFIX]

    @property
    def text(self) -> str:
        """The form that is shown."""
        return "-".join(self.plain[start : start + _GROUP] for start in range(0, LENGTH, _GROUP))

    def __repr__(self) -> str:
        return f"Secret({self.prefix}…)"

    def hashed(self, key: bytes) -> bytes:
        """HMAC-SHA256 under the store's key. 130 random bits need no slow hash."""
        return hmac.digest(key, self.plain.encode(), hashlib.sha256)


def generate() -> Secret:
    """A new app password from the system's random source."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(PREFIX + _SECRET))
    return Secret(body + _checksum(body))


def read(typed: str) -> Secret | None:
    """The app password that was typed, or None where it is none; nothing is looked up."""
    plain = _shape(typed)
    if plain is None or _checksum(plain[:-_CHECK]) != plain[-_CHECK:]:
        return None
    return Secret(plain)


def is_mistyped(typed: str) -> bool:
    """Whether this has the shape of an app password with its dashes, but not its checksum: likely a typing error."""
    plain = _shape(typed)
    return plain is not None and typed.count("-") >= 4 and _checksum(plain[:-_CHECK]) != plain[-_CHECK:]


def _shape(typed: str) -> str | None:
    if len(typed) > 4 * LENGTH:
        return None
    plain = typed.lower().translate(_READ_AS)
    if len(plain) != LENGTH or not all(letter in _VALUES for letter in plain):
        return None
    return plain


def _checksum(body: str) -> str:
    # A polynomial modulo a prime below 2**15: tells every single wrong character and every swap of neighbours.
    total = 0
    for letter in body:
        total = (total * 3 + _VALUES[letter]) % 32_749
    return _ALPHABET[total >> 10] + _ALPHABET[total >> 5 & 31] + _ALPHABET[total & 31]
