from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calsync.ical.lines import (
    BOM,
    MANY_LINES,
    MAX_DEPTH,
    Component,
    Document,
    ScanError,
    crowded,
    escape,
    fold,
    scan,
    split_values,
    unescape,
)
from tests.odd_lines import ACCEPTED, Odd

TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=40)
NAMES = st.from_regex(r"(?:[a-z]{1,4}[.])?[A-Za-z][A-Za-z0-9-]{0,8}", fullmatch=True).filter(
    lambda name: name.upper() not in {"BEGIN", "END"}
)
ENDS = st.sampled_from([b"\r\n", b"\n", b"\r"])


def whole(document: Document) -> bytes:
    return document.prefix + b"".join(raw for raw, _ in document.tokens)


def only(octets: bytes) -> Component:
    (component,) = scan(octets).components
    return component


def one(line: str | bytes) -> Component:
    octets = line.encode() if isinstance(line, str) else line
    return only(b"BEGIN:VEVENT\r\n" + octets + b"\r\nEND:VEVENT\r\n")


@st.composite
def folded(draw: st.DrawFn, line: bytes) -> bytes:
    """A line with folds anywhere, also inside a letter, and blank lines after it."""
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(line) - 1)), max_size=4)))
    pieces = [line[start:end] for start, end in zip([0, *cuts], [*cuts, len(line)], strict=True)]
    octets = pieces[0] + b"".join(draw(ENDS) + draw(st.sampled_from([b" ", b"\t"])) + piece for piece in pieces[1:])
    return octets + draw(ENDS) + b"".join(draw(st.lists(ENDS, max_size=2)))


@st.composite
def documents(draw: st.DrawFn) -> tuple[bytes, list[tuple[str, str]]]:
    pairs = draw(st.lists(st.tuples(NAMES, TEXTS), max_size=6))
    lines = [draw(folded(f"{name}:{value}".encode())) for name, value in pairs]
    octets = b"BEGIN:VCARD" + draw(ENDS) + b"".join(lines) + b"END:VCARD" + draw(st.sampled_from([b"", b"\r\n", b"\n"]))
    return draw(st.sampled_from([b"", BOM, b"\r\n", BOM + b"\n\n"])) + octets, pairs


@given(documents())
def test_every_octet_comes_back_and_values_are_whole(sample: tuple[bytes, list[tuple[str, str]]]) -> None:
    octets, pairs = sample
    document = scan(octets)
    assert whole(document) == octets
    (card,) = document.components
    assert [(line.name, line.value) for line in card.lines] == [
        (name.rpartition(".")[2].upper(), value) for name, value in pairs
    ]
    assert octets[card.start : card.end] == card.octets


@given(st.lists(st.sampled_from([b"BEGIN:A", b"END:A", b"X:", b"\n", b"\r", b" ", b";", b'"', b"\xc3", b"\xa9", BOM])))
def test_any_octets_are_scanned_or_refused(pieces: list[bytes]) -> None:
    octets = b"".join(pieces)
    try:
        document = scan(octets)
    except ScanError as error:
        assert error.line >= 1
    else:
        assert whole(document) == octets
        lines = [line for top in document.components for component in top.walk() for line in component.lines]
        assert all(isinstance(line.value, str) and isinstance(line.params, tuple) for line in lines)


@pytest.mark.parametrize("odd", ACCEPTED, ids=lambda odd: odd.name)
def test_odd_lines_come_back(odd: Odd) -> None:
    document = scan(odd.octets)
    assert whole(document) == odd.octets
    assert document.octets == odd.octets


def test_components_and_offsets() -> None:
    octets = b"\xef\xbb\xbfBEGIN:A\r\nX:1\r\nBEGIN:B\r\nY:2\r\nEND:B\r\nZ:3\r\nEND:A\r\nBEGIN:A\r\nEND:A"
    first, second = scan(octets).components
    assert [line.name for line in first.lines] == ["X", "Z"]
    assert first.components[0].octets == b"BEGIN:B\r\nY:2\r\nEND:B\r\n"
    assert [component.name for component in first.walk()] == ["A", "B"]
    assert second.octets == b"BEGIN:A\r\nEND:A"
    assert first.text("X") == "1" and first.text("Q") is None and first.all("Q") == []


@pytest.mark.parametrize(
    ("line", "params"),
    [
        ("A;B=c:d", (("B", ("c",)),)),
        ('A;b="x:y;z,w",u:d', (("B", ("x:y;z,w", "u")),)),
        ("A;B=a^nb^'c^^d^e:d", (("B", ('a\nb"c^d^e',)),)),
        ("A;HOME;QUOTED-PRINTABLE:d", (("TYPE", ("HOME",)), ("ENCODING", ("QUOTED-PRINTABLE",)))),
        ("A;B=;C=x=y:d", (("B", ("",)), ("C", ("x=y",)))),
        ('A;B="open:d', (("B", ("open",)),)),
        ('A;B=Jo "the" S:d', (("B", ("Jo the S",)),)),
        ("A:d;B=c", ()),
    ],
)
def test_parameters(line: str, params: tuple[tuple[str, tuple[str, ...]], ...]) -> None:
    (found,) = one(line).lines
    assert found.params == params
    assert found.value.startswith("d")


def test_a_parameter_is_found_by_name() -> None:
    (line,) = one('ATTENDEE;CN="A: B";X=1,2:mailto:a@b').lines
    assert (line.param("CN"), line.param("X"), line.param("Y"), line.value) == ("A: B", "1", None, "mailto:a@b")


