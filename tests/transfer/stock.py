"""Stock Radicale in this process: requests go straight into its application."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from radicale import config
from radicale.app import Application


class Stock:
    """Stock Radicale over `folder`; whoever logs in is taken at their word."""

    def __init__(self, folder: Path) -> None:
        configuration = config.load()
        configuration.update(
            {
                "auth": {"type": "none"},
                "storage": {"type": "multifilesystem", "filesystem_folder": str(folder), "_filesystem_fsync": "False"},
                "logging": {"level": "critical"},
                "server": {"_internal_server": "True", "validate_path_value": "none"},
            },
            "test",
            privileged=True,
        )
        self.folder = folder
        self._application = Application(configuration)

    def ask(
        self, method: str, path: str, body: bytes | str = b"", *, user: str = "anna", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        octets = body.encode() if isinstance(body, str) else body
        credentials = base64.b64encode(f"{user}:x".encode()).decode()
        environ: dict[str, object] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,  # Radicale wants it decoded, unlike PEP 3333
            "SCRIPT_NAME": "",
            "HTTP_AUTHORIZATION": f"Basic {credentials}",
            "CONTENT_LENGTH": str(len(octets)),
            "wsgi.input": io.BytesIO(octets),
            "wsgi.errors": io.StringIO(),
            "REMOTE_ADDR": "127.0.0.1",
            "SERVER_PROTOCOL": "HTTP/1.1",
        }
        environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items() if name != "content_type"}
        if "content_type" in headers:
            environ["CONTENT_TYPE"] = headers["content_type"]
        status, found = 0, {}

        def start_response(line: str, answered: list[tuple[str, str]]) -> None:
            nonlocal status, found
            status, found = int(line[:3]), {name.lower(): value for name, value in answered}

        answer = b"".join(self._application(environ, start_response))
        return status, found, answer

    def put(self, path: str, body: bytes | str, *, user: str = "anna", content_type: str = "text/calendar") -> str:
        """Store an item; its ETag."""
        status, headers, answer = self.ask("PUT", path, body, user=user, content_type=content_type)
        assert status in (201, 204), (status, answer)
        return headers["etag"]

    def make(self, path: str, kind: str, properties: str = "", *, user: str = "anna") -> None:
        """A calendar or address book (`C:calendar`, `CR:addressbook`) with more properties as XML."""
        body = (
            '<D:mkcol xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" '
            'xmlns:CR="urn:ietf:params:xml:ns:carddav" xmlns:I="http://apple.com/ns/ical/" xmlns:X="urn:example:x">'
            f"<D:set><D:prop><D:resourcetype><D:collection/><{kind}/></D:resourcetype>{properties}</D:prop></D:set>"
            "</D:mkcol>"
        )
        status, _, answer = self.ask("MKCOL", path, body, user=user)
        assert status == 201, (status, answer)
