"""Radicale's own auth back ends, made to say when they are down, and not to wait for ever.

Each of Radicale's answers "no login" for a wrong password, and several of them for a server that cannot be reached as
well; a phone that is told 401 then asks its owner for a password that was right. The classes here are Radicale's with
their options, and differ where a failure would be hidden: they raise `BackendDown` instead, and give up after a while.
A type that is not named here (a plugin of somebody's) is Radicale's as it is: what it raises counts as down.
"""

from __future__ import annotations

import base64
import contextlib
import imaplib
import json
import math
import os
import re
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from radicale import auth
from radicale.auth import dovecot, htpasswd, imap, ldap, oauth2, pam
from radicale.config import Configuration
from radicale.log import logger

from calsync.accounts import foreign_hashes
from calsync.accounts.accounts import BackendDown
from calsync_auth.chain import NotNow

Logged = tuple[str, set[str]]
_NOBODY: Final[Logged] = ("", set())


def load(configuration: Configuration, kind: str, seconds: float) -> auth.BaseAuth:
    """The back end `kind` with its own options; no wait for a socket is longer than `seconds`.

    Raises what Radicale raises where it cannot be used.
    """
    copy = configuration.copy()
    # What is remembered is remembered by calsync, where a revoked account is seen.
    copy.update({"auth": {"type": kind, "cache_logins": "False"}}, "calsync_auth", privileged=True)
    own = _OWN.get(kind)
    return auth.load(copy) if own is None else own(copy, seconds)


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


class Ldap(ldap.Auth):
    """Searches and binds that fail because of the server are told apart from a wrong password."""

    def __init__(self, configuration: Configuration, seconds: float) -> None:
        # A list of the class in Radicale, which every instance would lengthen.
        self._ldap_attributes = []
        super().__init__(configuration)
        if self._ldap_security == "tls" and self._ldap_uri.lower().startswith("ldap://"):
            # ldap3 believes the scheme: passwords would go out in clear text.
            raise RuntimeError("[auth] ldap_security = tls needs ldap_uri = ldaps://… (or ldap_security = starttls)")
        if self._ldap_module_version == 3:
            self.ldap3 = _ldap3(self.ldap3, seconds)

    def _login_ext_with_groups(self, login: str, password: str, context: auth.AuthContext) -> Logged:
        # RFC 4513 §5.1.2: a bind with an empty password succeeds and proves nothing.
        if not login or not password:
            return _NOBODY
        if self._ldap_module_version == 2:
            found: Logged = super()._login_ext_with_groups(login, password, context)
            return found
        self.ldap3.begin()
        try:
            found = super()._login_ext_with_groups(login, password, context)
        except (RuntimeError, OSError, self.ldap3.core.exceptions.LDAPException) as error:
            raise BackendDown(f"ldap: {self.ldap3.trouble or error}") from error
        finally:
            self.ldap3.close()
        if not found[0] and self.ldap3.trouble:
            raise NotNow(f"ldap: {self.ldap3.trouble}")
        return found


#: Result codes that speak of the user or the password (RFC 4511 §A.1): of a locked account or a policy too.
_LDAP_REFUSALS: Final = frozenset({19, 32, 34, 48, 49, 50, 53})


def _ldap3(module: Any, seconds: float) -> Any:
    """The module `ldap3` as Radicale's code uses it, with time-outs; `trouble` of a thread says what went wrong."""
    noted = threading.local()

    class Connection(module.Connection):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **{"receive_timeout": math.ceil(seconds), **options})
            noted.connections.append(self)

        def bind(self, *arguments: Any, **options: Any) -> Any:
            try:
                bound = super().bind(*arguments, **options)
            except module.core.exceptions.LDAPException as error:
                noted.trouble = f"bind: {error}"
                raise
            if not bound and self.result.get("result") not in _LDAP_REFUSALS:
                noted.trouble = f"bind: {self.result.get('description')}"
            return bound

        def start_tls(self, *arguments: Any, **options: Any) -> Any:
            try:
                return super().start_tls(*arguments, **options)
            except module.core.exceptions.LDAPException as error:
                noted.trouble = f"StartTLS: {error}"
                raise

        def search(self, *arguments: Any, **options: Any) -> Any:
            try:
                return super().search(*arguments, **options)
            except module.core.exceptions.LDAPException as error:
                noted.trouble = f"search: {error}"
                raise

    class Watched:
        """Stands for the module."""

        def __init__(self) -> None:
            self.Connection = Connection

        @property
        def trouble(self) -> str:
            return str(noted.trouble)

        def begin(self) -> None:
            noted.trouble, noted.connections = "", []

        def close(self) -> None:
            # Radicale leaves those open that did not come to their end.
            for connection in noted.connections:
                with contextlib.suppress(module.core.exceptions.LDAPException, OSError):
                    connection.unbind()
                if connection.socket is not None:
                    connection.socket.close()

        @staticmethod
        def Server(*arguments: Any, **options: Any) -> Any:
            return module.Server(*arguments, **{"connect_timeout": seconds, **options})

        def __getattr__(self, name: str) -> Any:
            return getattr(module, name)

    return Watched()


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


