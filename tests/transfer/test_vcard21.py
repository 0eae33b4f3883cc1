from __future__ import annotations

from calsync.ical.facts import address_object
from calsync.transfer.repair import repaired
from calsync.transfer.vcard21 import to_vcard30

ANDROID = (
    b"BEGIN:VCARD\r\nVERSION:2.1\r\n"
    b"N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=B6rg;;;\r\n"
    b"FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=B6rg M=C3=BC=\r\nller\r\n"
    b"TEL;CELL:+49 170 1\r\nTEL;HOME;VOICE:030 1\r\n"
    b"NOTE;ENCODING=QUOTED-PRINTABLE:eins, zwei=0D=0Adrei\r\n"
    b"PHOTO;ENCODING=BASE64;JPEG:/9j/4AAQ\r\n SkZJRg==\r\n\r\nEND:VCARD\r\n"
)


def test_an_androids_card() -> None:
    lines = to_vcard30(ANDROID).decode().split("\r\n")
    assert lines == [
        "BEGIN:VCARD",
        "VERSION:3.0",
        "N:Müller;Jörg;;;",
        "FN:Jörg Müller",
        "TEL;TYPE=CELL:+49 170 1",
        "TEL;TYPE=HOME,VOICE:030 1",
        "NOTE:eins\\, zwei\\ndrei",
        "PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQSkZJRg==",
        "END:VCARD",
        "",
    ]


def test_it_is_taken_with_a_uid() -> None:
    mended = repaired(ANDROID)
    assert mended is not None
    assert mended[1] == "rewritten from vCard 2.1, given a UID"
    assert address_object(mended[0]).facts.uid


def test_another_character_set() -> None:
    card = ANDROID.replace(
        b"CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=B6rg", b"CHARSET=ISO-8859-1:M\xfcller;J"
    )
    assert "N:Müller;J;;;" in to_vcard30(card).decode()


def test_what_radicale_kept_of_a_2_1_card() -> None:
    kept = b"BEGIN:VCARD\r\nVERSION:2.1\r\nUID:1\r\nFN;CHARSET=UTF-8:M\xc3\xbcller\r\nEND:VCARD\r\n"
    assert to_vcard30(kept).decode() == "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nFN:Müller\r\nEND:VCARD\r\n"