def test_a_group_is_not_the_name() -> None:
    (line,) = one("item1.x-abLabel:_$!<Home>!$_").lines
    assert (line.group, line.name) == ("item1", "X-ABLABEL")


@pytest.mark.parametrize(
    "octets",
    [
        b"SUMM\r\n ARY:x",
        b"SUMMARY\r\n :x",
        b"SUMMARY:\r\n x",
        b"SUMMARY:x\r\n ",
        b"SUMMARY;A=\n\t1:x",
        b"\r\nSUMMARY:x",
    ],
)
def test_a_fold_may_be_anywhere(octets: bytes) -> None:
    assert one(octets).text("SUMMARY") == "x"


def test_a_blank_line_in_a_fold_is_skipped() -> None:
    assert one(b"SUMMARY:one\r\n\r\n two").text("SUMMARY") == "onetwo"


@pytest.mark.parametrize(
    ("octets", "line"),
    [
        (b"hello", 1),
        (b"X:1", 1),
        (b"BEGIN:A\r\n\r\nX\r\nEND:A", 3),
        (b"BEGIN:A\r\nX: \xff\r\nEND:A", 2),
        (b"BEGIN:A\nEND:B\n", 2),
        (b"BEGIN:A\rX:1\rEND:B", 3),
        (b"BEGIN:A\r\nEND:A\r\nEND:A\r\n", 3),
        (b"BEGIN:A\r\nEND:A\r\n folded\r\n", 2),
        (b"BEGIN:A\r\nX:\xc3\r\n \xa9\r\nY:\xc3\r\nEND:A", 4),
        (b"BEGIN:A\r\n", 2),
        (b"BEGIN:A\r\n:1\r\nEND:A", 2),
        (b"BEGIN:A\r\nA B:1\r\nEND:A", 2),
    ],
)
def test_what_is_not_iCalendar_is_told_with_its_line(octets: bytes, line: int) -> None:
    with pytest.raises(ScanError) as caught:
        scan(octets)
    assert caught.value.line == line


def test_depth_is_bounded() -> None:
    assert scan(b"BEGIN:A\n" * MAX_DEPTH + b"END:A\n" * MAX_DEPTH).components
    with pytest.raises(ScanError, match="deeper"):
        scan(b"BEGIN:A\n" * 10_000 + b"END:A\n" * 10_000)


@pytest.mark.parametrize(
    "octets",
    [
        b"X:" + b"a" * 9_000_000,
        b"X:" + b"a\r\n " * 2_000_000,
        b"X;" + b"A=b;" * 1_000_000 + b"C=d:e",
        b"X:1\r\n" * 100_000,
        b"X:1" + b"\r\n" * 2_000_000,
        b"X;A=" + b'"' * 300_001 + b":e",
        b"X;A=" + b'"a"' * 300_001 + b":e",
    ],
    ids=["long", "folded", "parameters", "lines", "blank", "quotes", "quoted"],
)
def test_size_is_no_obstacle(octets: bytes) -> None:
    component = one(octets)
    assert component.lines[0].raw in octets + b"\r\n"
    assert component.lines[0].value
    assert component.lines[0].params is not None


@pytest.mark.parametrize(
    "octets",
    [b"a" * 2_000_000, b"a;" * 500_000, b"a;\n" * 500_000, b"a;\n " * 500_000, b'a;"' * 500_000, BOM * 500_000],
)
def test_garbage_is_refused_however_long(octets: bytes) -> None:
    with pytest.raises(ScanError):
        scan(octets)


@given(TEXTS)
def test_escape_and_unescape(text: str) -> None:
    assert unescape(escape(text)) == text


def test_escapes() -> None:
    assert escape("a\r\nb\rc;d,e\\f") == r"a\nb\nc\;d\,e\\f"
    assert unescape(r"a\nb\Nc\;d\,e\\f\:g\"h\x\\n") == 'a\nb\nc;d,e\\f:g"h\\x\\n'


@given(st.lists(TEXTS, min_size=1))
def test_split_values_heeds_escapes(texts: list[str]) -> None:
    assert [unescape(part) for part in split_values(",".join(map(escape, texts)), ",")] == texts


@given(NAMES, TEXTS)
def test_fold_cuts_no_letter_and_keeps_to_75_octets(name: str, text: str) -> None:
    line = f"{name}:{text * 9}"
    octets = fold(line)
    for physical in octets.split(b"\r\n"):
        assert len(physical) <= 75
        physical.decode()
    assert octets.replace(b"\r\n ", b"") == line.encode() + b"\r\n"
    assert one(octets.removesuffix(b"\r\n")).lines[0].value == text * 9


@given(documents())
def test_tokens_stay_what_they_are_when_lines_were_asked_for(sample: tuple[bytes, list[tuple[str, str]]]) -> None:
    component = only(sample[0])
    before = list(component.tokens)
    assert component.lines is component.lines
    assert [(raw, name.rpartition(b".")[2].upper()) for raw, name in before] == [
        (raw, name.rpartition(b".")[2]) for raw, name in component.tokens
    ]


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
def test_too_many_lines_are_short_ones_that_are_neither_folds_nor_empty(end: bytes) -> None:
    assert not crowded(end.join([b"A:"] * MANY_LINES))
    assert "content lines" in crowded(end.join([b"A:"] * MANY_LINES * 2))
    assert not crowded(b"A:" + (end + b" x") * 5 * MANY_LINES)
    assert not crowded(b"A:" + end * 5 * MANY_LINES + b"B:")
    assert not crowded(end.join([b"A:" + b"x" * 100] * 3 * MANY_LINES))
