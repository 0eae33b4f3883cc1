from hypothesis import given
from hypothesis import strategies as st

from calsync.accounts import tokens

KEY = b"k" * 32


def test_the_typed_form_is_seven_groups_of_five_without_look_alikes() -> None:
    text = tokens.generate().text
    assert [len(group) for group in text.split("-")] == [5] * 7
    assert text == text.lower()
    assert not set(text) & set("ilou")


def test_no_two_are_alike() -> None:
    assert len({tokens.generate().plain for _ in range(1000)}) == 1000


def test_it_is_read_however_a_phone_wrote_it() -> None:
    secret = tokens.generate()
    shown = secret.text
    for typed in (shown, shown.upper(), shown.replace("-", " "), f" {shown}\n", secret.plain, shown.replace("-", "–")):
        assert tokens.read(typed) == secret


def test_letters_that_look_like_digits_are_read_as_them() -> None:
    secret = tokens.generate()
    assert tokens.read(secret.text.replace("0", "O").replace("1", "l")) == secret


@given(st.integers(0, 34), st.sampled_from("0123456789abcdefghjkmnpqrstvwxyz"))
def test_one_wrong_character_is_told_by_the_checksum(position: int, letter: str) -> None:
    secret = tokens.generate()
    typed = list(secret.plain)
    if typed[position] == letter:
        return
    typed[position] = letter
    wrong = tokens.Secret("".join(typed)).text
    assert tokens.read(wrong) is None
    assert tokens.is_mistyped(wrong)


@given(st.integers(0, 33))
def test_two_swapped_neighbours_are_told(position: int) -> None:
    plain = tokens.generate().plain
    swapped = plain[:position] + plain[position + 1] + plain[position] + plain[position + 2 :]
    assert swapped == plain or tokens.read(swapped) is None


@given(st.text())
def test_anything_else_is_no_app_password(text: str) -> None:
    assert tokens.read(text) is None
    assert not tokens.is_mistyped("correct horse battery staple")


def test_the_hash_needs_the_key() -> None:
    secret = tokens.generate()
    assert secret.hashed(KEY) == secret.hashed(KEY)
    assert secret.hashed(KEY) != secret.hashed(b"o" * 32)
    assert len(secret.hashed(KEY)) == 32


def test_it_does_not_show_itself_in_a_log() -> None:
    secret = tokens.generate()
    assert secret.plain[6:] not in repr(secret)
