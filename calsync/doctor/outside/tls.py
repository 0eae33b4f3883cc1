"""TLS: whether a client believes the certificate, for how long it will, and which versions are spoken."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from calsync.doctor import certificate
from calsync.doctor.finding import Checks, Finding, note, ok, problem
from calsync.doctor.outside import tls_context
from calsync.doctor.outside.probe import Probe
from calsync.doctor.outside.reply import Unreachable
from calsync.server.certificate import Certificate, of
from calsync.webdav.hosts import is_loopback

CHECKS: Final[Checks[Probe]] = Checks("TLS", (OSError, Unreachable, ValueError))

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
def believed(probe: Probe) -> Iterator[Finding]:
    if not probe.reached:
        return
    if urlsplit(probe.url).scheme == "http":
        yield _in_the_clear(probe)
        return
    host, port = _place(probe)
    try:
        with probe.http.secured(probe.http.connected(host, port), host, probe.http.context) as connection:
            version, octets = connection.version(), connection.getpeercert(binary_form=True)
    except Unreachable as error:
        yield from _refused(probe, error)
        return
    found = of(octets or b"")
    yield ok(f"{found.subject or ', '.join(found.names[:3])}, by {found.issuer}; {version}")
    yield from certificate.validity(found, time.time())
    yield from certificate.for_apple(found)


def _in_the_clear(probe: Probe) -> Finding:
    make = note if is_loopback(probe.host) else problem
    return make(
        f"{probe.origin} speaks HTTP without TLS",
        "https: iPhones and Macs take nothing else, and the password goes in the clear",
        "--ssl --certificate FILE --key FILE, or a proxy that does TLS (Caddy fetches certificates by itself)",
        "no-tls",
    )


def _refused(probe: Probe, refusal: Unreachable) -> Iterator[Finding]:
    """Why it is not believed, or not even TLS."""
    host, port = _place(probe)
    probe.reached = False
    if not isinstance(refusal.error, ssl.SSLError):
        yield problem(str(refusal), "TLS", "see the server's log", "tls")
        return
    if not isinstance(refusal.error, ssl.SSLCertVerificationError):
        if _speaks_http(probe):
            probe.go_to(f"http://{probe.url.partition('://')[2]}")
            probe.reached = True
            yield _in_the_clear(probe)
            return
        old = [name for version, name in _VERSIONS[:2] if _speaks(probe, version)]
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
    with probe.http.secured(probe.http.connected(host, port), host, tls_context.usual(believed=False)) as connection:
        found = of(connection.getpeercert(binary_form=True) or b"")
    yield _unbelieved(probe, refusal.error, found)
    if probe.options.insecure:
        probe.reached = True
        probe.http.context = tls_context.usual(believed=False)
    elif probe.http.password is not None:
        yield note(
            "the rest was not tried: the password goes over no connection that is not believed",
            "a certificate that is",
            "--ca FILE for an authority of your own; --insecure to go on all the same",
            "stopped",
        )


def _unbelieved(probe: Probe, error: ssl.SSLCertVerificationError, found: Certificate) -> Finding:
    code = error.verify_code
    if code in (_EXPIRED, _NOT_YET):
        return next(certificate.validity(found, time.time()))
    if code in (_WRONG_HOST, _WRONG_ADDRESS):
        names = ", ".join(found.names) or f"no name at all (only the old CN={found.subject})"
        return problem(
            f"the certificate is for {names}, not for {probe.host}",
            f"one with {probe.host} among its names",
            f"certbot -d {probe.host}, or type the name that it is for",
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


@CHECKS("versions")
def versions(probe: Probe) -> Iterator[Finding]:
    if not probe.reached or urlsplit(probe.url).scheme != "https":
        return
    spoken = [name for version, name in _VERSIONS if _speaks(probe, version)]
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
def alpn(probe: Probe) -> Iterator[Finding]:
    if not probe.reached or urlsplit(probe.url).scheme != "https":
        return
    host, port = _place(probe)
    context = tls_context.usual(believed=False)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with probe.http.secured(probe.http.connected(host, port), host, context) as connection:
        chosen = connection.selected_alpn_protocol()
    yield ok("spoken" if chosen == "h2" else "not spoken, which every client can do without")


def _speaks(probe: Probe, version: ssl.TLSVersion) -> bool:
    host, port = _place(probe)
    try:
        context = tls_context.only(version)
    except (ValueError, ssl.SSLError):
        return False
    with contextlib.suppress(Unreachable), probe.http.secured(probe.http.connected(host, port), host, context):
        return True
    return False


def _speaks_http(probe: Probe) -> bool:
    """Whether HTTP without TLS answers at the same port."""
    try:
        reply = probe.http.ask("OPTIONS", f"http://{probe.url.partition('://')[2]}", login=False)
    except Unreachable:
        return False
    # nginx and Apache answer 400 in the clear on a port that is for TLS
    return not (reply.status == 400 and b"HTTPS" in reply.body)


def _place(probe: Probe) -> tuple[str, int]:
    parts = urlsplit(probe.url)
    return parts.hostname or "", parts.port or 443
