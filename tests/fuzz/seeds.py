"""What fuzzing starts from: texts that are nearly right."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.hostile import calendar_objects, cards, headers, paths, reports, xml_bodies
from tests.hostile.case import Case
from tests.odd_lines import __file__ as ODD_LINES

GOLDEN: Final = Path(ODD_LINES).parent / "golden"
_LARGEST: Final = 4000


def _small(cases: tuple[Case, ...]) -> list[bytes]:
    return [case.octets for case in cases if not callable(case.body) and len(case.octets) < _LARGEST]


def of(name: str) -> list[bytes]:
    """Seeds of a target."""
    calendars, books = _small(calendar_objects.CASES), _small(cards.CASES)
    bodies = _small(xml_bodies.CASES) + _small(reports.CASES) + [path.read_bytes() for path in GOLDEN.glob("*.xml")]
    words = [value.encode("latin-1") for case in headers.CASES for _, value in case.headers if len(value) < 300]
    places = [case.path.encode() for case in paths.CASES if len(case.path) < 300]
    inside = [
        b"<C:filter>" + body.partition(b"<C:filter")[2].partition(b">")[2].partition(b"</C:filter>")[0] + b"</C:filter>"
        for body in bodies
        if b"<C:filter" in body
    ]
    heads = [b"PUT " + place + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" for place in places[:20]]
    return {
        "scanner": calendars + books,
        "objects": calendars + books,
        "wholes": calendars + books,
        "times": [b"20260101T000000Z", b"P1DT1H", b"20260101/P1D", b"FREQ=DAILY;COUNT=3;BYDAY=MO", b"Europe/Berlin"],
        "xml": bodies,
        "filters": inside,
        "header": words,
        "url": places,
        "token": [b"urn:calsync:sync:0123456789abcdef:12", b"urn:calsync:sync:0123456789abcdef:12-40"],
        "http1_grammar": heads,
    }[name]
