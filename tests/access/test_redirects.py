"""A redirect stays here."""

from __future__ import annotations

import re

import pytest

from tests.dav.conftest import Client


@pytest.mark.parametrize(
    "prefix", ["//evil", "/\\evil", "///evil/x", "/ /evil", "http://evil", "\\\\evil", "/..//evil"]
)
def test_a_redirect_stays_here(anna: Client, prefix: str) -> None:
    for path in ("/", "/.well-known/caldav", "/.web"):
        answer = anna.request("GET", path, X_Script_Name=prefix)
        location = answer.headers.get("Location", "/")
        assert answer.status in (200, 301, 302, 400), (path, answer.status)
        assert re.match(r"/(?![/\\])", location) or location.startswith(".web"), (path, location)


def test_a_redirect_stays_here_whatever_the_path(nobody: Client) -> None:
    for path in ("//evil/.well-known/caldav", "/%5Cevil/.well-known/caldav", "//evil/%2e%2e", "//evil"):
        answer = nobody.get(path)
        assert answer.headers.get("Location", "/") in ("/", "/.web"), path
