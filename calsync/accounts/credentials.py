"""What was verified, remembered: a request with known credentials costs a keyed hash and one row, no argon2.

An entry is found by an HMAC of login and password under a key that lives as long as the process; neither is kept. It
holds as long as the account's `generation` is the one it was verified under, which is read with every request: a
changed password, a revoked app password or a removed account is felt by every process at once.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from calsync.accounts.scopes import ALL, Scope

SIZE: Final = 4096


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a request is from. `name` is the account's, whatever case was typed; `token` the app password's id or None.

    `label`, `scope` and `read_only` are the app password's; `role` and `groups` the account's.
    """

    name: str
    account: int
    token: str | None = None
    label: str = ""
    scope: Scope = ALL
    read_only: bool = False
    role: str = "user"
    groups: frozenset[str] = frozenset()

    @property
    def is_limited(self) -> bool:
        """Whether it may less than the account itself."""
        return self.read_only or self.scope.kind != "all"


@dataclass(frozen=True, slots=True)
class Verified:
    """An identity, the generation of its account, and until when it holds (an instant, or None)."""

    identity: Identity
    generation: int
    expires: int | None = None


class Credentials:
    """The credentials that held lately; the one used least recently is forgotten first."""

    def __init__(self, size: int = SIZE) -> None:
        self._size = size
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, Verified] = OrderedDict()
        self._guard = threading.Lock()

    def __len__(self) -> int:
        return len(self._known)

    def key(self, login: str, password: str) -> bytes:
        """The key of an entry. The length keeps login and password apart."""
        name = login.encode()
        message = b"%d:%b%b" % (len(name), name, password.encode())
        return hmac.digest(self._key, message, hashlib.sha256)

    def get(self, key: bytes) -> Verified | None:
        """What was remembered."""
        with self._guard:
            found = self._known.get(key)
            if found is not None:
                self._known.move_to_end(key)
            return found

    def remember(self, key: bytes, verified: Verified) -> None:
        """Keep it until it is forgotten."""
        with self._guard:
            self._known[key] = verified
            self._known.move_to_end(key)
            if len(self._known) > self._size:
                self._known.popitem(last=False)

    def forget(self, key: bytes) -> None:
        """Drop it."""
        with self._guard:
            self._known.pop(key, None)
