"""Signing in at an OpenID provider, and the tokens that it issues: the relying party's side, without HTTP of its own.

`begin` gives the address of the provider's page and what the browser's session has to keep; `finish` takes what the
browser brings back and says who it is (OpenID Connect Core 1.0 §3.1, with PKCE). `access` judges a token that a client
sends as `Authorization: Bearer`: a JWT by its signature, or any token by asking the provider (RFC 7662). The caller
passes in how HTTP is done, so that one guard looks after all that goes out.
"""

from __future__ import annotations

import hmac
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import quote_plus, urlencode, urlsplit

from authlib.common.security import generate_token
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import get_well_known_url
from joserfc.errors import JoseError
from joserfc.jwt import JWTClaimsRegistry

from calsync.accounts.oidc_keys import ALGORITHMS, BadToken, Fresh, KeySet, ProviderDown

LEEWAY: Final = 60  # seconds by which clocks may differ
PATIENCE: Final = 600  # seconds between `begin` and `finish`
CONCURRENT: Final = 4  # questions that the provider is asked at a time
_KEEP: Final = 3600.0


class SignInFailed(RuntimeError):
    """The sign-in did not come to its end; the message says why, for the person at the browser."""


class Fetched(Protocol):
    """An answer to a request."""

    @property
    def status(self) -> int: ...
    @property
    def body(self) -> bytes: ...


#: `fetch(method, url, headers, body)`; raises `ProviderDown` where there is no answer.
Fetch = Callable[[str, str, Mapping[str, str], bytes | None], Fetched]


@dataclass(frozen=True, slots=True)
class Settings:
    """The provider and what is asked of it. `audience` is whom access tokens must be for; empty: `client_id`."""

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    scopes: str = "openid profile email"
    user_claim: str = "preferred_username"
    groups_claim: str = "groups"
    audience: str = ""
    name: str = "OpenID Connect"


@dataclass(frozen=True, slots=True)
class Claims:
    """Somebody at the provider. `name` is what the user claim says; `expires` an instant, of an access token only."""

    issuer: str
    subject: str
    name: str
    groups: frozenset[str] = frozenset()
    email: str = ""
    displayname: str = ""
    expires: int | None = None


@dataclass(frozen=True, slots=True)
class Metadata:
    """What of the provider's configuration is used (OpenID Connect Discovery 1.0 §3)."""

    authorization: str
    token: str
    jwks: str
    userinfo: str
    introspection: str
    algorithms: frozenset[str]
    client_auth: str
    names_issuer: bool  # RFC 9207 §3


