"""Options by environment variables, and secrets by files that they name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from calsync.config import ConfigurationError, load
from tests.server_process import ServerProcess


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [one for one in os.environ if re.match(r"CALSYNC_(?!TEST_)|RADICALE_", one)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def test_the_environment_stands_between_the_files_and_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c").write_text("[server]\ntimeout = 1\nmax_connections = 1\nssl = yes\n")
    monkeypatch.setenv("CALSYNC_SERVER_TIMEOUT", "2")
    monkeypatch.setenv("CALSYNC_SERVER_MAX_CONNECTIONS", "2")
    monkeypatch.setenv("CALSYNC_CONFIG", "/nowhere")
    monkeypatch.setenv("CALSYNC_UNRELATED", "is nobody's")
    found = load(str(tmp_path / "c"), {"server": {"timeout": "3"}})
    values = [found.get("server", name) for name in ("timeout", "max_connections", "ssl")]
    assert values == [3, 2, True]
    assert found.get_source("server", "timeout") == "command line"
    assert found.get_source("server", "max_connections") == "environment CALSYNC_SERVER_MAX_CONNECTIONS"
    assert found.get_source("server", "ssl") == f"file {tmp_path}/c"
    assert found.copy().get("server", "max_connections") == 2, "plugins get a copy"


@pytest.mark.parametrize(
    ("name", "section", "option", "value"),
    [
        ("CALSYNC_STORAGE_URL", "storage", "url", "sqlite:////srv/x.db"),
        ("CALSYNC_AUTH_CALSYNC_URL", "auth", "calsync_url", "sqlite:////srv/x.db"),
        ("CALSYNC_CALSYNC_DIRECTORY", "calsync", "directory", "all"),
        ("CALSYNC_HEADERS_X_FRAME_OPTIONS", "headers", "x-frame-options", "DENY"),
        ("CALSYNC_RIGHTS_FILE", "rights", "file", "/etc/rights"),
        ("CALSYNC_AUTH_LDAP_SECRET_FILE", "auth", "ldap_secret_file", "/run/secret"),
    ],
)
def test_every_option_has_a_variable(
    name: str, section: str, option: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert load("").get(section, option) == value


def test_a_plugin_chosen_by_a_variable_takes_its_options_from_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALSYNC_AUTH_TYPE", "somebody_elses")
    monkeypatch.setenv("CALSYNC_AUTH_DOOR", "open")
    assert load("").get("auth", "door") == "open"


@pytest.mark.parametrize("content", ["geheim", "geheim\n", "geheim\r\n"])
def test_a_secret_is_the_content_of_a_file(tmp_path: Path, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_bytes(content.encode())
    monkeypatch.setenv("CALSYNC_AUTH_OAUTH2_CLIENT_SECRET_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("CALSYNC_STORAGE_URL_FILE", str(tmp_path / "secret"))
    found = load("")
    assert (found.get("auth", "oauth2_client_secret"), found.get("storage", "url")) == ("geheim", "geheim")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"CALSYNC_SERVER_HOST": "x:1"}, r"CALSYNC_SERVER_HOST: \[server\] host: no such option \(did you mean hosts"),
        ({"CALSYNC_STORAGE_URI": "x"}, r"CALSYNC_STORAGE_URI: \[storage\] uri: no such option \(did you mean url"),
        ({"CALSYNC_AUTH__REALM": "x"}, r"CALSYNC_AUTH__REALM: \[auth\] _realm: no such option"),
        ({"CALSYNC_SERVER_SSL": "perhaps"}, r"CALSYNC_SERVER_SSL: \[server\] ssl: 'perhaps' cannot be used"),
        ({"CALSYNC_AUTH_LDAP_SECRET": "a", "CALSYNC_STORAGE_URL": "b", "CALSYNC_STORAGE_URL_FILE": "/dev/null"},
         r"CALSYNC_STORAGE_URL and CALSYNC_STORAGE_URL_FILE are both set \(unset one\)"),
        ({"CALSYNC_STORAGE_URL_FILE": "/nowhere/at/all"}, r"CALSYNC_STORAGE_URL_FILE: /nowhere/at/all: no such file"),
        ({"CALSYNC_STORAGE_URL_FILE": "/dev/zero"}, r"CALSYNC_STORAGE_URL_FILE: /dev/zero: larger than a megabyte"),
        ({"CALSYNC_AUTH_TYPE": "none", "CALSYNC_AUTH_CALSYNC_URL": "x"}, r"no such option with this \[auth\] type"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_variable_is_told(
    variables: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=f"^config: .*{message}"):
        load("")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    secret = tmp_path / "server" / "level"
    secret.parent.mkdir()
    secret.write_text("info\n")
    variables = {
        "CALSYNC_SERVER_HOSTS": "127.0.0.1:0",
        "CALSYNC_AUTH_REALM": "Of the environment",
        "CALSYNC_LOGGING_LEVEL_FILE": str(secret),
        "CALSYNC_LIMITS_WORKERS": "2",
    }
    with ServerProcess(tmp_path / "server", config_text="[server]\nhosts = 192.0.2.1:1\n", env=variables) as process:
        yield process


def test_the_server_its_workers_and_other_commands_take_it(server: ServerProcess) -> None:
    refused = requests.request("PROPFIND", server.url, timeout=60)
    assert 'realm="Of the environment"' in refused.headers["WWW-Authenticate"]
    assert "hosts" not in server.command("user", "list").stderr
    (server.folder / "level").write_text("loud\n")
    server.reload()
    server.log_until("not reloaded: config: CALSYNC_LOGGING_LEVEL_FILE: [logging] level: 'loud' cannot be used")
    (server.folder / "level").write_text("info\n")
    server._env = {**server._env, "CALSYNC_SERVER_HOST": "x"}
    told = server.command("user", "list")
    assert (told.returncode, "did you mean hosts" in told.stderr) == (1, True)
