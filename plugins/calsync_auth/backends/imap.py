"""A mail server (RFC 9051)."""

from __future__ import annotations

import contextlib
import imaplib
import re
import ssl

from radicale.auth import imap
from radicale.config import Configuration

from calsync.accounts.accounts import BackendDown
from calsync_auth.chain import NotNow


class Imap(imap.Auth):
    """Only a NO that speaks of the credentials is a refusal (RFC 9051 §7.1, RFC 5530 §3)."""

    def __init__(self, configuration: Configuration, seconds: float) -> None:
        super().__init__(configuration)
        self._seconds = seconds

    def _login(self, login: str, password: str) -> str:
        name = f"{login}@{self._append_domain}" if self._append_domain else login
        if not login or not password or "\0" in login + password:
            return ""
        try:
            connection = self._connected()
            try:
                accepted = self._accepts(connection, name, password)
            finally:
                # Whatever becomes of the farewell, the answer was heard.
                with contextlib.suppress(OSError, imaplib.IMAP4.error):
                    connection.logout()
                with contextlib.suppress(OSError):
                    connection.shutdown()
        except (OSError, imaplib.IMAP4.error, EOFError) as error:
            raise BackendDown(f"imap: {self._host}: {error}") from error
        return login if accepted else ""

    def _connected(self) -> imaplib.IMAP4:
        if self._security == "tls":
            context = ssl.create_default_context()
            return imaplib.IMAP4_SSL(self._host, self._port, ssl_context=context, timeout=self._seconds)
        connection = imaplib.IMAP4(self._host, self._port, timeout=self._seconds)
        if self._security == "starttls":
            try:
                connection.starttls(ssl.create_default_context())
            except BaseException:
                connection.shutdown()
                raise
        return connection

    def _accepts(self, connection: imaplib.IMAP4, name: str, password: str) -> bool:
        try:
            if "AUTH=PLAIN" in connection.capabilities:
                message = f"{name}\0{name}\0{password}".encode()
                connection.authenticate("PLAIN", lambda _: message)
            elif "LOGINDISABLED" not in connection.capabilities:
                connection.login(name, password)
            else:
                raise BackendDown(f"imap: {self._host} takes no password over this connection (imap_security)")
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            if re.search(r"\[(UNAVAILABLE|SERVERBUG|CONTACTADMIN|INUSE|LIMIT|PRIVACYREQUIRED)\b", str(error), re.I):
                raise NotNow(f"imap: {self._host}: {error}") from error
            return False
        return True
