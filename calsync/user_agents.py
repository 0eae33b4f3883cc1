"""What a program calls itself, in words that its owner knows, and of which kind it is, for figures."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

#: What stands in a `User-Agent`, the name for people, and the kind: the first that is found.
_APPS: Final = (
    ("DAVx", "DAVx⁵", "davx5"),
    ("ICSx5", "ICSx⁵", "icsx5"),
    ("CalDavSynchronizer", "Outlook (CalDav Synchronizer)", "outlook"),
    ("Thunderbird", "Thunderbird", "thunderbird"),
    ("Evolution", "Evolution", "evolution"),
    ("iOS/", "iOS", "ios"),
    ("macOS/", "macOS", "macos"),
    ("Mac OS X/", "macOS", "macos"),
    ("Mac_OS_X/", "macOS", "macos"),
    ("dataaccessd", "iOS", "ios"),
    ("Nextcloud", "Nextcloud", "nextcloud"),
    ("KDE", "KDE", "kde"),
    ("Akonadi", "KDE", "kde"),
    ("khal", "khal", "vdirsyncer"),
    ("vdirsyncer", "vdirsyncer", "vdirsyncer"),
    ("caldav", "python-caldav", "python-caldav"),
    ("Prometheus", "Prometheus", "monitoring"),
    ("kube-probe", "kube-probe", "monitoring"),
    ("HAProxy", "HAProxy", "monitoring"),
    ("calsync", "calsync", "calsync"),
    ("curl/", "curl", "tool"),
    ("Wget", "Wget", "tool"),
    ("python-requests", "python-requests", "tool"),
    ("Edg", "Edge", "browser"),
    ("OPR/", "Opera", "browser"),
    ("Firefox", "Firefox", "browser"),
    ("Chrom", "Chrome", "browser"),
    ("Safari", "Safari", "browser"),
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

#: Every kind there is; `other` has sent a name that is not known here, `none` none at all.
KINDS: Final = (*dict.fromkeys(kind for _, _, kind in _APPS), "other", "none")


def named(agent: str) -> str:
    """`Firefox on Linux`, `DAVx⁵ on Android`; what it says of itself where nothing of it is known."""
    app = next((name for mark, name, _ in _APPS if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    if app == "macOS":
        return app
    if app and system and app != system:
        return f"{app} on {system}"
    own = re.match(r"[\w .+-]{1,40}", agent)
    return app or system or (own[0].strip() if own else "")


@lru_cache(maxsize=512)
def kind_of(agent: str) -> str:
    """One of `KINDS`, whatever anybody sends."""
    if not agent:
        return "none"
    return next((kind for mark, _, kind in _APPS if mark in agent), "other")
