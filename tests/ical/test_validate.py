from __future__ import annotations

import pytest

from calsync.ical import validate
from calsync.ical.validate import Refused
from tests.odd_lines import ACCEPTED, REFUSED, Bad, Odd, card, event, todo


@pytest.mark.parametrize("odd", ACCEPTED, ids=lambda odd: odd.name)
def test_odd_objects_are_taken(odd: Odd) -> None:
    if odd.kind == "calendar":
        assert validate.calendar(odd.octets).calendar.name == "VCALENDAR"
    else:
        assert validate.card(odd.octets).name in {"VCARD", "VLIST"}


def test_there_are_enough_of_them() -> None:
    assert len(ACCEPTED) >= 60
    assert len({odd.name for odd in ACCEPTED}) == len(ACCEPTED)


def test_a_component_the_collection_does_not_take() -> None:
    with pytest.raises(Refused) as caught:
        validate.calendar(todo("x"), components=("VEVENT",))
    assert caught.value.condition == "supported-calendar-component"
    assert "VTODO" in caught.value.message
    assert validate.calendar(todo("x"), components=("VEVENT", "VTODO")).component == "VTODO"
    assert validate.calendar(todo("x"), components=()).component == "VTODO"


def test_METHOD_is_refused_only_where_it_arrives() -> None:
    octets = event("m").replace(b"VERSION:2.0", b"METHOD:REQUEST\r\nVERSION:2.0")
    assert validate.calendar(octets, allow_method=True).uid == "m"
    with pytest.raises(Refused):
        validate.calendar(octets)


def test_the_UID_is_unescaped_and_unfolded() -> None:
    assert validate.calendar(event("a\\,b\\;c")).uid == "a,b;c"
    assert validate.calendar(event("ab\r\n c")).uid == "abc"


def test_a_card_may_lack_a_UID() -> None:
    assert validate.card_uid(validate.card(card("x").replace(b"UID:x\r\n", b""))) == ""
    assert validate.card_uid(validate.card(card("x", "UID:x"))) == "x"


def test_an_alarm_may_have_a_UID() -> None:
    assert validate.calendar(event("x", "BEGIN:VALARM", "UID:y", "END:VALARM")).uid == "x"


def test_what_stands_beside_the_main_component_does_not_count() -> None:
    octets = event("x").replace(b"BEGIN:VEVENT", b"BEGIN:X-A\r\nUID:z\r\nEND:X-A\r\nBEGIN:VEVENT")
    found = validate.calendar(octets)
    assert (found.component, found.uid, len(found.main)) == ("VEVENT", "x", 1)


@pytest.mark.parametrize("bad", [bad for bad in REFUSED if bad.kind == "card"], ids=lambda bad: bad.name)
def test_bad_cards_are_refused_with_their_precondition(bad: Bad) -> None:
    with pytest.raises(Refused) as caught:
        validate.card_uid(validate.card(bad.octets))
    assert caught.value.condition == bad.condition
    assert caught.value.message and "\n" not in caught.value.message
