"""What a Radicale configuration says keeps holding: back ends for logins and rights, hooks, headers, limits, prefixes."""

from __future__ import annotations

import base64
import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from passlib.hash import apr_md5_crypt, sha256_crypt, sha512_crypt

from calsync import config
from calsync.app import Application
from calsync.webdav import reader
from tests.dav.conftest import PASSWORD, Client, event, make_application
from tests.server_process import NotStarted, ServerProcess

Made = Callable[..., Application]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    """Make applications, closed at the end."""
    applications: list[Application] = []

    def make(folder: str = "data", **options: dict[str, str]) -> Application:
        applications.append(make_application(tmp_path / folder, **options))
        return applications[-1]

    yield make
    for application in applications:
        application.close()


def anyone(made: Made, **options: dict[str, str]) -> Application:
    """An application that takes every login. Radicale's rights then verify nobody, unless they stand in a file."""
    return made(auth={"type": "none"}, **options)


@pytest.fixture
def known(tmp_path: Path, made: Made) -> Made:
    """Make applications that know anna, bert and cleo."""
    users = tmp_path / "users"
    users.write_text("".join(f"{name}:{PASSWORD}\n" for name in ("anna", "bert", "cleo")))
    auth = {"type": "htpasswd", "htpasswd_filename": str(users), "htpasswd_encryption": "plain"}
    return functools.partial(made, auth=auth)


# --- logins -----------------------------------------------------------------------------------------------------------


def bcrypt_of(password: str) -> str:
    import bcrypt

    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


@pytest.mark.parametrize(
    ("encryption", "hashed"),
    [
        ("plain", str),
        ("md5", apr_md5_crypt.hash),
        ("sha256", sha256_crypt.using(rounds=1000).hash),
        ("sha512", sha512_crypt.using(rounds=1000).hash),
        ("bcrypt", bcrypt_of),
        ("autodetect", bcrypt_of),
    ],
)
@pytest.mark.parametrize("cached", ["True", "False"])
def test_htpasswd(tmp_path: Path, made: Made, encryption: str, hashed: Callable[[str], str], cached: str) -> None:
    users = tmp_path / "users"
    users.write_text(f"anna:{hashed('gülden')}\n")
    application = made(
        auth={
            "type": "htpasswd",
            "htpasswd_filename": str(users),
            "htpasswd_encryption": encryption,
            "cache_logins": cached,
        }
    )
    for _ in range(2):
        assert Client(application, "anna", "gülden").propfind("/anna/", Depth="0").status == 207
        assert Client(application, "anna", "wrong").propfind("/anna/", Depth="0").status == 401
    assert Client(application, "bert", "gülden").propfind("/bert/", Depth="0").status == 401
    assert Client(application, "").propfind("/anna/", Depth="0").status == 401


def test_users_of_one_name_in_two_cases_stay_apart(tmp_path: Path, made: Made) -> None:
    users = tmp_path / "users"
    users.write_text("anna:one\nAnna:two\n")
    application = made(auth={"type": "htpasswd", "htpasswd_filename": str(users), "htpasswd_encryption": "plain"})
    small, capital = Client(application, "anna", "one"), Client(application, "Anna", "two")
    assert small.put("/anna/calendar/a.ics", event("a")).status == 201
    for path in ("/anna/calendar/a.ics", "/Anna/calendar/a.ics", "/ANNA/calendar/a.ics"):
        assert b"UID:a" not in capital.get(path).body, path
        assert capital.put(path, event("a", "SUMMARY:mine")).status >= 400
    assert b"Event a" in small.get("/anna/calendar/a.ics").body
    answer = capital.propfind("/", Depth="infinity")
    assert "a.ics" not in answer.text


@pytest.mark.parametrize(
    ("options", "login", "home"),
    [
        ({"lc_username": "True"}, "ANNA", "anna"),
        ({"strip_domain": "True"}, "anna@example.com", "anna"),
        ({"urldecode_username": "True"}, "anna%40example.com", "anna@example.com"),
    ],
)
def test_names_as_the_configuration_treats_them(made: Made, options: dict[str, str], login: str, home: str) -> None:
    client = Client(made(auth={"type": "none", **options}), login)
    principal = "{DAV:}current-user-principal"
    assert reader.read(client.props("/", principal).body).responses[0].props[principal][1][0].text == f"/{quote(home)}/"


@pytest.mark.parametrize(
    ("kind", "header"), [("http_x_remote_user", "X-Remote-User"), ("http_remote_user", "Remote-User")]
)
def test_a_proxy_that_logs_in(made: Made, kind: str, header: str) -> None:
    application = made(auth={"type": kind})
    client = Client(application, "")
    assert client.propfind("/anna/", Depth="0").status == 401
    assert client.request("PROPFIND", "/anna/", Depth="0", **{header: "anna"}).status == 207
    assert client.request("PROPFIND", "/anna/", Depth="0", **{header: "bert"}).status == 403
    # A password is nothing to this back end.
    assert Client(application, "anna").propfind("/anna/", Depth="0").status == 401


