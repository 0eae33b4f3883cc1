"""A token endpoint that takes passwords (RFC 6749 §4.3)."""

from __future__ import annotations

import json

from radicale.auth import oauth2
from radicale.config import Configuration

from calsync.accounts.accounts import BackendDown


class OAuth2(oauth2.Auth):
    """Only the answers that RFC 6749 §5.2 has for a wrong password are refusals."""

    def __init__(self, configuration: Configuration, seconds: float) -> None:
        super().__init__(configuration)  # type: ignore[no-untyped-call]
        self._seconds = seconds

    def _login(self, login: str, password: str) -> str:
        import requests

        form = {"username": login, "password": password, "grant_type": "password", "client_id": self._client_id}
        if self._client_secret:
            form["client_secret"] = self._client_secret
        try:
            answer = requests.post(self._endpoint, data=form, timeout=self._seconds, allow_redirects=False)
            said = json.loads(answer.content)
        except (requests.RequestException, ValueError) as error:
            raise BackendDown(f"oauth2: {self._endpoint}: {type(error).__name__}") from error
        said = said if isinstance(said, dict) else {}
        if answer.status_code == 200 and said.get("access_token"):
            return login
        if answer.status_code in (400, 401, 403) and said.get("error") in ("invalid_grant", "access_denied"):
            return ""
        raise BackendDown(f"oauth2: {self._endpoint}: status {answer.status_code} {str(said.get('error', ''))[:40]}")
