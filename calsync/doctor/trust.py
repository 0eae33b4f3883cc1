"""TLS: whether a client believes the certificate, for how long it will, and which versions are spoken."""

from __future__ import annotations

import contextlib
import ipaddress
import ssl
import time
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from calsync.doctor import certificate, wire
from calsync.doctor.certificate import Certificate
from calsync.doctor.finding import Checks, Finding, note, ok, problem, warning
from calsync.doctor.visit import Visit
from calsync.doctor.wire import Unreachable

CHECKS: Final[Checks[Visit]] = Checks("TLS", (OSError, Unreachable, ValueError))

# What OpenSSL says of a chain (x509_vfy.h).
_EXPIRED, _NOT_YET, _SELF_SIGNED, _SELF_IN_CHAIN, _NO_ISSUER = 10, 9, 18, 19, 20
_NO_LEAF_ISSUER, _WRONG_HOST, _WRONG_ADDRESS = 21, 62, 64

_VERSIONS: Final = (
    (ssl.TLSVersion.TLSv1, "1.0"),
    (ssl.TLSVersion.TLSv1_1, "1.1"),
    (ssl.TLSVersion.TLSv1_2, "1.2"),
    (ssl.TLSVersion.TLSv1_3, "1.3"),
)

_APPLE: Final = (
    "iPhones and Macs say only that they cannot verify the account"
    " (a certificate of your own must come as a profile, and be switched on in Settings › General › About ›"
    " Certificate Trust Settings)"
)


@CHECKS("certificate")
def believed(visit: Visit) -> Iterator[Finding]:
    if not visit.reached:
        return
    if urlsplit(visit.url).scheme == "http":
        yield _in_the_clear(visit)
        return
    host, port = _place(visit)
    try:
        with visit.wire.secured(visit.wire.connected(host, port), host, visit.wire.context) as connection:
            version, octets = connection.version(), connection.getpeercert(binary_form=True)
    except Unreachable as error:
        yield from _refused(visit, error)
        return
    found = certificate.of(octets or b"")
    yield ok(f"{found.subject or ', '.join(found.names[:3])}, by {found.issuer}; {version}")
    yield from certificate.age(found, time.time())
    yield from _apple(found)


def _in_the_clear(visit: Visit) -> Finding:
    near = visit.host == "localhost" or _is_loopback(visit.host)
    make = note if near else problem
    return make(
        f"{visit.origin} speaks HTTP without TLS",
        "https: iPhones and Macs take nothing else, and the password goes in the clear",
        "--ssl --certificate FILE --key FILE, or a proxy that does TLS (Caddy fetches certificates by itself)",
        "no-tls",
    )


def _refused(visit: Visit, refusal: Unreachable) -> Iterator[Finding]:
    """Why it is not believed, or not even TLS."""
    host, port = _place(visit)
    visit.reached = False
    if not isinstance(refusal.error, ssl.SSLError):
        yield problem(str(refusal), "TLS", "see the server's log", "tls")
        return
    if not isinstance(refusal.error, ssl.SSLCertVerificationError):
        if _speaks_http(visit):
            visit.go_to(f"http://{visit.url.partition('://')[2]}")
            visit.reached = True
            yield _in_the_clear(visit)
            return
        old = [name for version, name in _VERSIONS[:2] if _speaks(visit, version)]
        if old:
            yield problem(
                f"it speaks TLS {' and '.join(old)} only",
                "TLS 1.2 or 1.3, without which no client of today connects",
                "ssl_protocols TLSv1.2 TLSv1.3; in the proxy, and an OpenSSL that is not from before 2015",
                "tls-old",
            )
        else:
            yield problem(str(refusal), "TLS 1.2 or 1.3", "see the log of the server or proxy", "tls")
        return
    with visit.wire.secured(visit.wire.connected(host, port), host, wire.context(believed=False)) as connection:
        found = certificate.of(connection.getpeercert(binary_form=True) or b"")
    yield _unbelieved(visit, refusal.error, found)
    if visit.options.insecure:
        visit.reached = True
        visit.wire.context = wire.context(believed=False)
    elif visit.wire.password is not None:
        yield note(
            "the rest was not tried: the password goes over no connection that is not believed",
            "a certificate that is",
            "--ca FILE for an authority of your own; --insecure to go on all the same",
            "stopped",
        )


