"""`calsync init` as root: for the whole machine, with a user of its own; and a Radicale that is taken over.

It runs in a mount namespace, in which /etc and /var/lib are copies that vanish with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_init import CERTIFICATES, surroundings

pytestmark = pytest.mark.timeout(300)

_APART = """
set -eu
mount -t tmpfs tmpfs "$1"
for folder in etc var/lib var/backups; do
    mkdir -p "$1/$folder/upper" "$1/$folder/work"
    mount -t overlay overlay -o "lowerdir=/$folder,upperdir=$1/$folder/upper,workdir=$1/$folder/work" "/$folder"
done
rm -rf /etc/calsync /var/lib/calsync /var/backups/calsync /etc/systemd/system/calsync* /etc/radicale /var/lib/radicale
userdel calsync 2>/dev/null || true
calsync() { "$PYTHON" -m calsync "$@"; }
"""


def apart(tmp_path: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the shell as root, on what looks like a machine without calsync."""
    reason = _why_not(tmp_path)
    if reason:
        if os.environ.get("CALSYNC_TEST_ALL"):
            pytest.fail(reason)
        pytest.skip(reason)
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", _APART + script, "sh", str(mounted)],
        env=surroundings(tmp_path, PYTHON=sys.executable),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def _why_not(tmp_path: Path) -> str:
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "useradd", "systemd-analyze", "runuser"))):
        return "needs root, unshare, useradd and systemd-analyze"
    probe = tmp_path / "probe"
    probe.mkdir()
    done = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", str(probe)], capture_output=True, check=False
    )
    return "" if done.returncode == 0 else "this machine allows no mount namespaces"


def test_for_the_whole_machine(tmp_path: Path) -> None:
    done = apart(
        tmp_path,
        f"""
        install -m 600 {CERTIFICATES}/one.key.pem /etc/only-root.pem
        calsync init --yes --address localhost --tls own --user anna \\
            --certificate {CERTIFICATES}/one.cert.pem --key /etc/only-root.pem
        stat -c '%n %U %G %a' /etc/calsync/config /var/lib/calsync /var/lib/calsync/calsync.db /var/backups/calsync
        find /var/lib/calsync ! -user calsync
        cat /etc/systemd/system/calsync.service
        systemd-analyze verify /etc/systemd/system/calsync*
        $(sed -n 's/^ExecStart=//p' /etc/systemd/system/calsync-backup.service)
        calsync init --yes --address localhost --tls own --user anna \\
            --certificate {CERTIFICATES}/one.cert.pem --key /etc/only-root.pem
        calsync init
        """,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "made   the user calsync" in done.stdout
    assert "/etc/calsync/config root calsync 640\n" in done.stdout
    assert "/var/lib/calsync calsync calsync 700\n" in done.stdout
    assert "/var/lib/calsync/calsync.db calsync calsync 600\n" in done.stdout
    assert "\n/var/lib/calsync/calsync.db-" not in done.stdout, "nothing belongs to another"
    assert "/var/backups/calsync calsync calsync 700\n" in done.stdout
    assert "1 user, 0 items, checked\n" in done.stdout, "the unit's command makes a backup"
    assert "enable --now calsync calsync-backup.timer calsync-verify.timer\n" in done.stdout
    assert "User=calsync\n" in done.stdout
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE\n" in done.stdout, "people type no port"
    assert "LoadCredential=calsync_server_key:/etc/only-root.pem\n" in done.stdout
    assert "Environment=CALSYNC_SERVER_KEY=%d/calsync_server_key\n" in done.stdout
    assert "calsync doctor https://localhost/\n" in done.stdout
    assert "nothing was written" in done.stdout
    assert "users: anna" in done.stdout


def test_on_a_machine_that_does_not_know_localhost(tmp_path: Path) -> None:
    done = apart(
        tmp_path,
        """
        printf '' > /etc/hosts
        echo 'hosts: files' > /etc/nsswitch.conf
        if getent ahosts localhost; then exit 9; fi
        calsync init --yes --address calendars.example.org --tls proxy --user anna
        """,
    )
    assert done.returncode == 0, done.stdout + done.stderr


_RADICALE = """
mkdir -p /etc/radicale /srv/stock/collection-root/anna/cal
printf '%s' '{"tag": "VCALENDAR"}' > /srv/stock/collection-root/anna/cal/.Radicale.props
printf '%s\\r\\n' BEGIN:VCALENDAR VERSION:2.0 PRODID:x BEGIN:VEVENT UID:one DTSTAMP:20260101T000000Z \\
    DTSTART:20260101T000000Z 'SUMMARY:Of Radicale' END:VEVENT END:VCALENDAR \\
    > /srv/stock/collection-root/anna/cal/one.ics
echo 'anna:$2y$05$9lzM4dFmhmSLyEQlnjbyaOlHEuqqWsjFSxPxBYzoz5dgUGJdSlVuG' > /etc/radicale/users
cat > /etc/radicale/config <<'END'
# As it was
[server]
hosts = 127.0.0.1:5299
[auth]
type = htpasswd
htpasswd_filename = /etc/radicale/users
htpasswd_encryption = bcrypt
[storage]
filesystem_folder = /srv/stock
END
chmod 640 /etc/radicale/*
"""


def test_radicale_is_taken_over(tmp_path: Path) -> None:
    srv = tmp_path / "stock"
    script = _RADICALE.replace("/srv/stock", str(srv))
    done = apart(
        tmp_path,
        f"""
        {script}
        calsync init --yes --radicale /etc/radicale/config --address cal.example.org
        cat /etc/calsync/radicale /etc/calsync/config
        stat -c '%n %U %G %a' /etc/calsync/users
        calsync config check
        runuser -u calsync -- cat /etc/calsync/radicale /etc/calsync/config /etc/calsync/users >/dev/null
        calsync config show
        calsync history anna/cal/one.ics
        """,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 taken" in done.stdout
    assert "# As it was\n" in done.stdout
    assert "backend = htpasswd" in done.stdout
    assert "/etc/calsync/users root calsync 640" in done.stdout
    assert "# /etc/calsync/radicale:5\nhosts = 127.0.0.1:5299\n" in done.stdout
    assert (srv / "collection-root/anna/cal/one.ics").exists()
