"""Requests in the words of clients: the same properties under the same prefixes in the same order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from calsync.webdav.multistatus import escape
from calsync.webdav.names import CALDAV, CARDDAV, CS, DAV, ICAL, ME, split

_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'


@dataclass(frozen=True, slots=True)
class Style:
    """How a client writes XML. `prefixes`: namespace → prefix, the empty one for the default namespace. `inline`: each
    foreign namespace is declared on its element (Apple), not once at the top."""

    prefixes: Mapping[str, str] = field(default_factory=lambda: {DAV: "", CALDAV: "C", CARDDAV: "CR", CS: "CS"})
    inline: bool = False

    def _tag(self, name: str) -> tuple[str, str]:
        """What stands in a tag: `C:calendar-data`, and what has to be declared there."""
        namespace, local = split(name)
        prefix = self.prefixes.get(namespace, "X")
        declared = f' xmlns:{prefix}="{namespace}"' if self.inline and namespace != DAV else ""
        return (f"{prefix}:{local}" if prefix else local), declared

    def element(self, name: str, content: str = "", attributes: str = "") -> str:
        tag, declared = self._tag(name)
        opening = f"<{tag}{declared}{attributes}"
        return f"{opening}>{content}</{tag}>" if content else f"{opening}/>"

    def document(self, name: str, content: str) -> bytes:
        """A whole body."""
        tag, _ = self._tag(name)
        known = self.prefixes.items()
        used = [
            (namespace, prefix)
            for namespace, prefix in known
            if namespace in (DAV, split(name)[0]) or (not self.inline and f"<{prefix}:" in content)
        ]
        declared = "".join(
            f' xmlns{":" if prefix else ""}{prefix}="{namespace}"' for namespace, prefix in dict(used).items()
        )
        return f"{_DECLARATION}<{tag}{declared}>{content}</{tag}>".encode()

    def prop(self, names: Iterable[str]) -> str:
        return self.element(f"{{{DAV}}}prop", "".join(map(self.element, names)))

    def propfind(self, names: Sequence[str]) -> bytes:
        return self.document(f"{{{DAV}}}propfind", self.prop(names))

    def sync(self, names: Sequence[str], token: str = "") -> bytes:
        """The first sync of a collection (RFC 6578 §3.2)."""
        # RFC 6578 §3.2: an empty token asks for everything
        content = self.element(f"{{{DAV}}}sync-token", escape(token)) + self.element(f"{{{DAV}}}sync-level", "1")
        return self.document(f"{{{DAV}}}sync-collection", content + self.prop(names))

    def query(self, kind: str, names: Sequence[str], start: str = "") -> bytes:
        """Everything of a calendar or an address book; of a calendar, from an instant on if one is given."""
        if kind == "carddav":
            within = self.element(f"{{{CARDDAV}}}filter")
            return self.document(f"{{{CARDDAV}}}addressbook-query", self.prop(names) + within)
        span = self.element(f"{{{CALDAV}}}time-range", attributes=f' start="{start}"') if start else ""
        events = self.element(f"{{{CALDAV}}}comp-filter", span, ' name="VEVENT"')
        whole = self.element(f"{{{CALDAV}}}comp-filter", events, ' name="VCALENDAR"')
        return self.document(
            f"{{{CALDAV}}}calendar-query", self.prop(names) + self.element(f"{{{CALDAV}}}filter", whole)
        )

    def multiget(self, kind: str, names: Sequence[str], hrefs: Iterable[str]) -> bytes:
        """These objects of a collection."""
        given = "".join(self.element(f"{{{DAV}}}href", escape(href)) for href in hrefs)
        root = f"{{{CALDAV}}}calendar-multiget" if kind == "caldav" else f"{{{CARDDAV}}}addressbook-multiget"
        return self.document(root, self.prop(names) + given)


PLAIN: Final = Style()
APPLE: Final = Style({DAV: "A", CALDAV: "B", CARDDAV: "B", CS: "C", ICAL: "D", ME: "F"}, inline=True)
DAVX5: Final = Style({DAV: "", CALDAV: "CAL", CARDDAV: "CARD", CS: "CS", ICAL: "ICAL"})
MOZILLA: Final = Style({DAV: "D", CALDAV: "C", CARDDAV: "card", CS: "CS", ICAL: "A"})
GNOME: Final = Style({DAV: "", CALDAV: "C", CARDDAV: "A", CS: "CS", ICAL: "IC"})

#: Who am I: what every client asks first.
PRINCIPAL: Final = PLAIN.propfind([f"{{{DAV}}}current-user-principal", f"{{{DAV}}}displayname"])
