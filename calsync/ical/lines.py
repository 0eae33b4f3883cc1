"""The lossless scanner: octets of iCalendar and vCard ⇄ components and content lines.

Octets are cut once, by one regular expression, and kept as they came; names, parameters and values are decoded when
somebody asks. Line ends may be CRLF, LF or CR, blank lines and a byte order mark are skipped, and a fold may cut a
UTF-8 letter. What is between BEGIN and END is not judged here: `validate` does that.
"""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Iterator
from functools import lru_cache

MAX_DEPTH = 50
"""Components within components; real objects need three (VCALENDAR, VTIMEZONE, DAYLIGHT)."""

MANY_LINES = 20_000
"""Content lines of one object, beside one for every hundred octets; a meeting of 200, moved 80 times, has as many.

A line costs some 300 octets of memory while it is read, however short it is. So text of tiny lines is bounded here, and
what reads a text that is not `crowded` stays near its size.
"""

BOM = b"\xef\xbb\xbf"

Token = tuple[bytes, bytes]
"""A content line's octets, with folds and line end, and its name as it was written, group included."""

Param = tuple[str, tuple[str, ...]]

# A name at the start of a line, perhaps parameters, a colon, a value; the latter two may be folded. The possessive
# quantifiers and the look behind keep it linear.
_LINES = re.compile(
    rb"((?<![^\r\n])([A-Za-z0-9_.\-]++)(?:;[^:\r\n]*+(?:[\r\n]++[ \t][^:\r\n]*+)*+)?+"
    rb":[^\r\n]*+(?:[\r\n]++[ \t][^\r\n]*+)*+[\r\n]*+)"
)
_UTF8 = codecs.getincrementaldecoder("utf-8")
_PIECE = 1 << 16
_LOGICAL = re.compile(rb"[^\r\n]++(?:[\r\n]++[ \t][^\r\n]*+)*+[\r\n]*+")
_PREFIX = re.compile(rb"(?:\xef\xbb\xbf)?+[\r\n]*+(?:[ \t]++[\r\n]++)*+")
_FOLD = re.compile(rb"[\r\n]+[ \t]")
_NAMED = re.compile(rb"([A-Za-z0-9_.\-]+)(?:;[^:]*)?:")
_QUOTED_PRINTABLE = re.compile(rb"[^:]*;(?:ENCODING=)?QUOTED-PRINTABLE[;:]", re.IGNORECASE)

_HEAD = re.compile(r'[^;:]*+(?:;[^":;]*+(?:"[^"]*+"[^":;]*+)*+)*+:')
_PARAM = re.compile(r';([^";=]*+)(=?+)((?:[^";]++|"[^"]*+")*+)')
_CARET = re.compile(r"\^([n'^])")
_CARETS = {"n": "\n", "'": '"', "^": "^"}

_ESCAPE = re.compile(r"\\([nN\\;,:\"])")
_UNESCAPED = {"n": "\n", "N": "\n"}
_TO_ESCAPE = re.compile(r"\r\n|[\n\r\\;,]")
_ESCAPED = {"\r\n": "\\n", "\n": "\\n", "\r": "\\n", "\\": "\\\\", ";": "\\;", ",": "\\,"}


def _spellings(word: str) -> Iterator[bytes]:
    return ("".join(letters).encode() for letters in itertools.product(*((c, c.lower()) for c in word)))


_BEGIN = frozenset(_spellings("BEGIN"))
_STRUCTURE = _BEGIN | frozenset(_spellings("END"))


