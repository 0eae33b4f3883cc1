"""docs/configuration.md names every option as it is. `python -m tests.test_configuration_page` writes it anew."""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import Any, Final

import radicale.config

from calsync import config, options
from tests.pages import ROOT

PAGE = ROOT / "docs" / "configuration.md"

_HEAD = """\
# Configuration

calsync starts without any: then it listens on `localhost:5232` and keeps its calendars in `~/.local/share/calsync`.
`calsync init` writes a configuration, `calsync config show` shows what is in effect and where each value comes from,
and `calsync config check` says whether a server would start with it. The reference below is written by
`python -m tests.test_configuration_page`.

## Where it comes from

The later wins:

1. **Defaults**, as they stand below.
2. **Files**: those that `--config` names (several times, or joined by `:`; a `?` before one says that it may be
   missing), else those in `CALSYNC_CONFIG`, else in `RADICALE_CONFIG`, else `/etc/calsync/config` and
   `~/.config/calsync/config`, where they exist. Beside each of these two, a file `radicale` is read before: options
   that stock Radicale knows too, where calsync has taken a Radicale over. Radicale's own places are not read unless
   they are named.
3. **Environment**: `CALSYNC_` with section and option in capitals. `CALSYNC_SERVER_HOSTS` is `[server] hosts`; header
   fields are written with `_` for `-` (`CALSYNC_HEADERS_X_FRAME_OPTIONS`).
4. **Command line** of `calsync serve`: `--server-hosts VALUE`, or `--hosts VALUE` for short where there is a short
   one.

A file is read by Radicale's rules: `[section]`, then `option = value`, `#` before a line that does not count.
Radicale refuses what it does not know, so a file that stock Radicale shall read too holds its options only, and
calsync's stand in a second one: `--config /etc/radicale/config:/etc/calsync/config`.

Every command reads the configuration in the same way, so that `calsync user add` finds the store that the server
uses. A running server reads it anew on SIGHUP, environment files of secrets included, and takes over certificates,
log level and rights; all else needs a restart.

## Secrets

`CALSYNC_SECTION_OPTION_FILE` names a file whose content is the value, without the line's end. Containers and systemd
hand over secrets like this:

```ini
# /etc/systemd/system/calsync.service.d/secrets.conf
[Service]
LoadCredential=store:/etc/calsync/store.url
Environment=CALSYNC_STORAGE_URL_FILE=%d/store
```

Any option can be given so; where both a variable and its `_FILE` are set, nothing starts. Some options have a
relative in the file that names a file as well (`[auth] ldap_secret_file`, `[auth] oidc_client_secret_file`,
`[hook] smtp_password_file`). `calsync config show` leaves passwords and secrets out, those within URLs too, unless it
is given `--secrets`.

A variable that begins with `CALSYNC_` and a section but names no option stops the start, with what may have been
meant: a misspelt secret must not be passed over. Variables that name no section are left alone;
`calsync config check` names them.

## Is it right?

`calsync config check` says all at once, and makes or changes nothing:

- what cannot be read, unknown sections and options, values that cannot be used, with file and line;
- certificate and key that are missing, unreadable or no pair; addresses that cannot be listened on; files and folders
  that are missing; a store that cannot be reached, or is of another version;
- what else the start would stumble on: it is rehearsed, on an empty store that is thrown away;
- what is suspicious: options that do nothing without another one, secrets given twice, passwords that would go over
  the network unencrypted.

Its exit status is 0 where a server would start, 1 where not, and with `--strict` 2 where there are warnings. Run it
as the user that the server runs as; for a service, `systemctl reload` after an edit is safe in any case: what cannot
be used is refused, and the server goes on as it was.

## Setting up

`calsync init` asks for the address that people will type, how they come to TLS, and the first user; it writes the
configuration, makes the store, and writes a unit of systemd: for the machine when root calls it, else for yourself
(`~/.config`). It shows what it is going to write, and a file that is there with another content is never overwritten:
it shows the difference and stops, and with `--force` keeps a copy. A second run says what is there and what comes
next. With `--yes` it asks nothing:

    calsync init --yes --address calendar.example.org --tls proxy --user anna --password-file -

A Radicale on the machine is found and taken over when you say so (or `--radicale /etc/radicale/config`): its file is
copied to `/etc/calsync/radicale`, what has to be otherwise goes into `/etc/calsync/config`, its users stay those of
its back end, and its calendars are taken into the store. Its own files stay as they are.

## All options

Type and default stand in brackets. Sections and options of Radicale keep its meaning; "calsync's" marks those that
stock Radicale does not know.
"""

