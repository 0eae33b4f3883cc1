"""vCard 2.1, as many phones still export it, rewritten as 3.0 (RFC 2426).

Only the writing changes: quoted-printable and its character set become UTF-8, `TEL;CELL;HOME` becomes
`TEL;TYPE=CELL,HOME`, base64 is folded as 3.0 wants it. Values stay, but for line breaks, which 3.0 writes as `\\n`.
"""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterator

from calsync.ical.lines import fold

_VERSION = re.compile(rb"(?im)^VERSION:[ \t]*2\.1[ \t]*\r?$")
_LINE = re.compile(r"(?P<name>[^;:]+)(?P<params>(?:;[^:]*)?):(?P<value>.*)", re.DOTALL)
_ENCODINGS = {"QUOTED-PRINTABLE", "BASE64", "B", "8BIT", "7BIT"}
# Properties with parts, in which a semicolon stands between the parts.
_STRUCTURED = {"N", "ADR", "ORG", "GEO"}


def is_vcard21(octets: bytes) -> bool:
    return bool(_VERSION.search(octets))


def to_vcard30(octets: bytes) -> bytes:
    """The card in 3.0; lines that cannot be read stay as they are."""
    return b"".join(_rewritten(line) for line in _logical_lines(octets.decode("utf-8", errors="surrogateescape")))


def _logical_lines(text: str) -> Iterator[str]:
    """Lines without their folds: white space at the start continues, and so does `=` at the end of quoted-printable."""
    pending = ""
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if pending.endswith("=") and "QUOTED-PRINTABLE" in pending.partition(":")[0].upper():
            pending = pending[:-1] + line
        elif line[:1] in (" ", "\t") and pending:
            pending += line.strip() if "BASE64" in pending.partition(":")[0].upper() else line[1:]
        else:
            if pending:
                yield pending
            pending = line
    if pending:
        yield pending


def _rewritten(line: str) -> bytes:
    match = _LINE.fullmatch(line)
    if not match:
        return _encoded(line)
    name, value = match["name"].strip(), match["value"]
    if name.upper() == "VERSION":
        return b"VERSION:3.0\r\n"
    charset, encoding, types, others = "utf-8", "", [], []
    for param in match["params"].split(";")[1:]:
        key, equals, given = param.strip().partition("=")
        if not equals and key.upper() in _ENCODINGS:
            key, given = "ENCODING", key
        elif not equals:
            key, given = "TYPE", key
        if key.upper() == "CHARSET":
            charset = given
        elif key.upper() == "ENCODING":
            encoding = given.upper()
        elif key.upper() == "TYPE":
            types += [given] if given else []
        else:
            others.append(f"{key}={given}")
    if encoding == "QUOTED-PRINTABLE":
        value = _text(quopri.decodestring(value.encode("utf-8", errors="surrogateescape")), charset)
        if name.rpartition(".")[2].upper() not in _STRUCTURED:
            value = value.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
        value = value.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")
    elif encoding in ("BASE64", "B"):
        value = value.replace(" ", "")
        others.append("ENCODING=b")
    elif charset.lower() not in ("utf-8", "utf8", "us-ascii"):
        value = _text(value.encode("utf-8", errors="surrogateescape"), charset)
    if types:
        others.append(f"TYPE={','.join(types)}")
    return _encoded(";".join([name, *others]) + ":" + value)


def _text(octets: bytes, charset: str) -> str:
    try:
        return octets.decode(charset)
    except (LookupError, UnicodeDecodeError):
        return octets.decode("cp1252", errors="replace")


def _encoded(line: str) -> bytes:
    return fold(_text(line.encode("utf-8", errors="surrogateescape"), "utf-8"))
