"""Bodies into element trees, bounded before a tree is built, and the small pieces that all parsers share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from lxml import etree

from calsync.webdav.errors import BadRequest, ContentTooLarge, DavError, UnsupportedMediaType
from calsync.webdav.headers import media_type
from calsync.webdav.multistatus import document
from calsync.webdav.names import CALDAV, CARDDAV, CS, DAV

#: Octets of an XML request.
LARGEST: Final = 16 * 1024 * 1024
# Tags and attributes cost memory far beyond their octets: one `<` or `=` each at least, in any of the encodings.
_MOST_MARKUP: Final = 250_000
_DEEPEST: Final = 100

# A DOCTYPE stands before the root element, behind nothing but declarations, comments and white space.
_DOCTYPE: Final = re.compile(rb"\s*+(?>(?:<\?(?>.*?\?>)|<!--(?>.*?-->))\s*+)*+<!DOCTYPE", re.DOTALL)
_DECLARED: Final = re.compile(rb"""\s*<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z0-9._:-]+)["']""")
_TOO_DEEP: Final = etree.XPath("boolean(" + "/*" * (_DEEPEST + 1) + ")")

#: Hashes of stored properties that are elements; about 100 octets each.
_sound: Final[set[int]] = set()
_MOST_SOUND: Final = 20_000

_BOMS: Final = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_BARE: Final = ((b"<\x00", "utf-16-le"), (b"\x00<", "utf-16-be"))
_ENCODINGS: Final = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    **{f"iso-8859-{part}": f"iso8859-{part}" for part in (*range(1, 12), *range(13, 17))},
    **{f"windows-{page}": f"cp{page}" for page in range(1250, 1259)},
    **{name: name for name in ("koi8-r", "koi8-u", "gb2312", "gbk", "gb18030", "big5")},
    **{name: name for name in ("euc-jp", "shift_jis", "euc-kr")},
}


def xml(body: bytes, content_type: str = "", *, limit: int | None = LARGEST) -> etree._Element:
    """The root element of an XML body; comments and processing instructions are left out.

    Raises ContentTooLarge (413) beyond `limit` octets (None for documents of our own or of a trusted server),
    UnsupportedMediaType (415) for an encoding that is not known, else BadRequest: a DOCTYPE, too much markup, elements
    nested too deeply, and what is not well-formed or not namespace-well-formed.
    """
    if limit is not None:
        if len(body) > limit:
            raise ContentTooLarge(f"an XML body of {len(body)} octets, {limit} are taken")
        if body.count(b"<") + body.count(b"=") > _MOST_MARKUP:
            raise ContentTooLarge(f"an XML body with more than {_MOST_MARKUP} tags and attributes")
    octets = _utf8(body, content_type)
    if _DOCTYPE.match(octets):
        raise BadRequest("a document type declaration is not taken")
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=limit is None,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )
    try:
        root = etree.fromstring(octets, parser)
    except etree.XMLSyntaxError as error:
        raise BadRequest(f"not well-formed XML: {error.msg}") from error
    if _TOO_DEEP(root):
        raise BadRequest(f"elements nested more than {_DEEPEST} deep")
    return root


def _utf8(body: bytes, content_type: str) -> bytes:
    """The body as UTF-8: by its byte order mark, the `charset` of its type, its own declaration (RFC 7303 §3)."""
    encoding = next((name for mark, name in _BOMS if body.startswith(mark)), "")
    if encoding:
        body = body.removeprefix(b"\xef\xbb\xbf")
    elif charset := media_type(content_type).parameter("charset"):
        encoding = encoding_of(charset)
    elif encoding := next((name for start, name in _BARE if body.startswith(start)), ""):
        pass
    elif declared := _DECLARED.match(body[:200]):
        encoding = encoding_of(declared[1].decode())
    if encoding in ("", "utf-8"):
        return body  # the parser refuses what is not
    try:
        return body.decode(encoding).removeprefix("\ufeff").encode()
    except UnicodeError as error:
        raise BadRequest(f"the body is not {encoding}") from error


def encoding_of(label: str) -> str:
    """The codec of a `charset`; UnsupportedMediaType (415) for one that is not known."""
    name = _ENCODINGS.get(label.strip().lower())
    if name is None:
        raise UnsupportedMediaType(f"encoding {label[:40]!r} is not known")
    return name


# --- elements ---------------------------------------------------------------------------------------------------------


def clark(element: etree._Element) -> str:
    """The element's name."""
    return str(element.tag)


def text_content(element: etree._Element) -> str:
    """All text inside an element."""
    if not len(element):
        return element.text or ""
    return "".join(str(text) for text in element.itertext())


