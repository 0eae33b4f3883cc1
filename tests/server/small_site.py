"""A small WSGI application under the real runner, in a process of its own.

What is counted of a stream is counted for `whose` it is; `/hold` answers as soon as the file `until` is there.

`python -m tests.server.small_site '{"hosts": "127.0.0.1:0", "limits": {"timeout": 1}}'`
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from calsync.options import hosts, networks
from calsync.server import addresses
from calsync.server.limits import Limits
from calsync.server.runner import Runner
from calsync.server.tls import Tls

CHUNK = b"x" * 32768

counts: Counter[str] = Counter()
lock = threading.Lock()


def count(name: str) -> None:
    with lock:
        counts[name] += 1


def chunks(number: int, broken: bool, whose: str) -> Iterator[bytes]:
    try:
        for _ in range(number):
            count(f"chunks{whose}")
            yield CHUNK
        if broken:
            raise RuntimeError("broken on purpose")
    finally:
        count(f"closed{whose}")


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    query = dict(parse_qsl(environ["QUERY_STRING"]))
    if path == "/counts":
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(counts).encode()]
    count(f"{environ['REQUEST_METHOD']} {path}")
    number = int(query.get("n", "1"))
    if path == "/environ":
        facts = {name: value for name, value in environ.items() if isinstance(value, str)}
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(facts).encode()]
    if path == "/echo":
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return [environ["wsgi.input"].read()]
    if path == "/stream":
        headers = [("Content-Length", query["length"])] if "length" in query else []
        start_response("200 OK", headers)
        return chunks(number, "broken" in query, query.get("whose", ""))
    if path == "/raise":
        raise RuntimeError("raised on purpose")
    if path == "/split":
        start_response("200 OK", [("X-Bad", "a\r\nX-Injected: 1")])
        return [b""]
    if path == "/sleep":
        time.sleep(float(query["s"]))
    if path == "/hold":
        while not Path(query["until"]).exists():
            time.sleep(0.01)
    if path == "/delay":
        environ["calsync.delay"] = float(query["s"])
    start_response(query.get("status", "200 OK"), [("Content-Type", "text/plain")])
    return [b"ok\n"] if query.get("status", "2").startswith(("2", "4")) else []


def _limits(given: dict[str, Any]) -> Limits:
    """As in a configuration, one `timeout` is for heads, bodies and answers."""
    alike = {name: given["timeout"] for name in ("head_timeout", "body_timeout") if "timeout" in given}
    return Limits(**{"threads": 4, **alike, **given})


def main() -> None:
    options = json.loads(sys.argv[1])
    logging.basicConfig(level=logging.DEBUG, format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    inherited = addresses.inherited()
    Runner(
        application,
        inherited or addresses.listen(hosts(options.get("hosts", "127.0.0.1:0"))),
        _limits(options.get("limits", {})),
        own=not inherited,
        tls=Tls(*options["tls"]) if "tls" in options else None,
        proxies=networks(options.get("proxies", "")),
    ).run()


if __name__ == "__main__":
    main()
