"""Odd objects that clients send: each of ACCEPTED is taken and given back octet for octet, each of REFUSED is not.

Several are garbled or refused by parsers that understand before they store. Names tell the client or the oddity.
"""

from __future__ import annotations

from typing import NamedTuple


class Odd(NamedTuple):
    """`kind`: calendar or card."""

    name: str
    kind: str
    octets: bytes


class Bad(NamedTuple):
    """`condition`: local name of the precondition that says why it is refused."""

    name: str
    kind: str
    octets: bytes
    condition: str


class File(NamedTuple):
    """A name of a resource that is unusual, as it stands before percent-encoding."""

    href: str
    kind: str


def text(*lines: str | bytes, end: bytes = b"\r\n") -> bytes:
    return b"".join((line.encode() if isinstance(line, str) else line) + end for line in lines)


def calendar(*lines: str | bytes, end: bytes = b"\r\n") -> bytes:
    return text("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//odd//EN", *lines, "END:VCALENDAR", end=end)


def event(uid: str, *lines: str | bytes, start: str = "DTSTART:20250610T100000Z", end: bytes = b"\r\n") -> bytes:
    stamp = "DTSTAMP:20250601T000000Z"
    return calendar("BEGIN:VEVENT", f"UID:{uid}", stamp, start, *lines, "END:VEVENT", end=end)


def todo(uid: str, *lines: str | bytes) -> bytes:
    return calendar("BEGIN:VTODO", f"UID:{uid}", "DTSTAMP:20250601T000000Z", *lines, "END:VTODO")


def card(uid: str, *lines: str | bytes, version: str = "3.0", end: bytes = b"\r\n") -> bytes:
    head = ("BEGIN:VCARD", f"VERSION:{version}", f"UID:{uid}", "FN:Odd Card", "N:Card;Odd;;;")
    return text(*head, *lines, "END:VCARD", end=end)


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
BERLIN = (
    "BEGIN:VTIMEZONE",
    "TZID:Europe/Berlin",
    "BEGIN:STANDARD",
    "DTSTART:19701025T030000",
    "TZOFFSETFROM:+0200",
    "TZOFFSETTO:+0100",
    "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU",
    "END:STANDARD",
    "END:VTIMEZONE",
)

