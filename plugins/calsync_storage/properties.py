"""A collection's properties in two writings: Radicale's map of texts, and the store's XML by Clark name.

Radicale keeps `{"tag": "VCALENDAR", "D:displayname": "Home", "C:supported-calendar-component-set": "VEVENT,VTODO"}`;
the store keeps the kind and the components as columns and each other property as the whole element. Texts survive both
ways; where the element holds more than text (attributes, children), Radicale sees its text, and writing back the text
that it saw changes nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from calsync.webdav.multistatus import escape
from calsync.webdav.names import CS, CS_, DAV, PREFIXES, C, from_human, split, to_human

#: Kinds of the store by Radicale's tags. A plain collection has no tag.
KINDS: Final = {"VCALENDAR": "calendar", "VADDRESSBOOK": "addressbook", "VSUBSCRIBED": "subscribed"}
TAGS: Final = {kind: tag for tag, kind in KINDS.items()} | {"plain": ""}

_COMPONENTS: Final = to_human(C("supported-calendar-component-set"))
_SOURCE: Final = CS_("source")
_HREF: Final = f"{{{DAV}}}href"

# Properties are elements of one document nobody else wrote: no entities, no network.
_PARSER: Final = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)


@dataclass(frozen=True, slots=True)
class Meta:
    """What the store keeps of a collection. `unreadable`: keys of Radicale's map that are no property names."""

    kind: str = "plain"
    components: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()


def from_radicale(props: Mapping[str, str]) -> Meta:
    """The store's writing of Radicale's map. ValueError for a tag that Radicale does not know either."""
    kind = "plain"
    components: tuple[str, ...] = ()
    properties: dict[str, str] = {}
    unreadable: list[str] = []
    for key, value in props.items():
        if key == "tag":
            if value and value not in KINDS:
                raise ValueError(f"unknown kind of collection: {value!r}")
            kind = KINDS.get(value, "plain")
        elif key == _COMPONENTS or key == C("supported-calendar-component-set"):
            components = tuple(dict.fromkeys(name.strip().upper() for name in value.split(",") if name.strip()))
        else:
            try:
                name = from_human(key)
                properties[name] = element(name, value)
            except ValueError:
                unreadable.append(key)
    return Meta(kind, components, properties, tuple(unreadable))


def to_radicale(kind: str, components: tuple[str, ...], properties: Mapping[str, str]) -> dict[str, str]:
    """Radicale's map of what the store keeps, without what is `illegible`."""
    props = {}
    if TAGS[kind]:
        props["tag"] = TAGS[kind]
    if components:
        props[_COMPONENTS] = ",".join(components)
    for name, xml in properties.items():
        with contextlib.suppress(ValueError):
            props[to_human(name)] = text(name, xml)
    return props


def illegible(properties: Mapping[str, str]) -> list[str]:
    """The properties that are no XML: something has damaged them."""
    found = []
    for name, xml in properties.items():
        try:
            text(name, xml)
        except ValueError:
            found.append(to_human(name))
    return found


def changes(properties: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str | None]:
    """What must be written so that `properties` say what `wanted` (both as the store writes them) says in text.

    None removes. A property whose text is as wanted is left alone: what Radicale cannot see of it stays.
    """
    different: dict[str, str | None] = {name: None for name in properties if name not in wanted}
    for name, xml in wanted.items():
        if name not in properties or text(name, properties[name]) != text(name, xml):
            different[name] = xml
    return different


def element(name: str, value: str) -> str:
    """A self-contained element that says `value`. ValueError for a name that XML does not have."""
    namespace, local = split(name)
    content = escape(value)
    if name == _SOURCE:
        # A subscription's address is an href inside; Radicale keeps and shows it as text.
        return f'<CS:source xmlns:CS="{CS}" xmlns:D="{DAV}"><D:href>{content}</D:href></CS:source>'
    prefix = PREFIXES.get(namespace, "X")
    etree.QName(namespace, local)
    if prefix == "X":
        try:
            # Only the parser knows which namespaces can be read back.
            etree.fromstring(f'<X:{local} xmlns:X="{_attribute(namespace)}"/>', _PARSER)
        except etree.XMLSyntaxError as error:
            raise ValueError(f"not a property name: {name!r}") from error
    return f'<{prefix}:{local} xmlns:{prefix}="{_attribute(namespace)}">{content}</{prefix}:{local}>'


def _attribute(value: str) -> str:
    return escape(value).replace('"', "&quot;")


def text(name: str, xml: str) -> str:
    """The text that Radicale keeps of an element: what stands before its first child. ValueError where it is none."""
    try:
        root = etree.fromstring(xml.encode(), _PARSER)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"property {to_human(name)} is not XML") from error
    if name == _SOURCE:
        href = root.find(_HREF)
        if href is not None:
            return (href.text or "").strip()
    return root.text or ""


__all__ = ["KINDS", "TAGS", "Meta", "changes", "element", "from_radicale", "illegible", "text", "to_radicale"]