class Provider:
    """One provider. Its configuration and keys are kept for an hour; one object a process."""

    def __init__(self, settings: Settings, fetch: Fetch, now: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self._fetch = fetch
        self._now = now
        self._metadata = Fresh(self._discover, _KEEP)
        self._turns = threading.BoundedSemaphore(CONCURRENT)
        self._keys = KeySet(lambda: self._json("GET", self.metadata.jwks))

    @property
    def metadata(self) -> Metadata:
        """The provider's configuration. Raises `ProviderDown`."""
        return self._metadata.get()

    # --- sign-in ------------------------------------------------------------------------------------------------------

    def begin(self, redirect_uri: str) -> tuple[str, dict[str, Any]]:
        """Where to send the browser, and what its session has to keep (and give to `finish`, once).

        Raises `ProviderDown`.
        """
        kept: dict[str, Any] = {
            "state": generate_token(43),
            "nonce": generate_token(43),
            "verifier": generate_token(64),
            "redirect_uri": redirect_uri,
            "issuer": self.settings.issuer,
            "at": int(self._now()),
        }
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self.settings.client_id,
                "redirect_uri": redirect_uri,
                "scope": self.settings.scopes,
                "state": kept["state"],
                "nonce": kept["nonce"],
                "code_challenge": create_s256_code_challenge(kept["verifier"]),
                "code_challenge_method": "S256",
            }
        )
        endpoint = self.metadata.authorization
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{query}", kept

    def finish(self, kept: Mapping[str, Any], query: Mapping[str, str]) -> Claims:
        """Who came back from the provider's page with this query. Raises `SignInFailed` and `ProviderDown`."""
        if kept.get("issuer") != self.settings.issuer or self._now() - float(kept.get("at", 0)) > PATIENCE:
            raise SignInFailed("the sign-in took too long: begin again")
        if not _same(query.get("state", ""), str(kept["state"])):
            raise SignInFailed("the answer belongs to another sign-in: begin again")
        # RFC 9207 §2.4: the answer of another provider (mix-up).
        if query.get("iss", self.settings.issuer) != self.settings.issuer:
            raise SignInFailed("the answer comes from another provider")
        if "iss" not in query and self.metadata.names_issuer:
            raise SignInFailed("the answer does not say which provider it comes from")
        if "error" in query:
            said = query.get("error_description") or query["error"]
            raise SignInFailed(f"{self.settings.name} refused: {said[:200]}")
        if not query.get("code"):
            raise SignInFailed(f"{self.settings.name} sent no code")
        granted = self._exchange(query["code"], kept)
        try:
            claims = self._id_token(granted, str(kept["nonce"]))
        except BadToken as error:
            raise SignInFailed(f"the token of {self.settings.name} does not hold: {error}") from error
        return self._claims(self._completed(claims, granted))

    def _exchange(self, code: str, kept: Mapping[str, Any]) -> dict[str, Any]:
        """The tokens that a code stands for (OpenID Connect Core 1.0 §3.1.3, RFC 7636 §4.5)."""
        body = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": kept["redirect_uri"],
            "code_verifier": kept["verifier"],
        }
        status, answer = self._as_client(self.metadata.token, body)
        if status != 200 or not isinstance(answer.get("id_token"), str):
            said = answer.get("error_description") or answer.get("error") or f"status {status}"
            raise SignInFailed(f"{self.settings.name} gave no token: {str(said)[:200]}")
        return answer

    def _id_token(self, granted: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        """The claims of an ID token that holds (OpenID Connect Core 1.0 §3.1.3.7). Raises `BadToken`."""
        header, claims = self._keys.verified(granted["id_token"])
        if header["alg"] not in self.metadata.algorithms:
            raise BadToken(f"algorithm {header['alg']} is not one that the provider names")
        options = {
            "iss": {"essential": True, "value": self.settings.issuer},
            "aud": {"essential": True, "value": self.settings.client_id},
        }
        params = {
            "nonce": nonce,
            "client_id": self.settings.client_id,
            "access_token": granted.get("access_token"),
        }
        token = CodeIDToken(claims, header, options, params)
        try:
            token.validate(now=int(self._now()), leeway=LEEWAY)
        except (JoseError, ValueError, TypeError) as error:
            raise BadToken(str(error)) from error
        return claims

    def _completed(self, claims: dict[str, Any], granted: Mapping[str, Any]) -> dict[str, Any]:
        """The claims with those of the userinfo endpoint, where the ID token lacks what is needed (§5.3)."""
        wanted = {self.settings.user_claim, self.settings.groups_claim} - {""}
        endpoint, token = self.metadata.userinfo, granted.get("access_token")
        if wanted <= claims.keys() or not endpoint or not isinstance(token, str):
            return claims
        more = self._json("GET", endpoint, {"Authorization": f"Bearer {token}"})
        # §5.3.2: who answers for another subject is not believed.
        if more.get("sub") != claims["sub"]:
            raise SignInFailed(f"{self.settings.name} told of another user than the one who signed in")
        return {**more, **claims}

    # --- bearer tokens ------------------------------------------------------------------------------------------------

    def access(self, token: str, *, introspect: bool = False) -> Claims:
        """Whom an access token stands for, and until when.

        `introspect` asks the provider about each (RFC 7662): tokens that it has taken back are refused, and opaque ones
        understood. Raises `BadToken` and `ProviderDown`.
        """
        claims = self._introspected(token) if introspect else self._jwt(token)
        return self._claims(claims, expires=int(claims["exp"]))

    def _jwt(self, token: str) -> dict[str, Any]:
        header, claims = self._keys.verified(token)
        # An ID token tells a client who somebody is; it opens nothing (RFC 9068 §4 asks for the type).
        if "at_hash" in claims or claims.get("typ") == "ID" or str(header.get("typ", "")).lower() == "logout+jwt":
            raise BadToken("not an access token")
        rules = JWTClaimsRegistry(
            now=int(self._now()),
            leeway=LEEWAY,
            iss={"essential": True, "value": self.settings.issuer},
            aud={"essential": True, "value": self.settings.audience or self.settings.client_id},
            exp={"essential": True},
            sub={"essential": True},
        )
        try:
            rules.validate(claims)
        except (JoseError, ValueError, TypeError) as error:
            raise BadToken(str(error)) from error
        return claims

    def _introspected(self, token: str) -> dict[str, Any]:
        endpoint = self.metadata.introspection
        if not endpoint:
            raise ProviderDown(f"{self.settings.issuer} has no introspection endpoint ([auth] oidc_introspect)")
        status, claims = self._as_client(endpoint, {"token": token, "token_type_hint": "access_token"})
        if status != 200:
            raise ProviderDown(f"{endpoint}: status {status}")
        # RFC 7662 §2.2
        if claims.get("active") is not True:
            raise BadToken("the provider says that it is not active")
        now = self._now()
        until = claims.get("exp")
        if isinstance(until, int | float) and not isinstance(until, bool) and until <= now - LEEWAY:
            raise BadToken("expired")
        audience = claims.get("aud")
        named = audience if isinstance(audience, list) else [audience]
        wanted = self.settings.audience or self.settings.client_id
        if wanted not in named and (audience is not None or claims.get("client_id") != wanted):
            raise BadToken("for another audience")
        if claims.get("iss", self.settings.issuer) != self.settings.issuer:
            raise BadToken("of another issuer")
        if not isinstance(claims.get("sub"), str):
            raise BadToken("without a subject")
        # Asked again soon: a token may be taken back.
        soon = now + LEEWAY
        return {**claims, "exp": min(soon, until) if isinstance(until, int | float) else soon}

    # --- what both need -----------------------------------------------------------------------------------------------

    def _claims(self, claims: Mapping[str, Any], expires: int | None = None) -> Claims:
        name = claims.get(self.settings.user_claim)
        # An address that its owner has not shown to be theirs could be anybody's.
        if self.settings.user_claim == "email" and claims.get("email_verified") is not True:
            name = None
        return Claims(
            self.settings.issuer,
            str(claims["sub"]),
            name if isinstance(name, str) else "",
            _names(claims.get(self.settings.groups_claim)) if self.settings.groups_claim else frozenset(),
            _mail(claims.get("email")),
            _line(claims.get("name"), 100),
            expires,
        )

    def _discover(self) -> Metadata:
        issuer = self.settings.issuer
        document = self._json("GET", get_well_known_url(issuer, external=True))
        # OpenID Connect Discovery 1.0 §4.3
        if document.get("issuer") != issuer:
            raise ProviderDown(
                f"{issuer}: its configuration is that of {document.get('issuer')!r} ([auth] oidc_issuer)"
            )
        plain = urlsplit(issuer).scheme == "http"

        def endpoint(name: str, needed: bool) -> str:
            url = document.get(name)
            if url is None and not needed:
                return ""
            if not isinstance(url, str) or urlsplit(url).scheme not in (("https", "http") if plain else ("https",)):
                raise ProviderDown(f"{issuer}: {name} {url!r} cannot be used")
            return url

        named = document.get("id_token_signing_alg_values_supported", ["RS256"])
        methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return Metadata(
            authorization=endpoint("authorization_endpoint", True),
            token=endpoint("token_endpoint", True),
            jwks=endpoint("jwks_uri", True),
            userinfo=endpoint("userinfo_endpoint", False),
            introspection=endpoint("introspection_endpoint", False),
            algorithms=frozenset(ALGORITHMS).intersection(_names(named)),
            client_auth=self._client_auth(_names(methods)),
            names_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        )

    def _client_auth(self, supported: frozenset[str]) -> str:
        if not self.settings.client_secret:
            return "none"
        chosen = [name for name in ("client_secret_basic", "client_secret_post") if name in supported]
        return chosen[0] if chosen else "client_secret_basic"

    def _as_client(self, url: str, body: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """POST a form with the client's own credentials.

        A few at a time: whoever makes codes and tokens up could else have all workers wait for the provider.
        """
        method, pair = self.metadata.client_auth, (self.settings.client_id, self.settings.client_secret)
        if method == "client_secret_basic":
            pair = (quote_plus(pair[0]), quote_plus(pair[1]))  # RFC 6749 §2.3.1
        client = ClientAuth(*pair, method)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        url, headers, form = client.prepare("POST", url, headers, urlencode(body))
        if not self._turns.acquire(timeout=1.0):
            raise ProviderDown(f"{url}: too many wait for it")
        try:
            return self._asked("POST", url, headers, form.encode() if isinstance(form, str) else form)
        finally:
            self._turns.release()

    def _json(self, method: str, url: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        status, answer = self._asked(method, url, {"Accept": "application/json", **(headers or {})}, None)
        if status != 200:
            raise ProviderDown(f"{url}: status {status}")
        return answer

    def _asked(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, dict[str, Any]]:
        fetched = self._fetch(method, url, headers, body)
        if fetched.status >= 500 or fetched.status == 429:
            raise ProviderDown(f"{url}: status {fetched.status}")
        try:
            answer = json.loads(fetched.body)
        except (ValueError, RecursionError) as error:
            raise ProviderDown(f"{url}: status {fetched.status}, no JSON") from error
        if not isinstance(answer, dict):
            raise ProviderDown(f"{url}: no JSON object")
        return fetched.status, answer


def _names(value: object) -> frozenset[str]:
    """A claim that lists names: an array, or one string."""
    if isinstance(value, str):
        return frozenset({value})
    if isinstance(value, Sequence):
        return frozenset(entry for entry in value if isinstance(entry, str) and entry)
    return frozenset()


def _line(value: object, longest: int) -> str:
    """A claim that is shown: in one line, without what cannot be seen or written into XML."""
    text = "".join(character for character in value if character.isprintable()) if isinstance(value, str) else ""
    return " ".join(text.split())[:longest]


def _mail(value: object) -> str:
    """A claim that is a mail address, else nothing."""
    return value if isinstance(value, str) and value == _line(value, 254) and value.count("@") == 1 else ""


def _same(sent: str, kept: str) -> bool:
    return hmac.compare_digest(sent.encode(errors="replace"), kept.encode())


__all__ = [
    "BadToken",
    "Claims",
    "Fetch",
    "Metadata",
    "Provider",
    "ProviderDown",
    "Settings",
    "SignInFailed",
]
