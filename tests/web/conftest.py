"""A person at a browser without a screen: `requests`, with its own cookie jar, in front of an Application."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from email.message import Message
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from calsync.accounts.accounts import Accounts
from calsync.app import Application
from tests.dav.conftest import make_application

PASSWORD = "correct horse battery"
HOST = "cal.example.org"


class Wsgi(HTTPAdapter):
    """Hands requests to an application instead of a socket."""

    def __init__(self, application: Application) -> None:
        super().__init__()
        self.application = application

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        url = urlsplit(str(request.url))
        body = request.body or b""
        octets = body.encode() if isinstance(body, str) else bytes(body)  # type: ignore[arg-type]
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method,
            "PATH_INFO": unquote_to_bytes(url.path).decode("latin-1"),
            "calsync.raw_path": url.path,
            "QUERY_STRING": url.query,
            "REMOTE_ADDR": "192.0.2.1",
            "HTTP_HOST": url.netloc,
            "CONTENT_LENGTH": str(len(octets)),
            "wsgi.url_scheme": url.scheme,
            "wsgi.input": io.BytesIO(octets),
        }
        for name, value in request.headers.items():
            key = name.upper().replace("-", "_")
            if key != "CONTENT_LENGTH":
                environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
        started: list[tuple[str, list[tuple[str, str]]]] = []
        chunks = b"".join(self.application(environ, lambda status, headers: started.append((status, headers))))
        status, headers = started[0]
        message = Message()
        for name, value in headers:
            message[name] = value
        raw = HTTPResponse(
            io.BytesIO(chunks),
            headers,
            int(status.split()[0]),
            preload_content=False,
            request_method=request.method,
            original_response=SimpleNamespace(msg=message, isclosed=lambda: True, close=lambda: None),  # type: ignore[arg-type]
        )
        return self.build_response(request, raw)


class Person:
    """Somebody at a browser. Pages are named by what follows `/.calsync/`."""

    def __init__(self, application: Application, *, scheme: str = "https", base: str = "") -> None:
        self.application = application
        self.base = base
        self.root = f"{scheme}://{HOST}{base}"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.mount(f"{scheme}://", Wsgi(application))
        if base:
            self.session.headers["X-Script-Name"] = base

    def get(self, page: str = "", *, follow: bool = False, **options: Any) -> requests.Response:
        return self.session.get(f"{self.root}/.calsync/{page}", allow_redirects=follow, **options)

    def post(self, page: str, fields: Mapping[str, Any] | None = None, **options: Any) -> requests.Response:
        """A bare POST, without looking at a form first."""
        return self.session.post(f"{self.root}/.calsync/{page}", data=fields, allow_redirects=False, **options)

    def fill(self, page: str, *, action: str = "", **fields: Any) -> requests.Response:
        """Look at a page and send its form, hidden fields and all, to where it goes (or to `action`)."""
        shown = self.get(page)
        assert shown.status_code == 200, (page, shown.status_code, shown.headers.get("Location"))
        return self.post(action or page, {**hidden(shown.text, action or page), **fields})

    def sign_in(self, name: str = "anna", password: str = PASSWORD, **more: str) -> requests.Response:
        return self.fill("sign-in", login=name, password=password, **more)

    def dav(self, method: str, path: str, auth: tuple[str, str] | None = None, **options: Any) -> requests.Response:
        return self.session.request(method, f"{self.root}{path}", auth=auth, allow_redirects=False, **options)

    @property
    def cookie(self) -> str:
        """What the cookie holds."""
        return next((str(one.value) for one in self.session.cookies if one.name.endswith("calsync")), "")

    @property
    def is_in(self) -> bool:
        return self.get().status_code == 200

    def add_device(self, label: str = "Phone", **fields: Any) -> str:
        """The app password of a new device."""
        return secret(self.fill("devices/add", label=label, **fields).text)


def hidden(text: str, action: str) -> dict[str, str]:
    """The hidden fields of the form with that action."""
    for form in re.findall(r"<form[^>]*action=\"[^\"]*\".*?</form>", text, re.DOTALL):
        if re.search(rf'action="[^"]*/\.calsync/{re.escape(action)}"', form):
            fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
            return {name: unescape(value) for name, value in fields}
    raise AssertionError(f"no form to {action}")


def secret(text: str) -> str:
    """The app password on a page."""
    found = re.search(r"\b(?:[0-9a-z]{5}-){6}[0-9a-z]{5}\b", text)
    assert found is not None, text
    return found[0]


def application_with(folder: Path, **options: Mapping[str, str]) -> Application:
    made = make_application(folder, **options)
    accounts_of(made).create("anna", PASSWORD, email="anna@example.org")
    accounts_of(made).create("bert", PASSWORD)
    return made


def accounts_of(application: Application) -> Accounts:
    """The accounts as another process has them: they share the store, nothing else."""
    assert application.store is not None
    return Accounts(application.store)


@pytest.fixture
def application(tmp_path: Path) -> Iterator[Application]:
    made = application_with(tmp_path / "data")
    yield made
    made.close()


@pytest.fixture
def anna(application: Application) -> Person:
    """Signed in."""
    person = Person(application)
    assert person.sign_in().status_code == 303
    return person


@pytest.fixture
def nobody(application: Application) -> Person:
    return Person(application)
