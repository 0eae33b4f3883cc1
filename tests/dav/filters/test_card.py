"""The exact test of an address book filter (RFC 6352 §10.5)."""

import pytest
from lxml import etree

from calsync.dav.filters.card import matches
from calsync.ical.lines import scan
from calsync.webdav.parse_filters import card_filter
from tests.dav.filters.elements import ABSENT, text
from tests.odd_lines import ACCEPTED, Odd

CARD = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u1\r\nFN:Zoë Straße\r\nN:Straße;Zoë;;;\r\nNICKNAME:zo,Zozo\r\n"
    "EMAIL;TYPE=HOME,PREF:zoe@home.example\r\nEMAIL;TYPE=WORK:z@work.example\r\n"
    'item1.TEL;TYPE="voice,cell":+49 1\r\nNOTE:\r\nADR:;;1 Main\\; St;Town;;;\r\n'
    "X-ADDRESSBOOKSERVER-KIND:group\r\nEND:VCARD\r\n"
)


def found(inside: str, test: str = "anyof", octets: bytes = CARD.encode()) -> bool:
    text = f'<filter xmlns="urn:ietf:params:xml:ns:carddav" test="{test}">{inside}</filter>'
    return matches(scan(octets).components[0], card_filter(etree.fromstring(text)))


def prop(name: str, inside: str = "", test: str = "anyof") -> str:
    return f'<prop-filter name="{name}" test="{test}">{inside}</prop-filter>'


def param(name: str, inside: str = "") -> str:
    return f'<param-filter name="{name}">{inside}</param-filter>'


WORK = param("TYPE", text("work"))


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("", True),
        (prop("FN"), True),
        (prop("NOTE"), True),  # it is there, though empty
        (prop("TITLE"), False),
        (prop("TITLE", ABSENT), True),
        (prop("FN", ABSENT), False),
        (prop("FN", text("STRASSE")), True),
        (prop("FN", text("zoe")), True),  # RFC 5051 compares what is decomposed
        (prop("FN", text("zoe\u0308")), True),
        (prop("FN", text("ZOË", collation="i;ascii-casemap")), False),
        (prop("FN", text("zoë", collation="i;ascii-casemap")), True),
        (prop("FN", text("zoë", collation="i;octet")), False),
        (prop("FN", text("zoë", match_type="starts-with")), True),
        (prop("FN", text("straße", match_type="ends-with")), True),
        (prop("FN", text("zoë", match_type="equals")), False),
        (prop("FN", text("zoë straße", match_type="equals")), True),
        (prop("N", text("zoë", match_type="equals")), True),
        (prop("NICKNAME", text("zozo", match_type="equals")), True),
        (prop("ADR", text("1 main; st", match_type="equals")), True),
        (prop("FN", text("zoë", negate_condition="yes")), False),
        (prop("FN", text("x", negate_condition="yes")), True),
        (prop("EMAIL", text("home", negate_condition="yes")), True),  # the other one
        (prop("TITLE", text("x", negate_condition="yes")), False),
        (prop("TEL"), True),
        (prop("item1.TEL"), True),
        (prop("ITEM2.TEL"), False),
        (prop("item1.EMAIL"), False),
        (prop("TEL", param("TYPE", text("cell", match_type="equals"))), True),
        (prop("EMAIL", param("X-P")), False),
        (prop("EMAIL", param("X-P", ABSENT)), True),
        (prop("EMAIL", param("TYPE", ABSENT)), False),
        (prop("EMAIL", text("nobody") + WORK), True),
        (prop("EMAIL", text("@work") + WORK, "allof"), True),
        (prop("EMAIL", text("@home") + WORK, "allof"), False),
        (prop("EMAIL", text("zoe") + text("home"), "allof"), True),
        (prop("EMAIL", text("zoe") + text("work"), "allof"), False),
        # clients.md 8: Apple's spelling and version 4's are one
        (prop("KIND", text("group")), True),
        (prop("X-ADDRESSBOOKSERVER-KIND", text("group")), True),
        (prop("KIND", ABSENT), False),
    ],
)
def test_a_card(inside: str, expected: bool) -> None:
    assert found(inside) is expected


@pytest.mark.parametrize(("test", "expected"), [("anyof", True), ("allof", False)])
def test_several_properties(test: str, expected: bool) -> None:
    assert found(prop("FN", text("zoë")) + prop("EMAIL", text("nobody")), test) is expected


@pytest.mark.parametrize("odd", [one for one in ACCEPTED if one.kind == "card"], ids=lambda odd: odd.name)
def test_odd_cards_spoil_no_answer(odd: Odd) -> None:
    is_card = not odd.octets.startswith(b"BEGIN:VLIST")
    assert found("", octets=odd.octets) is is_card
    assert found(prop("UID", text("no such")), octets=odd.octets) is False
