from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from calsync.webdav import headers
from calsync.webdav.errors import BadGateway, BadRequest, DavError
from calsync.webdav.headers import Prefer

PIECES = st.sampled_from(
    ["(", ")", "<", ">", "[", "]", '"', "\\", "W/", "Not", "*", ",", ";", "=", " ", "http://h/", "return", "Second-"]
)
VALUES = st.text(st.characters(max_codepoint=255), max_size=60) | st.lists(
    PIECES | st.text(max_size=3), max_size=20
).map("".join)
PARSERS: list[Callable[[str], object]] = [
    lambda value: headers.depth(value, "0"),
    headers.overwrite,
    headers.timeout,
    lambda value: headers.destination(value, host="h"),
    headers.etag_list,
    headers.if_header,
    headers.lock_token,
    headers.prefer,
    headers.media_type,
    headers.parse_http_date,
]


@pytest.mark.parametrize("parse", PARSERS)
@given(value=VALUES)
@example(value="Second-" + "9" * 5000)
@example(value="wait=" + "9" * 5000)
@example(value='"' * 3000)
@example(value="(" * 3000)
def test_any_value_parses_or_is_a_4xx(parse: Callable[[str], object], value: str) -> None:
    try:
        parse(value)
    except DavError as error:
        assert error.status in (400, 502)


def test_depth() -> None:
    assert [headers.depth(value, "0") for value in ("", "0", " 1", "Infinity")] == ["0", "0", "1", "infinity"]
    with pytest.raises(BadRequest):
        headers.depth("2", "0")


def test_overwrite() -> None:
    assert [headers.overwrite(value) for value in ("", "T", "f")] == [True, True, False]
    with pytest.raises(BadRequest):
        headers.overwrite("yes")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("", 3600),
        ("Second-60", 60),
        ("Infinite, Second-4100000000", 86400),
        ("Second-4100000000", 86400),
        ("Extended-9, second-5", 5),
        ("Second-0", 1),
        ("Second-x", 3600),
        ("Second-" + "0" * 30 + "7", 86400),
    ],
)
def test_timeout(value: str, seconds: int) -> None:
    assert headers.timeout(value) == seconds


@pytest.mark.parametrize(
    ("value", "host", "path", "slash"),
    [
        ("http://Example.com/a/b.ics", "example.com", ("a", "b.ics"), False),
        ("https://example.com:443/a/", "example.com", ("a",), True),  # TLS ends at a proxy
        ("http://example.com/a", "example.com:80", ("a",), False),
        ("http://[::1]:5232/a", "[::1]:5232", ("a",), False),
        ("/a/two words", "example.com", ("a", "two words"), False),
        ("/a/caf\xc3\xa9", "example.com", ("a", "café"), False),  # octets of UTF-8, as WSGI gives them
        ("/a/caf\xe9", "example.com", ("a", "café"), False),
    ],
)
def test_destination(value: str, host: str, path: tuple[str, ...], slash: bool) -> None:
    found = headers.destination(value, host=host)
    assert (found.path, found.slash) == (path, slash)


def test_destination_behind_a_prefix() -> None:
    assert headers.destination("http://h/dav/a", host="h", base="/dav").path == ("a",)
    with pytest.raises(BadGateway):
        headers.destination("http://h/other/a", host="h", base="/dav")


@pytest.mark.parametrize("value", ["http://other/a", "http://h:81/a", "https://h.example/a", "ftp://h/a"])
def test_destination_on_another_server(value: str) -> None:
    with pytest.raises(BadGateway):
        headers.destination(value, host="h:80")


@pytest.mark.parametrize("value", ["", "a/b", "mailto:a@b", "http://h/a/%2F", "http://h/../x"])
def test_destination_that_is_none(value: str) -> None:
    with pytest.raises(BadRequest):
        headers.destination(value, host="h")


@pytest.mark.parametrize(
    ("value", "wishes"),
    [
        ("", Prefer()),
        ("return=minimal", Prefer(return_minimal=True)),
        ('Return="representation"', Prefer(return_representation=True)),
        ("return=minimal, return=representation", Prefer(return_minimal=True)),
        ("depth-noroot, return-minimal", Prefer(return_minimal=True, depth_noroot=True)),
        ("respond-async; a=b, wait=10, handling=lenient", Prefer(respond_async=True, wait=10, handling="lenient")),
        ('foo="a, depth-noroot"; bar="x,y", wait=x', Prefer()),
        ("=?, depth-noroot", Prefer(depth_noroot=True)),
    ],
)
def test_prefer(value: str, wishes: Prefer) -> None:
    assert headers.prefer(value) == wishes


def test_brief_is_an_older_return_minimal() -> None:
    assert headers.prefer("", "t").return_minimal
    assert not headers.prefer("return=representation", "t").return_minimal
    assert not headers.prefer("", "f").return_minimal


def test_media_type() -> None:
    found = headers.media_type('Text/Calendar; charset="utf-8" ; Component=VEVENT')
    assert (found.name, found.parameter("charset"), found.parameter("component")) == (
        "text/calendar",
        "utf-8",
        "VEVENT",
    )
    assert headers.media_type("").name == ""


DATES = ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]


@pytest.mark.parametrize("value", DATES)
def test_the_three_forms_of_dates(value: str) -> None:
    assert headers.parse_http_date(value) == 784111777


@given(st.integers(-62135596800, 253402300799))
def test_dates_come_back(instant: int) -> None:
    assert headers.parse_http_date(headers.http_date(instant)) == instant


@pytest.mark.parametrize("value", ["", "yesterday", "Sun, 31 Feb 2024 00:00:00 GMT", "Sun, 06 Nov 1994 25:00:00 GMT"])
def test_no_dates(value: str) -> None:
    assert headers.parse_http_date(value) is None
