"""One request as a value, and one response."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from calsync.accounts.scopes import ALL
from calsync.accounts.scopes import Scope as Limits
from calsync.upstream import Share, resolve_share, sharing

Segments = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mount:
    """A mapped collection: URLs that begin with `shown` are the resources below `real` (Radicale's sharing)."""

    shown: Segments
    real: Segments
    owner: str
    permissions: str
    properties: Mapping[str, str]

    @classmethod
    def of(cls, share: Share) -> Mount:
        """Strip the tail that both ends of the resolved share have in common: it lies inside the collection."""
        shown = tuple(part for part in share.shown.split("/") if part)
        real = tuple(part for part in share.real.split("/") if part)
        if not share.real.endswith("/"):
            shown, real = shown[:-1], real[:-1]
        return cls(shown, real, share.owner, share.permissions, share.properties)

    @classmethod
    def resolve(
        cls, backend: sharing.BaseSharing, path: Segments, slash: bool, user: str, groups: frozenset[str]
    ) -> tuple[Mount | None, Segments]:
        """Where `path` really is: the mapped collection that it lies in, if any, and the path of the resource."""
        text = "/" + "/".join(path) + ("/" if slash and path else "")
        share = resolve_share(backend, text, user, groups)
        if share is None:
            return None, path
        mount = cls.of(share)
        return mount, mount.real + path[len(mount.shown) :]


@dataclass(slots=True)
class Doing:
    """What an answer consists of, for the log and for figures: filled in while it is made.

    `report`: the local name of the REPORT's element. `items`: resources that a multistatus has told of so far.
    """

    report: str = ""
    items: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """What the gate hands to a method.

    `path` are the decoded segments of the resource itself (a mapped one is already where it really is), `slash` whether
    the URL ended with one. `base` is the prefix that a proxy took off, without a slash at its end. Header names are
    lower case. `user` is empty for anonymous requests; `device` is the label of the app password, if one was used,
    `limits` and `read_only` what it takes away from what the user may do, `role` is the account's.
    """

    id: str
    method: str
    path: Segments
    slash: bool
    base: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    user: str
    groups: frozenset[str] = frozenset()
    mapping: Mount | None = None
    scheme: str = "http"
    host: str = ""
    remote: str = ""
    query: str = ""
    device: str = ""
    limits: Limits = ALL
    read_only: bool = False
    role: str = "user"
    doing: Doing = field(default_factory=Doing, repr=False, compare=False)

    @property
    def actor(self) -> str:
        """Who does it, for the history: `anna`, `anna by Phone`."""
        return f"{self.user} by {self.device}" if self.device else self.user

    def header(self, name: str, default: str = "") -> str:
        """The value of a header, by its lower-case name."""
        return self.headers.get(name, default)


@dataclass(slots=True)
class Response:
    """What a method answers; `body` is whole, or an iterable of chunks that is asked for as the client takes them."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | Iterable[bytes] = b""

    def __iter__(self) -> Iterator[bytes]:
        return iter((self.body,) if isinstance(self.body, bytes) else self.body)


XML = "application/xml; charset=utf-8"


def multistatus(chunks: Iterable[bytes], headers: dict[str, str] | None = None) -> Response:
    """A 207 whose body is streamed."""
    return Response(207, {"Content-Type": XML, **(headers or {})}, chunks)
