"""Cards that break the format, or keep it and would break who reads them."""

from __future__ import annotations

from tests.hostile.calendar_objects import PLAIN as AN_EVENT
from tests.hostile.calendar_objects import Body, text
from tests.hostile.case import BOOK, Case

DATA = "valid-address-data"


def card(*lines: str, version: str = "3.0") -> str:
    return text("BEGIN:VCARD", f"VERSION:{version}", "UID:x", "FN:Ada", "N:L;Ada;;;", *lines, "END:VCARD")


PLAIN = card()

CARDS: tuple[tuple[str, Body, int, str], ...] = (
    ("an ordinary card", PLAIN, 201, ""),
    ("nothing", b"", 403, DATA),
    ("blanks", b"\r\n" * 1000, 403, DATA),
    ("no BEGIN", PLAIN.removeprefix("BEGIN:VCARD\r\n"), 403, DATA),
    ("no END", PLAIN.removesuffix("END:VCARD\r\n"), 403, DATA),
    ("no VERSION", PLAIN.replace("VERSION:3.0\r\n", ""), 201, ""),
    ("VERSION:2.1", card(version="2.1"), 403, DATA),
    ("VERSION:99", card(version="99"), 403, DATA),
    ("two VERSIONs", card("VERSION:4.0"), 201, ""),
    ("two VERSIONs, one of none", card("VERSION:5.0"), 403, DATA),
    ("no UID", PLAIN.replace("UID:x\r\n", ""), 201, ""),
    ("an empty UID", PLAIN.replace("UID:x", "UID:"), 201, ""),
    ("two UIDs", card("UID:y"), 403, DATA),
    ("a UID of 1 MB", lambda: PLAIN.replace("UID:x", "UID:" + "u" * 1_000_000), 201, ""),
    ("no FN", PLAIN.replace("FN:Ada\r\n", ""), 201, ""),
    ("an empty FN", PLAIN.replace("FN:Ada", "FN:"), 201, ""),
    ("1 000 FNs", card(*["FN:x"] * 1000, version="4.0"), 201, ""),
    ("no N", PLAIN.replace("N:L;Ada;;;\r\n", ""), 201, ""),
    ("two Ns", card("N:x;y;;;"), 201, ""),
    ("N of 1 000 parts", card("N:" + ";" * 1000), 201, ""),
    ("two cards", PLAIN * 2, 403, DATA),
    ("1 000 cards", PLAIN * 1000, 403, DATA),
    ("a card in a card", card("BEGIN:VCARD", "END:VCARD"), 201, ""),
    ("a card in a card, 60 levels", "BEGIN:VCARD\r\n" * 60 + "END:VCARD\r\n" * 60, 403, DATA),
    ("50 000 beginnings", b"BEGIN:VCARD\r\n" * 50_000, 403, DATA),
    ("50 000 ends", b"END:VCARD\r\n" * 50_000, 403, DATA),
    ("an event", AN_EVENT, 403, DATA),
    ("an event in a card", card(*AN_EVENT.splitlines()), 201, ""),
    ("a card and an event", PLAIN + AN_EVENT, 403, DATA),
    ("a list of cards", text("BEGIN:VLIST", "UID:l", "CARD:x", "END:VLIST"), 201, ""),
    ("NUL", PLAIN.replace("Ada", "A\x00"), 403, DATA),
    ("a control character", PLAIN.replace("Ada", "A\x1b"), 403, DATA),
    ("U+FFFF", PLAIN.replace("Ada", "￿"), 403, DATA),
    ("bad UTF-8", PLAIN.encode().replace(b"Ada", b"\xff\xfe"), 403, DATA),
    ("Latin-1, undeclared", PLAIN.replace("Ada", "Zoë").encode("latin-1"), 403, DATA),
    ("UTF-16", PLAIN.encode("utf-16"), 403, DATA),
    ("quoted-printable", card("NOTE;ENCODING=QUOTED-PRINTABLE:=C3=28=\r\n=FF"), 201, ""),
    ("quoted-printable without end", card("NOTE;ENCODING=QUOTED-PRINTABLE:x=\r\nend"), 201, ""),
    ("a picture of rubbish", card("PHOTO;ENCODING=b;TYPE=JPEG:!!!"), 201, ""),
    ("a picture of 9 MB", lambda: card("PHOTO;ENCODING=b:" + "QUJD" * 2_250_000), 201, ""),
    ("a picture of a file of ours", card("PHOTO;VALUE=URI:file:///etc/passwd"), 201, ""),
    ("a picture of a page", card("PHOTO:data:text/html;base64,PHNjcmlwdD4=", version="4.0"), 201, ""),
    ("a card of 11 MB", lambda: card("NOTE:" + "x" * 11_000_000), 403, "max-resource-size"),
    ("a note of 9 MB", lambda: card("NOTE:" + "x" * 9_000_000), 201, ""),
    ("a note of 9 MB of folds", lambda: card("NOTE:" + "\r\n x" * 2_250_000), 201, ""),
    ("a note of letters that fold to many", lambda: card("NOTE:" + "ﷺ" * 200_000), 201, ""),
    ("a note of signs on one letter", lambda: card("NOTE:a" + "\u0301" * 300_000), 201, ""),
    ("20 000 lines", lambda: card(*(f"X-L{n}:{n}" for n in range(20_000))), 201, ""),
    ("100 000 lines", lambda: card(*(f"X-L{n}:{n}" for n in range(100_000))), 403, DATA),
    ("20 000 addresses", lambda: card(*(f"EMAIL:a{n}@example.com" for n in range(20_000))), 201, ""),
    ("100 000 addresses", lambda: card(*(f"EMAIL:a{n}@example.com" for n in range(100_000))), 403, DATA),
    ("20 000 members", lambda: card("KIND:group", *(f"MEMBER:urn:uuid:{n}" for n in range(20_000)), version="4.0"), 201, ""),
    ("100 000 members", lambda: card("KIND:group", *(f"MEMBER:urn:uuid:{n}" for n in range(100_000)), version="4.0"), 403, DATA),
    ("19 000 soft line breaks", lambda: card("NOTE;QUOTED-PRINTABLE:a=", *["b="] * 19_000, "c"), 201, ""),
    ("a note of 9 MB with one letter of four octets", lambda: card("NOTE:\U0001f600" + "x" * 9_000_000), 201, ""),
    ("100 000 TYPEs", lambda: card("TEL" + ";TYPE=x" * 100_000 + ":1"), 201, ""),
    ("100 000 categories", lambda: card("CATEGORIES:" + "a," * 100_000), 201, ""),
    ("a group without a property", card("item1.:x"), 201, ""),
    ("a group of groups", card("a.b.c.TEL:1"), 201, ""),
    ("a property without a name", card(":x"), 403, DATA),
    ("a line without a colon", card("TEL"), 403, DATA),
    ("a birthday of letters", card("BDAY:soon"), 201, ""),
    ("a birthday of digits", card("BDAY:" + "9" * 5000), 201, ""),
    ("a birthday in the year 0000", card("BDAY:0000-00-00"), 201, ""),
    ("an altered identity", card("CLIENTPIDMAP:0;x", "PID=1.1.1:x", version="4.0"), 403, DATA),
    ("a card of HTML", "<html/>", 403, DATA),
    ("JSON", '["vcard", []]', 403, DATA),
    ("an XML card", '<vcards xmlns="urn:ietf:params:xml:ns:vcard-4.0"/>', 403, DATA),
    ("a key of a million backslashes", lambda: card("KEY:" + "\\" * 1_000_000), 201, ""),
    ("a million semicolons", lambda: card("ADR:" + ";" * 1_000_000), 201, ""),
)  # fmt: skip

CASES = tuple(
    Case(name, "PUT", f"{BOOK}x.vcf", status, condition, body, (("Content-Type", "text/vcard; charset=utf-8"),))
    for name, body, status, condition in CARDS
)
