from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calsync.webdav import parse
from calsync.webdav.errors import BadRequest, ContentTooLarge, DavError, UnsupportedMediaType
from calsync.webdav.multistatus import document, element, escape
from calsync.webdav.names import C, D
from calsync.webdav.requests import Mkcol, Multiget, PropertyRequest, Propfind, SyncCollection, Wanted

PROPFIND = '<D:propfind xmlns:D="DAV:"><D:prop><D:displayname/></D:prop></D:propfind>'


def status(body: bytes, content_type: str = "") -> int:
    with pytest.raises(DavError) as error:
        parse.propfind(body, content_type)
    return error.value.status


# --- bodies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"<a>" * 200_000,
        b"<a>" * 101 + b"</a>" * 101,
        b"<D:propfind/>",
        b'<D:propfind xmlns:D="DAV:"><D:prop><bar:foo xmlns:bar=""/></D:prop></D:propfind>',
        b'<!DOCTYPE a><D:propfind xmlns:D="DAV:"><D:propname/></D:propfind>',
        b' <?xml version="1.0"?> <!-- <a> --> <?pi?>\n<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        "<!DOCTYPE a><a/>".encode("utf-16"),
        b"<!-- " * 50_000,
        b"<a>&x;</a>",
        b"<a>\xff</a>",
        b"<a>\x01</a>",
        b"<a>&#0;</a>",
        b'<a b="1" b="2"/>',
        b"not XML",
        b'<?xml version="1.0" encoding="utf-16"?><a/>',
    ],
)
def test_hostile_and_broken_bodies_are_400(body: bytes) -> None:
    assert status(body) == 400


@pytest.mark.parametrize(
    "body",
    [b"<a>" + b"<b/>" * 300_000 + b"</a>", b"<a " + b"b='' " * 300_000 + b"/>", b"<a>" + b" " * 17_000_000 + b"</a>"],
)
def test_too_much_is_413_before_a_tree(body: bytes) -> None:
    with pytest.raises(ContentTooLarge):
        parse.propfind(body)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (PROPFIND.encode(), "application/xml; charset=utf-8"),
        (b"\xef\xbb\xbf" + PROPFIND.encode(), ""),
        (PROPFIND.encode("utf-16"), ""),
        (PROPFIND.encode("utf-16-le"), ""),
        (('<?xml version="1.0" encoding="UTF-16"?>' + PROPFIND).encode("utf-16-be"), "text/xml"),
        (PROPFIND.encode("utf-16"), 'application/xml; charset="UTF-16"'),
        (('<?xml version="1.0" encoding="ISO-8859-1"?><!-- é -->' + PROPFIND).encode("latin-1"), ""),
        (("<!-- é -->" + PROPFIND).encode("latin-1"), "text/xml; charset=iso-8859-1"),
    ],
)
def test_encodings(body: bytes, content_type: str) -> None:
    assert [one.name for one in parse.propfind(body, content_type).properties.props] == [D("displayname")]


@pytest.mark.parametrize("charset", ["klingon", "hex", "utf-7", "idna", "x" * 1000])
def test_an_encoding_that_is_not_known_is_415(charset: str) -> None:
    assert status(PROPFIND.encode(), f"text/xml; charset={charset}") == 415
    with pytest.raises(UnsupportedMediaType):
        parse.mkcol(f'<?xml version="1.0" encoding="{charset}"?><a/>'.encode())


@given(st.binary(max_size=100) | st.text(max_size=100).map(str.encode))
def test_any_body_parses_or_is_a_4xx(body: bytes) -> None:
    for parser in (parse.propfind, parse.proppatch, parse.mkcol, parse.mkcalendar, parse.report):
        try:
            parser(body)
        except DavError as error:
            assert 400 <= error.status < 500


ELEMENTS = st.sampled_from(
    [D(name) for name in ("prop", "allprop", "limit", "nresults", "sync-level", "match", "property-search", "self")]
    + [C(name) for name in ("filter", "comp-filter", "prop-filter", "time-range", "text-match", "is-not-defined")]
    + [C(name) for name in ("calendar-data", "comp", "expand", "param-filter", "timezone")]
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["name", "start", "end", "collation", "test", "match-type", "negate-condition", "novalue"]),
    st.sampled_from(
        ["VCALENDAR", "VEVENT", "20260101T000000Z", "20269999T000000Z", "yes", "anyof", "", "²", "9" * 5000]
    ),
    max_size=3,
)


def _tree(name: str, attributes: dict[str, str], content: list[bytes] | str) -> bytes:
    return element(name, content if isinstance(content, str) else b"".join(content), attributes)


