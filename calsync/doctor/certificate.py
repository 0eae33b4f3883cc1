"""What is to be said of a certificate, whether it was read from a file or shown by a server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from calsync.doctor.finding import Finding, ok, problem, warning
from calsync.server.certificate import Certificate

_DAY: Final = 86_400
#: Apple refuses certificates that are valid for longer, whoever made them.
_LONGEST: Final = 825 * _DAY


def validity(found: Certificate, now: float) -> Iterator[Finding]:
    """Whether it is valid now, and for how long still."""
    left = found.ends - now
    until = f"{datetime.fromtimestamp(found.ends, UTC):%Y-%m-%d}"
    if found.begins > now:
        begins = f"{datetime.fromtimestamp(found.begins, UTC):%Y-%m-%d}"
        yield problem(f"is valid from {begins} on only", "valid now", "set the clock, or wait", "not-yet-valid")
    elif left < 0:
        yield problem(
            f"expired on {until}", "valid now", "renew it, and let the server read it (SIGHUP)", "certificate-expired"
        )
    elif left < min(14 * _DAY, (found.ends - found.begins) / 4):
        days = int(left // _DAY)
        yield warning(
            f"ends in {days} day{'s' if days != 1 else ''}, on {until}",
            "renewed weeks before",
            "see why it is not renewed (certbot renew; systemctl list-timers)",
            "certificate-ends",
        )
    else:
        yield ok(f"valid until {until}")


def for_apple(found: Certificate) -> Iterator[Finding]:
    """What iPhones and Macs refuse, and others take."""
    if found.ends - found.begins > _LONGEST:
        days = int((found.ends - found.begins) // _DAY)
        yield warning(
            f"it is valid for {days} days", "825 at most: iPhones and Macs refuse a longer one",
            "make it anew, for a year (openssl req … -days 365)", "certificate-long",
        )  # fmt: skip
    if not found.names:
        yield warning(
            "it has no alternative name, only a common one", "a DNS name among the alternative ones",
            "make it anew (openssl req … -addext subjectAltName=DNS:name)", "certificate-san",
        )  # fmt: skip
