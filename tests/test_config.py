"""The configuration: where it comes from, what differs from Radicale, and what is said when it is wrong."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from calsync import config, options, upstream
from calsync.config import ConfigurationError, load


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own."""
    for name in (*config.VARIABLES, "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_without_a_configuration(tmp_path: Path) -> None:
    found = load("")
    assert found.get("storage", "type") == "calsync_storage"
    assert found.get("auth", "type") == "calsync_auth"
    assert found.get("rights", "type") == "owner_only"
    assert found.get("storage", "filesystem_folder") == str(tmp_path / "data" / "calsync")
    assert found.get("server", "hosts") == [("localhost", 5232)]
    assert found.get("calsync", "trusted_proxies") == ()


def test_defaults_differ_from_radicale_where_it_is_told_and_nowhere_else() -> None:
    ours, theirs = load(""), upstream.Configuration(upstream.DEFAULT_CONFIG_SCHEMA)
    different = {
        (section, option)
        for section in theirs.sections()
        for option in theirs.options(section)
        if ours.get(section, option) != theirs.get(section, option)
    }
    assert different == {
        ("storage", "type"),
        ("storage", "filesystem_folder"),
        ("auth", "type"),
        ("server", "validate_path_value"),
    }
    assert upstream.DEFAULT_CONFIG_SCHEMA["storage"]["type"]["value"] == "multifilesystem", "theirs is left as it is"


def test_files_are_read_in_order_and_the_command_line_wins(tmp_path: Path) -> None:
    one = write(tmp_path / "one", "[server]\ntimeout = 1\nmax_connections = 2\n")
    two = write(tmp_path / "two", "[server]\ntimeout = 3\n[limits]\nidle_timeout = 4.5\n")
    found = load(f"{one}:{two}", {"server": {"ssl": "True"}, "limits": {"connections": "7"}})
    assert found.get("server", "timeout") == 3
    assert found.get("server", "max_connections") == 2
    assert found.get("limits", "idle_timeout") == 4.5
    assert found.get("limits", "connections") == 7
    assert found.get("server", "ssl") is True
    assert config.read_files(found) == [one, two]
    assert load([one, two]).get("server", "timeout") == 3


def test_which_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = write(tmp_path / ".config" / "calsync" / "config", "[server]\ntimeout = 1\n")
    write(tmp_path / ".config" / "radicale" / "config", "[server]\ntimeout = 9\n")
    radicale = write(tmp_path / "radicale", "[server]\ntimeout = 2\n")
    calsync = write(tmp_path / "calsync", "[server]\ntimeout = 3\n")
    assert config.read_files(load()) == [home]
    monkeypatch.setenv("RADICALE_CONFIG", radicale)
    assert load().get("server", "timeout") == 2
    monkeypatch.setenv("CALSYNC_CONFIG", calsync)
    assert load().get("server", "timeout") == 3
    assert load(radicale).get("server", "timeout") == 2


def test_what_was_taken_over_from_radicale_is_read_before(tmp_path: Path) -> None:
    radicale = write(tmp_path / ".config" / "calsync" / "radicale", "[server]\ntimeout = 1\nmax_connections = 1\n")
    own = write(tmp_path / ".config" / "calsync" / "config", "[server]\ntimeout = 2\n")
    found = load()
    assert config.read_files(found) == [radicale, own]
    assert (found.get("server", "timeout"), found.get("server", "max_connections")) == (2, 1)


def test_a_file_that_may_be_missing(tmp_path: Path) -> None:
    assert config.missing_files(load(f"?{tmp_path}/none")) == [f"{tmp_path}/none"]


def test_a_configuration_of_radicale_keeps_its_storage(tmp_path: Path) -> None:
    path = write(tmp_path / "c", "[storage]\ntype = multifilesystem\nfilesystem_folder = /srv/radicale\n")
    found = load(path)
    assert not config.is_own_storage(found)
    assert found.get("storage", "filesystem_folder") == "/srv/radicale"
    assert config.is_own_storage(load(write(tmp_path / "d", "[storage]\nfilesystem_folder = /srv/radicale\n")))


def test_radicales_default_folder_is_used_where_its_collections_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "STOCK_FOLDER", tmp_path / "stock")
    path = write(tmp_path / "c", "[auth]\ntype = none\n")
    assert load(path).get("storage", "filesystem_folder") == str(tmp_path / "data" / "calsync")
    (tmp_path / "stock" / "collection-root").mkdir(parents=True)
    assert load(path).get("storage", "filesystem_folder") == str(tmp_path / "stock")
    assert load("").get("storage", "filesystem_folder") == str(tmp_path / "data" / "calsync")


