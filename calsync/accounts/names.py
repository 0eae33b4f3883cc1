"""Names of accounts: what may be one, and when two are the same.

A name is the first segment of its owner's URLs and the login of HTTP Basic, so it must survive both. Names are kept in
NFC as they were given and compared without case: iOS capitalises the first letter of what is typed.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from calsync.store.names import folded

MAX_LENGTH: Final = 128

# What Radicale refuses in a login by default, what HTTP Basic or a path cannot carry, and what a shell or a file system
# trips over when the account is exported as a folder.
_REFUSED: Final = "/\\:'\"*?,<>|"


class BadName(ValueError):
    """The name cannot be one of an account; the message says why, for people."""


def checked(name: str) -> str:
    """The canonical name; raises `BadName` where it cannot be a login and a path segment."""
    name = unicodedata.normalize("NFC", name)
    if not name:
        raise BadName("a user name must not be empty")
    if len(name) > MAX_LENGTH:
        raise BadName(f"the user name is longer than {MAX_LENGTH} characters")
    if name != name.strip():
        raise BadName(f"the user name {name!r} begins or ends with white space")
    for character in name:
        if character in _REFUSED:
            raise BadName(f"the user name {name!r} contains {character!r}, which cannot stand in a login or a URL")
        if unicodedata.category(character)[0] == "C":
            raise BadName(f"the user name {name!r} contains an invisible or undefined character ({character!a})")
    if name.startswith("."):
        raise BadName(f"the user name {name!r} begins with a dot; such addresses are the server's own")
    if name.endswith("~"):
        raise BadName(f"the user name {name!r} ends with '~', which Radicale's folders cannot carry")
    if name.endswith("@"):
        raise BadName(f"the user name {name!r} ends with '@'; write the domain too, or leave the '@' out")
    return name


def left_behind(name: str) -> str:
    """What to say where calendars of a former user of that name are still there."""
    return (
        f"calendars of a former {name!r} are still here (to remove them: calsync user add {name} --no-password, then "
        f"calsync user remove {name} --purge)"
    )


__all__ = ["MAX_LENGTH", "BadName", "checked", "folded", "left_behind"]
