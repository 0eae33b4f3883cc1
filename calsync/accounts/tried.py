"""Passwords that did not hold lately: sent again, they are not another guess.

A phone that has the old password polls with it for days. Nothing of it is stored: what is kept is a digest under a key
that lives as long as the server, in memory, for an hour after it was last sent. The workers of a server share that
memory (`share`), so none of them counts what another has counted. It is of one size; a flood makes old ones forgotten,
which are then counted once more.
"""

from __future__ import annotations

import hashlib
import hmac
import mmap
import os
import secrets
import struct
import threading
from dataclasses import dataclass
from typing import Final

#: Octets of the key, with which the memory begins.
KEY: Final = 32

_SLOT: Final = struct.Struct("<8s8sqI4x")  # the password, what it was compared with, when last, how often
_WAYS: Final = 8
_BUCKETS: Final = 512
SIZE: Final = KEY + _BUCKETS * _WAYS * _SLOT.size

_descriptor: int | None = None


def share(descriptor: int) -> None:
    """Keep them from now on in this memory, of which the first `KEY` octets are random."""
    global _descriptor
    os.ftruncate(descriptor, max(SIZE, os.fstat(descriptor).st_size))
    _descriptor = descriptor


@dataclass(frozen=True, slots=True)
class Try:
    """A password that did not hold: how often it was sent, when last, and a digest of what it was compared with."""

    count: int
    last: int
    against: bytes


class Tried:
    """Those of all workers where memory is shared, else of this process. `quiet`: seconds after which one is forgotten.

    Processes take no turns here: a place that two write at once holds nothing that anybody finds.
    """

    def __init__(self, quiet: int) -> None:
        self._quiet = quiet
        self._guard = threading.Lock()
        if _descriptor is None:
            self._memory = mmap.mmap(-1, SIZE)
            self._memory[:KEY] = secrets.token_bytes(KEY)
        else:
            self._memory = mmap.mmap(_descriptor, SIZE)
        self._key = self._memory[:KEY]

    def digest(self, *parts: str) -> bytes:
        """What stands for these texts here."""
        message = b"".join(b"%d:%b" % (len(octets), octets) for octets in (part.encode() for part in parts))
        return hmac.digest(self._key, message, hashlib.sha256)[:8]

    def find(self, mark: bytes, now: int) -> Try | None:
        """What is known of a password; None where it was not sent lately."""
        with self._guard:
            return self._find(mark, now)[1]

    def note(self, mark: bytes, against: bytes, now: int) -> bool:
        """It did not hold. Whether it was sent before."""
        with self._guard:
            at, found = self._find(mark, now)
            _SLOT.pack_into(self._memory, at, mark, against, now, 1 if found is None else min(found.count, 10**6) + 1)
        return found is not None

    def _find(self, mark: bytes, now: int) -> tuple[int, Try | None]:
        """Where it stands, or is to stand: where the oldest is."""
        start = KEY + int.from_bytes(mark[:2]) % _BUCKETS * _WAYS * _SLOT.size
        oldest, place = now + 1, start
        for at in range(start, start + _WAYS * _SLOT.size, _SLOT.size):
            known, against, last, count = _SLOT.unpack_from(self._memory, at)
            if known == mark and count and 0 <= now - last <= self._quiet:
                return at, Try(count, last, against)
            if last < oldest:
                oldest, place = last, at
        return place, None
