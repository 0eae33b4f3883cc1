"""What Prometheus is told by a real server with two workers."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from calsync import user_agents
from calsync.counters import families
from tests.ports import free_port
from tests.server_process import ServerProcess

PASSWORD = "correct horse battery"
ANNA = ("anna", PASSWORD)
SYNC = (
    '<sync-collection xmlns="DAV:"><sync-token>{}</sync-token><sync-level>1</sync-level>{}'
    "<prop><getetag/></prop></sync-collection>"
)
EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:t\r\nBEGIN:VEVENT\r\nUID:{0}\r\nDTSTAMP:20260101T000000Z\r\n"
    "DTSTART:20260101T000000Z\r\nSUMMARY:{0}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)

Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Watched(ServerProcess):
    """With figures on an address of their own."""

    port = 0

    def scrape(self) -> str:
        answer = requests.get(f"http://127.0.0.1:{self.port}/metrics", timeout=60)
        assert answer.status_code == 200
        return answer.text

    def figures(self) -> Figures:
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(self.scrape())
            for sample in family.samples
        }

    def figure(self, name: str, **labels: str) -> float:
        """The sum of all samples with these labels."""
        wanted = set(labels.items())
        return sum(value for (of, has), value in self.figures().items() if of == f"calsync_{name}" and wanted <= has)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    port = free_port()
    text = f"[metrics]\nlisten = 127.0.0.1:{port}\n[calsync]\nlog_format = json\n[logging]\nlevel = info\n"
    watched = Watched(tmp_path_factory.mktemp("metrics"), config_text=text, args=["--workers", "2"])
    watched.port = port
    with watched:
        watched.add_user("anna", PASSWORD)
        watched.command("user", "add", "root", "--password-file", "-", "--role", "admin", input=f"{PASSWORD}\n")
        requests.request("PROPFIND", f"{watched.url}anna/", auth=ANNA, headers={"Depth": "1"}, timeout=60)
        yield watched


def report(server: Watched, body: str) -> requests.Response:
    headers = {"User-Agent": "DAVx5/4.4 (dav4jvm) Android/14", "Content-Type": "application/xml"}
    return requests.request("REPORT", f"{server.url}anna/calendar/", data=body, auth=ANNA, headers=headers, timeout=60)


def test_requests_are_counted_by_report_client_and_status(server: Watched) -> None:
    for number in range(4):
        url = f"{server.url}anna/calendar/{number}.ics"
        requests.put(url, data=EVENT.format(number), auth=ANNA, headers={"Content-Type": "text/calendar"}, timeout=60)
    asked = {"method": "REPORT", "report": "sync-collection"}
    before = server.figure("requests_total", client="davx5", status="207", **asked)
    whole = report(server, SYNC.format("", ""))
    report(server, SYNC.format("", "<limit><nresults>1</nresults></limit>"))
    assert report(server, SYNC.format("http://else.where/", "")).status_code == 403
    assert server.figure("requests_total", client="davx5", status="207", **asked) == before + 2
    assert server.figure("requests_total", client="davx5", status="403", **asked) == 1
    assert server.figure("response_items_total", **asked) == 5
    assert server.figure("response_bytes_total", **asked) > len(whole.content)
    assert server.figure("request_bytes_total", **asked) > 3 * 100
    assert server.figure("request_seconds_count", **asked) == before + 3
    assert server.figure("syncs_total", kind="first") == 2
    assert server.figure("syncs_total", kind="refused") == 1
    assert server.figure("syncs_truncated_total") == 1
    assert server.figure("store_writes_total") >= 4
    assert server.figure("store_writer_wait_seconds_count") >= 4


def test_logins_are_counted(server: Watched) -> None:
    before = server.figure("logins_total", outcome="refused")
    requests.get(server.url + "anna/", auth=("anna", "wrong"), timeout=60)
    assert server.figure("logins_total", outcome="refused") == before + 1
    assert server.figure("logins_total", outcome="ok") > 4
    assert server.figure("logins_remembered_total") >= 1


def test_what_stands_in_the_store_is_told(server: Watched) -> None:
    figures = {name: value for (name, labels), value in server.figures().items() if not labels}
    assert figures["calsync_store_up"] == 1
    assert figures["calsync_store_on_hold"] == 0
    assert figures["calsync_workers"] == 2
    assert figures["calsync_store_users"] >= 2
    assert figures["calsync_requests_in_flight"] == 0
    assert server.figure("store_database_bytes") > 10_000
    assert server.figure("build_info") == 1


def test_counters_never_go_down_when_a_worker_dies(server: Watched) -> None:
    def counters() -> Figures:
        return {
            key: value for key, value in server.figures().items() if re.search("_(total|count|sum|bucket)$", key[0])
        }

    for _ in range(20):
        requests.get(f"{server.url}.calsync/health", timeout=60)
    before = counters()
    child = int(Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()[0])
    os.kill(child, signal.SIGKILL)
    server.log_until("ended by signal 9")
    after = counters()
    assert {key for key, value in before.items() if after.get(key, 0) < value} == set()
    assert sum(value for (name, _), value in before.items() if name == "calsync_requests_total") >= 20


def test_whatever_clients_send_there_are_only_so_many_figures(server: Watched) -> None:
    for number in range(60):
        headers = {"User-Agent": f"evil-{number}", "X-Request-Id": f"secret-id-{number}"}
        auth = (f"mallory{number}", "guess")
        requests.request(f"M{number}", f"{server.url}path{number}/", headers=headers, auth=auth, timeout=60)
        requests.get(f"{server.url}.calsync/page{number}", headers=headers, timeout=60)
    text = server.scrape()
    for made_up in ("evil", "mallory", "M1", "path1", "page1", "secret-id", "anna", PASSWORD, str(server.folder)):
        assert made_up not in text, made_up
    clients = set(re.findall(r'client="([^"]*)"', text))
    assert clients <= set(user_agents.KINDS)
    assert "other" in clients
    assert text.count("\n") < 1500


def test_every_sample_belongs_to_a_metric_of_the_table(server: Watched) -> None:
    for family in text_string_to_metric_families(server.scrape()):
        name = family.name if family.name in families.ALL else f"{family.name}_total"
        one = families.ALL[name]
        assert family.type == one.kind
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(one.labels), sample


def test_administrators_alone_are_told_on_the_address_of_clients(server: Watched) -> None:
    url = f"{server.url}.calsync/metrics"
    assert requests.get(url, timeout=60).status_code == 401
    assert requests.get(url, auth=ANNA, timeout=60).status_code == 403
    told = requests.get(url, auth=("root", PASSWORD), timeout=60)
    assert told.status_code == 200
    assert "calsync_requests_total{" in told.text
    assert requests.post(url, auth=("root", PASSWORD), timeout=60).status_code == 405


def test_without_figures_there_is_no_address(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, config_text="[metrics]\nlive = False\n") as server:
        assert requests.get(f"{server.url}.calsync/metrics", timeout=60).status_code == 404


def test_the_end_of_the_certificate_and_the_backups_are_told(tmp_path: Path) -> None:
    certificates = Path(__file__).parents[1] / "server" / "certificates"
    port = free_port()
    text = (
        f"[server]\nssl = True\ncertificate = {certificates / 'one.cert.pem'}\nkey = {certificates / 'one.key.pem'}\n"
        f"[metrics]\nlisten = 127.0.0.1:{port}\n[backup]\nfolder = {tmp_path / 'backups'}\n"
        f"[history]\njournal = {tmp_path / 'journal'}\n"
    )
    with Watched(tmp_path, config_text=text) as server:
        server.port = port
        assert server.command("backup").returncode == 0
        assert server.figure("certificate_expiry_timestamp_seconds") == 4949008094  # as `openssl x509 -enddate` says
        assert server.figure("backups") == 1
        assert server.figure("backup_last_success_timestamp_seconds") > 1_700_000_000
        assert server.figure("journal_bytes") >= 0
        assert requests.get(f"http://127.0.0.1:{port}/other", timeout=60).status_code == 404