_EVENT_LINES: dict[str, tuple[str | bytes, ...]] = {
    "comma in a URL": ("URL:https://e.com/a,b;c",),
    "Apple's location with a bare comma": (
        'X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-ADDRESS="Rue \\"A\\"\\n75004";X-TITLE=Paris:geo:48.85,2.29',
    ),
    "Apple's travel": ("X-APPLE-TRAVEL-ADVISORY-BEHAVIOR:AUTOMATIC", "X-APPLE-TRAVEL-START;ROUTING=CAR:geo:1,2"),
    "geo": ("GEO:48.85;2.29",),
    "a fold inside a UTF-8 letter": (b"SUMMARY:Caf\xc3\r\n \xa9 und Zo\xc3\r\n\t\xab",),
    "a fold inside an emoji": (b"SUMMARY:\xf0\x9f\r\n \x8e\x82 Fest",),
    "a fold inside a name": (b"SUMM\r\n ARY:cut",),
    "a fold before the colon": (b"DESCRIPTION;LANGUAGE=de\r\n :gefaltet",),
    "a fold inside a parameter": (b'ATTENDEE;CN="Long\r\n  Name";RSVP=TRUE\r\n :mailto:a@example.org',),
    "empty folds": (b"SUMMARY:x\r\n \r\n \r\n y",),
    "a fold by a tab": (b"SUMMARY:one\r\n\ttwo",),
    "a line of 3000 octets": ("DESCRIPTION:" + "unfolded " * 330,),
    "a blank line": ("SUMMARY:before", "", "LOCATION:after"),
    "a line of blanks": (b"SUMMARY:before", b"   ", b"LOCATION:after"),
    "a tab in a value": ("DESCRIPTION:one\ttwo",),
    "blanks at the end of a value": ("SUMMARY:trailing   ",),
    "blanks at the begin of a value": ("SUMMARY:   leading",),
    "an empty value": ("LOCATION:", "DESCRIPTION:"),
    "lower case names": ("summary:lower", "location;language=en:here"),
    "mixed case names": ("Summary:Mixed",),
    "an underscore in a name": ("X_MOZ_THING:1",),
    "a colon in a quoted parameter": ('ATTENDEE;CN="Dr. A: B; C, D":mailto:a@example.org',),
    "carets in a parameter": ("ATTENDEE;CN=George Herman ^'Babe^' Ruth^nNY:mailto:babe@example.org",),
    "a quote that is not closed": ('ATTENDEE;CN="Half:mailto:half@example.org',),
    "a quote amid a parameter": ('ATTENDEE;CN=Jo "the" Smith:mailto:jo@example.org',),
    "an empty parameter": ("ATTENDEE;CN=;RSVP=:mailto:a@example.org",),
    "two values in a parameter": ('ATTENDEE;MEMBER="mailto:a@e.org","mailto:b@e.org":mailto:c@e.org',),
    "umlauts in a parameter": ("ORGANIZER;CN=Jörg Müller:mailto:joerg@example.org",),
    "escapes of every kind": (r"DESCRIPTION:a\, b\; c\\ d\n e\N f\: g\" h\x i",),
    "a backslash at the end": ("DESCRIPTION:C:\\",),
    "HTML": ('X-ALT-DESC;FMTTYPE=text/html:<html><body>&amp; <b>"x"</b></body></html>',),
    "XML's own letters": ("SUMMARY:<&>\"' ]]>",),
    "an attachment inline": (f"ATTACH;ENCODING=BASE64;VALUE=BINARY;FMTTYPE=image/png:{PIXEL}",),
    "Exchange's own": ("X-MICROSOFT-CDO-BUSYSTATUS:BUSY", "X-MICROSOFT-DISALLOW-COUNTER:FALSE"),
    "periods": ("RDATE;VALUE=PERIOD:20250611T100000Z/PT1H,20250612T100000Z/20250612T120000Z",),
    "a rule with a comma list": ("RRULE:FREQ=MONTHLY;BYDAY=1MO,-1FR;BYSETPOS=1;COUNT=3",),
    "a rule that ends in a semicolon": ("RRULE:FREQ=WEEKLY;COUNT=2;",),
    "Apple's Hebrew calendar": ("RRULE:RSCALE=HEBREW;FREQ=YEARLY;SKIP=FORWARD",),
    "Lightning: DTEND and DURATION": ("DTEND:20250610T110000Z", "DURATION:PT0S"),
    "end before start": ("DTEND:20250610T090000Z",),
    "a moment": ("DTEND:20250610T100000Z",),
    "Evolution: EXDATE as a day": ("RRULE:FREQ=DAILY;COUNT=5", "EXDATE;VALUE=DATE:20250611"),
    "several dates in EXDATE": ("RRULE:FREQ=DAILY;COUNT=5", "EXDATE:20250611T100000Z,20250612T100000Z"),
    "two CATEGORIES lines": ("CATEGORIES:a,b", "CATEGORIES:c\\,d"),
    "Thunderbird's own": ("X-MOZ-GENERATION:3", "X-MOZ-LASTACK:20250601T000000Z"),
    "an alarm with a UID of its own": (
        "BEGIN:VALARM",
        "UID:alarm-1",
        "X-WR-ALARMUID:alarm-1",
        "ACTION:AUDIO",
        "TRIGGER;VALUE=DATE-TIME:20250610T093000Z",
        "ATTACH;VALUE=URI:Chord",
        "END:VALARM",
    ),
    "an unknown component inside": ("BEGIN:X-INNER", "X-FOO:1", "BEGIN:X-DEEP", "END:X-DEEP", "END:X-INNER"),
    "RFC 9073's components": ("BEGIN:VLOCATION", "UID:l1", "NAME:Hall", "END:VLOCATION"),
    "letters outside of the first plane": ("SUMMARY:𝔘𝔫𝔦 🎂 ﷽",),
    "letters that compose": ("SUMMARY:e\u0301 \u00e9",),
    "line separators of Unicode": ("DESCRIPTION:a\u2028b\u2029c\u0085d",),
    "no-break blanks": ("SUMMARY:10\u00a0Uhr\ufeff",),
}