def test_a_proxys_word_is_taken_from_a_proxy_only(tmp_path: Path) -> None:
    """Loopback is trusted, others only where `trusted_proxies` names them; a test has but loopback, so it counts here."""
    text = "[auth]\ntype = http_x_remote_user\n[logging]\nlevel = info\n"
    with ServerProcess(tmp_path, config_text=text) as server:
        headers = {"X-Remote-User": "anna", "Depth": "0"}
        assert requests.request("PROPFIND", f"{server.url}anna/", headers=headers, timeout=60).status_code == 207
        underscore = {"X_Remote_User": "anna", "Depth": "0"}
        assert requests.request("PROPFIND", f"{server.url}anna/", headers=underscore, timeout=60).status_code == 401


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("type = oauth2", "OAuth2 token endpoint URL is required"),
        ("type = htpasswd\nhtpasswd_filename = /no/users", "Failed to load htpasswd file '/no/users'"),
        ("type = htpaswd", "(did you mean htpasswd?)"),
        ("type = no_such_module", "[auth] type: 'no_such_module' is no type, and no module of Python's"),
    ],
)
def test_a_back_end_that_cannot_be_loaded_is_one_line(tmp_path: Path, options: str, message: str) -> None:
    server = ServerProcess(tmp_path, config_text=f"[auth]\n{options}\n")
    with pytest.raises(NotStarted):
        server.start()
    last = server.log().splitlines()[-1]
    assert last.startswith("calsync: config: "), server.log()
    assert message in last
    assert "Traceback" not in server.log()


@pytest.mark.parametrize(
    "options",
    [
        {"type": "imap", "imap_host": "127.0.0.1:1", "imap_security": "none"},
        {"type": "dovecot", "dovecot_connection_type": "AF_UNIX", "dovecot_socket": "/no/socket"},
        {"type": "oauth2", "oauth2_token_endpoint": "http://127.0.0.1:1/token"},
    ],
)
def test_a_back_end_whose_server_is_away_lets_nobody_in(made: Made, options: dict[str, str]) -> None:
    client = Client(made(auth=options))
    assert client.propfind("/anna/", Depth="0").status in (401, 500, 503)
    assert Client(client.application, "").propfind("/anna/", Depth="0").status == 401


# --- rights -----------------------------------------------------------------------------------------------------------

RIGHTS = r"""
[root]
user: .+
collection:
permissions: R
[home]
user: .+
collection: {user}
permissions: RW
[own]
user: .+
collection: {user}/[^/]+
permissions: rw
[public]
user: .*
collection: anna/public
permissions: r
[reader]
user: bert
collection: anna/team
permissions: r
[writer]
user: cleo
collection: anna/team
permissions: rw
[busy]
user: bert
collection: anna/busy
permissions: f
[once]
user: .*
collection: anna/feed
permissions: i
"""


@pytest.fixture
def team(tmp_path: Path, known: Made) -> Application:
    rights = tmp_path / "rights"
    rights.write_text(RIGHTS)
    application = known(rights={"type": "from_file", "file": str(rights)})
    anna = Client(application)
    for name in ("public", "team", "busy", "feed", "secret"):
        assert anna.mkcalendar(f"/anna/{name}/").status == 201
        assert anna.put(f"/anna/{name}/a.ics", event("a")).status == 201
    return application


def test_a_reader_and_a_writer(team: Application) -> None:
    bert, cleo = Client(team, "bert"), Client(team, "cleo")
    assert bert.get("/anna/team/a.ics").status == 200
    assert bert.sync("/anna/team/").status == 207
    assert bert.put("/anna/team/a.ics", event("a", "SUMMARY:x")).status == 403
    assert bert.delete("/anna/team/a.ics").status == 403
    body = '<propertyupdate xmlns="DAV:"><set><prop><displayname>x</displayname></prop></set></propertyupdate>'
    assert bert.proppatch("/anna/team/", body).status == 403
    assert cleo.proppatch("/anna/team/", body).status == 207
    assert cleo.put("/anna/team/a.ics", event("a", "SUMMARY:x")).status == 204
    assert cleo.put("/anna/team/b.ics", event("b")).status == 201
    for client in (bert, cleo):
        assert client.get("/anna/secret/a.ics").status == 403
        assert client.propfind("/anna/", Depth="1").status == 403
        assert client.put("/anna/new/", event("x")).status == 403


def test_a_public_calendar(team: Application) -> None:
    nobody = Client(team, "")
    assert nobody.get("/anna/public/a.ics").status == 200
    assert nobody.get("/anna/public/").status == 200
    assert nobody.props("/anna/public/", "{DAV:}getetag", depth="1").status == 207
    assert nobody.put("/anna/public/a.ics", event("a")).status == 401
    assert nobody.get("/anna/team/a.ics").status == 401


