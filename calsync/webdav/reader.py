"""Reading multistatus documents: for the tests, the doctor and moving in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from calsync.webdav import parse
from calsync.webdav.errors import BadRequest
from calsync.webdav.names import D


@dataclass(slots=True)
class Response:
    """One `D:response`. `status` is that of the resource as a whole, None where it has propstats.

    `props` maps a property's name to its status and element; `error` are the names of the conditions in `D:error`,
    its own or a propstat's.
    """

    href: str
    status: int | None = None
    props: dict[str, tuple[int, etree._Element]] = field(default_factory=dict)
    error: list[str] = field(default_factory=list)
    description: str = ""

    def text(self, name: str) -> str | None:
        """The text of a property found (200), else None."""
        found = self.found(name)
        return None if found is None else parse.text_content(found)

    def found(self, name: str) -> etree._Element | None:
        """A property that was found (200), else None."""
        status, element = self.props.get(name, (404, None))
        return element if status == 200 else None

    def hrefs(self, name: str) -> list[str]:
        """What stands in the `D:href`s of a property found."""
        found = self.found(name)
        texts = () if found is None else ((one.text or "").strip() for one in found.iterchildren(D("href")))
        return [text for text in texts if text]

    @property
    def types(self) -> set[str]:
        """The names in `D:resourcetype`."""
        found = self.found(D("resourcetype"))
        return set() if found is None else {str(one.tag) for one in found}


@dataclass(slots=True)
class Multistatus:
    """A `D:multistatus` document in its order."""

    responses: list[Response] = field(default_factory=list)
    sync_token: str | None = None


def read(body: bytes) -> Multistatus:
    """A multistatus of this or another server. BadRequest where it is none."""
    root = parse.xml(body, limit=None)
    if root.tag != D("multistatus"):
        raise BadRequest(f"expected a multistatus, this is {root.tag}")
    answer = Multistatus(sync_token=_text(root, "sync-token"))
    for element in root.iterchildren(D("response")):
        answer.responses += _responses(element)
    return answer


def _responses(element: etree._Element) -> Iterator[Response]:
    """A response with a status may name several hrefs (RFC 4918 §14.24)."""
    status = _text(element, "status")
    for href in element.iterchildren(D("href")):
        one = Response((href.text or "").strip(), _code(status) if status else None)
        one.description = _text(element, "responsedescription") or ""
        for propstat in element.iterchildren(D("propstat")):
            code = _code(_text(propstat, "status") or "")
            for prop in propstat.iterchildren(D("prop")):
                one.props.update((str(found.tag), (code, found)) for found in prop)
            one.error += _conditions(propstat)
        one.error += _conditions(element)
        yield one


def _conditions(element: etree._Element) -> list[str]:
    return [str(found.tag) for error in element.iterchildren(D("error")) for found in error]


def _text(element: etree._Element, local: str) -> str | None:
    found = element.find(D(local))
    return None if found is None else (found.text or "").strip()


def _code(line: str) -> int:
    """`HTTP/1.1 404 Not Found` → 404."""
    parts = line.split()
    if len(parts) < 2 or not (parts[1].isascii() and parts[1].isdigit()) or len(parts[1]) != 3:
        raise BadRequest(f"not a status line: {line!r}")
    return int(parts[1])
