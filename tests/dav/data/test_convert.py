"""vCard 3.0 ⇄ 4.0 (RFC 2426, RFC 6350)."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calsync.dav.data.convert import convert, version_of
from calsync.ical.facts import address_object
from calsync.ical.lines import Component, escape, fold, scan, unescape, unfold
from tests.odd_lines import ACCEPTED, Odd

JPEG = base64.b64encode(b"\xff\xd8\xff\xe0 picture").decode()


def card(*lines: str, version: str = "3.0", names: bool = True) -> Component:
    head = ("FN:Jane Doe", "N:Doe;Jane;;;") if names else ()
    text = "\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", *head, *lines, "END:VCARD", ""])
    return scan(text.encode()).components[0]


def lines(octets: bytes) -> list[str]:
    return unfold(octets).decode().split("\r\n")[1:-2]


def to_4(*sent: str) -> list[str]:
    return lines(convert(card(*sent), "4.0"))[3:]


def to_3(*sent: str) -> list[str]:
    return lines(convert(card(*sent, version="4.0"), "3.0"))[3:]


SAME_BOTH_WAYS = [
    ("TEL;TYPE=HOME;TYPE=PREF:+49 1", "TEL;TYPE=HOME;PREF=1:+49 1"),
    ("EMAIL;TYPE=PREF:a@e.org", "EMAIL;PREF=1:a@e.org"),
    (f"PHOTO;ENCODING=b;TYPE=JPEG:{JPEG}", f"PHOTO:data:image/jpeg;base64,{JPEG}"),
    ("SOUND;ENCODING=b;TYPE=OGG:AAEC", "SOUND:data:audio/ogg;base64,AAEC"),
    ("KEY;ENCODING=b;TYPE=PGP:AAEC", "KEY:data:application/pgp-keys;base64,AAEC"),
    ("KEY;ENCODING=b:AAEC", "KEY:data:application/octet-stream;base64,AAEC"),
    ("LOGO;VALUE=uri;TYPE=PNG:http://e.org/x.png", "LOGO;VALUE=uri;MEDIATYPE=image/png:http://e.org/x.png"),
    ("X-ADDRESSBOOKSERVER-KIND:group", "KIND:group"),
    ("X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:0b1c", "MEMBER:urn:uuid:0b1c"),
    ("X-GENDER:F", "GENDER:F"),
    ("X-GENDER:Male", "GENDER:M;Male"),
    ("X-GENDER:it's complicated", "GENDER:;it's complicated"),
    ("X-ANNIVERSARY:2009-08-08", "ANNIVERSARY:20090808"),
    ("BDAY:1996-04-15", "BDAY:19960415"),
    ("BDAY;VALUE=date-time:1996-04-15T23:10:00-05:00", "BDAY:19960415T231000-0500"),
    ("BDAY;X-APPLE-OMIT-YEAR=1604:1604-02-29", "BDAY:--0229"),
    ("X-CALSYNC-BDAY;VALUE=text:circa 1800", "BDAY;VALUE=text:circa 1800"),
    ("X-CALSYNC-BDAY:1996-04", "BDAY:1996-04"),
    ("REV:1995-10-31T22:27:10Z", "REV:19951031T222710Z"),
    ("GEO:37.386013;-122.082932", "GEO:geo:37.386013,-122.082932"),
    ("TZ:-05:00", "TZ;VALUE=utc-offset:-0500"),
    ("TZ;VALUE=text:Europe/Paris", "TZ;VALUE=text:Europe/Paris"),
    ("UID:1234", "UID;VALUE=text:1234"),
    ("UID:urn:uuid:0b1c", "UID:urn:uuid:0b1c"),
    ("CLASS:PRIVATE", "X-CALSYNC-CLASS:PRIVATE"),
    ("AGENT:BEGIN:VCARD\\nFN:Bob\\nEND:VCARD", "RELATED;TYPE=agent;VALUE=text:BEGIN:VCARD\\nFN:Bob\\nEND:VCARD"),
    ("item1.X-ABLabel:_$!<Other>!$_", "item1.X-ABLabel:_$!<Other>!$_"),
    ("X-DATA;ENCODING=b:AAEC", "X-DATA;VALUE=uri:data:application/octet-stream;base64,AAEC"),
]


@pytest.mark.parametrize(("third", "fourth"), SAME_BOTH_WAYS)
def test_one_line_in_both_versions(third: str, fourth: str) -> None:
    assert to_4(third) == [fourth]
    assert to_3(fourth) == [third]


@pytest.mark.parametrize(
    ("sent", "given"),
    [
        ("TEL;HOME;VOICE:+49 2", "TEL;TYPE=HOME;TYPE=VOICE:+49 2"),
        ("NOTE;CHARSET=UTF-8:Zoë", "NOTE:Zoë"),
        ("NOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=ISO-8859-1:caf=E9=0Atwo", "NOTE:café\\ntwo"),
        ("NOTE;ENCODING=b:WsO8cmljaCwgQ0g=", "NOTE:Zürich\\, CH"),
        (f"PHOTO;ENCODING=BASE64:{JPEG}", f"PHOTO:data:image/jpeg;base64,{JPEG}"),
        ("PHOTO;ENCODING=b;TYPE=PNG:data:image/png;base64,AAEC", "PHOTO:data:image/png;base64,AAEC"),
        ("BDAY:some day", "BDAY;VALUE=text:some day"),
        ("REV:1995-10-31", "REV:19951031T000000Z"),
        ("KEY;TYPE=PGP:line", "KEY;VALUE=text;MEDIATYPE=application/pgp-keys:line"),
    ],
)
def test_odd_lines_become_version_4(sent: str, given: str) -> None:
    assert to_4(sent) == [given]


@pytest.mark.parametrize(
    ("sent", "given"),
    [
        ("TEL;VALUE=uri;TYPE=home:tel:+33-01-23;ext=5", "TEL;TYPE=home:+33-01-23 ext. 5"),
        ('TEL;TYPE="voice,home":+1', "TEL;TYPE=voice,home:+1"),
        ("PHOTO:http://e.org/x.jpg", "PHOTO;VALUE=uri:http://e.org/x.jpg"),
        ("PHOTO:data:image/png,%00%01", "PHOTO;ENCODING=b;TYPE=PNG:AAE="),
        ("RELATED;TYPE=spouse:urn:uuid:1", "RELATED;TYPE=spouse:urn:uuid:1"),
        ("TZ:Europe/Paris", "TZ;VALUE=text:Europe/Paris"),
        ("GEO:geo:1.5,2.5;u=10", "GEO:1.5;2.5"),
        ("N;LANGUAGE=jp;ALTID=1:山田;太郎;;;", "X-CALSYNC-N;LANGUAGE=jp;ALTID=1:山田;太郎;;;"),
    ],
)
def test_odd_lines_become_version_3(sent: str, given: str) -> None:
    assert to_3(sent) == [given]


def test_only_the_lowest_pref_is_preferred_in_version_3() -> None:
    assert to_3("EMAIL;PREF=20:a@e.org", "EMAIL;PREF=3:b@e.org") == ["EMAIL:a@e.org", "EMAIL;TYPE=PREF:b@e.org"]


def test_a_label_is_a_parameter_of_its_address() -> None:
    address, label = "ADR;TYPE=HOME:;;1 Main St;Town;;;", "LABEL;TYPE=HOME:1 Main St\\nTown\\, X"
    joined = 'ADR;TYPE=HOME;LABEL="1 Main St^nTown, X":;;1 Main St;Town;;;'
    assert to_4("ADR;TYPE=WORK:;;x;;;;", address, label) == ["ADR;TYPE=WORK:;;x;;;;", joined]
    assert to_3(joined) == [address, label]


def test_a_label_without_an_address_gets_one_and_loses_it_again() -> None:
    assert to_4("LABEL;TYPE=WORK:there") == ["ADR;TYPE=WORK;LABEL=there:;;;;;;"]
    assert to_3("ADR;TYPE=WORK;LABEL=there:;;;;;;") == ["LABEL;TYPE=WORK:there"]


def test_a_sort_string_is_a_parameter_of_the_name() -> None:
    fourth = convert(card("SORT-STRING:Doe\\, Jane"), "4.0")
    assert lines(fourth)[2] == 'N;SORT-AS="Doe, Jane":Doe;Jane;;;'
    assert b"SORT-STRING:Doe\\, Jane" in convert(scan(fourth).components[0], "3.0")


def test_version_comes_first_and_nothing_else_changes() -> None:
    sent = "BEGIN:VCARD\nN:Doe;Jane;;;\nnote:long\n  line\nfn:Jane\nVERSION:3.0\nX-A;type=b:c\nEND:VCARD\n"
    given = convert(scan(sent.encode()).components[0], "4.0")
    assert (
        given == b"BEGIN:VCARD\r\nVERSION:4.0\r\nN:Doe;Jane;;;\nnote:long\n  line\nfn:Jane\nX-A;type=b:c\nEND:VCARD\r\n"
    )


def test_a_card_in_the_version_asked_for_is_given_verbatim() -> None:
    for version in ("3.0", "4.0"):
        sent = card("TEL;HOME:1", "X-FOO:bar", version=version)
        assert convert(sent, version) == sent.octets


def test_version_3_has_a_name() -> None:
    # clients.md 8: Apple wants the N of a group to be its FN
    group = card("FN:The A\\; Team", "KIND:group", version="4.0", names=False)
    assert "N:The A\\; Team;;;;" in lines(convert(group, "3.0"))


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("N:Doe;Jane;Q.,R.;Dr.;Jr.", "Dr. Jane Q. R. Doe Jr."),
        ("ORG:Acme;Sales", "Acme;Sales"),
        ("EMAIL:a@e.org", "a@e.org"),
    ],
)
def test_a_card_without_fn_gets_one(sent: str, name: str) -> None:
    given = scan(convert(card(sent, names=False), "4.0")).components[0]
    assert given.text("FN") == name


def test_a_changed_line_is_folded_and_no_letter_is_cut() -> None:
    given = convert(card("NOTE;CHARSET=UTF-8:" + "ü" * 100), "4.0")
    assert max(map(len, given.split(b"\r\n"))) <= 75
    assert all(line.decode() for line in given.split(b"\r\n") if line)


@pytest.mark.parametrize("odd", [one for one in ACCEPTED if one.kind == "card"], ids=lambda odd: odd.name)
def test_odd_cards_become_cards_of_the_other_version(odd: Odd) -> None:
    if odd.octets.startswith(b"BEGIN:VCARD"):
        sent = scan(odd.octets).components[0]
        version = "4.0" if version_of(sent) == "3.0" else "3.0"
        given = address_object(convert(sent, version))
        assert given.facts.uid == address_object(odd.octets).facts.uid
        assert version_of(scan(given.octets).components[0]) == version


# --- there and back ---------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff\ufeff"), max_size=40)
TYPES = st.lists(st.sampled_from(["HOME", "WORK", "CELL", "PREF"]), max_size=3, unique=True)
BASE64 = st.binary(min_size=1, max_size=60).map(lambda octets: base64.b64encode(octets).decode())
DAY = st.dates().map(lambda day: day.isoformat())


def typed(name: str, types: list[str], value: str) -> str:
    return f"{name}{''.join(f';TYPE={one}' for one in types)}:{value}"


LINE = st.one_of(
    st.builds(typed, st.sampled_from(["TEL", "EMAIL", "IMPP", "URL", "NOTE", "X-FOO"]), TYPES, TEXT.map(escape)),
    st.builds(
        lambda name, word, data: f"{name};ENCODING=b;TYPE={word}:{data}",
        st.sampled_from(["PHOTO", "LOGO", "SOUND", "KEY"]),
        st.sampled_from(["JPEG", "PNG", "OGG", "PGP"]),
        BASE64,
    ),
    st.builds(typed, st.just("ADR"), TYPES, st.lists(TEXT.map(escape), min_size=7, max_size=7).map(";".join)),
    st.builds(typed, st.just("LABEL"), TYPES, TEXT.map(lambda text: escape("x\n" + text + "x"))),
    st.builds(typed, st.sampled_from(["BDAY", "X-ANNIVERSARY"]), st.just([]), DAY),
    st.builds(
        typed, st.sampled_from(["X-GENDER", "CLASS", "MAILER", "UID", "CATEGORIES"]), st.just([]), TEXT.map(escape)
    ),
    st.builds(lambda lat, lon: f"GEO:{lat};{lon}", st.floats(-90, 90).map("{:.5f}".format), st.integers(-180, 180)),
    st.builds(lambda text: f"SORT-STRING:{escape('x' + text + 'x')}", TEXT),
    st.builds(lambda text: f"X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:{text}", TEXT.map(escape)),
)
ONCE = {"BDAY", "SORT-STRING", "UID"}


def said(component: Component) -> list[tuple[str, str, list[str]]]:
    """Names, unescaped values and types of all lines; an ADR that says nothing is left out."""
    found = []
    for line in component.lines:
        value = unescape(line.value)
        if line.name == "ADR" and not value.strip("; "):
            continue
        types = {word.upper() for key, values in line.params if key == "TYPE" for word in values}
        found.append((line.name, value, [] if line.name == "LABEL" else sorted(types)))
    return sorted(found)


@settings(deadline=None)
@given(st.lists(LINE, max_size=8))
def test_to_version_4_and_back_keeps_all_values(sent: list[str]) -> None:
    names: set[str] = set()
    kept = []
    for line in sent:
        name = line.partition(":")[0].partition(";")[0]
        if name not in ONCE or name not in names:
            kept.append(line)
        names.add(name)
    octets = b"".join(fold(line) for line in ["BEGIN:VCARD", "VERSION:3.0", "N:A;B;;;", "FN:B A", *kept, "END:VCARD"])
    first = scan(octets).components[0]
    between = scan(convert(first, "4.0")).components[0]
    assert between.lines[0].value == "4.0"
    assert not {line.name for line in between.lines} & {"LABEL", "SORT-STRING", "CLASS", "MAILER"}
    assert not any(line.param("ENCODING") for line in between.lines)
    assert said(scan(convert(between, "3.0")).components[0]) == said(first)
