"""Pictures, sounds and keys: octets in base64 (RFC 2426 §2.4.1) ⇄ `data:` URIs (RFC 6350 §4.2, RFC 2397)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final
from urllib.parse import unquote_to_bytes

from calsync.dav.data.drafts import Draft, type_words
from calsync.ical.lines import escape

#: The properties, each with the kind of its media types.
MEDIA: Final = {"PHOTO": "image", "LOGO": "image", "SOUND": "audio", "KEY": "application"}

_BINARY: Final = "application/octet-stream"
_KEYS: Final = {"PGP": "application/pgp-keys", "X509": "application/pkix-cert"}
_KEY_WORDS: Final = {media: word for word, media in _KEYS.items()}
# In version 4, TYPE says whose it is; in version 3, its format.
_PLACES: Final = frozenset({"home", "work", "pref"})
_SIGNATURES: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
    (b"BM", "image/bmp"),
)
_DATA: Final = re.compile(r"data:([^,;]*)((?:;[^,;]*)*),(.*)", re.IGNORECASE | re.DOTALL)
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")


def is_encoded(draft: Draft) -> bool:
    return (draft.param("ENCODING") or "").lower() in ("b", "base64")


def is_uri(value: str) -> bool:
    return _URI.match(value) is not None


def to_uri(draft: Draft) -> Draft:
    """Version 3 → 4: base64 becomes a `data:` URI or text, a TYPE that names the format a media type."""
    if draft.name not in MEDIA:
        return _decoded(draft) if is_encoded(draft) else draft
    words = type_words(draft.types)
    places = [word for word in words if word.lower() in _PLACES]
    formats = [word for word in words if word.lower() not in _PLACES]
    plain = draft.without("TYPE", "ENCODING").having("TYPE", *places) if places else draft.without("TYPE", "ENCODING")
    if is_encoded(draft):
        payload = "".join(draft.value.split())
        if not is_uri(payload):  # InfCloud says `b` of what is a URI already (clients.md 34)
            payload = f"data:{_media_type(draft.name, formats, payload)};base64,{payload}"
        return plain.without("VALUE", "MEDIATYPE")._replace(value=payload)
    if draft.name == "KEY" and draft.param("VALUE") is None and not is_uri(draft.value):
        plain = plain.having("VALUE", "text")  # RFC 6350 §6.8.1: a URI, unless it says otherwise
    elif not formats:
        return draft
    return plain.having("MEDIATYPE", _media_type(draft.name, formats, "")) if formats else plain


def _decoded(draft: Draft) -> Draft:
    """Octets in a property that has none in version 4: text where they are text, or else a `data:` URI."""
    payload = "".join(draft.value.split())
    plain = draft.without("ENCODING", "VALUE")
    if not draft.name.startswith("X-"):
        try:
            return plain._replace(value=escape(base64.b64decode(payload, validate=True).decode()))
        except ValueError:
            pass
    return plain.having("VALUE", "uri")._replace(value=f"data:{_BINARY};base64,{payload}")


def to_base64(draft: Draft) -> Draft:
    """Version 4 → 3: a `data:` URI becomes base64, a media type a TYPE."""
    found = _DATA.fullmatch(draft.value.strip())
    if draft.name not in MEDIA:
        # Only what `to_uri` made of an X- property: others may mean their URI as a URI.
        if found is None or not draft.says("VALUE", "uri") or found[1] != _BINARY or not draft.name.startswith("X-"):
            return draft
        return draft.without("VALUE").having("ENCODING", "b")._replace(value=found[3])
    if found is None:
        if draft.param("VALUE") is None and draft.value:
            draft = draft.having("VALUE", "uri")  # RFC 2426 §3.1.4: octets, unless it says otherwise
        media = draft.param("MEDIATYPE")
        return draft if media is None else _typed(draft.without("MEDIATYPE"), media)
    payload = found[3]
    if "base64" not in found[2].lower().split(";"):
        payload = base64.b64encode(unquote_to_bytes(payload)).decode()
    encoded = draft.without("VALUE", "MEDIATYPE").having("ENCODING", "b")
    return _typed(encoded, found[1])._replace(value=payload)


def _media_type(name: str, formats: list[str], payload: str) -> str:
    for word in formats:
        if "/" in word:
            return word.lower()
        if name == "KEY":
            return _KEYS.get(word.upper(), f"application/{word.lower()}")
        return f"{MEDIA[name]}/{word.lower()}"
    if MEDIA[name] == "image":
        try:
            start = base64.b64decode(payload[:16])
        except binascii.Error:
            start = b""
        return next((media for signature, media in _SIGNATURES if start.startswith(signature)), _BINARY)
    return _BINARY


def _typed(draft: Draft, media: str) -> Draft:
    """With the word for a media type, before other values of TYPE."""
    kind, _, subtype = media.partition("/")
    if not subtype or media == _BINARY:
        return draft
    if draft.name == "KEY":
        word = _KEY_WORDS.get(media.lower(), media if kind != "application" else subtype.upper())
    else:
        word = subtype.upper() if kind.lower() == MEDIA[draft.name] else media
    places = type_words(draft.types)
    return draft.without("TYPE").having("TYPE", word, *places)
