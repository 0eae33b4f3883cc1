"""TLS by `[server] certificate`, `key`, `certificate_authority`, `protocol` and `ciphersuite`."""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass
from pathlib import Path

from calsync.server.limits import Options

logger = logging.getLogger("calsync.server")

#: Names of Apache's SSLProtocol, which Radicale's `[server] protocol` uses, and what they allow.
VERSIONS = {
    "SSLv2": ssl.TLSVersion.SSLv3,
    "SSLv3": ssl.TLSVersion.SSLv3,
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
SPOKEN = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


class TlsError(ValueError):
    """The configuration does not make a TLS server; the message is for people."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The options; empty strings where there is nothing."""

    certificate: str
    key: str
    authority: str = ""
    protocol: str = ""
    ciphers: str = ""

    @classmethod
    def from_options(cls, options: Options) -> Tls | None:
        """The options, or None where `[server] ssl` is off."""
        if not options.get("server", "ssl"):
            return None
        return cls(
            certificate=options.get("server", "certificate"),
            key=options.get("server", "key"),
            authority=options.get("server", "certificate_authority"),
            protocol=options.get("server", "protocol"),
            ciphers=options.get("server", "ciphersuite"),
        )

    def context(self) -> ssl.SSLContext:
        """A server context. Raises `TlsError`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version, context.maximum_version = self._versions()
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["h2", "http/1.1"])
        self.load(context)
        if self.ciphers:
            try:
                context.set_ciphers(self.ciphers)
            except ssl.SSLError as error:
                raise TlsError(f"[server] ciphersuite: {self.ciphers!r} names no cipher that OpenSSL has") from error
        if self.authority:
            context.verify_mode = ssl.CERT_REQUIRED
            try:
                context.load_verify_locations(cafile=self.authority)
            except (OSError, ssl.SSLError) as error:
                raise TlsError(f"[server] certificate_authority: {self.authority}: {_why(error)}") from error
        return context

    def load(self, context: ssl.SSLContext) -> None:
        """Load certificate and key, into a context in use too: connections made from then on get them."""
        for option, path in (("certificate", self.certificate), ("key", self.key)):
            try:
                with Path(path).open("rb") as file:
                    file.read(1)
            except OSError as error:
                raise TlsError(f"[server] {option}: {path}: {_why(error)} (--{option} FILE)") from error
        try:
            context.load_cert_chain(self.certificate, self.key, password=_no_password)
        except (OSError, ssl.SSLError) as error:
            raise TlsError(
                f"[server] certificate, key: {self.certificate} and {self.key} do not fit: {_why(error)}"
                " (both must be PEM, the key without a passphrase)"
            ) from error

    def _versions(self) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
        wanted: set[ssl.TLSVersion] = set()
        for word in self.protocol.split():
            name = word.lstrip("+-")
            named = set(VERSIONS.values()) if name.lower() == "all" else {VERSIONS[name]} if name in VERSIONS else None
            if named is None:
                raise TlsError(
                    f"[server] protocol: {word!r} is unknown (known: ALL, {', '.join(VERSIONS)}, with + or -)"
                )
            wanted = wanted - named if word.startswith("-") else wanted | named
        spoken = [version for version in SPOKEN if version in wanted or not self.protocol]
        if not spoken:
            raise TlsError(f"[server] protocol: {self.protocol!r} leaves neither TLSv1.2 nor TLSv1.3")
        if any(version not in SPOKEN for version in wanted):
            logger.warning("[server] protocol: versions before TLSv1.2 are not spoken")
        return spoken[0], spoken[-1]


def _no_password() -> str:
    raise ssl.SSLError("the key is encrypted")


def _why(error: OSError) -> str:
    return error.strerror or str(error)
