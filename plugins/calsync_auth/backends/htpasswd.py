"""A file of logins and hashes, as Apache's `htpasswd` writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from radicale.auth import htpasswd
from radicale.config import Configuration
from radicale.log import logger

from calsync.accounts import foreign_hashes
from calsync.accounts.accounts import BackendDown


class Htpasswd(htpasswd.Auth):
    """Lines in a form that is none of the hashes known are refused at load and passed over later, never plain text.

    Radicale's `htpasswd_encryption = autodetect` takes what it does not recognise for the password itself: whoever
    reads the file could then log in with the hash. `plain` has to be asked for. Two names that differ only in case are
    one account here, so a file with both is refused as well.
    """

    def __init__(self, configuration: Configuration, seconds: float) -> None:
        super().__init__(configuration)

    def _read_htpasswd(self, init: bool, suppress: bool) -> Any:
        try:
            Path(self._filename).open("rb").close()
        except OSError as error:
            if init:
                raise RuntimeError(f"[auth] htpasswd_filename: {self._filename}: {error.strerror}") from error
            raise BackendDown(f"htpasswd: {self._filename}: {error.strerror}") from error
        found = super()._read_htpasswd(init, suppress)
        return (*found[:3], self._guarded(found[3], init), *found[4:])

    def _guarded(self, entries: dict[str, str], init: bool) -> dict[str, str]:
        """The lines that may be used; at start, a wrong one is an error (RuntimeError, for people)."""
        kept: dict[str, str] = {}
        seen: dict[str, str] = {}
        for login, digest in entries.items():
            wrong = ""
            if self._encryption == "autodetect" and not foreign_hashes.is_known(digest):
                wrong = f"the line of {login!r} is no hash that is known, and is not taken for a plain password"
            elif login.casefold() in seen:
                wrong = f"{seen[login.casefold()]!r} and {login!r} differ only in case, and are one account here"
            if not wrong:
                kept[login] = digest
                seen[login.casefold()] = login
                continue
            if init:
                raise RuntimeError(
                    f"{self._filename}: {wrong} (mend it, or set [auth] htpasswd_encryption to what it is)"
                )
            logger.error("htpasswd: %s: %s; it is passed over", self._filename, wrong)
        return kept

    def _autodetect(self, hash_value: str, password: str) -> tuple[str, bool]:
        return foreign_hashes.form(hash_value), foreign_hashes.verify(hash_value, password)
