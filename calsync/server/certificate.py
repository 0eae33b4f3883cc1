"""What a certificate says (RFC 5280), also one that is not believed: Python itself reads only those that are."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_COMMON_NAME: Final = bytes.fromhex("550403")
_ORGANIZATION: Final = bytes.fromhex("55040a")
_ALTERNATIVE_NAMES: Final = bytes.fromhex("551d11")

Node = tuple[int, bytes, bytes]  # tag, content, all of its octets


@dataclass(frozen=True, slots=True)
class Certificate:
    """`begins`, `ends`: instants. `names`: DNS names and addresses it is for; `self_signed`: its issuer is itself."""

    subject: str
    issuer: str
    begins: float
    ends: float
    names: Sequence[str]
    self_signed: bool


def of_file(path: Path) -> Certificate:
    """The first in a PEM file. Raises `OSError` and `ValueError`."""
    text = path.read_text(encoding="ascii", errors="replace")
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    if begin not in text or end not in text:
        raise ValueError("no certificate is in it")
    return of(ssl.PEM_cert_to_DER_cert(begin + text.partition(begin)[2].partition(end)[0] + end))


def of(octets: bytes) -> Certificate:
    """A certificate in DER. Raises `ValueError`."""
    try:
        (_, whole, _), _ = _node(octets)
        fields = _nodes(_nodes(whole)[0][1])
        if fields[0][0] == 0xA0:  # the version
            fields = fields[1:]
        issuer, validity, subject = fields[2], _nodes(fields[3][1]), fields[4]
        extensions = next((_nodes(_nodes(node[1])[0][1]) for node in fields[6:] if node[0] == 0xA3), [])
        return Certificate(
            _name(subject[1]),
            _name(issuer[1]),
            _instant(*validity[0][:2]),
            _instant(*validity[1][:2]),
            tuple(_alternative(extensions)),
            issuer[2] == subject[2],
        )
    except (IndexError, UnicodeDecodeError) as error:
        raise ValueError("the certificate cannot be read") from error


# --- DER (X.690) ------------------------------------------------------------------------------------------------------


def _node(octets: bytes, at: int = 0) -> tuple[Node, int]:
    """The node at an offset, and where the next begins."""
    tag, length, head = octets[at], octets[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(octets[head : head + count], "big")
        head += count
    end = head + length
    if end > len(octets):
        raise IndexError
    return (tag, octets[head:end], octets[at:end]), end


def _nodes(octets: bytes) -> list[Node]:
    at, found = 0, []
    while at < len(octets):
        node, at = _node(octets, at)
        found.append(node)
    return found


def _name(octets: bytes) -> str:
    """The common name, else the organization, else nothing."""
    parts: dict[bytes, str] = {}
    for _, relative, _ in _nodes(octets):
        for _, pair, _ in _nodes(relative):
            kind, value = _nodes(pair)[:2]
            parts[kind[1]] = value[1].decode("utf-16-be" if value[0] == 0x1E else "utf-8", errors="replace")
    return parts.get(_COMMON_NAME) or parts.get(_ORGANIZATION) or ""


def _instant(tag: int, octets: bytes) -> float:
    """UTCTime or GeneralizedTime (RFC 5280 §4.1.2.5)."""
    text = octets.decode("ascii")
    if tag == 0x17:
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _alternative(extensions: Sequence[Node]) -> Iterator[str]:
    for _, extension, _ in extensions:
        parts = _nodes(extension)
        if parts[0][1] != _ALTERNATIVE_NAMES:
            continue
        for tag, value, _ in _nodes(_nodes(parts[-1][1])[0][1]):
            if tag == 0x82:
                yield value.decode("ascii")
            elif tag == 0x87 and len(value) in (4, 16):
                yield str(ipaddress.ip_address(value))
