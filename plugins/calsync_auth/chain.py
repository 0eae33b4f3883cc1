"""A back end of Radicale's as the one that knows the main passwords, kept from taking the server with it.

It is asked in threads of its own, a few at a time, and may take a bounded time: a directory server that hangs costs
neither the workers nor the devices with app passwords anything. Devices that send the same password at once share one
asking. After a failure the back end is left alone for a moment, and everybody is told at once to come back.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
import time
import unicodedata
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from radicale.auth import AuthContext, BaseAuth

from calsync.accounts import names
from calsync.accounts.accounts import BackendDown, External

#: Seconds for which a back end that failed is not asked.
PAUSE: Final = 5.0

#: Seconds that a login waits for its turn to ask.
TURN: Final = 1.0

#: Back ends whose answer tells groups.
_TELL_GROUPS: Final = frozenset({"ldap", "pam"})

_log: Final = logging.getLogger("calsync.accounts")


class NotNow(BackendDown):
    """It answered, but could not say: about this login, so it is asked about others."""


class Chain:
    """`calsync.accounts.accounts.MainPasswords` over one of Radicale's back ends."""

    def __init__(
        self,
        kind: str,
        backend: BaseAuth,
        *,
        seconds: float = 10.0,
        concurrent: int = 2,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.kind = kind
        self.backend = backend
        self._seconds = seconds
        self._clock = clock
        self._turns = threading.BoundedSemaphore(concurrent)
        self._places = threading.BoundedSemaphore(concurrent + 1)
        self._guard = threading.Lock()
        self._key = secrets.token_bytes(32)
        self._asked: dict[bytes, Future[External | None]] = {}
        self._down: tuple[float, str] | None = None

    def check(self, name: str, password: str, address: str) -> External | None:
        """Who this is, or None. Raises `BackendDown` where the back end does not say, in time."""
        if not name or not password or _has_control(name) or "\0" in password:
            return None
        message = repr((name, password, address)).encode("utf-8", "backslashreplace")
        key = hashlib.blake2b(message, key=self._key).digest()
        self._refuse_while_down()
        # Each that waits here is a worker of the server.
        if not self._places.acquire(timeout=TURN):
            raise BackendDown(f"{self.kind}: too many logins wait for it")
        try:
            with self._guard:
                running = self._asked.get(key)
            if running is None:
                running = self._begin(key, name, password, address)
            return running.result(self._seconds + TURN)
        except TimeoutError:
            with self._guard:
                self._asked.pop(key, None)
            raise self._failed(f"{self.kind} did not answer within {self._seconds:g} s") from None
        finally:
            self._places.release()

    def _begin(self, key: bytes, name: str, password: str, address: str) -> Future[External | None]:
        if not self._turns.acquire(timeout=TURN):
            raise BackendDown(f"{self.kind}: too many logins wait for it")
        future: Future[External | None] = Future()
        with self._guard:
            first = self._asked.setdefault(key, future)
        if first is not future:
            self._turns.release()
            return first

        def run() -> None:
            try:
                future.set_result(self._ask(name, password, address))
            except NotNow as error:
                _log.error("accounts: a main password cannot be checked: %s", error)
                future.set_exception(error)
            except BackendDown as error:
                future.set_exception(self._failed(str(error)))
            except Exception as error:  # noqa: BLE001 - whatever a back end raises, it did not say "wrong password"
                # It may be about this login only, so others are not made to wait for it.
                _log.error("accounts: a main password cannot be checked: %s", self.kind, exc_info=True)
                future.set_exception(BackendDown(f"{self.kind}: {type(error).__name__}: {error}"))
            finally:
                with self._guard:
                    if self._asked.get(key) is future:
                        del self._asked[key]
                self._turns.release()

        threading.Thread(target=run, name=f"calsync-{self.kind}", daemon=True).start()
        return future

    def _ask(self, name: str, password: str, address: str) -> External | None:
        context = AuthContext()  # type: ignore[no-untyped-call]
        context.remote_addr = context.x_remote_addr = address
        found, groups = self.backend._login_ext_with_groups(name, password, context)
        with self._guard:
            self._down = None
        if not found:
            return None
        try:
            found = names.checked(str(found))
        except names.BadName as error:
            _log.warning("accounts: %s let %r in, which cannot be an account: %s", self.kind, name, error)
            return None
        return External(found, frozenset(map(str, groups)) if groups or self.kind in _TELL_GROUPS else None)

    def _refuse_while_down(self) -> None:
        with self._guard:
            if self._down is None:
                return
            since, reason = self._down
            if self._clock() - since < PAUSE:
                raise BackendDown(reason)
            # One asks; the others are told what is known until it has found out.
            self._down = self._clock(), reason

    def _failed(self, reason: str) -> BackendDown:
        with self._guard:
            known = self._down is not None
            self._down = self._clock(), reason
        if not known:
            _log.error("accounts: main passwords cannot be checked: %s", reason)
        return BackendDown(reason)


def _has_control(name: str) -> bool:
    return any(unicodedata.category(character) == "Cc" for character in name)
