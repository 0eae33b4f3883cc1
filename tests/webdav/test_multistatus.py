from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from calsync.webdav import reader
from calsync.webdav.conditions import NO_UID_CONFLICT_CALENDAR, NUMBER_OF_MATCHES_WITHIN_LIMITS, VALID_FILTER
from calsync.webdav.multistatus import (
    Template,
    document,
    element,
    error_body,
    escape,
    escape_octets,
    mkcol_response,
    prop,
    propstat,
    response,
    response_status,
    status_line,
    stream,
)
from calsync.webdav.names import PREFIXES, C, D

NAMESPACES = st.sampled_from(["", *PREFIXES, "urn:calsync:ns", "http://example.com/a?b&c='d'"])
LOCALS = st.from_regex(r"[A-Za-z_é][A-Za-z0-9_.é-]{0,8}", fullmatch=True).filter(lambda name: name.lower() != "xmlns")
NAMES = st.builds(lambda space, local: f"{{{space}}}{local}" if space else local, NAMESPACES, LOCALS)
LEGAL = st.characters(codec="utf-8", exclude_characters=[chr(code) for code in (*range(9), 11, 12, *range(14, 32))])
TEXT = st.text(LEGAL.filter(lambda letter: letter not in "\ufffe\uffff"))


def inside(fragment: bytes) -> etree._Element:
    return etree.fromstring(document(D("prop"), fragment))[0]


@given(TEXT)
def test_text_comes_back(text: str) -> None:
    assert (inside(element(D("displayname"), text)).text or "") == text
    assert escape_octets(text.encode()) == escape(text).encode()


@given(st.text(st.characters(), max_size=20))
def test_any_text_parses(text: str) -> None:
    back = inside(element(D("displayname"), text)).text or ""
    assert len(back) == len(text)
    assert all(new in (old, "\ufffd") for new, old in zip(back, text, strict=True))


@given(st.binary(max_size=40))
def test_any_octets_parse(octets: bytes) -> None:
    inside(element(C("calendar-data"), escape_octets(octets)))


def test_a_letter_cut_by_a_fold_is_joined_and_other_folds_stay() -> None:
    cut = b"SUMMARY:caf\xc3\r\n \xa9 and\r\n more\r\n"
    assert inside(element(C("calendar-data"), escape_octets(cut))).text == "SUMMARY:café and\r\n more\r\n"


@given(NAMES, TEXT, TEXT)
def test_elements_keep_name_and_attribute(name: str, text: str, attribute: str) -> None:
    found = inside(element(name, text, {"symbolic-color": attribute}))
    assert (found.tag, found.text or "", found.get("symbolic-color")) == (name, text, attribute)


@given(
    st.lists(NAMES, max_size=5, unique=True),
    st.lists(NAMES, max_size=5, unique=True),
    st.lists(st.lists(TEXT, min_size=5, max_size=5), max_size=4),
)
def test_template_rows_read_back(found: list[str], missing: list[str], rows: list[list[str]]) -> None:
    missing = [name for name in missing if name not in found]
    template = Template(found, missing)
    texts = [[escape(value) for value in row[: len(found)]] for row in rows]
    by_row = [template.render(b"/%d" % number, [value.encode() for value in row]) for number, row in enumerate(texts)]
    page = template.text_page((f"/{number}", *row) for number, row in enumerate(texts))
    assert page == b"".join(by_row)
    assert page == template.page((b"/%d" % n, *(value.encode() for value in row)) for n, row in enumerate(texts))
    answer = reader.read(b"".join(stream(by_row)))
    assert [one.href for one in answer.responses] == [f"/{number}" for number in range(len(rows))]
    for one, row in zip(answer.responses, rows, strict=True):
        assert {name: one.text(name) for name in found} == dict(zip(found, row, strict=False))
        assert {name for name, (status, _) in one.props.items() if status == 404} == set(missing)


