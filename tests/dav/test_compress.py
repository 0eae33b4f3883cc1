"""Content codings of streamed answers (RFC 9110 §8.4, §12.5.3)."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from calsync.gate import compress
from tests.dav.conftest import Client, event


def _zstd(octets: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(octets)


DECODE: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "br": brotli.decompress, "zstd": _zstd}


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("", ""),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("GZIP;Q=1.0", "gzip"),
        ("gzip, deflate", "gzip"),
        ("deflate", ""),
        ("identity", ""),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, br", "br"),
        ("br;q=0.5, gzip", "gzip"),
        ("br;q=0.5, gzip;q=0.2", "br"),
        ("gzip;q=0", ""),
        ("gzip; q=0.000", ""),
        ("gzip;q=nonsense", ""),
        ("*", "zstd"),
        ("*, zstd;q=0", "br"),
        ("*;q=0, gzip;q=0.001", "gzip"),
        ("identity;q=1, gzip;q=0.5", ""),
        ("identity;q=0.5, gzip;q=1", "gzip"),
    ],
)
def test_which_coding_is_taken(header: str, coding: str) -> None:
    assert compress.accepted(header) == coding


@given(st.text())
def test_any_header_has_a_choice(header: str) -> None:
    assert compress.accepted(header) in ("", *compress.available())


@given(st.sampled_from(sorted(DECODE)), st.lists(st.binary(max_size=3000)))
def test_what_is_coded_decodes_to_the_same(coding: str, chunks: list[bytes]) -> None:
    assert DECODE[coding](b"".join(compress.coded(coding, chunks))) == b"".join(chunks)


@pytest.mark.parametrize("coding", sorted(DECODE))
def test_each_chunk_leaves_whole_before_the_next_is_made(coding: str) -> None:
    made: list[int] = []

    def chunks() -> Iterator[bytes]:
        for number in range(3):
            made.append(number)
            yield b"<D:response>%d</D:response>" % number

    coded = compress.coded(coding, chunks())
    first = next(coded)
    assert made == [0]
    assert _decoded_so_far(coding, first) == b"<D:response>0</D:response>"


def _decoded_so_far(coding: str, octets: bytes) -> bytes:
    if coding == "br":
        return brotli.Decompressor().process(octets)
    if coding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(octets)
    import zlib

    return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(octets)


@pytest.mark.parametrize("coding", sorted(DECODE))
def test_closing_the_coded_stream_closes_what_it_codes(coding: str) -> None:
    closed: list[bool] = []

    def chunks() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 100
        finally:
            closed.append(True)

    coded = compress.coded(coding, chunks())
    next(coded)
    coded.close()  # type: ignore[attr-defined]
    assert closed == [True]


@pytest.mark.parametrize("coding", sorted(DECODE))
def test_a_listing_is_coded_as_the_client_likes_it(anna: Client, coding: str) -> None:
    for number in range(5):
        anna.put(f"/anna/calendar/{number}.ics", event(f"u{number}"))
    plain = anna.props("/anna/calendar/", "{DAV:}getetag", depth="1")
    anna.headers["Accept_Encoding"] = coding
    answer = anna.props("/anna/calendar/", "{DAV:}getetag", depth="1")
    assert answer.headers["Content-Encoding"] == coding
    assert DECODE[coding](answer.body) == plain.body
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert "Accept-Encoding" in plain.headers["Vary"]


def test_items_whole_collections_and_small_answers_are_never_coded(anna: Client) -> None:
    anna.put("/anna/calendar/a.ics", event())
    anna.headers["Accept_Encoding"] = "gzip, br, zstd"
    assert "Content-Encoding" not in anna.get("/anna/calendar/a.ics").headers
    whole = anna.get("/anna/calendar/")
    assert "Content-Encoding" not in whole.headers
    assert int(whole.headers["Content-Length"]) == len(whole.body)
    poll = anna.props("/anna/calendar/", "{DAV:}sync-token")
    assert "Content-Encoding" not in poll.headers
    assert int(poll.headers["Content-Length"]) == len(poll.body)