_CARD_LINES: dict[str, tuple[str | bytes, ...]] = {
    "commas in NICKNAME": ("NICKNAME:x,y",),
    "PHOTO as a data URI": (f"PHOTO:data:image/jpeg;base64,{PIXEL}",),
    "InfCloud: a data URI that says b": (f"PHOTO;ENCODING=b;TYPE=PNG:data:image/png;base64,{PIXEL}",),
    "PHOTO inline": (f"PHOTO;ENCODING=b;TYPE=PNG:{PIXEL}",),
    "a comma in ORG": ("ORG:A, B;C",),
    "Apple's groups of lines": ("item1.TEL:+49 1", "item1.X-ABLabel:_$!<Other>!$_", "item2.URL;type=pref:http://e.com"),
    "Apple's group": (
        "X-ADDRESSBOOKSERVER-KIND:group",
        "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:0b1c",
        "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:1c2d",
    ),
    "types without a name": ("TEL;HOME;VOICE:+49 2", "EMAIL;INTERNET:a@example.org"),
    "types in lower case": ("tel;type=cell,voice;type=pref:+49 3",),
    "a birthday without year": ("BDAY;X-APPLE-OMIT-YEAR=1604:1604-02-29",),
    "a comma in a URL": ("URL:https://e.com/?a=1,2;3",),
    "an address with all in it": ("ADR;TYPE=HOME:;;1 Main St\\, Apt 2\\nRear;Town, X;;12345;",),
    "an address with too few parts": ("ADR:Street;Town",),
    "a name with too many parts": ("X-N:a;b;c;d;e;f;g",),
    "quoted-printable": ("NOTE;ENCODING=QUOTED-PRINTABLE:caf=C3=A9",),
    "quoted-printable with soft line breaks": ("NOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:one=", "two=", "three"),
    "a fold inside a letter": (b"NOTE:Zo\xc3\r\n \xab",),
    "IMPP and social profiles": ("IMPP;X-SERVICE-TYPE=XMPP:xmpp:a@b.c", "X-SOCIALPROFILE;type=x:http://x.com/a,b"),
    "a key": ("KEY;ENCODING=b:AAECAwQF",),
}