def test_template_shapes_and_whole_elements() -> None:
    stored = element("{urn:x}note", "100%")
    template = Template(
        [D("getetag"), D("resourcetype"), D("getcontenttype"), "{urn:x}note"],
        ["{urn:50%25}gone"],
        shapes={D("getetag"): b'"%s"', D("resourcetype"): b"", D("getcontenttype"): b"text/calendar; a=100%%"},
        whole={"{urn:x}note"},
    )
    answer = reader.read(b"".join(stream([template.render(b"/a", [b"abc", stored])])))
    one = answer.responses[0]
    assert one.text(D("getetag")) == '"abc"'
    assert one.text(D("getcontenttype")) == "text/calendar; a=100%"
    assert one.text("{urn:x}note") == "100%"
    assert one.props["{urn:50%25}gone"][0] == 404


def test_template_without_properties_still_says_200() -> None:
    fragment = Template([]).render(b"/a")
    assert b"<D:propstat><D:prop/><D:status>HTTP/1.1 200 OK</D:status></D:propstat>" in fragment


def test_status_lines() -> None:
    assert status_line(404) == b"HTTP/1.1 404 Not Found"
    assert [status_line(code).split(b" ", 2)[2] for code in (422, 423, 424, 507, 799)] == [
        b"Unprocessable Entity", b"Locked", b"Failed Dependency", b"Insufficient Storage", b"Unknown",
    ]  # fmt: skip


def test_response_status_holds_condition_detail_and_description() -> None:
    href = element(D("href"), "/a/b.ics")
    fragment = response_status(b"/a/c.ics", 403, NO_UID_CONFLICT_CALENDAR, href, "there is one & that's it")
    one = reader.read(b"".join(stream([fragment]))).responses[0]
    assert (one.href, one.status, one.error) == ("/a/c.ics", 403, [NO_UID_CONFLICT_CALENDAR])
    assert one.description == "there is one & that's it"


def test_truncated_listing_has_its_token_last() -> None:
    fragments = [response(b"/a", propstat(b"", 200)), response_status(b"/", 507, NUMBER_OF_MATCHES_WITHIN_LIMITS)]
    answer = reader.read(b"".join(stream(fragments, tail=lambda: element(D("sync-token"), "urn:x:1"))))
    assert answer.sync_token == "urn:x:1"
    assert answer.responses[1].error == [NUMBER_OF_MATCHES_WITHIN_LIMITS]


def test_documents() -> None:
    assert etree.fromstring(error_body(VALID_FILTER))[0].tag == VALID_FILTER
    assert len(etree.fromstring(error_body(None))) == 0
    assert etree.fromstring(prop(element(D("lockdiscovery"))))[0].tag == D("lockdiscovery")
    made = etree.fromstring(mkcol_response(propstat(element(D("displayname")), 200)))
    assert (made.tag, made[0].tag) == (D("mkcol-response"), D("propstat"))


@given(st.lists(st.binary(max_size=9000), max_size=30), st.integers(1, 50_000))
def test_stream_loses_nothing_and_keeps_its_size(fragments: list[bytes], chunk: int) -> None:
    chunks = list(stream(fragments, chunk=chunk))
    whole = b"".join(chunks)
    assert b"".join(fragments) in whole
    assert all(len(one) <= chunk + 9000 + 1000 for one in chunks)
    assert all(len(one) >= chunk for one in chunks[1:-1])


def test_a_small_answer_is_one_chunk_and_a_large_one_starts_early() -> None:
    assert len(list(stream([b"x" * 1000]))) == 1
    chunks = list(stream(b"x" * 500 for _ in range(1000)))
    assert len(chunks[0]) < 5000
    assert len(chunks) < 20


def test_an_error_leaves_the_document_open_and_closes_the_source() -> None:
    closed = []

    def fragments() -> Iterator[bytes]:
        try:
            yield b"x" * 5000
            raise OSError("the disk")
        finally:
            closed.append(True)

    chunks = stream(fragments())
    assert b"</D:multistatus>" not in next(chunks)
    with pytest.raises(OSError, match="the disk"):
        next(chunks)
    abandoned = stream(fragments())
    next(abandoned)
    abandoned.close()  # type: ignore[attr-defined]
    assert closed == [True, True]
