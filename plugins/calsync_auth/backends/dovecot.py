"""Dovecot's own socket for logins."""

from __future__ import annotations

import base64
import os
import re
import socket
from typing import Any

from radicale import auth
from radicale.auth import dovecot
from radicale.config import Configuration

from calsync.accounts.accounts import BackendDown
from calsync_auth.chain import NotNow


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