def test_busy_times_only(team: Application) -> None:
    bert = Client(team, "bert")
    busy = (
        '<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav">'
        '<C:time-range start="20260301T000000Z" end="20260302T000000Z"/></C:free-busy-query>'
    )
    answer = bert.report("/anna/busy/", busy, Depth="1")
    assert (answer.status, "FREEBUSY" in answer.text) == (200, True)
    assert bert.get("/anna/busy/a.ics").status == 403
    assert bert.sync("/anna/busy/").status == 403
    assert bert.report("/anna/secret/", busy, Depth="1").status == 403


def test_get_only(team: Application) -> None:
    nobody = Client(team, "")
    assert nobody.get("/anna/feed/").status == 200
    assert nobody.propfind("/anna/feed/", Depth="0").status == 401
    assert nobody.sync("/anna/feed/").status == 401


@pytest.mark.parametrize(
    ("letters", "permitted", "deleted"),
    [("rw", "True", 204), ("rwd", "True", 403), ("rw", "False", 403), ("rwD", "False", 204)],
)
def test_letters_for_deleting_a_collection(
    tmp_path: Path, made: Made, letters: str, permitted: str, deleted: int
) -> None:
    client = Client(_ruled(tmp_path, made, letters, {"permit_delete_collection": permitted}))
    assert client.delete("/anna/calendar/").status == deleted


@pytest.mark.parametrize(
    ("letters", "permitted", "replaced"),
    [("rw", "True", 204), ("rwo", "True", 403), ("rw", "False", 403), ("rwO", "False", 204)],
)
def test_letters_for_replacing_a_collection(
    tmp_path: Path, made: Made, letters: str, permitted: str, replaced: int
) -> None:
    client = Client(_ruled(tmp_path, made, letters, {"permit_overwrite_collection": permitted}))
    assert client.put("/anna/calendar/", event("new")).status == replaced


def _ruled(tmp_path: Path, made: Made, letters: str, options: dict[str, str]) -> Application:
    rights = tmp_path / "rights"
    rights.write_text(
        f"[home]\nuser: .+\ncollection: {{user}}\npermissions: RW\n"
        f"[own]\nuser: .+\ncollection: {{user}}/[^/]+\npermissions: {letters}\n"
    )
    return anyone(made, rights={"type": "from_file", "file": str(rights), **options})


@pytest.mark.parametrize(
    ("kind", "get", "put"), [("owner_only", 403, 403), ("owner_write", 200, 403), ("authenticated", 200, 204)]
)
def test_radicales_rights_without_a_file(known: Made, kind: str, get: int, put: int) -> None:
    application = known(rights={"type": kind})
    assert Client(application).put("/anna/calendar/a.ics", event("a")).status == 201
    bert = Client(application, "bert")
    assert bert.get("/anna/calendar/a.ics").status == get
    assert bert.put("/anna/calendar/a.ics", event("a", "SUMMARY:x")).status == put
    assert Client(application, "").get("/anna/calendar/a.ics").status == 401


# --- hooks, first collections, headers, limits, prefixes, files ---------------------------------------------------------

HOOK = """
from radicale import hook

TOLD = []

class Hook(hook.BaseHook):
    enabled = True

    def notify(self, notification_item):
        TOLD.append(notification_item)
        if "explode" in (notification_item.new_content or ""):
            raise RuntimeError("a hook that fails")
"""


