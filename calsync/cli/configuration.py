"""`calsync config`: what the configuration is, where each value comes from, whether a server would start with it."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from calsync import config, upstream
from calsync.config.check import ERROR, examine
from calsync.options import PLUGINS, SECRETS, schema

#: A password within a URL: before the host, or as a parameter.
_IN_URL: Final = re.compile(r"(://[^/@:\s]*:)[^@\s]+(?=@)|([?&]\w*password=)[^&\s]+")

#: How options of foreign plugins are called that hold a secret.
_SECRET_NAME: Final = re.compile(r"(secret|password|passwd|passphrase|token)$")

_HIDDEN: Final = "(not shown; --secrets shows it)"


@dataclass(frozen=True, slots=True)
class Value:
    """An option's value as text. `place`: a file with its line, a variable, the command line; empty for a default."""

    section: str
    option: str
    text: str
    place: str
    default: str | None
    changed: bool
    secret: bool

    def shown(self, secrets: bool) -> str:
        """The text without what is nobody's business."""
        if secrets or not self.secret:
            return self.text
        hidden = self.text if (self.section, self.option) in SECRETS else without_password(self.text)
        return hidden if hidden != self.text else _HIDDEN


def without_password(text: str) -> str:
    """A text without the passwords within URLs."""
    return _IN_URL.sub(r"\1\2…", text)


def line_without_secrets(line: str) -> str:
    """A line of a configuration, or of what differs in one, without what is secret."""
    name, equals, value = line.partition("=")
    option = name.lstrip("+-#; ").rstrip().lower()
    if equals and value.strip() and (option in {known for _, known in SECRETS} or _SECRET_NAME.search(option)):
        return f"{name}{equals} …"
    return without_password(line)


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("config", help="show the configuration with its sources, or check it")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    show = commands.add_parser(
        "show",
        help="show each value that is not the default, and where it comes from",
        description="Shows the configuration as a server would take it now: files, then the environment "
        "(CALSYNC_SECTION_OPTION), then options of `calsync serve` that are given after --. What is printed is a "
        "configuration itself; secrets are left out of it.",
    )
    show.add_argument("--all", action="store_true", help="the defaults too, commented out")
    show.add_argument("--secrets", action="store_true", help="passwords and secrets too")
    show.add_argument("--json", action="store_true", help="JSON on standard output instead of text")
    show.set_defaults(func=_show)

    check = commands.add_parser(
        "check",
        help="say all that is wrong with the configuration at once",
        description="Says what would keep a server from starting, and what is suspicious: options that nothing knows "
        "or that do not go together, files that are missing, addresses and stores out of reach. Nothing is made or "
        "changed. Run it as the user that the server runs as.",
        epilog="Exit status: 0 where a server would start (2 with --strict and a warning), 1 where not.",
    )
    check.add_argument("--strict", action="store_true", help="warnings count too")
    check.add_argument("--json", action="store_true", help="JSON on standard output instead of text")
    check.set_defaults(func=_check)

    for command in (show, check):
        command.add_argument("--config", action="append", metavar="FILE", help="configuration as for `calsync serve`")
        command.add_argument(
            "options", nargs="*", metavar="-- OPTIONS", help="options of `calsync serve` that are to count"
        )


def _show(args: argparse.Namespace) -> int:
    configuration = config.load(args.config, _overrides(args.options))
    values = [value for value in all_values(configuration) if args.all or value.changed]
    if args.json:
        print(json.dumps([_facts(value, args.secrets) for value in values], ensure_ascii=False, indent=1))
        return 0
    read = ", ".join(config.read_files(configuration)) or "no file"
    left = "" if args.all else f"; all{' else' if values else ''} is the default"
    print(f"# Read: {read}{left}")
    for section, group in groupby(values, key=lambda value: value.section):
        print(f"\n[{section}]")
        for value in group:
            print("\n".join(_lines(value, args.secrets)))
    return 0


def _lines(value: Value, secrets: bool) -> Iterator[str]:
    """The value as a file has it; one that would be read as another is commented out."""
    if value.place:
        yield f"# {value.place}"
    text = value.shown(secrets)
    first, *more = text.splitlines() or [""]
    unclear = text != value.text or any(line.lstrip().startswith(("#", ";")) for line in more)
    mark = "#" if unclear or not value.place else ""
    yield f"{mark}{value.option} = {first}".rstrip()
    for line in more:
        yield f"{mark}    {line}".rstrip()


def _facts(value: Value, secrets: bool) -> dict[str, object]:
    return {
        "section": value.section,
        "option": value.option,
        "value": value.shown(secrets),
        "source": value.place or "default",
        "default": value.default,
        "hidden": value.shown(secrets) != value.text,
    }


def all_values(configuration: upstream.Configuration) -> Iterator[Value]:
    """Every option, in the order of the schema, those of plugins after it."""
    rules = schema()
    usual = upstream.Configuration(rules)
    for section in configuration.sections():
        if section.startswith("_"):
            continue
        for option in configuration.options(section):
            rule = rules[section].get(option)
            if option.startswith("_"):
                continue
            text = _text(configuration.get_raw(section, option))
            is_default = configuration.get_source(section, option) == "default config"
            yield Value(
                section,
                option,
                text,
                config.place_of(configuration, section, option),
                None if rule is None else _text(rule["value"]),
                not is_default and (rule is None or configuration.get(section, option) != usual.get(section, option)),
                bool(text) and is_secret(section, option, text),
            )


def is_secret(section: str, option: str, text: str) -> bool:
    """Whether a value is, or has within it, what opens something."""
    if (section, option) in SECRETS or _IN_URL.search(text):
        return True
    known = option in schema()[section] or option in PLUGINS.get(section, {})
    return not known and bool(_SECRET_NAME.search(option))


def _text(raw: Any) -> str:
    return "" if raw is None else str(raw)


def _check(args: argparse.Namespace) -> int:
    configuration, findings = examine(args.config, _overrides(args.options))
    errors = sum(finding.level == ERROR for finding in findings)
    if args.json:
        facts = [{name: getattr(one, name) for name in one.__slots__} for one in findings]
        print(json.dumps(facts, ensure_ascii=False, indent=1))
    else:
        for finding in findings:
            print(f"{finding.level}: {finding}")
        read = ", ".join(config.read_files(configuration)) or "no file was read"
        print(f"calsync: configuration: {read}: {_verdict(errors, len(findings) - errors)}", file=sys.stderr)
    return 1 if errors else 2 if findings and args.strict else 0


def _verdict(errors: int, warnings: int) -> str:
    doubts = f", {warnings} warning{'' if warnings == 1 else 's'}" if warnings else ""
    if errors:
        return f"a server does not start with it: {errors} error{'' if errors == 1 else 's'}{doubts}"
    return f"a server starts with it{doubts}"


def _overrides(options: Sequence[str]) -> dict[str, dict[str, str]]:
    """The options of `calsync serve` as a configuration."""
    if not options:
        return {}
    from calsync.cli import serve

    parser = argparse.ArgumentParser(prog="calsync")
    serve.register(parser.add_subparsers())
    args, rest = parser.parse_known_args(["serve", *options])
    args.rest = rest
    return serve.overrides(args)