_TYPES: Final = {
    bool: "yes or no",
    str: "text",
    int: "number",
    options.networks: "networks",
    options.hosts: "addresses",
    options.whole: "number",
    options.size: "size",
    options.seconds: "seconds",
    options.seconds_if_any: "seconds",
    options.folder: "folder",
    radicale.config.positive_int: "number",
    radicale.config.positive_float: "seconds",
    radicale.config.port_int: "port",
    radicale.config.filepath: "path",
    radicale.config.json_str: "JSON",
    radicale.config.json_str_condition: "JSON",
}

_SECTIONS: Final = {
    "server": "Where it listens, and how large a request may be.",
    "encoding": "Of requests and files that do not say.",
    "auth": "Who may come in ([accounts](accounts.md), [back ends](auth-backends.md)).",
    "group": "Who is in which group, where a back end does not say.",
    "rights": "Who may do what.",
    "storage": "Where calendars are kept ([plugins](plugins.md), [PostgreSQL](postgresql.md)). The options about "
    "caches, `folder_umask`, `max_sync_token_age`, `skip_broken_item` and `hook` count with `type = multifilesystem` "
    "only.",
    "sharing": "Radicale's sharing.",
    "hook": "What is told to others after changes.",
    "web": "Radicale's own page, at `/.web`.",
    "logging": "What is logged.",
    "headers": "Header fields for every answer: each option is the name of one.",
    "reporting": "How much a report may compute.",
    "calsync": "The server itself.",
    "metrics": "Figures about the server at work.",
    "backup": "[Backups](backup.md).",
    "history": "How long what was overwritten or deleted is kept ([history](history.md)).",
    "quota": "What a user may have ([quotas](quotas.md)).",
    "limits": "What clients may take of the server.",
}


def written() -> str:
    """The page, from the schema."""
    parts = [_HEAD]
    for section, rules in config.known_options().items():
        if section.startswith("_"):
            continue
        own = section in options.OWN and section not in radicale.config.DEFAULT_CONFIG_SCHEMA
        about = _SECTIONS.get(section, "")
        about = f"{about} The section is calsync's." if own else about
        parts.append(f"### {section}\n" + (f"\n{_filled(about.strip(), '')}" if about else ""))
        lines = [_line(section, name, rule, own) for name, rule in rules.items() if not name.startswith("_")]
        parts.append("\n".join(lines) + ("\n" if lines else ""))
    return "\n".join(part for part in parts if part).rstrip() + "\n"


def _line(section: str, name: str, rule: dict[str, Any], own: bool) -> str:
    stock = radicale.config.DEFAULT_CONFIG_SCHEMA.get(section, {})
    whose = "" if own or name in stock else "calsync's, "
    text = " ".join(str(rule["help"]).split())
    return _filled(f"- `{name}` ({whose}{_type(rule['type'])}{_default(section, name, rule)}): {text}", "  ")


def _type(kind: Any) -> str:
    if kind in _TYPES:
        return _TYPES[kind]
    words = inspect.getclosurevars(kind).nonlocals.get("words") if inspect.isfunction(kind) else None
    return "one of several" if words else "text"


def _default(section: str, name: str, rule: dict[str, Any]) -> str:
    value = (
        "~/.local/share/calsync" if (section, name) == ("storage", "filesystem_folder") else str(rule["value"] or "")
    )
    if "\n" in value or "`" in value or len(value) > 60:
        return ", a text of its own"
    return f", `{value}`" if value else ""


def _filled(text: str, indent: str) -> str:
    """Lines of 120; what stands in `code` is not broken."""
    joined = re.sub(r"`[^`]*`", lambda found: found[0].replace(" ", "\0"), text)
    lines = textwrap.wrap(joined, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace("\0", " ") + ("" if indent else "\n")


def test_the_page_is_what_the_options_say() -> None:
    """Where this fails after a change of an option: `python -m tests.test_configuration_page`, read the difference."""
    assert PAGE.read_text(encoding="utf-8") == written()


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")