class Dovecot(dovecot.Auth):
    """Speaks Dovecot's protocol by lines, however they come, and hears when a failure is a temporary one."""

    def __init__(self, configuration: Configuration, seconds: float) -> None:
        super().__init__(configuration)  # type: ignore[no-untyped-call]
        self._seconds = seconds

    def _login_ext(self, login: str, password: str, context: auth.AuthContext) -> str:
        if not login or not password or "\0" in login + password:
            return ""
        try:
            with socket.socket(self.family, socket.SOCK_STREAM) as server:
                server.settimeout(self._seconds)
                server.connect(self.address)
                with server.makefile("rwb") as stream:
                    return login if self._accepts(stream, login, password, context) else ""
        except (OSError, ValueError) as error:
            raise BackendDown(f"dovecot: {self.address}: {error}") from error

    def _accepts(self, stream: Any, login: str, password: str, context: auth.AuthContext) -> bool:
        """https://doc.dovecot.org/main/developers/design/auth_protocol.html"""
        stream.write(b"VERSION\t1\t1\nCPID\t%d\n" % os.getpid())
        stream.flush()
        plain = False
        for line in self._lines(stream):
            word, *values = line.split("\t")
            if word == "VERSION" and values[:1] != ["1"]:
                raise ValueError(f"speaks version {values[:1]} of the protocol")
            plain = plain or (word == "MECH" and values[:1] == ["PLAIN"])
            if word == "DONE":
                break
        if not plain:
            raise ValueError("does not offer PLAIN")
        address = context.x_remote_addr if self.use_x_remote_addr else context.remote_addr
        # calsync has a throttle of its own; Dovecot's would make everybody wait for one.
        fields = ["AUTH", "1", "PLAIN", "service=radicale", "no-penalty"]
        if address:
            fields.append("rip=" + re.sub(r"\s", "", address))
        message = base64.b64encode(f"\0{login}\0{password}".encode()).decode()
        stream.write("\t".join([*fields, f"resp={message}\n"]).encode())
        stream.flush()
        for line in self._lines(stream):
            word, *values = line.split("\t")
            if values[:1] != ["1"]:
                continue
            if word == "OK":
                return True
            if word == "FAIL":
                if {"temp", "code=temp_fail"} & set(values):
                    raise NotNow("dovecot: temporary failure")
                return False
            raise ValueError(f"answered {word[:20]!r}")
        raise ValueError("closed the connection")

    @staticmethod
    def _lines(stream: Any) -> Any:
        for line in stream:
            yield line.decode(errors="replace").rstrip("\r\n")
        raise ValueError("closed the connection")


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


#: What libpam says where it could not find out: open, symbol, service, system, buffer, conversation, not available,
#: abort, no module, try again.
_PAM_TROUBLE: Final = frozenset({1, 2, 3, 4, 5, 9, 19, 24, 26, 28})


class Pam(pam.Auth):
    """libpam's code says whether it could ask at all."""

    def __init__(self, configuration: Configuration, seconds: float) -> None:
        super().__init__(configuration)

    def pam_authenticate(self, *arguments: Any, **options: Any) -> bool:
        asked = self.pam.PamAuthenticator()
        if asked.authenticate(*arguments, **options):
            return True
        if asked.code in _PAM_TROUBLE:
            raise BackendDown(f"pam: {asked.reason}")
        return False


_OWN: Final[dict[str, Callable[[Configuration, float], auth.BaseAuth]]] = {
    "htpasswd": Htpasswd,
    "ldap": Ldap,
    "imap": Imap,
    "dovecot": Dovecot,
    "oauth2": OAuth2,
    "pam": Pam,
}
