"""The configuration that `calsync init` writes: what was answered, and, commented out, what is often wanted."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Final

from calsync import config

#: Options that stand there in any case.
_OFTEN: Final = (
    ("server", "hosts"),
    ("server", "ssl"),
    ("server", "certificate"),
    ("server", "key"),
    ("auth", "dav_main_password"),
    ("auth", "totp"),
    ("storage", "filesystem_folder"),
    ("storage", "url"),
    ("logging", "level"),
    ("calsync", "trusted_proxies"),
    ("calsync", "directory"),
    ("backup", "folder"),
    ("backup", "keep"),
    ("history", "days"),
    ("quota", "octets"),
    ("limits", "workers"),
)

#: Defaults that depend on who reads them.
_UNSHOWN: Final = frozenset({("storage", "filesystem_folder")})

_HEAD: Final = """\
# calsync's configuration, written by `calsync init`; people type {address} into their devices.
#
# What is commented out shows the default. `calsync config show --all` lists every option, `calsync config check` says
# whether all is well. Variables of the environment (CALSYNC_SERVER_HOSTS) win over what stands here.
"""

_SECOND: Final = """\
#
# What was Radicale's stands in {radicale}, which is read before; only options that Radicale knows may stand there.
"""


def written(values: Mapping[tuple[str, str], str], address: str, radicale: str = "") -> str:
    """The text. `values`: what is set. `radicale`: the file of a Radicale that was taken over."""
    rules = config.known_options()
    parts = [_HEAD.format(address=address) + (_SECOND.format(radicale=radicale) if radicale else "")]
    for section, options in rules.items():
        stock = radicale and section not in ("calsync", "backup", "history", "quota", "limits")
        often = [name for part, name in _OFTEN if part == section and not stock]
        wanted = [name for name in options if name in often or (section, name) in values]
        if wanted:
            lines = [f"[{section}]"]
            for name in wanted:
                lines += [*_wrapped(str(options[name]["help"])), *_line(section, name, options[name]["value"], values)]
            parts.append("\n".join(lines))
    return "\n".join(parts).rstrip() + "\n"


def _line(section: str, name: str, default: str, values: Mapping[tuple[str, str], str]) -> Iterator[str]:
    if (section, name) in values:
        yield f"{name} = {values[section, name]}"
    else:
        yield f"#{name} = {'' if (section, name) in _UNSHOWN else default}".rstrip()
    yield ""


def _wrapped(text: str) -> list[str]:
    first = text.split(maxsplit=1)[0]
    begun = text if "_" in first else f"{text[:1].upper()}{text[1:]}"
    return textwrap.wrap(f"{begun}.", 118, initial_indent="# ", subsequent_indent="# ")
