"""Where HTTP/2's frames begin among the octets that a client sends (RFC 9113 §4.1).

The h2 package looks at a frame when all of it is there: 16 MiB, if its head says so. A head is enough to refuse it.
"""

from __future__ import annotations

from typing import Final

_PREFACE: Final = len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
_HEAD: Final = 9


class Frames:
    """Reads along, and keeps no more than the beginning of a head."""

    __slots__ = ("_head", "_left")

    def __init__(self) -> None:
        self._head = b""
        self._left = _PREFACE

    def longest(self, data: bytes) -> int:
        """The greatest length that a head has announced which ends in these octets; 0 where none does."""
        data = self._head + data
        at, longest = self._left, 0
        while len(data) - at >= _HEAD:
            length = int.from_bytes(data[at : at + 3], "big")
            longest = max(longest, length)
            at += _HEAD + length
        self._head = data[at:]
        self._left = max(0, at - len(data))
        return longest