def test_options_of_plugins_and_free_sections_are_taken(tmp_path: Path) -> None:
    found = load(write(tmp_path / "c", "[storage]\nurl = sqlite:////srv/x.db\n[headers]\nX-Frame-Options = DENY\n"))
    assert found.get("storage", "url") == "sqlite:////srv/x.db"
    assert found.get("headers", "x-frame-options") == "DENY"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[server]\ntimeout = soon\n", r"\[server\] timeout: 'soon' cannot be used: not a number"),
        (
            "[server]\nmax_connections = many\n",
            r"\[server\] max_connections: 'many' cannot be used: not a whole number",
        ),
        ("[server]\nssl = perhaps\n", r"\[server\] ssl: 'perhaps' cannot be used: neither True nor False"),
        ("[server]\nhosts = localhost\n", r"\[server\] hosts: .*'localhost' is not HOST:PORT"),
        ("[server]\ntimout = 3\n", r"\[server\] timout: no such option \(did you mean timeout\?\)"),
        ("[sever]\ntimeout = 3\n", r"\[sever\]: no such section \(did you mean server\?\)"),
        ("[auth]\ntype = htpasswd\nurl = x\n", r"\[auth\] url: no such option"),
        ("[calsync]\ndirectory = friends\n", r"\[calsync\] directory: 'friends' .*none of self, groups, all"),
        ("[calsync]\ntrusted_proxies = 10.0.0.1/8\n", r"\[calsync\] trusted_proxies: '10.0.0.1/8' .*has host bits set"),
        ("[server]\n_internal_server = True\n", r"\[server\] _internal_server: no such option"),
        ("timeout = 3\n", r":1: 'timeout = 3' stands in no section"),
        ("[server]\nssl = yes\nssl = no\n", r":3: \[server\] ssl: is there twice"),
        ("[server]\nssl = yes\n\n[server]\n", r":4: \[server\]: is there twice"),
        ("[server]\nssl\n", r":2: 'ssl\\n' is neither \[section\] nor option = value"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "c", text)
    with pytest.raises(ConfigurationError, match=message) as raised:
        load(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=rf"{tmp_path}/none: no such file"):
        load(f"{tmp_path}/none")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost:5232", [("localhost", 5232)]),
        ("0.0.0.0:1, [::]:2 ,", [("0.0.0.0", 1), ("::", 2)]),
        ("unix:/run/calsync.sock", [("unix:/run/calsync.sock", 0)]),
        ("127.0.0.1:0", [("127.0.0.1", 0)]),
    ],
)
def test_hosts(text: str, expected: list[tuple[str, int]]) -> None:
    assert options.hosts(text) == expected


@pytest.mark.parametrize("text", ["::1:5232", "unix:run", "localhost:99999", "localhost:-1", "5232"])
def test_what_is_no_host(text: str) -> None:
    with pytest.raises(ValueError, match=r"unix socket|HOST:PORT"):
        options.hosts(text)


def test_networks() -> None:
    assert options.networks("192.0.2.1, 2001:db8::/32") == (
        ipaddress.ip_network("192.0.2.1/32"),
        ipaddress.ip_network("2001:db8::/32"),
    )


def test_every_option_of_ours_explains_itself() -> None:
    for section, found in (options.OWN | options.ADDED).items():
        for name, rule in found.items():
            assert rule["help"], f"[{section}] {name}"
