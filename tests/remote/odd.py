"""A server that does what some do and others do not: each oddity is switched on by a test."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from lxml import etree

from calsync.webdav.multistatus import EPILOGUE, PROLOGUE, element, escape
from calsync.webdav.names import CARDDAV, CS_, C, D
from tests.http_servers import Handler, Server

Answer = tuple[int, bytes, dict[str, str]]

#: As Nextcloud and others declare what they alone have.
_NC = "http://nextcloud.com/ns"


@dataclass
class Held:
    """A collection. `types`: what stands in resourcetype beside `collection`; `props`: more XML for its properties."""

    types: bytes
    items: dict[str, bytes] = field(default_factory=dict)
    props: bytes = b""


@dataclass
class Odd:
    """`home`: path of the home, below which `collections` stand by name. What it does, its switches say."""

    collections: dict[str, Held] = field(default_factory=dict)
    home: str = "/dav/anna"
    multiget: bool = True
    sync: bool = False
    page: int = 1000  # responses of a sync-collection before it answers 507
    etags: str = '"%s"'  # W/"%s" makes them weak, an empty text leaves them out
    etags_in_multiget: bool = True
    absolute: bool = False
    encoded: bool = True
    broken: str = ""  # name of a collection whose listing is no XML
    spoilt: str = ""  # text in an object that makes each multiget with it no XML
    throttle: int = 0  # how many requests are answered 429 first
    cut: int = 0  # how many requests are cut off first
    moved: str = ""  # where everything else than this path is sent to (301)
    home_host: str = ""  # origin that the home is said to be at
    login: str = ""  # what Authorization has to be
    digest: tuple[str, str] | None = None  # a name and a password, as Baïkal asks for them
    asked: list[tuple[str, str]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    fetched: int = 0
    most: int = 1 << 30  # how many objects may be fetched; whoever asks for more waits until the server ends
    over: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def put(self, collection: str, name: str, octets: bytes) -> None:
        self.collections[collection].items[name] = octets

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    # --- answers ------------------------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, depth: str, body: bytes) -> Answer:
        if path.startswith("/.well-known/") or (self.moved and not path.startswith(self.moved)):
            return 301, b"", {"Location": self.moved or "/dav/"}
        parts = [part for part in unquote(path).removeprefix(self.home).split("/") if part]
        if method == "PROPFIND" and not unquote(path).startswith(self.home):
            return self.multistatus(self.response(path, element(D("current-user-principal"), self.href(self.home))))
        if not parts:
            return self.homes(depth)
        held = self.collections.get(parts[0])
        if held is None:
            return 404, b"", {}
        if method == "GET" and len(parts) == 2 and parts[1] in held.items:
            self.fetched += 1
            return 200, held.items[parts[1]], {"ETag": self.etag(held.items[parts[1]])} if self.etags else {}
        if method == "PROPFIND":
            if parts[0] == self.broken:
                return 207, b"<D:multistatus xmlns:D='DAV:'><D:response>", {}
            inside = (
                [self.listed(parts[0], name, octets) for name, octets in held.items.items()] if depth == "1" else []
            )
            return self.multistatus(self.described(parts[0], held), *inside)
        if method == "REPORT":
            return self.report(parts[0], held, etree.fromstring(body))
        return 404, b"", {}

    def homes(self, depth: str) -> Answer:
        at = self.home_host + self.home
        own = self.response(
            self.home + "/",
            element(D("resourcetype"), element(D("collection"))),
            element(D("current-user-principal"), self.href(self.home)),
            element(C("calendar-home-set"), self.href(at)),
            element(f"{{{CARDDAV}}}addressbook-home-set", self.href(at)),
        )
        below = [self.described(name, held) for name, held in self.collections.items()] if depth == "1" else []
        return self.multistatus(own, *below)

    def described(self, name: str, held: Held) -> bytes:
        return self.response(
            f"{self.home}/{quote(name)}/",
            element(D("resourcetype"), element(D("collection")) + held.types),
            held.props,
        )

    def listed(self, collection: str, name: str, octets: bytes, *more: bytes, etag: bool = True) -> bytes:
        path = f"{self.home}/{quote(collection)}/{quote(name) if self.encoded else escape(name)}"
        shown = (self.url.rstrip("/") if self.absolute else "") + path
        tag = element(D("getetag"), self.etag(octets)) if self.etags and etag else b""
        return self.response(shown, tag, element(D("resourcetype")), *more)

    def report(self, name: str, held: Held, root: etree._Element) -> Answer:
        if root.tag == D("sync-collection") and self.sync:
            token = root.findtext(D("sync-token")) or "0"
            self.tokens.append(token)
            start = int(token.rpartition("/")[2] or 0)
            items = list(held.items.items())
            page = [self.listed(name, *one) for one in items[start : start + self.page]]
            over = start + self.page < len(items)
            rest = [self.status(f"{self.home}/{name}/", 507)] if over else []
            tail = element(D("sync-token"), f"http://odd/{min(start + self.page, len(items))}")
            return self.multistatus(*page, *rest, tail)
        if str(root.tag).endswith("multiget") and self.multiget:
            data = C("calendar-data") if "caldav" in str(root.tag) else f"{{{CARDDAV}}}address-data"
            found = []
            for href in root.iterchildren(D("href")):
                if self.fetched >= self.most:
                    self.over.wait()
                one = unquote((href.text or "").rpartition("/")[2])
                if one in held.items:
                    octets = held.items[one]
                    if self.spoilt and self.spoilt.encode() in octets:
                        return 207, b"<broken", {}
                    self.fetched += 1
                    text = element(data, octets.decode())
                    found.append(self.listed(name, one, octets, text, etag=self.etags_in_multiget))
            return self.multistatus(*found)
        return 403, b"", {}

    def etag(self, octets: bytes) -> str:
        return self.etags % hashlib.sha1(octets).hexdigest() if self.etags else ""

    def href(self, path: str) -> bytes:
        return element(D("href"), path)

    def response(self, path: str, *props: bytes) -> bytes:
        inner = element(D("prop"), b"".join(props)) + element(D("status"), "HTTP/1.1 200 OK")
        return element(D("response"), element(D("href"), path) + element(D("propstat"), inner))

    def status(self, path: str, code: int) -> bytes:
        return element(D("response"), element(D("href"), path) + element(D("status"), f"HTTP/1.1 {code} Odd"))

    def multistatus(self, *parts: bytes) -> Answer:
        return 207, PROLOGUE + b"".join(parts) + EPILOGUE, {}


class _Handler(Handler):
    disable_nagle_algorithm = True  # head and body are written one after the other
    odd: Odd

    def _do(self) -> None:
        odd = self.odd
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = re.search(rb"<(?:\w+:)?([\w-]+)[ >/]", body.partition(b"?>")[2] or body)
        odd.asked.append((self.command, kind[1].decode() if kind else ""))
        if odd.throttle > 0:
            odd.throttle -= 1
            self.answer(429, b"", {"Retry-After": "0"})
        elif odd.cut > 0:
            odd.cut -= 1
            self.close_connection = True
        elif odd.digest and not _knows(self.headers.get("Authorization") or "", self.command, *odd.digest):
            self.answer(401, b"", {"WWW-Authenticate": 'Digest realm="odd", nonce="n", qop="auth", opaque="o"'})
        elif odd.login and self.headers.get("Authorization") != odd.login:
            self.answer(401, b"", {"WWW-Authenticate": 'Basic realm="odd"'})
        else:
            self.answer(*odd.answer(self.command, self.path, self.headers.get("Depth", "0"), body))

    do_GET = do_PROPFIND = do_REPORT = do_OPTIONS = _do


def _knows(header: str, method: str, name: str, password: str) -> bool:
    """RFC 7616 §3.4.1, with MD5."""
    said = dict(re.findall(r'(\w+)="?([^",]+)"?', header.removeprefix("Digest ")))
    if not header.startswith("Digest ") or said.get("username") != name:
        return False
    first = hashlib.md5(f"{name}:odd:{password}".encode()).hexdigest()
    second = hashlib.md5(f"{method}:{said['uri']}".encode()).hexdigest()
    whole = f"{first}:n:{said['nc']}:{said['cnonce']}:auth:{second}"
    return said["response"] == hashlib.md5(whole.encode()).hexdigest()


@contextmanager
def serving(odd: Odd) -> Iterator[Odd]:
    """The server on loopback, until the block ends."""
    handler = type("Handler", (_Handler,), {"odd": odd})
    with Server(("127.0.0.1", 0), handler) as server:
        odd.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield odd
        finally:
            odd.over.set()
            server.shutdown()


CALENDAR = element(C("calendar"))
ADDRESSBOOK = element(f"{{{CARDDAV}}}addressbook")
SUBSCRIBED = element(CS_("subscribed"))
TRASH = element(f"{{{_NC}}}trash-bin")
