"""What `calsync init` says: what it will write, what it has written, what is there, and what comes next."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

from calsync import config
from calsync.accounts.accounts import Accounts
from calsync.cli.configuration import without_password
from calsync.cli.setup.apply import Made
from calsync.cli.setup.plan import Plan, Room
from calsync.config.check import ERROR, examine
from calsync.store.engine import Store
from calsync.store.errors import StoreError
from calsync_storage.location import auth_url

_URL = re.compile(r"people type (https?://\S+) into")


def show_plan(plan: Plan) -> None:
    """Before it is written."""
    print("\nThis will be there:")
    for planned in plan.files:
        print(f"  {planned.path}  {planned.what}")
    for url in plan.stores:
        print(f"  {without_password(url)}  store{f', with the user {plan.wanted.user}' if plan.wanted.user else ''}")
    if plan.wanted.radicale is not None:
        print(f"  Radicale's calendars in {plan.wanted.radicale.collections} are taken in, its files stay")
    print(f"  address: {plan.url}\n")


def tell(plan: Plan, made: Made) -> None:
    """After it was written."""
    for path in made.files:
        print(f"wrote  {path}")
    for copy in made.copies:
        print(f"kept   {copy}")
    if made.account:
        print(f"made   the user {made.account} of this machine, for the service")
    if made.taken:
        print(f"Radicale's calendars and address books: {made.taken}")
    if not made.files and not made.copies:
        print("All of it is there already; nothing was written.")
    for text in made.warnings:
        print(f"calsync: warning: {text}", file=sys.stderr)
    _next(plan.room, plan.url, plan.wanted.unit, plan.wanted.tls, of_radicale=plan.wanted.radicale is not None)
    user = made.user or plan.wanted.user or ", ".join(made.users[:3])
    print("\nInto a phone or a computer (DAVx5, iPhone, Thunderbird, …):")
    print(f"  address   {plan.url}")
    if user:
        print(f"  user      {user}")
    if made.password:
        print(f"  password  {made.password}    (it is shown this once)")
    if plan.wanted.tls != "later":
        _draw(f"{plan.url}.calsync/")


def _next(room: Room, url: str, unit: bool, tls: str, of_radicale: bool = False) -> None:
    print("\nNext:")
    if of_radicale and room.is_machine:
        print("  systemctl disable --now radicale        two servers cannot have one address")
    named = "" if room.is_usual else f" --config {shlex.quote(os.pathsep.join(room.files))}"
    if not unit:
        print(f"  calsync serve{named}")
    elif room.is_machine:
        timers = "".join(f" {one.name}" for one in sorted(room.unit.parent.glob("calsync-*.timer")))
        print(f"  systemctl daemon-reload && systemctl enable --now calsync{timers}")
    else:
        print("  systemctl --user daemon-reload && systemctl --user enable --now calsync")
        print("  loginctl enable-linger        so that it runs while you are not logged in")
    if tls == "proxy":
        print("  the proxy: docs/proxies.md has nginx, Caddy, Apache, HAProxy and Traefik")
    print(f"  calsync doctor {url}")
    if tls == "later":
        print("  phones want TLS: calsync init --force --tls own --certificate FILE --key FILE, or --tls proxy")


def _draw(url: str) -> None:
    """For a phone's camera: the page where its owner signs in and lets it in."""
    if not sys.stdout.isatty():
        return
    import segno  # only a terminal is drawn on

    print(f"\nOr with the phone's camera, once the server runs: {url}")
    sys.stdout.flush()
    segno.make(url, error="m", micro=False).terminal(compact=True)


def tell_what_is_there(room: Room) -> int:
    """Where calsync is set up already; the exit status."""
    print("calsync is set up here already:")
    configuration, findings = examine(room.files)
    errors = [finding for finding in findings if finding.level == ERROR]
    for path in config.read_files(configuration):
        print(f"  {path}  configuration")
    for finding in findings:
        print(f"    {finding.level}: {finding}")
    if not errors:
        print(f"  {_store(auth_url(configuration))}")
    print(f"  {room.unit}  {'unit of systemd' if room.unit.exists() else 'is not there'}")
    match = _URL.search(_text(room.config))
    tls = "own" if configuration.get("server", "ssl") else "" if match and "https" in match[1] else "later"
    _next(room, match[1] if match else "URL", room.unit.exists(), tls)
    print("  calsync init --force writes it anew, and keeps copies")
    return 1 if errors else 0


def _store(url: str) -> str:
    try:
        store = Store.open(url, create=False)
    except StoreError as error:
        return str(error)
    try:
        names = [account.name for account in Accounts(store).listing()]
    finally:
        store.close()
    users = (
        f"{', '.join(names[:5])}{', …' if len(names) > 5 else ''}" if names else "nobody yet (calsync user add NAME)"
    )
    return f"{without_password(url)}  store; users: {users}"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
