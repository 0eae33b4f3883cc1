"""Every metric there is, once: its name, what it says, its labels (docs/observing.md is written from this table).

Names and units follow Prometheus: seconds, bytes, `_total` for what only grows. No label holds what a client can make
up: user names, addresses and paths are in the log, not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Family:
    """`kind`: counter, gauge or histogram. `buckets`: upper bounds of a histogram, without the last, which has none.

    `of_store`: it is not counted in the processes, but looked up when somebody asks (`calsync.metrics.gauges`).
    """

    name: str
    kind: str
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    of_store: bool = False


ALL: Final[dict[str, Family]] = {}


def _family(family: Family) -> Family:
    ALL[family.name] = family
    return family


def _counter(name: str, text: str, *labels: str) -> Family:
    return _family(Family(f"calsync_{name}", "counter", text, labels))


def _gauge(name: str, text: str, *labels: str) -> Family:
    return _family(Family(f"calsync_{name}", "gauge", text, labels))


def _histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Family:
    return _family(Family(f"calsync_{name}", "histogram", text, labels, buckets))


def _stored(name: str, text: str, *labels: str) -> Family:
    return _family(Family(f"calsync_{name}", "gauge", text, labels, of_store=True))


_LATENCY: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_WAIT: Final = (0.0005, 0.002, 0.01, 0.05, 0.25, 1.0, 5.0, 15.0)

# --- requests ---------------------------------------------------------------------------------------------------------

REQUESTS: Final = _counter(
    "requests_total", "requests answered, by what was asked, of which kind of client", "method", "report", "client",
    "status",
)  # fmt: skip
REQUEST_SECONDS: Final = _histogram(
    "request_seconds", "seconds from a whole request to the last octet of its answer", _LATENCY, "method", "report"
)
BYTES_IN: Final = _counter("request_bytes_total", "octets of request bodies", "method", "report")
BYTES_OUT: Final = _counter("response_bytes_total", "octets of answers, without heads", "method", "report")
ITEMS: Final = _counter("response_items_total", "resources told of in multistatus answers", "method", "report")
IN_FLIGHT: Final = _gauge("requests_in_flight", "requests that are being answered")
BROKEN_OFF: Final = _counter(
    "responses_broken_off_total", "streamed answers that did not end: the client went away, or the server failed", "by"
)
REFUSED: Final = _counter(
    "requests_refused_total", "requests that were refused before they were whole (too slow, too long, malformed)",
    "status",
)  # fmt: skip
SYNCS: Final = _counter(
    "syncs_total",
    "sync-collection reports: first (an empty token), changes, or refused (valid-sync-token: the client begins anew)",
    "kind",
)
TRUNCATED: Final = _counter("syncs_truncated_total", "sync-collection answers that were cut at the client's limit")

# --- logins -----------------------------------------------------------------------------------------------------------

LOGINS: Final = _counter(
    "logins_total",
    "logins of devices and at the sign-in page: ok, refused, throttled, busy (too many at once), down (the back end "
    "or the store does not answer)",
    "outcome",
)
LOGINS_REMEMBERED: Final = _counter("logins_remembered_total", "logins that had been verified before and cost a row")

# --- connections ------------------------------------------------------------------------------------------------------

CONNECTIONS: Final = _gauge("connections", "connections that are open")
SPOOL: Final = _gauge("spool_bytes", "octets of request bodies that are on their way")
WORKERS: Final = _gauge("workers", "processes that answer requests")

# --- the store --------------------------------------------------------------------------------------------------------

WRITES: Final = _counter("store_writes_total", "writing transactions that were committed")
WRITER_WAIT: Final = _histogram(
    "store_writer_wait_seconds", "seconds that a writing transaction waited for its turn", _WAIT
)
RETRIES: Final = _counter("store_retries_total", "pieces of work begun anew because another writer came between")
STORE_ERRORS: Final = _counter("store_errors_total", "failures of the database: what went wrong", "kind")
DAMAGE: Final = _counter("damaged_items_total", "times that a stored object did not match its checksum")
JOBS_DONE: Final = _counter("jobs_total", "jobs of the queue that ended: done, failed (tried again), dead", "outcome")

STORE_UP: Final = _stored("store_up", "1 where the store answers")
HOLD: Final = _stored("store_on_hold", "1 where the store is on hold and clients are asked to come back later")
DATABASE: Final = _stored("store_database_bytes", "octets of the database", "part")
USERS: Final = _stored("store_users", "principals, whether they can log in or not")
COLLECTIONS: Final = _stored("store_collections", "calendars, address books and folders")
ITEMS_STORED: Final = _stored("store_items", "events, tasks, contacts and files, by the figures that collections carry")
OCTETS_STORED: Final = _stored("store_item_bytes", "octets of them")
QUARANTINE: Final = _stored("quarantine_items", "refused objects that wait for somebody to look at them")
JOBS: Final = _stored("jobs", "jobs in the queue: waiting, running, dead", "state")
JOBS_OLDEST: Final = _stored("jobs_oldest_seconds", "seconds since the oldest job that waits or runs was put there")
TASK_SUCCESS: Final = _stored("task_last_success_timestamp_seconds", "when a housekeeping task last went well", "task")
TASK_FAILURES: Final = _stored("task_failures", "how often in a row a housekeeping task has failed", "task")
JOURNAL: Final = _stored("journal_bytes", "octets of the journal; missing where none is kept")
BACKUP: Final = _stored("backup_last_success_timestamp_seconds", "when the newest backup in [backup] folder was made")
BACKUPS: Final = _stored("backups", "backups in [backup] folder")
CERTIFICATE: Final = _stored("certificate_expiry_timestamp_seconds", "when the TLS certificate ends")
BUILD: Final = _stored("build_info", "1; the versions", "version", "python", "radicale", "store")
