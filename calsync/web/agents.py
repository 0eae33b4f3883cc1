"""What a program calls itself, in words that its owner knows."""

from __future__ import annotations

import re
from typing import Final

_APPS: Final = (
    ("DAVx", "DAVx⁵"),
    ("ICSx5", "ICSx⁵"),
    ("Thunderbird", "Thunderbird"),
    ("Evolution", "Evolution"),
    ("dataaccessd", "iOS"),
    ("Nextcloud", "Nextcloud"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrom", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("macOS", "Mac"),
    ("Linux", "Linux"),
)


def named(agent: str) -> str:
    """`Firefox on Linux`, `DAVx⁵ on Android`; what it says of itself where nothing of it is known."""
    app = next((name for mark, name in _APPS if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    if app and system and app != system:
        return f"{app} on {system}"
    own = re.match(r"[\w .+-]{1,40}", agent)
    return app or system or (own[0].strip() if own else "")
