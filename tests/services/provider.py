"""A small but honest OpenID provider, as a process of its own: `python -m tests.services.provider`.

Discovery, keys, authorization code with PKCE, userinfo and introspection. It checks what a provider has to check, so a
relying party that forgets something is not served. Anybody signs in by name, without a password; `/control` makes it
lie (`{"fault": "wrong nonce"}`), rotate its key, or hand out a token for the tests of bearer tokens.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import secrets
import sys
import threading
import time
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests import http_servers

CLIENT = "calsync"
SECRET = "s3cret/with+signs"


class State:
    """What the provider remembers."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.key = RSAKey.generate_key(2048, {"kid": "first"})
        self.older: list[RSAKey] = []
        self.fault = ""
        self.codes: dict[str, dict[str, str]] = {}
        self.tokens: dict[str, str] = {}
        self.revoked: set[str] = set()
        self.groups = {"anna": ["family", "staff"]}
        self.requests: list[str] = []

    def rotate(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4)})

    def person(self, name: str) -> dict[str, Any]:
        return {
            "sub": hashlib.sha256(name.encode()).hexdigest()[:16],
            "preferred_username": name,
            "name": name.capitalize(),
            "email": f"{name}@example.org",
            "email_verified": name != "mallory",
            "groups": self.groups.get(name, []),
        }

    def sign(self, claims: dict[str, Any], **header: str) -> str:
        """A signed token; the claims given win over the usual ones, and None leaves one out."""
        now = int(time.time())
        whole = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, **claims}
        whole = {name: value for name, value in whole.items() if value is not None}
        algorithm = header.pop("alg", "RS256")
        if algorithm == "none":
            return unsigned(whole)
        if algorithm == "HS256":
            # The old trick: the public key, taken for a shared secret.
            signed = encoded({"alg": "HS256", "kid": str(self.key.kid)}, whole)
            mac = hmac.digest(self.key.as_pem(private=False), signed.encode(), "sha256")
            return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
        signing = RSAKey.generate_key(2048) if self.fault == "foreign key" else self.key
        return jwt.encode(
            {"alg": algorithm, "kid": str(self.key.kid), **header}, whole, signing, algorithms=[algorithm]
        )

    def id_token(self, granted: dict[str, str], access: str) -> str:
        person = self.person(granted["login"])
        if self.fault == "thin":  # as some providers: the rest is told by userinfo
            person = {"sub": person["sub"]}
        half = hashlib.sha256(access.encode()).digest()[:16]
        claims: dict[str, Any] = {
            **person,
            "nonce": granted["nonce"],
            "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(),
        }
        now = int(time.time())
        claims |= {
            "wrong nonce": {"nonce": "another"},
            "no nonce": {"nonce": None},
            "wrong audience": {"aud": "another"},
            "no audience": {"aud": None},
            "two audiences": {"aud": [CLIENT, "another"], "azp": "another"},
            "wrong issuer": {"iss": "https://elsewhere.example"},
            "expired": {"iat": now - 900, "exp": now - 600},
            "not yet": {"nbf": now + 600},
            "from the future": {"iat": now + 600, "exp": now + 900},
            "never expires": {"exp": None},
            "wrong at_hash": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
            "no subject": {"sub": None},
        }.get(self.fault, {})
        algorithm = {"none": "none", "public key as secret": "HS256", "unlisted": "PS256"}.get(self.fault, "RS256")
        return self.sign(claims, alg=algorithm)


def encoded(*parts: dict[str, Any]) -> str:
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)


def unsigned(claims: dict[str, Any]) -> str:
    return encoded({"alg": "none", "typ": "JWT"}, claims) + "."