class ScanError(ValueError):
    """Not iCalendar or vCard text; `line` is the number of the physical line, from 1."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(f"line {line}: {reason}")
        self.reason = reason
        self.line = line


@lru_cache(maxsize=4096)
def _canonical(name: bytes) -> tuple[str, str]:
    group, _, local = name.decode("ascii").rpartition(".")
    return local.upper(), group


class Line:
    """One content line. `raw` holds its octets with folds, line end and the blank lines after it."""

    __slots__ = ("_params", "_text", "_value", "group", "name", "raw")

    raw: bytes
    name: str
    group: str
    _text: str
    _value: str | None
    _params: tuple[Param, ...] | None

    def __init__(self, token: Token) -> None:
        self.raw = token[0]
        self.name, self.group = _canonical(token[1])
        self._value = None
        self._params = None

    def _read(self) -> str:
        octets = self.raw.rstrip(b"\r\n")
        if b"\n" in octets or b"\r" in octets:
            plain = octets.replace(b"\r\n ", b"")  # all folds of most lines, and far quicker
            octets = unfold(octets) if b"\n" in plain or b"\r" in plain else plain
        text = octets.decode()
        head, _, value = text.partition(":")
        if '"' in head:
            found = _HEAD.match(text)
            if found is not None:  # otherwise a quote that nobody closes: then it is an ordinary letter
                head, value = text[: found.end() - 1], text[found.end() :]
        self._text = head
        self._value = value
        return value

    @property
    def value(self) -> str:
        """The value, unfolded, not unescaped."""
        value = self._value
        return self._read() if value is None else value

    @property
    def params(self) -> tuple[Param, ...]:
        """Parameters in order: NAME, values unquoted and without RFC 6868 carets.

        A bare word, as in `TEL;HOME:`, is vCard 2.1's spelling of a TYPE and is given as one.
        """
        if self._params is None:
            if self._value is None:
                self._read()
            _, separator, rest = self._text.partition(";")
            if separator:
                # The same few come again and again; long ones are not worth keeping.
                self._params = _known_parameters(rest) if len(rest) < 80 else _parameters(rest)
            else:
                self._params = ()
        return self._params

    def param(self, name: str) -> str | None:
        """The first value of a parameter, or None where it is not there."""
        for key, values in self.params:
            if key == name:
                return values[0] if values else ""
        return None

    def __repr__(self) -> str:
        return f"Line({self.raw!r})"


def _parameters(text: str) -> tuple[Param, ...]:
    if text.count('"') % 2:
        text = text.replace('"', "")
    found: list[Param] = []
    for name, equals, values in _PARAM.findall(";" + text):
        key = name.strip().upper()
        if equals:
            found.append((key, tuple(_param_values(values))))
        elif key:
            found.append(("ENCODING" if key in {"QUOTED-PRINTABLE", "BASE64"} else "TYPE", (name.strip(),)))
    return tuple(found)


_known_parameters = lru_cache(maxsize=1024)(_parameters)


def _param_values(text: str) -> Iterator[str]:
    values = [""]
    for number, part in enumerate(text.split('"')):
        if number % 2:  # between quotes
            values[-1] += part
        else:
            first, *more = part.split(",")
            values[-1] += first
            values += more
    for value in values:
        yield _CARET.sub(lambda match: _CARETS[match[1]], value) if "^" in value else value


class Component:
    """What stands between a BEGIN and its END. `start` and `end` are offsets that hold both of these lines."""

    __slots__ = ("_index", "_lines", "_source", "_tokens", "components", "end", "name", "start")

    name: str
    components: list[Component]
    start: int
    end: int
    _tokens: list[Token] | None

    def __init__(self, name: str, source: bytes, start: int) -> None:
        self.name = name
        self.components = []
        self.start = start
        self.end = start
        self._tokens = []
        self._source = source
        self._lines: list[Line] | None = None
        self._index: dict[str, list[Line]] | None = None

    @property
    def octets(self) -> bytes:
        """The component verbatim, BEGIN and END lines included."""
        return self._source[self.start : self.end]

    @property
    def lines(self) -> list[Line]:
        """Its own content lines in order, without those of the components inside."""
        lines = self._lines
        if lines is None:
            lines = self._lines = [Line(token) for token in self._tokens or ()]
            self._tokens = None  # they hold the same, and so much memory again
        return lines

    @property
    def tokens(self) -> list[Token]:
        """The same, for who needs them no closer."""
        if self._tokens is None:
            return [(line.raw, f"{line.group}.{line.name}".removeprefix(".").encode()) for line in self.lines]
        return self._tokens

    @property
    def index(self) -> dict[str, list[Line]]:
        """Its own content lines by name."""
        index = self._index
        if index is None:
            self._index = index = {}
            for line in self.lines:
                if line.name in index:
                    index[line.name].append(line)
                else:
                    index[line.name] = [line]
        return index

    def first(self, name: str) -> Line | None:
        found = self.index.get(name)
        return found[0] if found else None

    def all(self, name: str) -> list[Line]:
        return self.index.get(name, [])

    def text(self, name: str) -> str | None:
        """The unescaped TEXT of the first line of that name."""
        line = self.first(name)
        return None if line is None else unescape(line.value)

    def walk(self) -> Iterator[Component]:
        """This component and all inside it, in the order of the text."""
        stack = [self]
        while stack:
            component = stack.pop()
            yield component
            stack.extend(reversed(component.components))

    def __repr__(self) -> str:
        return f"Component({self.name}, {self.start}–{self.end})"


class Document:
    """The top-level components of a text."""

    __slots__ = ("components", "octets")

    def __init__(self, octets: bytes, components: tuple[Component, ...]) -> None:
        self.octets = octets
        self.components = components

    @property
    def prefix(self) -> bytes:
        """What stands before the first content line."""
        return self.octets[: _first_line(self.octets)]

    @property
    def tokens(self) -> list[Token]:
        """All content lines, cut anew; their octets joined after `prefix` are the text again."""
        return _cut(self.octets, _first_line(self.octets))


def scan(octets: bytes) -> Document:
    """Cut a text into components and content lines.

    Raises ScanError where the text is not UTF-8 (looked at after unfolding), a line has no name and colon, BEGIN and
    END do not match, something stands outside of them, or components are nested deeper than MAX_DEPTH.
    """
    _check_utf8(octets)
    position = _first_line(octets)
    return Document(octets, tuple(_assemble(octets, _cut(octets, position), position)))


def _first_line(octets: bytes) -> int:
    found = _PREFIX.match(octets)
    return found.end() if found else 0


def _cut(octets: bytes, position: int) -> list[Token]:
    tokens: list[Token] = _LINES.findall(octets[position:] if position else octets)
    # The quick expression steps over what it does not know; then the octets do not add up.
    if position + sum([len(token[0]) for token in tokens]) != len(octets):
        tokens = list(_slow_tokens(octets, position))
    return tokens


def _assemble(octets: bytes, tokens: list[Token], position: int) -> list[Component]:
    top: list[Component] = []
    stack: list[Component] = []
    append = None
    for token in tokens:
        raw, name = token
        if name in _STRUCTURE:
            kind = _kind(token) if len(raw) < 64 else _read_kind(token)
            if name in _BEGIN:
                component = Component(kind, octets, position)
                (stack[-1].components if stack else top).append(component)
                stack.append(component)
                if len(stack) > MAX_DEPTH:
                    raise _error(octets, position, f"components nested deeper than {MAX_DEPTH}")
                append = component.tokens.append  # nobody has asked for its lines yet
            else:
                if not stack or stack[-1].name != kind:
                    expected = f"END:{stack[-1].name} expected" if stack else "nothing was begun"
                    raise _error(octets, position, f"END:{kind[:40]} where {expected}")
                stack.pop().end = position + len(raw)
                append = stack[-1].tokens.append if stack else None
        elif append is not None:
            append(token)
        elif name:
            raise _error(octets, position, "content outside of BEGIN and END")
        position += len(raw)
    if stack:
        raise _error(octets, len(octets), f"END:{stack[-1].name} is missing")
    return top


def _read_kind(token: Token) -> str:
    return Line(token).value.strip().upper()


_kind = lru_cache(maxsize=1024)(_read_kind)


def _slow_tokens(octets: bytes, position: int) -> Iterator[Token]:
    """Tokens of a text with oddities: a fold inside a name, a byte order mark or blanks amid, soft line breaks."""
    held: list[bytes] = []
    name, before, is_quoted_printable = b"", b"", False
    for match in _LOGICAL.finditer(octets, position):
        raw = match[0]
        line = unfold(raw.rstrip(b"\r\n")).removeprefix(BOM)
        named = _NAMED.match(line)
        if named is not None:
            if held:
                yield b"".join(held), name
            held, name = [raw], named[1]
            is_quoted_printable = _QUOTED_PRINTABLE.match(line) is not None
        elif not line.strip() or (is_quoted_printable and before.endswith(b"=")):
            held.append(raw)  # also vCard 2.1's soft line break, which some write into version 3.0
        else:
            raise _error(octets, match.start(), "neither a name nor a colon")
        before = line
    if held:
        yield b"".join(held), name


def _check_utf8(octets: bytes) -> None:
    if _is_utf8(octets) or _is_utf8(unfold(octets)):
        return
    for match in _LOGICAL.finditer(octets):
        if not _is_utf8(unfold(match[0])):
            raise _error(octets, match.start(), "not UTF-8")


def _is_utf8(octets: bytes) -> bool:
    try:
        if len(octets) < _PIECE:
            octets.decode()
        else:  # a single letter of four octets would make all others as large
            decoder = _UTF8()
            for start in range(0, len(octets), _PIECE):
                decoder.decode(octets[start : start + _PIECE])
            decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    return True


def _error(octets: bytes, position: int, reason: str) -> ScanError:
    before = octets[:position].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return ScanError(reason, before.count(b"\n") + 1)


def crowded(octets: bytes) -> str:
    """Why a text has too many content lines to be read as one object; empty where it has not."""
    if len(octets) < 2 * MANY_LINES:
        return ""
    most = MANY_LINES + len(octets) // 100
    if octets.count(b"\n") + octets.count(b"\r") < most:
        return ""
    if next(itertools.islice(_LOGICAL.finditer(octets), most, None), None) is None:
        return ""
    return f"more than {most} content lines in {len(octets)} octets: divide it into several objects"


def unfold(octets: bytes) -> bytes:
    """Octets without folds; letters that a fold cut are whole again."""
    return _FOLD.sub(b"", octets)


def unescape(text: str) -> str:
    r"""TEXT without its backslashes (RFC 5545 §3.3.11, RFC 6350 §3.4); `\:` and `\"` of old clients are known too."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda match: _UNESCAPED.get(match[1], match[1]), text)


