"""Content codings for streamed answers (RFC 9110 §8.4): at their fastest levels, flushed with each chunk.

gzip comes with Python; zstd and br where their packages are installed (`calsync[compress]`). Items are never coded:
their strong ETag names the octets as they are stored (RFC 9110 §8.8.3.3).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, NamedTuple


class _Coder(NamedTuple):
    """`code` takes a chunk and gives all of it that is not given yet; `end` gives what closes the coding."""

    code: Callable[[bytes], bytes]
    end: Callable[[], bytes]


def _zstd() -> _Coder:
    zstandard: Any = import_module("zstandard")
    coder = zstandard.ZstdCompressor(level=1).compressobj()
    block = zstandard.COMPRESSOBJ_FLUSH_BLOCK
    return _Coder(lambda chunk: coder.compress(chunk) + coder.flush(block), lambda: coder.flush())


def _br() -> _Coder:
    brotli: Any = import_module("brotli")
    # Level 1 is the last that costs no more than gzip; a window of 256 KiB holds what repeats in a listing.
    coder = brotli.Compressor(quality=1, lgwin=18)
    return _Coder(lambda chunk: coder.process(chunk) + coder.flush(), lambda: coder.finish())


def _gzip() -> _Coder:
    coder = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return _Coder(lambda chunk: coder.compress(chunk) + coder.flush(zlib.Z_SYNC_FLUSH), coder.flush)


#: Below this many octets a coding costs more than it saves.
SMALLEST: Final = 1024

#: Cheapest first: what is taken where a client likes several equally.
_CODERS: Final[Mapping[str, Callable[[], _Coder]]] = {"zstd": _zstd, "br": _br, "gzip": _gzip}
_QVALUE: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?").fullmatch
_PACKAGES: Final = {"zstd": "zstandard", "br": "brotli"}


@cache
def available() -> tuple[str, ...]:
    """The codings that this installation can do, cheapest first."""
    return tuple(name for name in _CODERS if name not in _PACKAGES or find_spec(_PACKAGES[name]) is not None)


@lru_cache(maxsize=64)
def _choice(header: str) -> str:
    wishes: dict[str, float] = {}
    for part in header.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if name:
            wishes["gzip" if name == "x-gzip" else name] = _quality(parameters)
    others = wishes.get("*", 0.0)
    offered = {name: wishes.get(name, others) for name in available()}
    best = max(offered, key=offered.__getitem__)
    # An identity that nobody names is acceptable, but what is named is wished for.
    return best if offered[best] > 0 and offered[best] >= wishes.get("identity", 0.0) else ""


def _quality(parameters: list[str]) -> float:
    """The weight, 1 where none is given, 0 where it is none (RFC 9110 §12.4.2)."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            value = value.strip()  # of more than float() takes off: \x1d is a blank to the one, a letter to the other
            return float(value) if _QVALUE(value) else 0.0
    return 1.0


def accepted(header: str) -> str:
    """The coding to use for an `Accept-Encoding`, empty for none (RFC 9110 §12.5.3)."""
    return _choice(header) if len(header) < 200 else ""


def coded(coding: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks coded one by one, so that the first leaves early; closing it closes `chunks`."""
    coder = _CODERS[coding]()
    try:
        for chunk in chunks:
            octets = coder.code(chunk)
            if octets:
                yield octets
        last = coder.end()
        if last:
            yield last
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