class Handler(http_servers.Handler):
    state: State

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        self.state.requests.append(parts.path)
        if self.state.fault == "down":
            return self.send(503, {"error": "down"})
        if parts.path == "/.well-known/openid-configuration":
            return self.send(200, self.configuration())
        if parts.path == "/keys":
            return self.send(200, {"keys": [self.state.key.as_dict(private=False, use="sig")]})
        if parts.path == "/authorize":
            return self.authorize(query)
        if parts.path == "/userinfo":
            name = self.state.tokens.get(self.headers.get("Authorization", "").removeprefix("Bearer "), "")
            other = "mallory" if self.state.fault == "wrong userinfo" else name
            return self.send(200, self.state.person(other)) if name else self.send(401, {"error": "invalid_token"})
        return self.send(404, {"error": "not_found"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = urlsplit(self.path).path
        self.state.requests.append(path)
        if path == "/control":
            return self.control(json.loads(body))
        form = dict(parse_qsl(body.decode()))
        if self.state.fault == "down":
            return self.send(503, {"error": "down"})
        if path == "/password":  # the resource owner's password grant, for Radicale's oauth2
            return self.password(form)
        if not self.is_client():
            return self.send(401, {"error": "invalid_client"})
        if path == "/token":
            return self.token(form)
        if path == "/introspect":
            return self.introspect(form)
        return self.send(404, {"error": "not_found"})

    def configuration(self) -> dict[str, Any]:
        issuer = self.state.issuer
        return {
            "issuer": "https://elsewhere.example" if self.state.fault == "another's configuration" else issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/keys",
            "userinfo_endpoint": f"{issuer}/userinfo",
            "introspection_endpoint": f"{issuer}/introspect",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "authorization_response_iss_parameter_supported": True,
        }

    def authorize(self, query: dict[str, str]) -> None:
        if query.get("client_id") != CLIENT or "redirect_uri" not in query:
            return self.send(400, {"error": "invalid_request"})
        back = {"state": query.get("state", ""), "iss": self.state.issuer}
        sound = query.get("response_type") == "code" and query.get("code_challenge_method") == "S256"
        if not sound or "openid" not in query.get("scope", "").split():
            back["error"] = "invalid_request"
        elif "login" not in query:
            return self.page(query)
        elif query["login"] == "nobody":
            back |= {"error": "access_denied", "error_description": "you may not"}
        else:
            back["code"] = secrets.token_urlsafe(24)
            self.state.codes[back["code"]] = query
        if self.state.fault == "mixed up":
            back["iss"] = "https://elsewhere.example"
        self.send_response(303)
        self.send_header("Location", f"{query['redirect_uri']}?{urlencode(back)}")
        self.send_header("Content-Length", "0")
        return self.end_headers()

    def page(self, query: dict[str, str]) -> None:
        hidden = "".join(f'<input type="hidden" name="{k}" value="{html.escape(v)}">' for k, v in query.items())
        text = f'<form>{hidden}<label>Name <input name="login" autofocus></label><button>Sign in</button></form>'
        page = f"<!doctype html><title>Provider</title>{text}".encode()
        self.answer(200, page, {"Content-Type": "text/html; charset=utf-8"})

    def token(self, form: dict[str, str]) -> None:
        granted = self.state.codes.pop(form.get("code", ""), None)  # RFC 6749 §4.1.2: once
        if granted is None or form.get("grant_type") != "authorization_code":
            return self.send(400, {"error": "invalid_grant"})
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if challenge != granted.get("code_challenge") or form.get("redirect_uri") != granted["redirect_uri"]:
            return self.send(400, {"error": "invalid_grant"})
        access = secrets.token_urlsafe(24)
        self.state.tokens[access] = granted["login"]
        answer = {"access_token": access, "token_type": "Bearer", "id_token": self.state.id_token(granted, access)}
        return self.send(200, answer)

    def introspect(self, form: dict[str, str]) -> None:
        name = self.state.tokens.get(form.get("token", ""))
        if name is None or form["token"] in self.state.revoked:
            return self.send(200, {"active": False})
        person = self.state.person(name) | {"active": True, "client_id": CLIENT, "exp": int(time.time()) + 300}
        return self.send(200, person)

    def password(self, form: dict[str, str]) -> None:
        if self.state.fault == "html":
            return self.answer(200, b"<html>maintenance</html>", {"Content-Type": "text/html"})
        if form.get("client_id") != CLIENT or form.get("grant_type") != "password":
            return self.send(401, {"error": "invalid_client"})
        if form.get("password") != f"secret of {form.get('username')}":
            return self.send(400, {"error": "invalid_grant"})
        return self.send(200, {"access_token": secrets.token_urlsafe(8), "token_type": "Bearer"})

    def is_client(self) -> bool:
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        if scheme != "Basic":
            return False
        name, _, secret = base64.b64decode(encoded).decode().partition(":")
        return (unquote_plus(name), unquote_plus(secret)) == (CLIENT, SECRET)

    def control(self, order: dict[str, Any]) -> None:
        answer: dict[str, Any] = {}
        if "fault" in order:
            self.state.fault = order["fault"]
        if order.get("rotate"):
            self.state.rotate()
        if "revoke" in order:
            self.state.revoked.add(order["revoke"])
        if "groups" in order:
            self.state.groups |= order["groups"]
        if "opaque" in order:
            answer["token"] = secrets.token_urlsafe(24)
            self.state.tokens[answer["token"]] = order["opaque"]
        if "sign" in order:
            person = self.state.person(order["login"]) if "login" in order else {}
            answer["token"] = self.state.sign({**person, **order["sign"]}, **order.get("header", {}))
        answer["requests"], self.state.requests = self.state.requests, []
        self.send(200, answer)

    def send(self, status: int, answer: Any) -> None:
        self.answer(status, json.dumps(answer).encode(), {"Content-Type": "application/json"})


def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    Handler.state = State(f"http://127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(Handler.state.issuer, flush=True)
    sys.stdin.read()  # it ends with the process that started it


if __name__ == "__main__":
    main()
