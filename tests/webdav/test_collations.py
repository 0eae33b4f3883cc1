from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calsync.ical import vcard
from calsync.webdav.collations import COLLATIONS, fold, matches
from calsync.webdav.requests import TextMatch


@pytest.mark.parametrize(
    ("collation", "text", "value", "found"),
    [
        ("i;octet", "Tea", "Tea time", True),
        ("i;octet", "tea", "Tea time", False),
        ("i;ascii-casemap", "TEA", "tea time", True),
        ("i;ascii-casemap", "Ä", "ä", False),
        ("i;unicode-casemap", "Ä", "ä", True),
        ("i;unicode-casemap", "cafe\u0301", "CAFÉ", True),
        ("i;unicode-casemap", "STRASSE", "Straße", True),
        ("i;unicode-casemap", "fi", "\ufb01sh", True),
    ],
)
def test_collations(collation: str, text: str, value: str, found: bool) -> None:
    assert matches(TextMatch(text, collation), value) is found
    assert matches(TextMatch(text, collation, negate=True), value) is not found


@pytest.mark.parametrize(
    ("match_type", "hits"),
    [
        ("equals", {"ab"}),
        ("contains", {"ab", "xaby", "abc", "cab"}),
        ("starts-with", {"ab", "abc"}),
        ("ends-with", {"ab", "cab"}),
    ],
)
def test_match_types(match_type: str, hits: set[str]) -> None:
    values = {"ab", "xaby", "abc", "cab", "ba"}
    assert {value for value in values if matches(TextMatch("AB", match_type=match_type), value)} == hits


@given(st.text(), st.sampled_from(sorted(COLLATIONS)))
def test_folding_twice_changes_nothing(text: str, collation: str) -> None:
    assert fold(fold(text, collation), collation) == fold(text, collation)


@given(st.text())
def test_the_index_folds_alike(text: str) -> None:
    assert fold(text, "i;unicode-casemap") == vcard.fold(text)
