"""The users of this machine, by PAM."""

from __future__ import annotations

from typing import Any, Final

from radicale.auth import pam
from radicale.config import Configuration

from calsync.accounts.accounts import BackendDown

#: What libpam says where it could not find out: open, symbol, service, system, buffer, conversation, not available,
#: abort, no module, try again.
_TROUBLE: Final = frozenset({1, 2, 3, 4, 5, 9, 19, 24, 26, 28})


class Pam(pam.Auth):
    """libpam's code says whether it could ask at all."""

    def __init__(self, configuration: Configuration, seconds: float) -> None:
        super().__init__(configuration)

    def pam_authenticate(self, *arguments: Any, **options: Any) -> bool:
        asked = self.pam.PamAuthenticator()
        if asked.authenticate(*arguments, **options):
            return True
        if asked.code in _TROUBLE:
            raise BackendDown(f"pam: {asked.reason}")
        return False
