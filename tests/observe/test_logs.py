"""The log, as people and programs read it; and that nobody from outside writes lines of their own into it."""

from __future__ import annotations

import io
import json
import logging
import re
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from calsync.cli import logs
from tests.server_process import ServerProcess

EVIL = "evil\r\n2026-01-01 00:00:00 WARNING Failed login attempt from 192.0.2.66: 'anna'\x1b[2J\x9b31m\u2028\u202e"


def written(form: str, monkeypatch: pytest.MonkeyPatch, message: str, *args: object, error: bool = False) -> str:
    """What one record becomes."""
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    try:
        logs.setup("info", form)
        try:
            if error:
                raise ValueError(EVIL)
            logging.getLogger("calsync").info(message, *args)
        except ValueError:
            logging.getLogger("calsync").exception(message, *args)
    finally:
        root.handlers[:] = kept
        root.setLevel(level)
    return stream.getvalue()


@pytest.mark.parametrize("error", [False, True])
def test_nothing_from_outside_begins_a_line_or_moves_a_terminal(error: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    text = written("human", monkeypatch, "seen: %s", EVIL, error=error)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", text)
    first, *more = text.splitlines()
    assert "\\r\\n2026" in first and "\\x1b[2J" in first
    assert all(line.startswith("  ") for line in more)
    assert bool(more) is error


@pytest.mark.parametrize("error", [False, True])
def test_json_is_an_object_a_line_with_tracebacks_inside(error: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    text = written("json", monkeypatch, "seen: %s", EVIL, error=error)
    assert text.count("\n") == 1 and text.isascii()
    told = json.loads(text)
    assert told["level"] == ("error" if error else "info")
    assert ("traceback" in told) is error
    assert not error or "ValueError" in told["traceback"]


def lines(server: ServerProcess) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log().splitlines()]


def test_a_request_in_json(tmp_path: Path) -> None:
    text = "[calsync]\nlog_format = json\n[logging]\nlevel = info\n"
    with ServerProcess(tmp_path, config_text=text) as server:
        server.add_user("anna", "correct horse battery")
        answer = requests.request(
            "PROPFIND",
            f"{server.url}anna/",
            auth=("anna", "correct horse battery"),
            headers={
                "Depth": "1",
                "User-Agent": "DAVx5/4.4",
                "X-Request-Id": "from-the-proxy-1",
                "Accept-Encoding": "identity",
            },
            timeout=60,
        )
        requests.get(f"{server.url}a\x1b%0d%0aX", headers={"X-Request-Id": "bad id\x7f" * 20}, timeout=60)
        request = b"GET /raw HTTP/1.1\r\nHost: x\r\nUser-Agent: a\xc2\x9b31m\r\nConnection: close\r\n\r\n"
        with socket.create_connection(server.address, timeout=60) as sock:
            sock.sendall(request)
            assert sock.recv(65536)
        server.log_until('"/raw"')
    told = {line["path"]: line for line in lines(server) if "request" in line}
    seen = told["/anna/"]
    assert seen["request"] == "from-the-proxy-1"
    assert (seen["user"], seen["client"], seen["method"], seen["status"]) == ("anna", "davx5", "PROPFIND", 207)
    assert (seen["bytes_in"], seen["bytes_out"], seen["items"]) == (0, len(answer.content), 4)
    assert seen["ms"] > 0
    assert all(re.fullmatch("[A-Za-z0-9._:-]{1,64}", one["request"]) for one in told.values())
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines(server))


def test_the_id_of_a_stranger_is_not_taken(tmp_path: Path) -> None:
    from calsync.server.environ import Head, Peer, environ_of

    head = Head("GET", b"/", "HTTP/1.1", ((b"x-request-id", b"mine"),))
    for trusted in (True, False):
        environ = environ_of(head, Peer("192.0.2.1", 1, trusted), io.BytesIO(), 0)
        assert ("HTTP_X_REQUEST_ID" in environ) is trusted
