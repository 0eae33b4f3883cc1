"""The parent of several workers as a process of its own: it takes the place of the command that has read the options.

That one has half of calsync in its memory to understand them; who minds workers for months needs nothing of it.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NoReturn

from calsync.cli import logs, serve_metrics
from calsync.server import addresses
from calsync.server.workers import Parent

if TYPE_CHECKING:
    import socket

_ENVIRONMENT: Final = "CALSYNC_PARENT"


def become(
    sockets: Sequence[socket.socket],
    count: int,
    urls: Sequence[str],
    stop: float,
    *,
    own: bool,
    level: str,
    log_format: str,
    beside: Sequence[socket.socket],
) -> NoReturn:
    """Go on as the parent of `count` workers, each started by the command line of this process. Does not return."""
    told = {
        "sockets": [sock.fileno() for sock in sockets],
        "count": count,
        "urls": list(urls),
        "stop": stop,
        "own": own,
        "level": level,
        "log_format": log_format,
        "beside": [sock.fileno() for sock in beside],
        "command": [sys.executable, *sys.orig_argv[1:]],
    }
    for sock in (*sockets, *beside):
        sock.set_inheritable(True)
    logging.shutdown()
    sys.stdout.flush()
    # Without -P the current folder would come first among the places of modules; `python -m calsync` has it there.
    where = [] if "-m" in sys.orig_argv else ["-P"]
    os.execve(
        sys.executable,
        [sys.executable, *where, "-m", __name__],
        {**os.environ, _ENVIRONMENT: json.dumps(told)},
    )


def main() -> int:
    told = json.loads(os.environ.pop(_ENVIRONMENT))
    logs.setup(told["level"], told["log_format"])
    sockets, beside = addresses.handed_over(told["sockets"]), addresses.handed_over(told["beside"])
    parent = Parent(sockets, told["count"], told["urls"], told["stop"], told["command"], own=told["own"], beside=beside)
    try:
        return parent.run()
    finally:
        serve_metrics.end()


if __name__ == "__main__":
    sys.exit(main())
