"""What a scope opens, and how it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calsync.accounts.scopes import ALL, BadScope, Scope

_NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"), min_size=1).filter(
    lambda name: name not in (".", "..")
)
_PATHS = st.lists(_NAMES, min_size=2, max_size=4).map(tuple)
_SCOPES = st.sampled_from([ALL, Scope("calendars"), Scope("contacts")]) | st.builds(
    lambda paths: Scope("collections", frozenset(paths)), st.lists(_PATHS, min_size=1, max_size=3)
)


@given(_SCOPES)
def test_it_comes_back_from_the_store_as_it_was(scope: Scope) -> None:
    assert Scope.parse(scope.serialise()) == scope


@given(_SCOPES, _PATHS, _NAMES, st.sampled_from(["calendar", "subscribed", "addressbook", "plain"]))
def test_what_is_inside_a_collection_has_its_answer(scope: Scope, path: tuple[str, ...], name: str, kind: str) -> None:
    if scope.covers(path, kind):
        assert scope.covers((*path, name), kind)


@pytest.mark.parametrize("text", ["all", '"everything"', "{}", '{"collections": []}', '{"collections": ["x"]}', "[]"])
def test_what_is_none_opens_nothing(text: str) -> None:
    with pytest.raises(BadScope):
        Scope.parse(text)


@pytest.mark.parametrize("path", ["/anna/", "anna/work", "/", "", "/anna/../bert/work/", "/anna/./"])
def test_a_home_is_no_collection(path: str) -> None:
    with pytest.raises(BadScope):
        Scope.of_paths(path)


def test_kinds() -> None:
    assert [Scope("calendars").covers(("anna", "x"), kind) for kind in ("calendar", "subscribed", "plain")] == [
        True,
        True,
        False,
    ]
    assert Scope("contacts").may_make("addressbook") and not Scope("contacts").may_make("calendar")
    assert not Scope.of_paths("/anna/x/").may_make("calendar")


def test_for_people() -> None:
    assert str(Scope.of_paths("/b/y", "/a/x/")) == "/a/x/ /b/y/" and str(Scope("contacts")) == "contacts"