def text_of(fragment: bytes | str) -> str:
    """The text of a property as it is stored: an element, with the known prefixes or self-contained. What has rotted
    has none."""
    octets = fragment.encode() if isinstance(fragment, str) else fragment
    try:
        return text_content(_wrapped(octets))
    except BadRequest:
        return ""


def is_element(stored: object) -> bool:
    """Whether a property, as it is stored, is one element: what is not would make the whole answer unreadable.

    Asked for every property of every answer; what was found sound once is known by its hash from then on.
    """
    if not isinstance(stored, str):
        return False
    key = hash(stored)
    if key in _sound:
        return True
    try:
        sound = len(_wrapped(stored.encode())) == 1
    except (DavError, UnicodeError):
        return False
    if sound:
        if len(_sound) >= _MOST_SOUND:
            _sound.clear()
        _sound.add(key)
    return sound


def _wrapped(octets: bytes) -> etree._Element:
    return xml(document(f"{{{DAV}}}prop", octets), limit=None)


def child(element: etree._Element, name: str) -> etree._Element | None:
    """The child of that name; BadRequest where there are several."""
    found = element.findall(name)
    if len(found) > 1:
        raise BadRequest(f"{name} stands more than once in {element.tag}")
    return found[0] if found else None


def expect(root: etree._Element, name: str, error: type[DavError] = BadRequest) -> None:
    """Refuse another root element."""
    if root.tag != name:
        raise error(f"expected {name}, the body is {root.tag}")


def name_attribute(element: etree._Element) -> str:
    """The `name` of a component, property or parameter, in upper case; ValueError where there is none."""
    name = (element.get("name") or "").strip().upper()
    if not _NAME.fullmatch(name):
        raise ValueError(f"{element.tag} with the name {name[:40]!r}")
    return name


# RFC 5545 §3.1, RFC 6350 §3.3; a card's property may have its group before it (RFC 6352 §10.5.1).
_NAME: Final = re.compile(r"(?:[A-Z0-9_-]+\.)?[A-Z0-9_-]+")


def yes(element: etree._Element, attribute: str) -> bool:
    """A `(yes | no)` attribute, `no` where absent; ValueError for another value."""
    value = (element.get(attribute) or "no").strip().lower()
    if value not in ("yes", "no"):
        raise ValueError(f"{attribute} is {value[:40]!r}, neither yes nor no")
    return value == "yes"


_NUMBER: Final = re.compile(r"[0-9]+")
_LIMITS: Final = tuple((f"{{{space}}}limit", f"{{{space}}}nresults") for space in (DAV, CARDDAV, CALDAV, CS))


def nresults(root: etree._Element) -> int | None:
    """`limit/nresults` (RFC 5323 §5.17, RFC 6352 §10.6), in any namespace a client takes it from; at least 1."""
    for limit_name, number_name in _LIMITS:
        limit = child(root, limit_name)
        if limit is None:
            continue
        text = (limit.findtext(number_name) or "").strip()
        if not _NUMBER.fullmatch(text) or not text.strip("0"):
            raise BadRequest(f"nresults is {text[:40]!r}, not a number of at least 1")
        return int(text[-9:]) if len(text) < 10 else 10**9
    return None


_INSTANT: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z")


def instant(text: str) -> int:
    """`20260101T090000Z` → seconds since the epoch (RFC 5545 §3.3.5, form 2); ValueError for anything else."""
    found = _INSTANT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text[:40]!r} is no date with UTC time")
    year, month, day, hour, minute, second = map(int, found.groups())
    # RFC 5545 §3.3.12: second 60 is a leap second
    leap = second == 60
    return int(datetime(year, month, day, hour, minute, second - leap, tzinfo=UTC).timestamp()) + leap


def bounds(element: etree._Element) -> tuple[int | None, int | None]:
    """`start` and `end`, at least one, in order (RFC 4791 §9.9); ValueError where they are not."""
    start, end = (instant(text) if text is not None else None for text in (element.get("start"), element.get("end")))
    if start is None and end is None:
        raise ValueError(f"{element.tag} has neither start nor end")
    if start is not None and end is not None and start >= end:
        raise ValueError(f"{element.tag} ends at {element.get('end')}, which is not after its start")
    return start, end


def closed_bounds(element: etree._Element) -> tuple[int, int]:
    """`bounds` with both ends; BadRequest where one is missing or they are wrong."""
    try:
        start, end = bounds(element)
    except ValueError as error:
        raise BadRequest(str(error)) from error
    if start is None or end is None:
        raise BadRequest(f"{element.tag} needs start and end")
    return start, end


def hrefs(root: etree._Element) -> Iterator[str]:
    """The text of each `D:href` child, stripped; empty ones fall away."""
    for element in root.iterchildren(f"{{{DAV}}}href"):
        if text := text_content(element).strip():
            yield text
