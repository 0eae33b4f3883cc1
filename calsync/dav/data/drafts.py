"""A content line that is being rewritten."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from calsync.ical.expansion import encoded
from calsync.ical.lines import Line, Param, fold, unfold

Params = tuple[Param, ...]

#: Before the name of a property that the version asked for does not have, or has only once.
KEPT: Final = "X-CALSYNC-"


class Draft(NamedTuple):
    """Name, parameters and value (unfolded, not unescaped), as `Line` gives them.

    With `raw` it is a line that is given verbatim, and neither parameters nor value were looked at.
    """

    group: str
    name: str
    params: Params
    value: str
    raw: bytes | None = None

    def param(self, name: str) -> str | None:
        """The first value of a parameter."""
        return next((values[0] if values else "" for key, values in self.params if key == name), None)

    def says(self, name: str, value: str) -> bool:
        """Whether a parameter has this value, compared without case."""
        return (self.param(name) or "").lower() == value

    def without(self, *names: str) -> Draft:
        return self._replace(params=tuple(param for param in self.params if param[0] not in names))

    def having(self, name: str, *values: str) -> Draft:
        """With a parameter behind the others."""
        return self._replace(params=(*self.params, (name, values)))

    @property
    def types(self) -> list[str]:
        """All values of TYPE, as they are written."""
        return [value for key, values in self.params if key == "TYPE" for value in values]

    def kept(self) -> Draft:
        """The same under a name of ours."""
        return self._replace(name=KEPT + self.name)

    def written(self) -> bytes:
        if self.raw is not None:
            return self.raw
        group = f"{self.group}." if self.group else ""
        # A soft line break of quoted-printable would end the line.
        return fold(f"{group}{self.name}{encoded(self.params)}:{self.value}".replace("\r", "").replace("\n", ""))


def rewritten(line: Line, rule: Callable[[Draft], Draft]) -> Draft:
    """The line after a rule: verbatim where it says what it said, but a TYPE without its name is written out."""
    before = Draft(line.group, line.name, line.params, line.value)
    after = rule(before)
    if after == before and not has_bare_words(line):
        return after._replace(raw=line.raw)
    return after


def has_bare_words(line: Line) -> bool:
    """Whether a parameter is a value alone, as in vCard 2.1."""
    head = unfold(line.raw.partition(b":")[0])
    return head.count(b"=") < head.count(b";")


def type_words(values: Iterable[str]) -> list[str]:
    """Values of TYPE one by one, also of a list inside quotes (RFC 6350 §6.4.1 writes `TYPE="voice,home"`)."""
    return [word for value in values for word in value.split(",") if word]
