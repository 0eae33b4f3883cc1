"""The keys by which a provider signs, and whether a token bears its signature.

Only signatures that need the provider's private key count: `none` and the HS family are refused by name, symmetric
keys of a key set are passed over, and a key signs with the algorithms of its kind only. A token that names an unknown
key has the set fetched again (keys are rotated), but not more often than every `REFETCH` seconds, or anybody could
make the server ask its provider without end.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

Key = RSAKey | ECKey | OKPKey
T = TypeVar("T")

_log: Final = logging.getLogger("calsync.accounts")

#: Algorithm → the kind of key and, of curves, which (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2).
ALGORITHMS: Final[dict[str, tuple[str, str]]] = {
    "RS256": ("RSA", ""),
    "RS384": ("RSA", ""),
    "RS512": ("RSA", ""),
    "PS256": ("RSA", ""),
    "PS384": ("RSA", ""),
    "PS512": ("RSA", ""),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "Ed25519": ("OKP", "Ed25519"),
}

MAX_TOKEN: Final = 16_384  # characters
MAX_KEYS: Final = 32
REFETCH: Final = 30.0  # seconds
KEEP: Final = 3600.0  # seconds after which a key set is asked for again
_PAUSE: Final = 5.0  # seconds before a provider that never answered is asked again
_PATIENCE: Final = 2.0  # seconds that a request waits for another's first asking
_SMALLEST_RSA: Final = 2048  # bits, RFC 7518 §3.3


class BadToken(ValueError):
    """The token does not hold; the message says why, for the log."""


class ProviderDown(RuntimeError):
    """The provider could not be asked, or answered nonsense; the message says so, for people."""


class KeySet:
    """The provider's keys. `fetch` gives its JWKS document, or raises what callers are to see."""

    def __init__(self, fetch: Callable[[], Any], clock: Callable[[], float] = time.monotonic) -> None:
        self._document = Fresh(lambda: usable(fetch()), KEEP, clock)

    def verified(self, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Header and claims of a signed token; nothing but its signature is checked. Raises `BadToken`."""
        algorithm, kid = _announced(token)
        candidates = self._candidates(algorithm, kid)
        registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        registry.max_header_length = MAX_TOKEN
        reason = "no key of the provider fits it"
        for key in candidates:
            try:
                found = jwt.decode(token, key, registry=registry)
            except (JoseError, ValueError, TypeError) as error:
                reason = f"signature: {error}"
                continue
            return dict(found.header), found.claims
        raise BadToken(reason)

    def _candidates(self, algorithm: str, kid: str | None) -> list[Key]:
        found = _fitting(self._document.get(), algorithm, kid)
        return found or _fitting(self._document.get(older_than=REFETCH), algorithm, kid)


class Fresh(Generic[T]):
    """A document of the provider's, asked for when it is needed and old.

    One thread asks; the others go on with what there is. While the provider cannot be reached, what it said before
    holds; where it has said nothing yet, each failure is remembered for a moment, so that a flood of requests does not
    wait for it one by one.
    """

    def __init__(self, fetch: Callable[[], T], keep: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._keep = keep
        self._clock = clock
        self._asking = threading.Lock()
        self._known: tuple[T] | None = None
        self._asked = -math.inf
        self._failed = ProviderDown("the provider was not asked yet")

    def get(self, *, older_than: float | None = None) -> T:
        """The document; asked for anew where it is older than `older_than` seconds. Raises `ProviderDown`."""
        if self._is_fresh(older_than):
            return self._value()
        if not self._asking.acquire(timeout=_PATIENCE if self._known is None else 0):
            return self._value()
        try:
            if not self._is_fresh(older_than):
                self._ask()
        finally:
            self._asking.release()
        return self._value()

    def _is_fresh(self, older_than: float | None) -> bool:
        age = self._clock() - self._asked
        if self._known is None:
            return age < _PAUSE
        return age < (self._keep if older_than is None else older_than)

    def _ask(self) -> None:
        try:
            self._known = (self._fetch(),)
        except (ProviderDown, BadToken) as error:
            self._failed = ProviderDown(str(error))
            _log.warning("oidc: %s", error)
        self._asked = self._clock()

    def _value(self) -> T:
        if self._known is None:
            raise ProviderDown(str(self._failed))
        return self._known[0]


def usable(document: Any) -> list[Key]:
    """The public keys of a JWKS document that may sign; what is not understood is passed over (RFC 7517 §5)."""
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise BadToken("the provider's key set has no list of keys")
    found: list[Key] = []
    for entry in entries[:MAX_KEYS]:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or entry.get("kty") not in _KINDS:
            continue
        try:
            key = JWKRegistry.import_key(entry)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if isinstance(key, RSAKey) and key.public_key.key_size < _SMALLEST_RSA:
            continue
        if isinstance(key, RSAKey | ECKey | OKPKey):
            found.append(key)
    return found


_KINDS: Final = frozenset(kind for kind, _ in ALGORITHMS.values())


def _announced(token: str) -> tuple[str, str | None]:
    """The algorithm and the key that a token's header names; the header is not trusted further."""
    if len(token) > MAX_TOKEN or token.count(".") != 2 or not token.isascii():
        raise BadToken("not a signed token")
    encoded = token.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise BadToken("not a signed token") from error
    if not isinstance(header, dict):
        raise BadToken("not a signed token")
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise BadToken(f"algorithm {str(algorithm)[:20]!r} is not accepted")
    return algorithm, kid if isinstance(kid, str) else None


def _fitting(keys: list[Key], algorithm: str, kid: str | None) -> list[Key]:
    kind, curve = ALGORITHMS[algorithm]
    return [
        key
        for key in keys
        if key.key_type == kind
        and (not curve or key.get("crv") == curve)
        and key.get("alg") in (None, algorithm)
        and (kid is None or key.get("kid") == kid)
    ]
