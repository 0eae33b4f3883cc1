"""A server process and requests to it, one user a connection."""

from __future__ import annotations

import http.client
from base64 import b64encode

from tests.dav.conftest import PASSWORD, Answer, sync_collection
from tests.server_process import ServerProcess


class Reply(Answer):
    """Status 0: there was none, the server is gone."""

    @property
    def done(self) -> bool:
        return 200 <= self.status < 300


GONE = Reply(0, {}, b"")


class Site(ServerProcess):
    """`ask` opens a connection for each request, so that it may be called from any thread, and a killed server is
    felt at once."""

    def ask(
        self, method: str, path: str, body: bytes | str = b"", user: str = "anna", wait: float = 60, **headers: str
    ) -> Reply:
        host, port = self.address
        credentials = b64encode(f"{user}:{PASSWORD}".encode()).decode()
        sent = {"Authorization": f"Basic {credentials}"} if user else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(host, port, timeout=wait)
        try:
            connection.request(method, path, body.encode() if isinstance(body, str) else body, sent)
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.headers.items()), answer.read())
        except (ConnectionError, http.client.HTTPException):
            return GONE
        finally:
            connection.close()

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._process is None or self._process.poll() is not None

    def listing(self, path: str, user: str = "anna") -> dict[str, str]:
        """Href → ETag of the members."""
        body = '<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>'
        answer = self.ask("PROPFIND", path, body, user, Depth="1")
        return {one.href: one.text("{DAV:}getetag") or "" for one in answer.multistatus.responses if one.href != path}

    def sync(self, path: str, token: str = "", limit: int | None = None, user: str = "anna") -> Reply:
        return self.ask("REPORT", path, sync_collection(token, limit), user)
