"""What a segment is made of: a line of text, then frames.

A frame is a marker, a kind, a number, a length, a checksum, and what it holds. The parts of a transaction are numbered
from 0 and hold entries; the frame that ends it says who, when, and how many parts there are. What has no end was never
acknowledged, and is what a process left that was killed.
"""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import Final

TITLE: Final = b"calsync journal 1\n"
MARK: Final = b"\xc5\xa7Jr"
HEAD: Final = struct.Struct(">4sBIQ16s")
PART, END = 0, 1


def frame(kind: int, number: int, payload: bytes) -> bytes:
    """A frame whole."""
    return HEAD.pack(MARK, kind, number, len(payload), digest(kind, number, payload)) + payload


def digest(kind: int, number: int, payload: bytes) -> bytes:
    """The checksum that its head holds."""
    return blake2b(payload, digest_size=16, salt=struct.pack(">BI", kind, number)).digest()


def read_head(head: bytes, left: int) -> tuple[int, int, int, bytes] | None:
    """Kind, number, length and checksum of a frame that fits into what is left of the file."""
    if len(head) < HEAD.size:
        return None
    mark, kind, number, length, checksum = HEAD.unpack(head)
    if mark != MARK or kind not in (PART, END) or length > left - HEAD.size:
        return None
    return kind, number, length, checksum