def test_a_hook_is_told_after_the_commit(tmp_path: Path, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hook_of_a_test.py").write_text(HOOK)
    monkeypatch.syspath_prepend(tmp_path)
    application = anyone(made, hook={"type": "hook_of_a_test"})
    client = Client(application)
    assert client.put("/anna/calendar/a.ics", event("a")).status == 201
    assert client.put("/anna/calendar/a.ics", event("a", "SUMMARY:x")).status == 204
    assert client.put("/anna/calendar/bad.ics", b"bad").status >= 400
    assert client.delete("/anna/calendar/a.ics").status == 204
    assert client.put("/anna/calendar/explode.ics", event("explode")).status == 201
    assert application.hands is not None
    application.hands.settle(60)
    everything = sys.modules["hook_of_a_test"].TOLD
    told = [one for one in everything if "explode" not in (one.new_content or "")]  # order is kept of each resource
    assert len(everything) > len(told), "what failed was told, too, and is told again"
    assert [one.type for one in told] == ["upsert", "upsert", "delete"]
    assert {(one.point, one.actor) for one in told} == {("anna/calendar", "anna")}
    assert "SUMMARY:x" in told[1].new_content
    assert "Event a" in told[1].old_content
    assert client.get("/anna/calendar/explode.ics").status == 200


def test_predefined_collections_win(made: Made) -> None:
    wanted = (
        '{"def-addressbook": {"D:displayname": "Cards", "tag": "VADDRESSBOOK"}, "def-calendar":'
        ' {"C:supported-calendar-component-set": "VEVENT,VTODO", "D:displayname": "Dates", "tag": "VCALENDAR"}}'
    )
    client = Client(anyone(made, storage={"predefined_collections": wanted}))
    answer = client.props("/anna/", "{DAV:}displayname", depth="1")
    assert set(answer.statuses) == {"/anna/", "/anna/def-addressbook/", "/anna/def-calendar/"}
    assert answer.value("/anna/def-calendar/", "{DAV:}displayname") == "Dates"


def test_extra_headers(made: Made) -> None:
    client = Client(anyone(made, headers={"Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "mine"}))
    for answer in (client.options("/"), client.get("/anna/calendar/"), client.get("/anna/none/"), client.get("/.web/")):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["X-Content-Type-Options"] == "mine"


def test_max_content_length(made: Made) -> None:
    client = Client(anyone(made, server={"max_content_length": "600"}))
    assert client.put("/anna/calendar/a.ics", event("a")).status == 201
    assert client.put("/anna/calendar/b.ics", event("b", "DESCRIPTION:" + "x" * 600)).status == 413
    assert client.get("/anna/calendar/b.ics").status == 404


@pytest.mark.parametrize("by", ["header", "option"])
@pytest.mark.parametrize("left_on", [True, False], ids=["prefix left on", "prefix taken off"])
def test_below_a_prefix(made: Made, by: str, left_on: bool) -> None:
    server = {"script_name": "/dav/ü"} if by == "option" else {}
    headers = {"X-Script-Name": "/dav/%C3%BC"} if by == "header" else {}
    client = Client(anyone(made, server=server), headers=headers)
    path = "/dav/%C3%BC" if left_on else ""
    base = "/dav/%C3%BC"
    assert client.put(f"{path}/anna/calendar/a.ics", event("a")).status == 201
    listing = client.props(f"{path}/anna/calendar/", "{DAV:}getetag", depth="1")
    assert set(listing.statuses) == {f"{base}/anna/calendar/", f"{base}/anna/calendar/a.ics"}
    moved = client.move(f"{path}/anna/calendar/a.ics", Destination=f"http://localhost:5232{base}/anna/calendar/b.ics")
    assert moved.status == 201
    assert client.get(f"{path}/.well-known/caldav").headers["Location"] == f"{base}/"
    assert client.get(f"{path}/").headers["Location"] == f"{base}/.web"
    assert client.get(f"{path}/.web").headers["Location"] == f"{base}/.web/"
    assert client.get(f"{path}/.web/").status == 200


def test_two_files_of_which_the_later_wins(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("[auth]\ntype = none\n[logging]\nlevel = error\n")
    (tmp_path / "b").write_text("[logging]\nlevel = warning\n[calsync]\ndirectory = all\n")
    read = config.load(f"{tmp_path}/a:{tmp_path}/b:?{tmp_path}/none")
    assert read.get("auth", "type") == "none"
    assert read.get("logging", "level") == "warning"
    assert read.get("calsync", "directory") == "all"


def test_stocks_storage_is_stocks_whole(tmp_path: Path) -> None:
    """Through the real server: bodies, UTF-8 paths, and the answers of Radicale itself."""
    text = f"[storage]\ntype = multifilesystem\nfilesystem_folder = {tmp_path}/radicale\n[auth]\ntype = none\n"
    with ServerProcess(tmp_path / "server", config_text=text) as server:
        url = f"{server.url}j%C3%BCrgen/caf%C3%A9/"
        login = {"Authorization": "Basic " + base64.b64encode("jürgen:".encode()).decode()}
        assert requests.request("MKCALENDAR", url, headers=login, timeout=60).status_code == 201
        assert requests.put(f"{url}%C3%A4.ics", event("a"), headers=login, timeout=60).status_code == 201
        assert requests.get(f"{url}%C3%A4.ics", headers=login, timeout=60).text.count("UID:a") == 1
        listing = requests.request("PROPFIND", url, headers={**login, "Depth": "1"}, timeout=60)
        assert listing.status_code == 207
        hrefs = {one.href for one in reader.read(listing.content).responses}
        assert hrefs == {"/j%C3%BCrgen/caf%C3%A9/", "/j%C3%BCrgen/caf%C3%A9/%C3%A4.ics"}
        assert requests.put(f"{url}big.ics", b"x" * 11_000_000, headers=login, timeout=60).status_code >= 400
        assert requests.get(f"{server.url}.web/", timeout=60).status_code == 200
    assert (tmp_path / "radicale/collection-root/jürgen/café/ä.ics").is_file()