_WHOLE: dict[str, tuple[str, bytes]] = {
    "a byte order mark": ("calendar", b"\xef\xbb\xbf" + event("bom")),
    "a byte order mark on a card": ("card", b"\xef\xbb\xbf" + card("bom-card")),
    "bare line feeds": ("calendar", event("lf", "SUMMARY:x", b"LOCATION:y\n z", end=b"\n")),
    "bare carriage returns": ("calendar", event("cr", "SUMMARY:x", end=b"\r")),
    "mixed line ends": ("calendar", event("mixed", b"SUMMARY:x\nLOCATION:y")),
    "bare line feeds on a card": ("card", card("lf-card", "NOTE:x", end=b"\n")),
    "no line end at the end": ("calendar", event("open").removesuffix(b"\r\n")),
    "no line end at a card's end": ("card", card("open-card").removesuffix(b"\r\n")),
    "blank lines around": ("calendar", b"\r\n\r\n" + event("blank") + b"\r\n\n"),
    "lower case begin and end": (
        "calendar",
        event("lower-case").replace(b"BEGIN:", b"begin:").replace(b"END:VEVENT", b"end:vevent"),
    ),
    "a blank behind END": ("calendar", event("blank-end").replace(b"END:VEVENT", b"END:VEVENT ")),
    "Teams: an instance without its master": (
        "calendar",
        event("lone", "RECURRENCE-ID:20250610T090000Z", "SUMMARY:moved"),
    ),
    "Teams: two instances without their master": (
        "calendar",
        calendar(
            *("BEGIN:VEVENT", "UID:lone-2", "DTSTART:20250610T100000Z", "RECURRENCE-ID:20250610T100000Z", "END:VEVENT"),
            *("BEGIN:VEVENT", "UID:lone-2", "DTSTART:20250617T110000Z", "RECURRENCE-ID:20250617T100000Z", "END:VEVENT"),
        ),
    ),
    "Simple Calendar: an override with a rule": (
        "calendar",
        calendar(
            *("BEGIN:VEVENT", "UID:ruled", "DTSTART:20250610T100000Z", "RRULE:FREQ=DAILY;COUNT=3", "END:VEVENT"),
            *("BEGIN:VEVENT", "UID:ruled", "DTSTART:20250611T120000Z", "RECURRENCE-ID:20250611T100000Z"),
            *("RRULE:FREQ=DAILY;COUNT=3", "END:VEVENT"),
        ),
    ),
    "the master after its override": (
        "calendar",
        calendar(
            *("BEGIN:VEVENT", "UID:late", "DTSTART:20250611T120000Z", "RECURRENCE-ID:20250611T100000Z", "END:VEVENT"),
            *("BEGIN:VEVENT", "UID:late", "DTSTART:20250610T100000Z", "RRULE:FREQ=DAILY;COUNT=3", "END:VEVENT"),
        ),
    ),
    "THISANDFUTURE": (
        "calendar",
        calendar(
            *("BEGIN:VEVENT", "UID:future", "DTSTART:20250610T100000Z", "RRULE:FREQ=DAILY;COUNT=5", "END:VEVENT"),
            *("BEGIN:VEVENT", "UID:future", "DTSTART:20250612T120000Z"),
            *("RECURRENCE-ID;RANGE=THISANDFUTURE:20250612T100000Z", "END:VEVENT"),
        ),
    ),
    "Outlook: a blank behind the TZID": (
        "calendar",
        calendar(
            *("BEGIN:VTIMEZONE", "TZID:W. Europe Standard Time ", "BEGIN:STANDARD", "DTSTART:16010101T000000"),
            *("TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "END:STANDARD", "END:VTIMEZONE", "BEGIN:VEVENT", "UID:outlook"),
            *("DTSTART;TZID=W. Europe Standard Time :20250610T100000", "END:VEVENT"),
        ),
    ),
    "Exchange: a TZID to read": (
        "calendar",
        event("exchange", start='DTSTART;TZID="(UTC+01:00) Amsterdam, Berlin":20250610T100000'),
    ),
    "a TZID that nobody knows": ("calendar", event("nowhere", start="DTSTART;TZID=Middle Earth:20250610T100000")),
    "KDE: a VTIMEZONE with only a TZID": (
        "calendar",
        calendar("BEGIN:VTIMEZONE", "TZID:Europe/Berlin", "END:VTIMEZONE", *event("kde").split(b"\r\n")[3:-2]),
    ),
    "a VTIMEZONE nobody uses, twice": ("calendar", calendar(*BERLIN, *BERLIN, *event("twice").split(b"\r\n")[3:-2])),
    "a day": ("calendar", event("day", "DTEND;VALUE=DATE:20250611", start="DTSTART;VALUE=DATE:20250610")),
    "a day that does not say VALUE=DATE": ("calendar", event("undeclared", start="DTSTART:20250610")),
    "a floating time": ("calendar", event("floating", start="DTSTART:20250610T100000")),
    "a leap second": ("calendar", event("leap", start="DTSTART:20161231T235960Z")),
    "year 1": ("calendar", event("ancient", start="DTSTART:00010101T000000Z")),
    "year 9999": ("calendar", event("last", "DURATION:P400D", start="DTSTART:99991231T235959Z")),
    "an old start": ("calendar", event("birthday", "RRULE:FREQ=YEARLY", start="DTSTART;VALUE=DATE:16040229")),
    "a rule that explodes": ("calendar", event("boom", "RRULE:FREQ=SECONDLY")),
    "a rule that never comes": ("calendar", event("never", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")),
    "a task without dates": ("calendar", todo("dateless", "SUMMARY:some day")),
    "a task that recurs without dates": ("calendar", todo("dateless-series", "RRULE:FREQ=DAILY")),
    "a task with a day and a moment": (
        "calendar",
        todo("uneven", "DTSTART;VALUE=DATE:20250610", "DUE:20250611T100000Z"),
    ),
    "a task with DUE alone that recurs": ("calendar", todo("due", "DUE:20250610T100000Z", "RRULE:FREQ=WEEKLY;COUNT=3")),
    "a journal": (
        "calendar",
        calendar("BEGIN:VJOURNAL", "UID:journal", "DTSTAMP:20250601T000000Z", "SUMMARY:note", "END:VJOURNAL"),
    ),
    "free-busy": (
        "calendar",
        calendar("BEGIN:VFREEBUSY", "UID:fb", "FREEBUSY;FBTYPE=BUSY:20250610T100000Z/PT1H", "END:VFREEBUSY"),
    ),
    "availability": (
        "calendar",
        calendar(
            *("BEGIN:VAVAILABILITY", "UID:avail", "DTSTAMP:20250601T000000Z", "BEGIN:AVAILABLE", "UID:a1"),
            *("DTSTART;TZID=Europe/Berlin:20250602T090000", "DURATION:PT8H", "RRULE:FREQ=WEEKLY", "END:AVAILABLE"),
            "END:VAVAILABILITY",
        ),
    ),
    "an unknown component": ("calendar", calendar("BEGIN:X-THING", "UID:thing", "X-FOO:1", "END:X-THING")),
    "an unknown component beside": (
        "calendar",
        calendar(*event("beside").split(b"\r\n")[3:-2], "BEGIN:X-THING", "X-FOO:1", "END:X-THING"),
    ),
    "no VERSION": ("calendar", event("versionless").replace(b"VERSION:2.0\r\n", b"")),
    "calendar properties": (
        "calendar",
        event("named").replace(b"VERSION:2.0\r\n", b"VERSION:2.0\r\nX-WR-CALNAME:A\r\nX-WR-TIMEZONE:Europe/Berlin\r\n"),
    ),
    "a UID with everything": ("calendar", event("u/i%d ü,;:<&>\"'")),
    "a UID of 400 letters": ("calendar", event("u" * 400)),
    "version 4.0": ("card", card("v4", "KIND:group", "MEMBER:urn:uuid:x", "RELATED;VALUE=text:me", version="4.0")),
    "version 4.0: alternatives": ("card", card("v4-alt", "FN;ALTID=1;LANGUAGE=de:Karte", "GEO:geo:1,2", version="4.0")),
    "no UID": ("card", card("x").replace(b"UID:x\r\n", b"")),
    "no FN": ("card", card("no-fn").replace(b"FN:Odd Card\r\n", b"")),
    "no VERSION on a card": ("card", card("no-version").replace(b"VERSION:3.0\r\n", b"")),
    "VERSION last": ("card", text("BEGIN:VCARD", "UID:v-last", "FN:x", "VERSION:3.0", "END:VCARD")),
    "SOGo's list": ("card", text("BEGIN:VLIST", "UID:list", "FN:x", "CARD;EMAIL=a@b.c;FN=a:x.vcf", "END:VLIST")),
}

ACCEPTED: list[Odd] = [
    *(Odd(name, "calendar", event(f"odd-{i}", *lines)) for i, (name, lines) in enumerate(_EVENT_LINES.items())),
    *(Odd(name, "card", card(f"odd-card-{i}", *lines)) for i, (name, lines) in enumerate(_CARD_LINES.items())),
    *(Odd(name, kind, octets) for name, (kind, octets) in _WHOLE.items()),
]

FILES: list[File] = [
    File(".hidden.ics", "calendar"),
    File("quote'.ics", "calendar"),
    File("q?.ics", "calendar"),
    File("colon:.ics", "calendar"),
    File("blank in it.ics", "calendar"),
    File("#hash.ics", "calendar"),
    File("100%.ics", "calendar"),
    File("semi;colon=1.ics", "calendar"),
    File("ümlaut.ics", "calendar"),
    File("e\u0301.ics", "calendar"),
    File("no-ending", "calendar"),
    File("double.vcf.ics", "calendar"),
    File("amp&<lt>.vcf", "card"),
    File('quote".vcf', "card"),
    File("tilde~.vcf", "card"),
    File("trailing .vcf ", "card"),
]

_DATA, _OBJECT, _CARD = "valid-calendar-data", "valid-calendar-object-resource", "valid-address-data"

REFUSED: list[Bad] = [
    Bad("nothing", "calendar", b"", _DATA),
    Bad("prose", "calendar", b"hello\r\n", _DATA),
    Bad("XML", "calendar", b"<?xml version='1.0'?><a:b xmlns:a='x'/>", _DATA),
    Bad("a card in a calendar", "calendar", card("wrong"), _DATA),
    Bad("Latin-1", "calendar", event("latin", "SUMMARY:Café".encode("latin-1")), _DATA),
    Bad("UTF-16", "calendar", event("utf16").decode().encode("utf-16"), _DATA),
    Bad("surrogates", "calendar", event("surrogates", b"SUMMARY:\xed\xa0\x80"), _DATA),
    Bad("an escape character", "calendar", event("esc", b"SUMMARY:\x1b[0m"), _DATA),
    Bad("a null", "calendar", event("nul", b"SUMMARY:a\x00b"), _DATA),
    Bad("a vertical tab", "calendar", event("vt", b"DESCRIPTION:a\x0bb"), _DATA),
    Bad("a delete character", "calendar", event("del", b"DESCRIPTION:a\x7fb"), _DATA),
    Bad("what XML cannot carry", "calendar", event("ffff", b"SUMMARY:\xef\xbf\xbf"), _DATA),
    Bad("what XML cannot carry, folded", "calendar", event("fffe", b"SUMMARY:\xef\xbf\r\n \xbe"), _DATA),
    Bad("a line without colon", "calendar", event("no-colon", "SUMMARY"), _DATA),
    Bad("a line without name", "calendar", event("no-name", ":value"), _DATA),
    Bad("a carriage return amid a value", "calendar", event("bare-cr", b"SUMMARY:a\rb"), _DATA),
    Bad("no END", "calendar", event("no-end").replace(b"END:VEVENT\r\n", b""), _DATA),
    Bad("no last END", "calendar", event("cut").replace(b"END:VCALENDAR\r\n", b""), _DATA),
    Bad("END in the wrong order", "calendar", calendar("BEGIN:VEVENT", "UID:x", "END:VTODO"), _DATA),
    Bad("too much END", "calendar", event("over") + b"END:VCALENDAR\r\n", _DATA),
    Bad("text behind it", "calendar", event("behind") + b"X-FOO:1\r\n", _DATA),
    Bad("nested too deep", "calendar", event("deep", *["BEGIN:X-A"] * 99, *["END:X-A"] * 99), _DATA),
    Bad("vCalendar 1.0", "calendar", event("v1").replace(b"VERSION:2.0", b"VERSION:1.0"), _DATA),
    Bad("no DTSTART", "calendar", event("startless", start="SUMMARY:x"), _DATA),
    Bad("a DTSTART that is none", "calendar", event("tomorrow", start="DTSTART:tomorrow"), _DATA),
    Bad("a day that never was", "calendar", event("feb-30", start="DTSTART:20250230T100000Z"), _DATA),
    Bad("a DTEND that is none", "calendar", event("end", "DTEND:later"), _DATA),
    Bad("a DURATION that is none", "calendar", event("while", "DURATION:a while"), _DATA),
    Bad("a rule that says nothing", "calendar", event("rule", "RRULE:FREQ=SOMETIMES"), _DATA),
    Bad("an EXDATE that is none", "calendar", event("exdate", "RRULE:FREQ=DAILY", "EXDATE:never"), _DATA),
    Bad("only a time zone", "calendar", calendar(*BERLIN), _OBJECT),
    Bad("an empty calendar", "calendar", calendar(), _OBJECT),
    Bad("a calendar in a calendar", "calendar", calendar(event("x").removesuffix(b"\r\n")), _DATA),
    Bad("two calendars", "calendar", event("a") + event("a"), _OBJECT),
    Bad("METHOD", "calendar", event("m").replace(b"VERSION:2.0\r\n", b"VERSION:2.0\r\nMETHOD:PUBLISH\r\n"), _OBJECT),
    Bad("no UID", "calendar", event("x").replace(b"UID:x\r\n", b""), _OBJECT),
    Bad("an empty UID", "calendar", event(""), _OBJECT),
    Bad(
        "a second UID",
        "calendar",
        calendar(*event("a").split(b"\r\n")[3:-2], *event("b").split(b"\r\n")[3:-2]),
        _OBJECT,
    ),
    Bad("two UIDs in one", "calendar", event("a", "UID:b"), _OBJECT),
    Bad(
        "an event and a task",
        "calendar",
        calendar(*event("a").split(b"\r\n")[3:-2], "BEGIN:VTODO", "UID:a", "END:VTODO"),
        _OBJECT,
    ),
    Bad("a day until a moment", "calendar", event("x", "DTEND:20250611T000000Z", start="DTSTART:20250610"), _OBJECT),
    Bad("an event in an address book", "card", event("wrong"), _CARD),
    Bad("nothing for a card", "card", b"", _CARD),
    Bad("prose for a card", "card", b"Jane Doe, 555-1234\r\n", _CARD),
    Bad("vCard 2.1", "card", card("v21", version="2.1"), _CARD),
    Bad("vCard 5", "card", card("v5", version="5.0"), _CARD),
    Bad("two cards", "card", card("a") + card("b"), _CARD),
    Bad("Latin-1 in a card", "card", card("latin", "NOTE:Café".encode("latin-1")), _CARD),
    Bad("a control character in a card", "card", card("bell", b"NOTE:\x07"), _CARD),
    Bad("a card without END", "card", card("cut").replace(b"END:VCARD\r\n", b""), _CARD),
    Bad("two UIDs in a card", "card", card("a", "UID:b"), _CARD),
]
