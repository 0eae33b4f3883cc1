from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calsync.webdav.errors import BadRequest
from calsync.webdav.etags import EntityTag, EntityTags, etag_list

OPAQUE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters='"\x7f\\'))


@given(st.lists(st.builds(EntityTag, st.booleans(), OPAQUE)))
def test_lists_read_back(tags: list[EntityTag]) -> None:
    assert etag_list(" , ".join(map(str, tags))) == EntityTags(tags=tuple(tags))


@pytest.mark.parametrize(
    ("value", "strong", "weak"),
    [
        ('"abc"', True, True),
        ('"x", "abc"', True, True),
        ('"a,b",,"abc",', True, True),
        ("*", True, True),
        ('W/"abc"', False, True),
        ('"ABC"', False, False),
        (r"\"abc\"", True, True),  # Evolution (clients.md 20)
        ("abc", True, True),  # without quotes
        ("", False, False),
    ],
)
def test_matches(value: str, strong: bool, weak: bool) -> None:
    tags = etag_list(value)
    assert (tags.strong_match('"abc"'), tags.weak_match('"abc"')) == (strong, weak)


def test_a_weak_tag_never_matches_strongly() -> None:
    assert not etag_list('W/"abc", "abc"').strong_match('W/"abc"')


def test_an_empty_header_says_nothing() -> None:
    assert not etag_list(" ")
    assert etag_list("*")
    assert etag_list('""')


@pytest.mark.parametrize("value", ['"abc', '"a" "b"', '*, "a"x', 'a"b', '"a\x01"'])
def test_what_is_no_list(value: str) -> None:
    with pytest.raises(BadRequest):
        etag_list(value)
