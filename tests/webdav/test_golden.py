"""Request bodies and what they mean: `tests/golden/NAME.xml`, written down in `NAME.txt`.

A new request gets its `.txt` by `python -m tests.webdav.test_golden`; read it before it is committed.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path

import pytest

from calsync.webdav import parse
from calsync.webdav.errors import DavError
from calsync.webdav.names import C, D

GOLDEN = Path(__file__).parent.parent / "golden"
REQUESTS = sorted(GOLDEN.glob("*.xml"))
PARSERS = {
    D("propfind"): parse.propfind,
    D("propertyupdate"): parse.proppatch,
    D("mkcol"): parse.mkcol,
    D("collection"): parse.mkcol,
    C("mkcalendar"): parse.mkcalendar,
}


def written(value: object, indent: str = "") -> str:
    """A request as text to read: what is as by default is left out, lines break where they get long."""
    if is_dataclass(value):
        parts = [
            (f"{one.name}=", getattr(value, one.name))
            for one in fields(value)
            if getattr(value, one.name) != one.default
        ]
        start, end = f"{type(value).__name__}(", ")"
    elif isinstance(value, tuple):
        parts, start, end = [("", one) for one in value], "[", "]"
    else:
        return value.name if isinstance(value, Enum) else repr(value)
    line = start + ", ".join(name + written(one) for name, one in parts) + end
    if len(indent + line) <= 110 and "\n" not in line:
        return line
    deeper = indent + "    "
    return start + "".join(f"\n{deeper}{name}{written(one, deeper)}," for name, one in parts) + f"\n{indent}{end}"


def parsed(body: bytes) -> str:
    """The request as text, or the status and precondition that it is refused with."""
    try:
        root = str(parse.xml(body).tag)
        return written(PARSERS.get(root, parse.report)(body)) + "\n"
    except DavError as error:
        detail = error.detail.decode()
        return " ".join(filter(None, (str(error.status), error.condition, detail))) + "\n"


@pytest.mark.parametrize("path", REQUESTS, ids=lambda path: path.stem)
def test_request_is_read_as_written_down(path: Path) -> None:
    assert parsed(path.read_bytes()) == path.with_suffix(".txt").read_text(encoding="utf-8")


if __name__ == "__main__":
    for request in REQUESTS:
        if not request.with_suffix(".txt").exists():
            request.with_suffix(".txt").write_text(parsed(request.read_bytes()), encoding="utf-8")
