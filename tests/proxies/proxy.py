"""Proxies as `config/` sets them up, before a server of a test: addresses, names and certificates are put in, no more.

Their surroundings are unkind: where a machine's own configuration packs answers, so does theirs.
"""

from __future__ import annotations

import base64
import hashlib
import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import bcrypt
import pytest

from tests.ports import free_port
from tests.server.test_tls import CERTIFICATES

CONFIG = Path(__file__).resolve().parents[2] / "config"
CERTIFICATE, KEY = CERTIFICATES / "one.cert.pem", CERTIFICATES / "one.key.pem"

PREFIX = "/dav"


def substituted(text: str, *changes: tuple[str, str]) -> str:
    """Each pattern has to be there."""
    for pattern, by in changes:
        text, count = re.subn(pattern, lambda _, by=by: by, text, flags=re.MULTILINE)  # type: ignore[misc]
        assert count, pattern
    return text


class Proxy(ABC):
    """A running proxy: calendars at `root`, and below `PREFIX` of `site`, both over TLS; `plain` speaks HTTP.

    `people`: name and password that the proxy asks for itself, with the lines that the file has for it.
    """

    program: str
    package: str
    files: tuple[str, ...]

    def __init__(self, upstream: str, people: Mapping[str, str] | None = None) -> None:
        self.upstream = upstream
        self.people = people or {}
        self.root_port, self.site_port, self.plain_port = free_port(), free_port(), free_port()
        self.root = f"https://localhost:{self.root_port}"
        self.site = f"https://localhost:{self.site_port}"
        self.plain = f"http://localhost:{self.plain_port}"
        self._temporary = tempfile.TemporaryDirectory(prefix="calsync-proxy-")
        self.folder = Path(self._temporary.name)
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """Write what it reads, and say how it is started."""

    def base(self, prefix: str) -> str:
        """The address before a path, at the root (``) or below the prefix."""
        return f"{self.site}{prefix}" if prefix else self.root

    def text(self) -> str:
        """The file that is shipped."""
        return (CONFIG / self.files[0]).read_text()

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def __enter__(self) -> Self:
        found = shutil.which(self.program, path=os.environ.get("PATH", "") + ":/usr/sbin")
        if found is None:
            reason = f"{self.program} is not installed (apt install {self.package})"
            if os.environ.get("CALSYNC_TEST_ALL"):
                pytest.fail(reason)
            pytest.skip(reason)
        self.folder.chmod(0o755)  # whom a proxy becomes has to get there
        command = self.command()
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder)}
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen([found, *command[1:]], stdout=log, stderr=log, env=environment)
        try:
            for port in (self.root_port, self.site_port, self.plain_port):
                self._wait(port)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._temporary.cleanup()

    def _wait(self, port: int) -> None:
        assert self._process is not None
        until = time.monotonic() + 60
        while self._process.poll() is None and time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port), 10).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError(self.log())


class Nginx(Proxy):
    program, package, files = "nginx", "nginx-light", ("nginx.conf",)

    def command(self) -> list[str]:
        text = substituted(
            self.text(),
            (r"    listen \[::\].*\n", ""),
            (r"/etc/ssl/.*fullchain\.pem", str(CERTIFICATE)),
            (r"/etc/ssl/.*privkey\.pem", str(KEY)),
            (r"listen 80;", f"listen 127.0.0.1:{self.plain_port};"),
            (r"server_name .*;", "server_name localhost;"),
            (r"server 127\.0\.0\.1:5232;", f"server {self.upstream};"),
        )
        for port in (self.root_port, self.site_port):
            text = text.replace("listen 443 ssl http2", f"listen 127.0.0.1:{port} ssl http2", 1)
        if self.people:
            users = self.write("users", "".join(f"{name}:{{PLAIN}}{word}\n" for name, word in self.people.items()))
            text = substituted(
                text,
                (r"#auth_basic calsync;", "auth_basic calsync;"),
                (r"#auth_basic_user_file .*;", f"auth_basic_user_file {users};"),
                (
                    r"#(proxy_set_header X-Remote-User \$remote_user;\n).*",
                    "proxy_set_header X-Remote-User $remote_user;",
                ),
            )
        included = self.write("calsync.conf", text)
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        lines = [
            "daemon off;",
            f"pid {self.folder}/pid;",
            "error_log stderr;",
            f"user {pwd.getpwuid(0).pw_name};" if os.getuid() == 0 else "",
            "events {}",
            "http {",
            "access_log off;",
            *(f"{kind}_temp_path {self.folder}/{kind};" for kind in kinds),
            "gzip on; gzip_proxied any; gzip_types *; gzip_min_length 1;",
            f"include {included};",
            "}",
        ]
        return ["nginx", "-p", str(self.folder), "-e", "stderr", "-c", str(self.write("nginx.conf", "\n".join(lines)))]