def _unbelieved(visit: Visit, error: ssl.SSLCertVerificationError, found: Certificate) -> Finding:
    code = error.verify_code
    if code in (_EXPIRED, _NOT_YET):
        return next(certificate.age(found, time.time()))
    if code in (_WRONG_HOST, _WRONG_ADDRESS):
        names = ", ".join(found.names) or f"no name at all (only the old CN={found.subject})"
        return problem(
            f"the certificate is for {names}, not for {visit.host}",
            f"one with {visit.host} among its names",
            f"certbot -d {visit.host}, or type the name that it is for",
            "certificate-name",
        )
    if found.self_signed:
        return problem(
            f"the certificate is signed by itself ({found.subject or 'no name'})",
            f"one of an authority that devices know: {_APPLE}",
            "a free one: Caddy, or certbot, for a name in public DNS (DNS-01 needs no open port)",
            "self-signed",
        )
    if code in (_SELF_IN_CHAIN,):
        return problem(
            f"it comes from {found.issuer}, an authority that this machine does not know",
            f"one that devices know: {_APPLE}",
            "a free certificate (Caddy, certbot), or install the authority on every device (here: --ca FILE)",
            "own-authority",
        )
    if code in (_NO_ISSUER, _NO_LEAF_ISSUER):
        return problem(
            f"the chain to {found.issuer} is not complete, or that authority is not known",
            "the certificate and all between it and the authority: Android and iOS do not fetch what is missing",
            "give the server fullchain.pem, not cert.pem (an authority of your own: --ca FILE, and on every device)",
            "chain",
        )
    return problem(
        f"the certificate is not believed: {error.verify_message}", "one that is", "see above", "certificate"
    )


def _apple(found: Certificate) -> Iterator[Finding]:
    if found.ends - found.begins > certificate.LONGEST:
        days = int((found.ends - found.begins) // 86_400)
        yield warning(
            f"it is valid for {days} days", "825 at most: iPhones and Macs refuse a longer one",
            "make it anew, for a year (openssl req … -days 365)", "certificate-long",
        )  # fmt: skip
    if not found.names:
        yield warning(
            "it has no alternative name, only a common one", "a DNS name among the alternative ones",
            "make it anew (openssl req … -addext subjectAltName=DNS:name)", "certificate-san",
        )  # fmt: skip


@CHECKS("versions")
def versions(visit: Visit) -> Iterator[Finding]:
    if not visit.reached or urlsplit(visit.url).scheme != "https":
        return
    spoken = [name for version, name in _VERSIONS if _speaks(visit, version)]
    if not {"1.2", "1.3"} & set(spoken):
        yield problem(f"TLS {', '.join(spoken)}", "1.2 or 1.3", "ssl_protocols TLSv1.2 TLSv1.3;", "tls-old")
    elif {"1.0", "1.1"} & set(spoken):
        yield note(
            f"TLS {', '.join(spoken)}: the old ones are spoken, too", "1.2 and 1.3",
            "ssl_protocols TLSv1.2 TLSv1.3;", "tls-old-too",
        )  # fmt: skip
    else:
        yield ok(f"TLS {' and '.join(spoken)}")


@CHECKS("HTTP/2")
def alpn(visit: Visit) -> Iterator[Finding]:
    if not visit.reached or urlsplit(visit.url).scheme != "https":
        return
    host, port = _place(visit)
    context = wire.context(believed=False)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with visit.wire.secured(visit.wire.connected(host, port), host, context) as connection:
        chosen = connection.selected_alpn_protocol()
    yield ok("spoken" if chosen == "h2" else "not spoken, which every client can do without")


def _speaks(visit: Visit, version: ssl.TLSVersion) -> bool:
    host, port = _place(visit)
    try:
        context = wire.only(version)
    except (ValueError, ssl.SSLError):
        return False
    with contextlib.suppress(Unreachable), visit.wire.secured(visit.wire.connected(host, port), host, context):
        return True
    return False


def _speaks_http(visit: Visit) -> bool:
    """Whether HTTP without TLS answers at the same port."""
    try:
        reply = visit.wire.ask("OPTIONS", f"http://{visit.url.partition('://')[2]}", login=False)
    except Unreachable:
        return False
    # nginx and Apache answer 400 in the clear on a port that is for TLS
    return not (reply.status == 400 and b"HTTPS" in reply.body)


def _place(visit: Visit) -> tuple[str, int]:
    parts = urlsplit(visit.url)
    return parts.hostname or "", parts.port or 443


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
