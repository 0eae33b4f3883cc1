import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calsync.accounts.names import BadName, checked, folded


@pytest.mark.parametrize("name", ["anna", "Anna Müller", "anna@example.org", "名前", "a", "o.brien-2", "50%", "a&b"])
def test_ordinary_names_are_taken_as_they_are(name: str) -> None:
    assert checked(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        " anna",
        "anna ",
        "a/b",
        "a:b",
        "a\\b",
        ".",
        "..",
        ".web",
        "a\tb",
        "a\u200bb",
        "a\x00",
        "x" * 129,
        "a~",
        "a@",
        'a"b',
    ],
)
def test_names_that_cannot_be_a_login_and_a_path_segment_are_refused(name: str) -> None:
    with pytest.raises(BadName):
        checked(name)


def test_a_refusal_says_what_is_wrong_with_which_name() -> None:
    with pytest.raises(BadName, match=r"'an/na' contains '/'"):
        checked("an/na")


def test_ios_capitalises_the_first_letter() -> None:
    assert folded("Anna") == folded("anna")


def test_a_name_typed_on_macos_is_the_same_as_on_windows() -> None:
    assert checked("Mu\u0308ller") == "Müller"
    assert folded("MU\u0308LLER") == folded("müller")


@given(st.text())
def test_folding_is_stable(name: str) -> None:
    assert folded(folded(name)) == folded(name)
    assert folded(unicodedata.normalize("NFD", name)) == folded(name)
