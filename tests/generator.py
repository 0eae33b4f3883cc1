"""Made-up calendars and address books, the same on every run.

An item depends on its number alone, so the first 1 000 of 10 000 are the 1 000: sizes compare. Events are about 1.1 kB
with VTIMEZONE, alarms and attendees, 15 % recur and some of these have overrides; a quarter of the contacts have a
photo. Names and texts need UTF-8, and long lines are folded.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

SPAN_FROM = datetime(2024, 7, 1, tzinfo=UTC)
SPAN_DAYS = 730
MONTH = ("20250601T000000Z", "20250701T000000Z")  # the month that benchmarks ask for, in the middle of the span


def _between(separator: str, text: str) -> tuple[str, ...]:
    return tuple(text.split(separator))


GIVEN = _between(
    " ", "Anna Béla Çağla Dvořák Élodie Filip Gül Håkon İpek Jörg Kärt Łukasz Mária Ngọc Øyvind Zoë 美咲 Иван"
)
FAMILY = _between(
    " ", "Müller Nguyễn García Ångström Šimůnek Björk 山田 Петров O'Neill Strauß Kowalski Öztürk Dupont Weiß Ó Briain"
)
TOPICS = _between(
    " ", "Planung Réunion Zahnarzt Chor 会議 Besprechung Fußball Wartung Elternabend Yoga Lieferung Déjeuner Übung"
)
PLACES = _between(
    "|",
    r"Büro 3.14|Café Zoë\, Hauptstraße 1|Raum Åse|https://meet.example/rjk-42|Praxis Dr. Weiß\; 2. Stock|東京駅",
)
WORDS = _between(
    " ", "bitte pünktlich agenda folgt größe café naïve résumé wegen umzug später ☕ kuchen mitbringen tür links"
)
TOWNS = ("Köln", "Łódź", "大阪", "Genève")

ZONES = {
    "Europe/Berlin": ("+0100", "+0200", "CET", "CEST"),
    "Europe/Helsinki": ("+0200", "+0300", "EET", "EEST"),
    "Europe/Lisbon": ("+0000", "+0100", "WET", "WEST"),
}
RULES = (
    "FREQ=WEEKLY",
    "FREQ=WEEKLY;BYDAY=MO,WE,FR",
    "FREQ=DAILY;COUNT=90",
    "FREQ=WEEKLY;INTERVAL=2;COUNT=26",
    "FREQ=MONTHLY;BYDAY=2TU",
    "FREQ=MONTHLY;BYMONTHDAY=15",
    "FREQ=YEARLY",
)


@dataclass(frozen=True, slots=True)
class Resource:
    """One item as a client would PUT it. `href`: the file name; `octets`: its content, CRLF, folded."""

    href: str
    uid: str
    octets: bytes


def events(count: int, *, first: int = 0) -> Iterator[Resource]:
    return (event(number) for number in range(first, first + count))


def tasks(count: int, *, first: int = 0) -> Iterator[Resource]:
    return (task(number) for number in range(first, first + count))


def contacts(count: int, *, first: int = 0) -> Iterator[Resource]:
    return (contact(number) for number in range(first, first + count))


def event(number: int, *, revision: int = 0) -> Resource:
    """Event `number`; another `revision` is the same event edited (other text, higher SEQUENCE)."""
    chance = random.Random(f"event {number}")
    uid = f"{chance.getrandbits(128):032x}@calendar.example"
    start = (SPAN_FROM + timedelta(days=chance.randrange(SPAN_DAYS), minutes=15 * chance.randrange(28, 76))).replace(
        tzinfo=None
    )
    length = timedelta(minutes=chance.choice((30, 60, 60, 90, 120)))
    style, zone = chance.random(), chance.choice(tuple(ZONES))
    recurring = number % 20 in (0, 7, 13)  # 15 %
    all_day = style < 0.08 and not recurring
    if all_day:
        times = [f"DTSTART;VALUE=DATE:{start:%Y%m%d}", f"DTEND;VALUE=DATE:{start + timedelta(days=1):%Y%m%d}"]
    elif style < 0.13:
        times = _times(start, length, "", "Z")
    elif style < 0.16 and not recurring:  # stock Radicale cannot expand a recurring one without a zone
        times = _times(start, length, "", "")
    else:
        times = _times(start, length, f";TZID={zone}", "")
    zoned = times[0].startswith("DTSTART;TZID")
    summary = f"{chance.choice(TOPICS)} {chance.choice(GIVEN)} {number}" + (f" r{revision}" if revision else "")
    body = [
        *_stamps(start, uid, revision),
        f"SUMMARY:{summary}",
        f"LOCATION:{chance.choice(PLACES)}",
        f"DESCRIPTION:{_prose(chance, 24)}\\n{_prose(chance, 12)}",
        f"CATEGORIES:{chance.choice(TOPICS)},{chance.choice(TOPICS)}",
        "CLASS:PUBLIC",
        f"TRANSP:{'TRANSPARENT' if all_day else 'OPAQUE'}",
        "STATUS:CONFIRMED",
        *_people(chance, number),
    ]
    master = ["BEGIN:VEVENT", *body, *times]
    overrides: list[str] = []
    if recurring:
        rule = chance.choice(RULES)
        master.append(f"RRULE:{rule}")
        second = start + timedelta(days=14 if rule.startswith("FREQ=WEEKLY") else 1)
        if rule.startswith(("FREQ=WEEKLY", "FREQ=DAILY")):
            name, suffix = _name_and_suffix(times[0])
            if number % 3 == 0:
                master.append(f"EXDATE{name}:{second:%Y%m%dT%H%M%S}{suffix}")
            elif number % 4 == 0:
                overrides = [
                    "BEGIN:VEVENT",
                    *_stamps(start, uid, revision),
                    f"RECURRENCE-ID{name}:{second:%Y%m%dT%H%M%S}{suffix}",
                    *_times(second + timedelta(hours=2), length, name, suffix),
                    f"SUMMARY:{summary} (verschoben)",
                    "END:VEVENT",
                ]
    master += ["BEGIN:VALARM", "ACTION:DISPLAY", f"DESCRIPTION:{summary}", "TRIGGER:-PT15M", "END:VALARM", "END:VEVENT"]
    timezone = _timezone(zone) if zoned else []
    return Resource(f"{uid.partition('@')[0]}.ics", uid, _calendar([*timezone, *master, *overrides]))


def task(number: int) -> Resource:
    chance = random.Random(f"task {number}")
    uid = f"task-{chance.getrandbits(96):024x}"
    start = (SPAN_FROM + timedelta(days=chance.randrange(SPAN_DAYS), hours=9)).replace(tzinfo=None)
    lines = [
        "BEGIN:VTODO",
        *_stamps(start, uid, 0),
        f"SUMMARY:{chance.choice(TOPICS)} {number}",
        f"DESCRIPTION:{_prose(chance, 8)}",
    ]
    if number % 3:
        lines += [f"DTSTART:{start:%Y%m%dT%H%M%S}Z", f"DUE:{start + timedelta(days=3):%Y%m%dT%H%M%S}Z"]
    if number % 4 == 0:
        lines += ["STATUS:COMPLETED", "PERCENT-COMPLETE:100", f"COMPLETED:{start + timedelta(days=2):%Y%m%dT%H%M%S}Z"]
    else:
        lines += ["STATUS:NEEDS-ACTION", f"PRIORITY:{chance.randrange(1, 10)}"]
    return Resource(f"{uid}.ics", uid, _calendar([*lines, "END:VTODO"]))


def contact(number: int) -> Resource:
    chance = random.Random(f"contact {number}")
    uid = f"{chance.getrandbits(128):032x}"
    given, family = chance.choice(GIVEN), chance.choice(FAMILY)
    town = chance.choice(TOWNS)
    domain = f"{chance.choice(('example', 'verein', 'firma'))}{number % 97}.example"
    lines = [
        "BEGIN:VCARD",
        "VERSION:3.0",
        "PRODID:-//calsync//made-up data//EN",
        f"UID:{uid}",
        f"FN:{given} {family} {number}",
        f"N:{family};{given};;;",
        f"NICKNAME:{given[:3]}{number % 13}",
        f"EMAIL;TYPE=HOME,INTERNET:person{number}@{domain}",
        f"TEL;TYPE=CELL,VOICE:+49 170 {1000000 + number}",
        f"ADR;TYPE=HOME:;;{chance.choice(TOPICS)}straße {number % 200};{town};;{10000 + number % 90000};",
        f"BDAY:{date(1940, 1, 1) + timedelta(days=chance.randrange(27000)):%Y-%m-%d}",
        f"ORG:{chance.choice(TOPICS)} GmbH;{chance.choice(TOPICS)}",
        f"NOTE:{_prose(chance, 18)}",
        f"REV:{SPAN_FROM:%Y-%m-%dT%H:%M:%SZ}",
    ]
    if number % 4 == 0:
        picture = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + chance.randbytes(4 * 1024) + b"\xff\xd9"
        lines.append(f"PHOTO;ENCODING=b;TYPE=JPEG:{base64.b64encode(picture).decode()}")
    return Resource(f"{uid}.vcf", uid, _text([*lines, "END:VCARD"]))


def whole_calendar(resources: Iterable[Resource]) -> bytes:
    """One VCALENDAR with all of them, each time zone once: the body of a whole-collection PUT."""
    zones: dict[bytes, bytes] = {}
    parts: list[bytes] = []
    for resource in resources:
        inner = resource.octets.split(b"CALSCALE:GREGORIAN\r\n", 1)[1].rsplit(b"END:VCALENDAR", 1)[0]
        if inner.startswith(b"BEGIN:VTIMEZONE"):
            zone, inner = inner.split(b"END:VTIMEZONE\r\n", 1)
            zones[zone] = zone + b"END:VTIMEZONE\r\n"
        parts.append(inner)
    return (
        _text(HEAD).removesuffix(b"\r\n") + b"\r\n" + b"".join(zones.values()) + b"".join(parts) + b"END:VCALENDAR\r\n"
    )


HEAD = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//calsync//made-up data//EN", "CALSCALE:GREGORIAN"]


def _calendar(lines: Sequence[str]) -> bytes:
    return _text([*HEAD, *lines, "END:VCALENDAR"])


def _stamps(start: datetime, uid: str, revision: int) -> list[str]:
    made = start - timedelta(days=20)
    return [
        f"UID:{uid}",
        f"DTSTAMP:{made:%Y%m%dT%H%M%S}Z",
        f"CREATED:{made:%Y%m%dT%H%M%S}Z",
        f"LAST-MODIFIED:{made + timedelta(minutes=revision):%Y%m%dT%H%M%S}Z",
        f"SEQUENCE:{revision}",
    ]


def _times(start: datetime, length: timedelta, parameter: str, suffix: str) -> list[str]:
    return [
        f"DTSTART{parameter}:{start:%Y%m%dT%H%M%S}{suffix}",
        f"DTEND{parameter}:{start + length:%Y%m%dT%H%M%S}{suffix}",
    ]


def _name_and_suffix(dtstart: str) -> tuple[str, str]:
    name, _, value = dtstart.partition(":")
    return name.removeprefix("DTSTART"), "Z" if value.endswith("Z") else ""


def _people(chance: random.Random, number: int) -> list[str]:
    if number % 3:
        return []
    lines = [f'ORGANIZER;CN="{chance.choice(GIVEN)} {chance.choice(FAMILY)}":mailto:chair{number % 50}@example.org']
    for seat in range(1 + number % 3):
        state = chance.choice(("ACCEPTED", "NEEDS-ACTION", "DECLINED", "TENTATIVE"))
        name = f"{chance.choice(GIVEN)} {chance.choice(FAMILY)}"
        lines.append(f'ATTENDEE;CN="{name}";PARTSTAT={state};RSVP=TRUE:mailto:guest{seat}.{number}@example.org')
    return lines


def _timezone(name: str) -> list[str]:
    standard, daylight, standard_name, daylight_name = ZONES[name]
    hour = 1 + int(standard[1:3])
    return [
        "BEGIN:VTIMEZONE",
        f"TZID:{name}",
        "BEGIN:DAYLIGHT",
        f"TZOFFSETFROM:{standard}",
        f"TZOFFSETTO:{daylight}",
        f"TZNAME:{daylight_name}",
        f"DTSTART:19700329T{hour:02d}0000",
        "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU",
        "END:DAYLIGHT",
        "BEGIN:STANDARD",
        f"TZOFFSETFROM:{daylight}",
        f"TZOFFSETTO:{standard}",
        f"TZNAME:{standard_name}",
        f"DTSTART:19701025T{hour + 1:02d}0000",
        "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU",
        "END:STANDARD",
        "END:VTIMEZONE",
    ]


def _prose(chance: random.Random, words: int) -> str:
    return " ".join(chance.choice(WORDS) for _ in range(chance.randrange(words // 3, words)))


def _text(lines: Iterable[str]) -> bytes:
    return b"".join(_fold(line) for line in lines)


def _fold(line: str) -> bytes:
    """RFC 5545 §3.1: at most 75 octets a line, never cut inside a letter."""
    octets = line.encode()
    pieces: list[bytes] = []
    room = 75
    while len(octets) > room:
        cut = room
        while octets[cut] & 0xC0 == 0x80:
            cut -= 1
        pieces.append(octets[:cut])
        octets, room = octets[cut:], 74
    return b"\r\n ".join([*pieces, octets]) + b"\r\n"
