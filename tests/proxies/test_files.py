"""What the files have in common, Traefik's too, which is not run here; and what docs/proxies.md says of them."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from radicale import rights

from calsync import config
from tests.pages import ROOT
from tests.proxies.proxy import CONFIG

PAGE = (ROOT / "docs" / "proxies.md").read_text()
FILES = ("nginx.conf", "Caddyfile", "apache.conf", "haproxy-single.cfg", "haproxy.cfg", "traefik.yml")

#: By what calsync lets a trusted proxy speak (`calsync.server.environ`), as far as Traefik does not write it anew.
TAKEN_AWAY = {"Forwarded", "Remote-User", "X-Remote-Addr", "X-Remote-User", "X-Script-Name"}


@pytest.fixture(scope="module")
def traefik() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CONFIG / "traefik.yml").read_text())
    return found


@pytest.mark.parametrize("name", FILES)
def test_the_page_has_a_word_on_each_file(name: str) -> None:
    assert f"config/{name}" in PAGE
    assert "docs/proxies.md" in (CONFIG / name).read_text() or name == "haproxy.cfg"


@pytest.mark.parametrize("name", FILES)
def test_no_connection_is_kept_longer_than_calsync_keeps_it(name: str) -> None:
    text = (CONFIG / name).read_text()
    pattern = r"(?:^\s+keepalive_timeout|keepalive|ttl=|idleConnTimeout:|pool-purge-delay) ?=?(\d+)s?(?=;|\s|$)"
    kept = [int(value) for value in re.findall(pattern, text.partition("server {")[0] if "nginx" in name else text)]
    assert kept
    assert max(kept) < 75


def test_traefik_names_only_what_there_is(traefik: dict[str, Any]) -> None:
    http = traefik["http"]
    for router in http["routers"].values():
        assert router["service"] in http["services"]
        assert set(router["middlewares"]) <= set(http["middlewares"])
        assert "tls" in router
    for service in http["services"].values():
        assert service["loadBalancer"]["serversTransport"] in http["serversTransports"]
        assert service["loadBalancer"]["passHostHeader"] is True
    assert not {"stripPrefix", "buffering", "compress"} & {kind for one in http["middlewares"].values() for kind in one}


def test_traefik_takes_away_what_clients_say_of_themselves(traefik: dict[str, Any]) -> None:
    routers, middlewares = traefik["http"]["routers"], traefik["http"]["middlewares"]
    away = middlewares["calsync-who"]["headers"]["customRequestHeaders"]
    assert away == dict.fromkeys(TAKEN_AWAY, "")
    for name in ("calendars", "calendars-below"):
        assert routers[name]["middlewares"][0] == "calsync-who"


def test_traefik_has_the_sub_path(traefik: dict[str, Any]) -> None:
    below = traefik["http"]["routers"]["calendars-below"]
    assert below["middlewares"][-1] == "calsync-below"
    assert traefik["http"]["middlewares"]["calsync-below"]["headers"]["customRequestHeaders"] == {
        "X-Script-Name": "/dav"
    }
    for part in ("Path(`/dav`)", "PathPrefix(`/dav/`)", r"PathRegexp(`^/\.well-known/(caldav|carddav|timezone)/?$`)"):
        assert part in below["rule"]


@pytest.mark.parametrize(
    ("user", "path", "wanted"),
    [
        ("anna", "", "R"),
        ("anna", "anna", "RW"),
        ("anna", "anna/calendar", "rw"),
        ("ben", "family/trips", "rw"),
        ("carla", "family/trips", ""),
        ("anna", "ben/calendar", ""),
        ("", "anna/calendar", ""),
        ("", "club/public-matches", "ri"),
        ("", "club/board", ""),
    ],
)
def test_the_rights_file_says_what_its_comments_say(user: str, path: str, wanted: str) -> None:
    configuration = config.load([], {"rights": {"type": "from_file", "file": str(CONFIG / "rights")}})
    assert rights.load(configuration).authorization(user, set(), f"/{path}") == wanted
