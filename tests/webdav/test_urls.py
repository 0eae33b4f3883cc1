from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calsync.webdav import urls
from calsync.webdav.errors import BadRequest, DavError

NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/"), min_size=1).filter(
    lambda name: name not in (".", "..")
)


@given(st.lists(NAMES), st.booleans())
def test_hrefs_lead_back(names: list[str], collection: bool) -> None:
    href = urls.href("", names, collection)
    if names or collection:
        assert urls.decode_path(href) == (tuple(names), collection)
    assert href.isascii()
    assert not set(href) & set("<>&\"' \r\n")


@given(st.lists(NAMES, min_size=1))
def test_hrefs_are_those_of_stock(names: list[str]) -> None:
    assert urls.href("/base", names, True) == quote("/base/" + "/".join(names) + "/")


@given(st.text())
def test_any_path_parses_or_is_refused(path: str) -> None:
    try:
        segments, _ = urls.decode_path(path)
    except DavError as error:
        assert error.status == 400
    else:
        assert not any("/" in name or name in ("", ".", "..") for name in segments)


@pytest.mark.parametrize(
    ("path", "names", "slash"),
    [
        ("/", (), True),
        ("", (), True),
        ("/anna/cal/", ("anna", "cal"), True),
        ("//anna//cal", ("anna", "cal"), False),
        ("/anna/./cal/.", ("anna", "cal"), True),
        ("/anna/.hidden.ics", ("anna", ".hidden.ics"), False),
        ("/anna/q%3F.ics", ("anna", "q?.ics"), False),
        ("/anna/caf%C3%A9", ("anna", "café"), False),
        # Apple leaves characters as they are (clients.md 13)
        ("/anna/two words & café.ics", ("anna", "two words & café.ics"), False),
        ("/anna/100%.ics", ("anna", "100%.ics"), False),
        ("/anna/cafe%CC%81", ("anna", "cafe\u0301"), False),  # not composed
    ],
)
def test_paths(path: str, names: tuple[str, ...], slash: bool) -> None:
    assert urls.decode_path(path) == (names, slash)


@pytest.mark.parametrize("path", ["/a/%2Fb", "/a%2fb", "/%FF", "/a/%00", "/a\x7f", "/%C2%85", "/a/../b", "/%2e%2E/b"])
def test_paths_that_are_refused(path: str) -> None:
    with pytest.raises(BadRequest):
        urls.decode_path(path)


def test_parts_of_a_uri() -> None:
    assert urls.split_uri("HTTPS://me@Example.com:8443/a%20b?x#y") == ("https", "example.com:8443", "/a%20b")
    assert urls.split_uri("//anna/cal/") == ("", "", "//anna/cal/")
