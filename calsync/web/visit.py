"""One request of a page: who asks, what the form says, and how a page answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode

from calsync.accounts.sessions import Session
from calsync.dav.registry import Call
from calsync.dav.request import Response
from calsync.web import forms, render, texts
from calsync.webdav.errors import BadRequest, DavError

if TYPE_CHECKING:
    from calsync.web.site import Site

_HOST: Final = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?").fullmatch


class Told(DavError):
    """A refusal whose words are for the person at the browser."""


@dataclass(slots=True)
class Visit:
    """`cookie` is what the browser's cookie holds, known or not; `parts` what the route's pattern matched."""

    site: Site
    call: Call
    cookie: str
    session: Session | None
    parts: Mapping[str, str] = field(default_factory=dict)
    form: forms.Form = field(default_factory=forms.Form)

    # who asks

    @property
    def stage(self) -> str:
        """How far the sign-in has come: empty, `code`, `setup` or `full`."""
        return "" if self.session is None else str(self.session.data.get("stage", "full"))

    @property
    def me(self) -> Session:
        """The session of a page that only those see who signed in."""
        assert self.session is not None, "the route asks for a session"
        return self.session

    # where things are

    def url(self, path: str = "", **query: str) -> str:
        """The address of a page on this host."""
        return f"{self.call.base}/.calsync/{path}" + (f"?{urlencode(query)}" if query else "")

    @property
    def origin(self) -> str:
        """`https://dav.example.org`, as the client knows us. Raises `BadRequest` where that makes no sense."""
        if not _HOST(self.call.host):
            raise BadRequest(f"Host: {self.call.host[:60]!r}")
        return f"{self.call.scheme}://{self.call.host}"

    @property
    def server(self) -> str:
        """What people type into a client as the server."""
        return f"{self.origin}{self.call.base}/"

    def query(self, name: str) -> str:
        """A value from the address."""
        return next((value for key, value in self.asked if key == name), "")

    @property
    def asked(self) -> list[tuple[str, str]]:
        """What follows the `?` of the address; nothing where that is more than any page of ours asks."""
        try:
            return parse_qsl(self.call.query, max_num_fields=50)
        except ValueError:
            return []

    # how a page answers

    def page(
        self, template: str, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
    ) -> Response:
        """A page from a template."""
        shared = {
            "visit": self,
            "me": self.session if self.stage == "full" else None,
            "csrf": forms.token(self.site.form_key, self.cookie),
            "file": self._file,
            "done": texts.DONE.get(self.query("done"), ""),
            "section": "",
        }
        text = render.environment().get_template(template).render({**shared, **values})
        made = {**render.HEADERS, "Content-Type": "text/html; charset=utf-8", **(headers or {})}
        return Response(status, made, text.encode())

    def go(self, path: str = "", **query: str) -> Response:
        """To another page, whatever the method was (RFC 9110 §15.4.4)."""
        return Response(303, {**render.HEADERS, "Location": self.url(path, **query)})

    def _file(self, name: str) -> str:
        return self.url(f"static/{render.loaded(name)[0]}/{name}")
