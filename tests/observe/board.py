"""The board of config/grafana-dashboard.json, written from this list: `python -m tests.observe.board`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).parents[2] / "config" / "grafana-dashboard.json"
_SOURCE: Final = {"type": "prometheus", "uid": "${source}"}

#: Row → panels: title, unit, kind, and queries with their legends.
ROWS: Final[dict[str, list[tuple[str, str, str, list[tuple[str, str]]]]]] = {
    "Now": [
        ("Store", "short", "stat", [("min(calsync_store_up{$on})", "answers")]),
        ("On hold", "short", "stat", [("max(calsync_store_on_hold{$on})", "on hold")]),
        ("Workers", "short", "stat", [("sum(calsync_workers{$on})", "workers")]),
        ("Connections", "short", "stat", [("sum(calsync_connections{$on})", "connections")]),
        ("Newest backup", "s", "stat", [("time() - max(calsync_backup_last_success_timestamp_seconds{$on})", "old")]),
        ("Certificate", "s", "stat", [("min(calsync_certificate_expiry_timestamp_seconds{$on}) - time()", "left")]),
        ("Jobs given up", "short", "stat", [('sum(calsync_jobs{$on,state="dead"})', "dead")]),
        ("Version", "short", "stat", [("max by (version) (calsync_build_info{$on})", "{{version}}")]),
    ],
    "Requests": [
        ("Requests by client", "reqps", "timeseries", [
            ("sum by (client) (rate(calsync_requests_total{$on}[$__rate_interval]))", "{{client}}")]),
        ("Requests by what is asked", "reqps", "timeseries", [
            ("sum by (method, report) (rate(calsync_requests_total{$on}[$__rate_interval]))",
             "{{method}} {{report}}")]),
        ("Answers that failed", "reqps", "timeseries", [
            ('sum by (status) (rate(calsync_requests_total{$on,status=~"[45].."}[$__rate_interval]))', "{{status}}"),
            ("sum by (status) (rate(calsync_requests_refused_total{$on}[$__rate_interval]))", "{{status}} unread"),
            ("sum by (by) (rate(calsync_responses_broken_off_total{$on}[$__rate_interval]))", "broken off by {{by}}")]),
        ("How long they take", "s", "timeseries", [
            (f"histogram_quantile({q}, sum by (le) (rate(calsync_request_seconds_bucket{{$on}}"
             f"[$__rate_interval])))", name) for q, name in ((0.5, "half"), (0.95, "95 %"), (0.99, "99 %"))]),
        ("95 % of each kind take less", "s", "timeseries", [
            ("histogram_quantile(0.95, sum by (le, method, report) "
             "(rate(calsync_request_seconds_bucket{$on}[$__rate_interval])))", "{{method}} {{report}}")]),
        ("Under way", "short", "timeseries", [("sum(calsync_requests_in_flight{$on})", "requests")]),
        ("Octets", "Bps", "timeseries", [
            ("sum(rate(calsync_request_bytes_total{$on}[$__rate_interval]))", "in"),
            ("sum(rate(calsync_response_bytes_total{$on}[$__rate_interval]))", "out")]),
        ("Resources told of", "short", "timeseries", [
            ("sum by (report) (rate(calsync_response_items_total{$on}[$__rate_interval]))", "{{report}}")]),
    ],
    "Syncing": [
        ("Syncs", "ops", "timeseries", [
            ("sum by (kind) (rate(calsync_syncs_total{$on}[$__rate_interval]))", "{{kind}}"),
            ("sum(rate(calsync_syncs_truncated_total{$on}[$__rate_interval]))", "cut at the limit")]),
        ("Logins", "ops", "timeseries", [
            ("sum by (outcome) (rate(calsync_logins_total{$on}[$__rate_interval]))", "{{outcome}}"),
            ("sum(rate(calsync_logins_remembered_total{$on}[$__rate_interval]))", "remembered")]),
    ],
    "Store": [
        ("Changes", "ops", "timeseries", [
            ("sum(rate(calsync_store_writes_total{$on}[$__rate_interval]))", "transactions"),
            ("sum(rate(calsync_store_retries_total{$on}[$__rate_interval]))", "begun anew")]),
        ("Wait for the writer", "s", "timeseries", [
            (f"histogram_quantile({q}, sum by (le) (rate(calsync_store_writer_wait_seconds_bucket{{$on}}"
             f"[$__rate_interval])))", name) for q, name in ((0.5, "half"), (0.95, "95 %"))]),
        ("Trouble", "ops", "timeseries", [
            ("sum by (kind) (rate(calsync_store_errors_total{$on}[$__rate_interval]))", "{{kind}}"),
            ("sum(rate(calsync_damaged_items_total{$on}[$__rate_interval]))", "damaged objects")]),
        ("Size", "bytes", "timeseries", [
            ("max by (part) (calsync_store_database_bytes{$on})", "{{part}}"),
            ("max(calsync_store_item_bytes{$on})", "items"),
            ("max(calsync_journal_bytes{$on})", "journal"),
            ("sum(calsync_spool_bytes{$on})", "bodies on their way")]),
        ("What it holds", "short", "timeseries", [
            ("max(calsync_store_users{$on})", "users"),
            ("max(calsync_store_collections{$on})", "collections"),
            ("max(calsync_store_items{$on})", "items"),
            ("max(calsync_quarantine_items{$on})", "in quarantine")]),
        ("Backups", "short", "timeseries", [("max(calsync_backups{$on})", "backups")]),
    ],
    "Work beside": [
        ("Queue", "short", "timeseries", [("max by (state) (calsync_jobs{$on})", "{{state}}")]),
        ("Jobs that ended", "ops", "timeseries", [
            ("sum by (outcome) (rate(calsync_jobs_total{$on}[$__rate_interval]))", "{{outcome}}")]),
        ("Oldest job", "s", "timeseries", [("max(calsync_jobs_oldest_seconds{$on})", "waits for")]),
        ("Housekeeping: last done", "s", "timeseries", [
            ("time() - max by (task) (calsync_task_last_success_timestamp_seconds{$on})", "{{task}}")]),
        ("Housekeeping: failures in a row", "short", "timeseries", [
            ("max by (task) (calsync_task_failures{$on})", "{{task}}")]),
    ],
}  # fmt: skip


def written() -> str:
    """The file."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row, inside in ROWS.items():
        panels.append(_panel(len(panels) + 1, row, "row", (0, top, 24, 1)))
        top += 1
        wide, high = (3, 4) if all(kind == "stat" for _, _, kind, _ in inside) else (12, 8)
        for at, (title, unit, kind, queries) in enumerate(inside):
            place = (at * wide % 24, top + at * wide // 24 * high, wide, high)
            panel = _panel(len(panels) + 1, title, kind, place)
            panel["datasource"] = _SOURCE
            panel["fieldConfig"] = {"defaults": {"unit": unit, "min": 0}, "overrides": []}
            if kind == "stat":
                panel["options"] = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "none"}
                if "{{" in queries[0][1]:
                    panel["options"]["textMode"] = "name"
            panel["targets"] = [
                {
                    "refId": chr(65 + number),
                    "datasource": _SOURCE,
                    "expr": query.replace("$on", 'instance=~"$instance"'),
                    "legendFormat": legend,
                }
                for number, (query, legend) in enumerate(queries)
            ]
            panels.append(panel)
        top += (len(inside) * wide + 23) // 24 * high
    board = {
        "title": "calsync",
        "uid": "calsync",
        "tags": ["calsync", "caldav", "carddav"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_source(), _instance()]},
        "panels": panels,
    }
    return json.dumps(board, indent=1, ensure_ascii=False) + "\n"


def _panel(number: int, title: str, kind: str, place: tuple[int, int, int, int]) -> dict[str, Any]:
    left, top, wide, high = place
    return {"id": number, "title": title, "type": kind, "gridPos": {"x": left, "y": top, "w": wide, "h": high}}


def _source() -> dict[str, Any]:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _instance() -> dict[str, Any]:
    return {
        "name": "instance",
        "label": "Server",
        "type": "query",
        "datasource": _SOURCE,
        "query": "label_values(calsync_build_info, instance)",
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }


if __name__ == "__main__":
    FILE.write_text(written(), encoding="utf-8")
