"""A lock that is given in the order of asking: no writer starves behind luckier ones."""

from __future__ import annotations

import threading
from collections import deque


class Turns:
    """Held by one at a time. It has no owner: one thread may take it and another give it back."""

    __slots__ = ("_guard", "_taken", "_waiting")

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Lock] = deque()

    def take(self, timeout: float) -> bool:
        """Wait for one's turn, at most `timeout` seconds; False where it did not come."""
        with self._guard:
            if not self._taken:
                self._taken = True
                return True
            ticket = threading.Lock()
            ticket.acquire()
            self._waiting.append(ticket)
        try:
            came = ticket.acquire(timeout=timeout)
        except BaseException:
            if not self._withdraw(ticket):
                self.give()
            raise
        # The turn may have come between the time-out and here: then it is ours.
        return came or not self._withdraw(ticket)

    def _withdraw(self, ticket: threading.Lock) -> bool:
        with self._guard:
            if ticket not in self._waiting:
                return False
            self._waiting.remove(ticket)
            return True

    def give(self) -> None:
        """End one's turn; the one who has waited longest is next."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
