"""Content codings for streamed answers (RFC 9110 §8.4): gzip at its fastest level, flushed with each chunk.

Items are never coded: their strong ETag names the octets as they are stored (RFC 9110 §8.8.3.3).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

#: Below this many octets a coding costs more than it saves.
SMALLEST = 1024


def accepted(header: str) -> str:
    """The coding to use for an `Accept-Encoding`, empty for none (RFC 9110 §12.5.3)."""
    for part in header.split(","):
        name, _, parameters = part.partition(";")
        if name.strip().lower() in ("gzip", "x-gzip", "*"):
            quality = parameters.replace(" ", "").lower()
            return "" if quality.startswith("q=0") and not quality.strip("q=0.") else "gzip"
    return ""


def gzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks coded one by one, so that the first leaves early; closing it closes `chunks`."""
    coder = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    try:
        for chunk in chunks:
            coded = coder.compress(chunk) + coder.flush(zlib.Z_SYNC_FLUSH)
            if coded:
                yield coded
        yield coder.flush()
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
