"""Passwords: argon2id, as OWASP's first choice has it, bounded so that a flood of logins cannot eat the memory.

By default 19 MiB, two passes, one lane: about 25 ms on a small server. `[auth] password_…` sets others at any time;
`needs_rehash` then says so at the next login of each account.
"""

from __future__ import annotations

import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import Argon2Error, InvalidHashError

from calsync.accounts import foreign_hashes


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a check costs: `memory` in KiB, `time` in passes, `lanes` that are computed side by side."""

    memory: int = 19_456
    time: int = 2
    lanes: int = 1


#: OWASP Password Storage Cheat Sheet: argon2id, m=19456 (KiB), t=2, p=1.
DEFAULT: Final = Parameters()

# No letters that look like digits, nothing that needs a second keyboard layer on a phone.
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"

MAX_LENGTH: Final = 1024

#: NIST SP 800-63B-4 §3.1.1: long enough, no rules about kinds of characters. The page takes none that is shorter, a
#: command warns.
SHORTEST: Final = 10

# So many checks run at once, and so many more may wait for their turn; the rest is told to come back.
CONCURRENT: Final = 2
WAITING: Final = 8

_turns: Final = threading.BoundedSemaphore(CONCURRENT)
_places: Final = threading.BoundedSemaphore(CONCURRENT + WAITING)


class BadPassword(ValueError):
    """The password cannot be taken; the message says why, for people."""


class TooManyChecks(RuntimeError):
    """More logins wait for their password check than the server lets wait: answer 503 and let the client come back."""


def checked(password: str) -> str:
    """The password as it is hashed (NFC, as RFC 8265 §4.2 prepares it); raises `BadPassword`."""
    if not password:
        raise BadPassword("a password must not be empty")
    if len(password) > MAX_LENGTH:
        raise BadPassword(f"the password is longer than {MAX_LENGTH} characters")
    if any(unicodedata.category(character) == "Cc" for character in password):
        raise BadPassword("the password contains a control character, which clients cannot send")
    return unicodedata.normalize("NFC", password)


@contextmanager
def _turn() -> Iterator[None]:
    if not _places.acquire(blocking=False):
        raise TooManyChecks("too many logins at once")
    try:
        with _turns:
            yield
    finally:
        _places.release()


@lru_cache(maxsize=8)
def _hasher(cost: Parameters) -> PasswordHasher:
    return PasswordHasher(cost.time, cost.memory, cost.lanes, hash_len=32, salt_len=16, type=Type.ID)


def _nobody(cost: Parameters) -> str:
    """Well formed, of the same cost, and the hash of nothing."""
    return f"$argon2id$v=19$m={cost.memory},t={cost.time},p={cost.lanes}$" + "A" * 22 + "$" + "A" * 43


def made_up() -> str:
    """A password for a person: 99 random bits in groups that can be typed on a phone."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))


def hashed(password: str, cost: Parameters = DEFAULT) -> str:
    """The hash to store, in argon2's own text form. Raises `BadPassword`."""
    password = checked(password)
    with _turns:
        return _hasher(cost).hash(password)


def verify(stored: str, password: str, cost: Parameters = DEFAULT) -> bool:
    """Whether `password` is the one that was hashed. Costs one argon2 run; raises `TooManyChecks`.

    `cost` is what is spent where there is nothing to compare with.
    """
    if len(password) > MAX_LENGTH:
        stored, password = _nobody(cost), ""
    prepared = unicodedata.normalize("NFC", password)
    with _turn():
        try:
            return _hasher(cost).verify(stored, prepared)
        except InvalidHashError:
            if foreign_hashes.is_known(stored):
                return any(foreign_hashes.verify(stored, one) for one in dict.fromkeys((prepared, password)))
            # A hash that cannot be read must cost as much as one that can.
            _hasher(cost).hash(prepared)
            return False
        except Argon2Error:
            return False


def verify_nobody(password: str, cost: Parameters = DEFAULT) -> None:
    """Spend what `verify` would, where there is no account or no password to check: answers take the same time."""
    verify(_nobody(cost), password, cost)


def needs_rehash(stored: str, cost: Parameters = DEFAULT) -> bool:
    """Whether the hash was made with other parameters than these."""
    try:
        return _hasher(cost).check_needs_rehash(stored)
    except InvalidHashError:
        return True