def escape(text: str) -> str:
    """Text as a TEXT value, without folds (RFC 5545 §3.3.11)."""
    return _TO_ESCAPE.sub(lambda match: _ESCAPED[match[0]], text)


def split_values(value: str, sep: str) -> list[str]:
    """The parts of a list (`,`) or structured (`;`) value; a separator behind a backslash is a letter.

    The parts are still escaped.
    """
    if "\\" not in value:
        return value.split(sep)
    parts: list[str] = []
    start = 0
    for match in re.finditer(r"\\.|" + re.escape(sep), value, re.DOTALL):
        if match[0] == sep:
            parts.append(value[start : match.start()])
            start = match.end()
    parts.append(value[start:])
    return parts


def fold(line: str | bytes) -> bytes:
    """A content line, given without line end, folded at 75 octets and ended by CRLF (RFC 5545 §3.1).

    No letter is cut.
    """
    octets = line.encode() if isinstance(line, str) else line
    if len(octets) <= 75:
        return octets + b"\r\n"
    parts: list[bytes] = []
    start, room = 0, 75
    while len(octets) - start > room:
        end = start + room
        while end > start + 1 and octets[end] & 0xC0 == 0x80:
            end -= 1
        parts.append(octets[start:end])
        start, room = end, 74
    parts.append(octets[start:])
    return b"\r\n ".join(parts) + b"\r\n"
