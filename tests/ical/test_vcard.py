from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from calsync.ical.facts import address_object
from calsync.ical.vcard import fold
from tests.odd_lines import card


def fields(*lines: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, text in address_object(card("u", *lines)).facts.fields:
        found.setdefault(name, []).append(text)
    return found


def test_fields_are_folded_and_unescaped() -> None:
    found = fields("NICKNAME:Zoë,Ω", r"NOTE:A\, B\nC", "item1.EMAIL;TYPE=HOME:Jane@Example.ORG", "TEL;CELL:+49 1")
    assert found["FN"] == ["odd card"] and found["N"] == ["card;odd;;;"] and found["UID"] == ["u"]
    assert found["NICKNAME"] == [fold("zoë,ω")]
    assert found["NOTE"] == ["a, b\nc"]
    assert found["EMAIL"] == ["jane@example.org"] and found["TEL"] == ["+49 1"]


def test_both_spellings_of_groups_are_one_field() -> None:
    apple = fields("X-ADDRESSBOOKSERVER-KIND:group", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:A")
    assert (apple["KIND"], apple["MEMBER"]) == (["group"], ["urn:uuid:a"])
    assert fields("KIND:group", "MEMBER:urn:uuid:A")["MEMBER"] == apple["MEMBER"]


def test_photos_and_empty_values_are_no_fields() -> None:
    assert fields("PHOTO;ENCODING=b:AAAA", "X-FOO:1", "TITLE:", "NOTE:  ").keys() == {"UID", "FN", "N"}


def test_every_value_of_a_property_counts() -> None:
    assert fields("EMAIL:a@b", "EMAIL:c@d")["EMAIL"] == ["a@b", "c@d"]


def test_case_and_composition_do_not_matter() -> None:
    assert fold("STRASSE ÉCOLE ﬁ Å") == fold("straße e\u0301cole FI a\u030a")


@given(st.text(), st.text(), st.text())
def test_what_contains_a_text_still_does_when_folded(before: str, text: str, after: str) -> None:
    assert fold(text) in fold(before + text + after)
    assert fold(fold(text)) == fold(text)


@given(st.text())
def test_upper_case_finds_lower_case_of_ASCII(text: str) -> None:
    lower = "".join(letter.lower() if letter.isascii() else letter for letter in text)
    assert fold(text) == fold(lower)
