"""The OpenID provider of `[auth] oidc_…`: whom it lets in, and what its access tokens open."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from radicale.config import Configuration

from calsync.accounts import turn
from calsync.accounts.accounts import Account, Accounts, BackendDown, Identity
from calsync.accounts.credentials import Credentials, Verified
from calsync.accounts.names import BadName
from calsync.accounts.oidc import BadToken, Claims, Fetch, Provider, ProviderDown, Settings
from calsync.outbound import Fetched, Guard, OutboundError, guard_for
from calsync_auth.settings import BadOption, OpenIdOptions, option, secret

_log: Final = logging.getLogger("calsync.accounts")


class OpenId:
    """A provider, and what an administrator decided about it."""

    def __init__(self, provider: Provider, options: OpenIdOptions, accounts: Accounts) -> None:
        self.provider = provider
        self.options = options
        self._accounts = accounts
        self._verified = Credentials()

    def admit(self, claims: Claims) -> Account | None:
        """The account of somebody whom the provider vouches for, or None where there is to be none."""
        try:
            account = self._account(claims)
            if account is None and self._linked(claims):
                account = self._account(claims)
        except BadName as error:
            _log.warning("accounts: %s let somebody in who cannot have an account: %s", claims.issuer, error)
            return None
        if account is None:
            _log.warning(
                "accounts: %r (%s) signed in at %s and has no account here ([auth] oidc_create, oidc_link)",
                claims.name,
                claims.subject,
                claims.issuer,
            )
        return account

    def _linked(self, claims: Claims) -> bool:
        """Whether the account that has the name is that of the subject from now on."""
        if not self.options.link or not claims.name or self._accounts.find(claims.name) is None:
            return False
        return self._accounts.tie(claims.name, claims.issuer, claims.subject, actor=claims.issuer)

    def _account(self, claims: Claims) -> Account | None:
        groups = claims.groups if self.provider.settings.groups_claim else None
        return self._accounts.ensure(
            claims.name,
            groups=groups,
            source="openid",
            issuer=claims.issuer,
            subject=claims.subject,
            email=claims.email,
            displayname=claims.displayname,
            create=self.options.create and bool(claims.name),
            adopt=self.options.link,
        )

    def identity(self, token: str) -> Identity | None:
        """Whom an access token lets in. Raises `BackendDown` where the provider must be asked and does not answer."""
        now = int(time.time())
        key = self._verified.key("", token)
        known = self._verified.get(key)
        if known is not None and self._holds(known, now):
            return known.identity
        self._verified.forget(key)
        turn.take()
        try:
            claims = self.provider.access(token, introspect=self.options.introspect)
        except BadToken as error:
            _log.info("accounts: an access token was refused: %s", error)
            return None
        except ProviderDown as error:
            raise BackendDown(str(error)) from error
        account = self.admit(claims)
        generation = None if account is None else self._accounts.generation_of(account.id)
        identity = None if account is None else self._accounts.identity_of(account.name)
        if generation is None or identity is None or claims.expires is None:
            return None
        self._verified.remember(key, Verified(identity, generation, claims.expires))
        return identity

    def _holds(self, known: Verified, now: int) -> bool:
        if known.expires is None or now >= known.expires:
            return False
        return self._accounts.generation_of(known.identity.account) == known.generation


def fetch(guard: Guard) -> Fetch:
    """How a provider is asked: through the guard of all that goes out."""

    def ask(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Fetched:
        try:
            return guard.fetch(method, url, headers, body)
        except OutboundError as error:
            raise ProviderDown(str(error)) from error

    return ask


def openid(configuration: Configuration, accounts: Accounts) -> OpenId | None:
    """The provider that is configured, if any; it is not asked yet. Raises `BadOption`."""

    def text(name: str) -> str:
        return str(option(configuration, f"oidc_{name}")).strip()

    issuer = text("issuer")
    if not issuer:
        return None
    if not issuer.startswith(("https://", "http://")):
        raise BadOption(f"[auth] oidc_issuer: {issuer!r} is no address (https://…)")
    if not text("client_id"):
        raise BadOption("[auth] oidc_client_id: the provider has to know this server by a name")
    settings = Settings(
        issuer,
        text("client_id"),
        secret(configuration),
        text("scopes"),
        text("user_claim"),
        text("groups_claim"),
        text("audience"),
        text("name"),
    )
    flags = [option(configuration, f"oidc_{name}") for name in ("create", "link", "bearer", "introspect")]
    # No redirects: one to http would let whoever is on the way say which keys are the provider's.
    guard = replace(guard_for([issuer], option(configuration, "outbound_private", "calsync")), redirects=0)
    return OpenId(Provider(settings, fetch(guard)), OpenIdOptions(*flags), accounts)
