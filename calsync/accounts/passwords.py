"""Passwords: argon2id, as OWASP's first choice has it, bounded so that a flood of logins cannot eat the memory.

Parameters: 19 MiB, two passes, one lane: about 25 ms on a small server. They can be raised at any time; `needs_rehash`
then says so at the next login of each account.
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import Argon2Error, InvalidHashError

# OWASP Password Storage Cheat Sheet: argon2id, m=19456 (KiB), t=2, p=1.
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, hash_len=32, salt_len=16, type=Type.ID)

# Well formed, of the same cost, and the hash of nothing.
_NOBODY: Final = "$argon2id$v=19$m=19456,t=2,p=1$" + "A" * 22 + "$" + "A" * 43

MAX_LENGTH: Final = 1024

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


def hashed(password: str) -> str:
    """The hash to store, in argon2's own text form. Raises `BadPassword`."""
    password = checked(password)
    with _turns:
        return _HASHER.hash(password)


def verify(stored: str, password: str) -> bool:
    """Whether `password` is the one that was hashed. Costs one argon2 run; raises `TooManyChecks`."""
    if len(password) > MAX_LENGTH:
        stored, password = _NOBODY, ""
    prepared = unicodedata.normalize("NFC", password)
    with _turn():
        try:
            return _HASHER.verify(stored, prepared)
        except InvalidHashError:
            # A hash that cannot be read must cost as much as one that can.
            _HASHER.hash(prepared)
            return False
        except Argon2Error:
            return False


def verify_nobody(password: str) -> None:
    """Spend what `verify` would, where there is no account or no password to check: answers take the same time."""
    verify(_NOBODY, password)


def needs_rehash(stored: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    try:
        return _HASHER.check_needs_rehash(stored)
    except InvalidHashError:
        return True
