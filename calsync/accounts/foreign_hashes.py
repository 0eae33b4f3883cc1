"""Hashes of passwords that other programs made: recognised exactly, verified, and replaced at the first login.

They come in with `calsync user import` and stay usable, so that nobody has to choose a new password; whoever logs in
gets an argon2id hash in their place. What is in none of these forms is no hash, and never compared as it stands.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

_B64: Final = "[A-Za-z0-9./]"

#: Form → what it looks like from its first to its last character.
FORMS: Final = {
    "bcrypt": re.compile(rf"\$2[abxy]?\$[0-9]{{2}}\${_B64}{{53}}"),
    "argon2": re.compile(
        r"\$argon2(?:id|i|d)\$(?:v=[0-9]+\$)?m=[0-9]+,t=[0-9]+,p=[0-9]+\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{16,}"
    ),
    "sha512-crypt": re.compile(rf"\$6\$(?:rounds=[1-9][0-9]{{0,8}}\$)?{_B64}{{1,16}}\${_B64}{{86}}"),
    "sha256-crypt": re.compile(rf"\$5\$(?:rounds=[1-9][0-9]{{0,8}}\$)?{_B64}{{1,16}}\${_B64}{{43}}"),
    "md5-apr1": re.compile(rf"\$apr1\${_B64}{{1,8}}\${_B64}{{22}}"),
    "md5-crypt": re.compile(rf"\$1\${_B64}{{1,8}}\${_B64}{{22}}"),
}

#: Form → its name in `passlib.hash`, which Radicale brings along.
_PASSLIB: Final = {
    "sha512-crypt": "sha512_crypt",
    "sha256-crypt": "sha256_crypt",
    "md5-apr1": "apr_md5_crypt",
    "md5-crypt": "md5_crypt",
}

#: What bcrypt looks at; newer versions of the library refuse more.
_BCRYPT_OCTETS: Final = 72


def form(stored: str) -> str:
    """Which form a hash has; empty for none that is known. White space around it does not matter."""
    stored = stored.strip()
    return next((name for name, shape in FORMS.items() if shape.fullmatch(stored)), "")


def is_known(stored: str) -> bool:
    """Whether it is a hash in a known form."""
    return bool(form(stored))


def can_verify(name: str) -> bool:
    """Whether hashes of this form can be verified here: bcrypt needs its module."""
    return name in FORMS and (name != "bcrypt" or importlib.util.find_spec("bcrypt") is not None)


def verify(stored: str, password: str) -> bool:
    """Whether it is the hash of `password`; False also for what is no hash at all."""
    stored = stored.strip()
    name = form(stored)
    if not name or "\0" in password:
        return False
    if name == "bcrypt":
        return _bcrypt(stored, password)
    if name == "argon2":
        try:
            return PasswordHasher().verify(stored, password)
        except (Argon2Error, InvalidHashError):
            return False
    try:
        return bool(getattr(importlib.import_module("passlib.hash"), _PASSLIB[name]).verify(password, stored))
    except (ValueError, TypeError):
        return False


def _bcrypt(stored: str, password: str) -> bool:
    try:
        import bcrypt
    except ImportError as error:
        raise RuntimeError("a password hashed with bcrypt cannot be checked (pip install bcrypt)") from error
    stored = re.sub(r"\A\$2\$", "$2a$", stored)
    try:
        return bcrypt.checkpw(password.encode()[:_BCRYPT_OCTETS], stored.encode())
    except ValueError:
        return False
