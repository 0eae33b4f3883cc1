"""Passwords and other secrets that a command is given: from a file, from standard input, at the terminal; never as
words of the command line, which everybody on the machine can read."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

from calsync.accounts.passwords import BadPassword


class NoPassword(BadPassword):
    """There is nowhere to get a password from; the message says what to do."""


def first_line(name: str) -> str:
    """The first line of a file, `-` for standard input. Raises `NoPassword`."""
    try:
        text = sys.stdin.readline() if name == "-" else Path(name).read_text(encoding="utf-8").partition("\n")[0]
    except OSError as error:
        raise NoPassword(f"{name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise NoPassword(f"{name}: not UTF-8") from error
    return text.rstrip("\r\n")


def password(file: str | None, prompt: str) -> str:
    """That of `--password-file`, else what is typed. Raises `NoPassword`."""
    if file:
        return first_line(file)
    if not sys.stdin.isatty():
        raise NoPassword("no terminal to ask for a password (--password-file FILE, - for standard input)")
    return getpass.getpass(f"{prompt}: ")
