"""The files in config/: both servers read them, and they name every option that is calsync's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import radicale.config

from calsync import config
from calsync.options import ADDED, OWN, schema

FOLDER = Path(__file__).parents[1] / "config"
STOCK = FOLDER / "radicale-stock.conf"
CALSYNC = FOLDER / "calsync.conf"


def _with_all_options(source: Path, target: Path) -> Path:
    target.write_text(re.sub(r"(?m)^#([a-z_]+ =)", r"\1", source.read_text()))
    return target


def _named(file: Path) -> dict[tuple[str, str], str]:
    """(section, option) → value, of the commented options too."""
    found, section = {}, ""
    for line in file.read_text().splitlines():
        if match := re.fullmatch(r"\[(\w+)\]", line):
            section = match[1]
        elif match := re.fullmatch(r"#?([a-z_]+) =(.*)", line):
            found[section, match[1]] = match[2].strip()
    return found


def test_both_servers_read_the_shared_file(tmp_path: Path) -> None:
    for file in (STOCK, _with_all_options(STOCK, tmp_path / "all.conf")):
        assert radicale.config.load([(str(file), False)])
        assert config.load(str(file))


def test_calsync_reads_both(tmp_path: Path) -> None:
    assert config.load(f"{STOCK}:{_with_all_options(CALSYNC, tmp_path / 'all.conf')}")


def test_every_own_option_is_named_with_its_default() -> None:
    named = _named(CALSYNC)
    for section, options in (OWN | ADDED).items():
        for name, option in options.items():
            assert named.pop((section, name)) == option["value"]
    assert set(named) == {("storage", "url"), ("auth", "calsync_url")}


@pytest.mark.parametrize(
    ("section", "name"), [key for key in _named(STOCK) if key[1] not in {"certificate", "key", "file"}]
)
def test_defaults_are_as_shown(section: str, name: str) -> None:
    shown = _named(STOCK)[section, name]
    examples = {"htpasswd_filename", "filesystem_folder"}
    assert name in examples or shown == schema()[section][name]["value"]