class Caddy(Proxy):
    program, package, files = "caddy", "caddy", ("Caddyfile",)

    def command(self) -> list[str]:
        upstream = self.upstream.replace("unix:", "unix/")
        text = substituted(
            self.text(),
            (r"^\{\n", f"{{\n\tadmin off\n\thttp_port {self.plain_port}\n\thttps_port {self.root_port}\n"),
            (r"^calendar\.example\.org \{", f"https://localhost:{self.root_port} {{\n\tbind 127.0.0.1"),
            (r"^www\.example\.org \{", f"https://localhost:{self.site_port} {{\n\tbind 127.0.0.1"),
            (r"#tls .*", f"tls {CERTIFICATE} {KEY}"),
            (r"127\.0\.0\.1:5232", upstream),
        )
        if self.people:
            name, word = next(iter(self.people.items()))
            made = bcrypt.hashpw(word.encode(), bcrypt.gensalt(4)).decode()
            text = substituted(
                text,
                (r"\t#basicauth \{\n\t#\tanna HASH\n\t#\}", f"\tbasicauth {{\n\t\t{name} {made}\n\t}}"),
                (
                    r"#(header_up X-Remote-User \{http\.auth\.user\.id\})\n.*-X-Remote-User",
                    "header_up X-Remote-User {http.auth.user.id}",
                ),
            )
        return ["caddy", "run", "--adapter", "caddyfile", "--config", str(self.write("Caddyfile", text))]


class Apache(Proxy):
    program, package, files = "apache2", "apache2-bin", ("apache.conf",)

    MODULES = (
        "mpm_event authn_core authn_file authz_core authz_user auth_basic alias deflate env filter headers http2 proxy "
        "proxy_http reqtimeout rewrite socache_shmcb ssl"
    )

    def command(self) -> list[str]:
        upstream = f"http://{self.upstream}/"
        if self.upstream.startswith("unix:"):
            upstream = f"{self.upstream}|http://localhost/"
        text = substituted(
            self.text(),
            (r"/etc/ssl/.*fullchain\.pem", str(CERTIFICATE)),
            (r"/etc/ssl/.*privkey\.pem", str(KEY)),
            (r"\*:80>", f"127.0.0.1:{self.plain_port}>"),
            (r"ServerName .*", "ServerName localhost"),
            (r"    ServerAlias .*\n", ""),
            (r"/var/www/html", str(self.folder)),
            (r"http://127\.0\.0\.1:5232/", upstream),
        )
        for port in (self.root_port, self.site_port):
            text = text.replace("*:443>", f"127.0.0.1:{port}>", 1)
        if self.people:
            users = "".join(f"{name}:{_sha1(word)}\n" for name, word in self.people.items())
            self.write("users", users)
            block = re.search(r"(?:    #(?!\s[a-zA-Z]).*\n)+", text)
            assert block is not None
            assert "<Location />" in block[0]
            lines = block[0].replace("    #", "    ").replace("/etc/apache2/calsync.htpasswd", f"{self.folder}/users")
            text = text.replace(block[0], lines)
        lines = [
            *(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in self.MODULES.split()),
            *(f"Listen 127.0.0.1:{port}" for port in (self.root_port, self.site_port, self.plain_port)),
            "ServerName localhost",
            f"DefaultRuntimeDir {self.folder}",
            f"PidFile {self.folder}/pid",
            f"Mutex file:{self.folder}",
            "ErrorLog /dev/stderr",
            "User www-data\nGroup www-data" if os.getuid() == 0 else "",
            "StartServers 1\nThreadsPerChild 16\nMaxRequestWorkers 32\nServerLimit 2",
            "SetOutputFilter DEFLATE",
            f"<Directory {self.folder}>\nRequire all granted\n</Directory>",
            text,
        ]
        conf = self.write("apache.conf", "\n".join(lines))
        return ["apache2", "-D", "FOREGROUND", "-d", str(self.folder), "-f", str(conf)]


class HAProxy(Proxy):
    program, package, files = "haproxy", "haproxy", ("haproxy-single.cfg",)

    def command(self) -> list[str]:
        pem = self.write("certificate.pem", CERTIFICATE.read_text() + KEY.read_text())
        binds = "".join(
            f"    bind 127.0.0.1:{port} ssl crt {pem} alpn h2,http/1.1\n" for port in (self.root_port, self.site_port)
        )
        text = substituted(
            self.text(),
            (r"    bind :443 .*\n", binds),
            (r"bind :80$", f"bind 127.0.0.1:{self.plain_port}"),
            (r"-i calendar\.example\.org", f"-i localhost:{self.root_port}"),
            (r"-i www\.example\.org", f"-i localhost:{self.site_port}"),
            (r"127\.0\.0\.1:5232", self.upstream.replace("unix:", "unix@")),
            (r"    server site .*", "    http-request deny deny_status 404"),
        )
        if self.people:
            name, word = next(iter(self.people.items()))
            text = substituted(
                text,
                (r"#userlist people\n#    user .*", f"userlist people\n    user {name} insecure-password {word}"),
                (r"#http-request auth ", "http-request auth "),
                (r"#http-request set-header X-Remote", "http-request set-header X-Remote"),
            )
        return ["haproxy", "-db", "-f", str(self.write("haproxy.cfg", text))]


def _sha1(word: str) -> str:
    """A line of htpasswd as every Apache reads it."""
    return "{SHA}" + base64.b64encode(hashlib.sha1(word.encode()).digest()).decode()


ALL: tuple[type[Proxy], ...] = (Nginx, Caddy, Apache, HAProxy)