TREES = st.recursive(
    st.builds(_tree, ELEMENTS, ATTRIBUTES, st.sampled_from(["", "1", "-1", "infinite", "9" * 5000])),
    lambda inner: st.builds(_tree, ELEMENTS, ATTRIBUTES, st.lists(inner, max_size=4)),
    max_leaves=12,
)
ROOTS = st.sampled_from(
    [
        D("sync-collection"),
        C("calendar-query"),
        C("free-busy-query"),
        D("principal-property-search"),
        D("principal-match"),
    ]
)


@given(ROOTS, st.lists(TREES, max_size=4))
def test_any_report_parses_or_is_a_4xx(root: str, content: list[bytes]) -> None:
    try:
        parse.report(document(root, b"".join(content)))
    except DavError as error:
        assert error.status in (400, 403)


# --- requests (most are in tests/golden) ------------------------------------------------------------------------------


def test_empty_bodies() -> None:
    assert parse.propfind(b" \r\n") == Propfind(PropertyRequest(Wanted.ALLPROP))
    assert parse.mkcol(b"") == parse.mkcalendar(b"") == Mkcol()
    for parser in (parse.proppatch, parse.report):
        with pytest.raises(BadRequest):
            parser(b"")


def test_a_wrong_root_is_told() -> None:
    with pytest.raises(BadRequest, match=r"expected \{DAV:\}propertyupdate"):
        parse.proppatch(PROPFIND.encode())


@pytest.mark.parametrize("body", [b"afafaf", b"<a>", PROPFIND.encode()])
def test_mkcol_with_a_body_of_another_type_is_415(body: bytes) -> None:
    with pytest.raises(UnsupportedMediaType):
        parse.mkcol(body, "xyz-foo/bar-512")


def test_mkcol_with_broken_xml_is_400() -> None:
    with pytest.raises(BadRequest):
        parse.mkcol(b"<a>", "application/xml")


def test_too_many_properties_are_refused() -> None:
    names = b"".join(b"<p%d/>" % number for number in range(1001))
    assert status(b'<D:propfind xmlns:D="DAV:"><D:prop>' + names + b"</D:prop></D:propfind>") == 400


@pytest.mark.parametrize("number", ["0", "-1", "x", "", "1.5", "²"])
def test_a_bad_limit_is_400(number: str) -> None:
    body = f'<sync-collection xmlns="DAV:"><limit><nresults>{number}</nresults></limit></sync-collection>'
    with pytest.raises(BadRequest):
        parse.report(body.encode())


@pytest.mark.parametrize(("number", "limit"), [(" 007 ", 7), ("9" * 5000, 10**9)])
def test_a_limit(number: str, limit: int) -> None:
    body = f'<sync-collection xmlns="DAV:"><limit><nresults>{number}</nresults></limit></sync-collection>'
    request = parse.report(body.encode())
    assert isinstance(request, SyncCollection)
    assert request.limit == limit


def test_an_empty_multiget_asks_for_nothing() -> None:
    request = parse.report(b'<C:calendar-multiget xmlns:C="urn:ietf:params:xml:ns:caldav"/>')
    assert isinstance(request, Multiget)
    assert request.hrefs == ()


@pytest.mark.parametrize("attributes", ['name="a b"', 'name="a:b"', "", 'name="a" namespace="x y&lt;"'])
def test_expand_property_takes_only_names_that_can_be_answered(attributes: str) -> None:
    with pytest.raises(BadRequest):
        parse.report(f'<expand-property xmlns="DAV:"><property {attributes}/></expand-property>'.encode())


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")).filter(lambda c: c not in "\ufffe\uffff"))


@given(TEXT, TEXT)
def test_a_dead_property_means_the_same_elsewhere(text: str, tail: str) -> None:
    body = (
        '<D:propertyupdate xmlns:D="DAV:" xmlns:u="urn:u" xmlns="urn:d" xml:lang="de"><D:set><D:prop>'
        f'<note u:kind="x">{escape(text)}<u:b/>{escape(tail)}</note> </D:prop></D:set></D:propertyupdate>'
    )
    update = parse.proppatch(body.encode()).updates[0]
    assert update.xml is not None
    stored = parse.xml(document(D("prop"), update.xml))[0]
    assert (stored.tag, stored.tail, dict(stored.nsmap)["u"]) == ("{urn:d}note", None, "urn:u")
    assert b"DAV:" not in update.xml
    assert stored.get("{http://www.w3.org/XML/1998/namespace}lang") == "de"
    assert ((stored.text or ""), stored[0].tag, (stored[0].tail or "")) == (text, "{urn:u}b", tail)
    assert update.text == parse.text_of(update.xml) == text + tail


def test_text_of_what_the_store_holds() -> None:
    assert parse.text_of("<D:displayname>A &amp; B</D:displayname>") == "A & B"
    assert parse.text_of(b'<x xmlns="urn:x">caf\xc3\xa9</x>') == "café"
