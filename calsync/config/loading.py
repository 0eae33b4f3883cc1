"""One configuration of all sources: what of them can be used, the later ones over the earlier."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from calsync import options, upstream
from calsync.config import environment
from calsync.config.faults import Fault, faults_of, without
from calsync.config.sources import ConfigurationError, Source, named_files, of_command_line, of_variables, read_file
from calsync.options import PLUGINS, STOCK_ROOT, Schema, data_folder, schema


def load(
    paths: str | Sequence[str] | None = None, overrides: Mapping[str, Mapping[str, str]] | None = None
) -> upstream.Configuration:
    """The configuration from files, environment and overrides (section → option → text). Raises `ConfigurationError`.

    `paths` as for `--config`: files joined by `:`, or several of such; None: the environment's or the default ones.
    """
    sources = [Source("file", str(path), values) for path, values in map(read_file, named_files(paths))]
    variables, wrong = environment.read(os.environ, known_options())
    if wrong:
        raise ConfigurationError(f"config: {wrong[0]}")
    sources += [*of_variables(variables), *of_command_line(overrides)]
    configuration, faults = build(sources)
    for fault in faults:
        if fault.stops:
            raise ConfigurationError(str(fault))
    return configuration


def build(sources: Sequence[Source]) -> tuple[upstream.Configuration, list[Fault]]:
    """The configuration of all that can be used of the sources, and all that cannot."""
    rules = schema()
    there = [source for source in sources if source.values is not None]
    if not any("filesystem_folder" in (source.values or {}).get("storage", {}) for source in there):
        # Variables are calsync's alone: they make no configuration of Radicale's.
        rules["storage"]["filesystem_folder"]["value"] = str(_folder(any(one.kind != "environment" for one in there)))
    configuration = upstream.Configuration(rules)
    faults: list[Fault] = []
    for source in sources:
        if source.values is None:
            configuration.update(upstream.Configuration.SOURCE_MISSING, source.name)
            continue
        found = list(faults_of(rules, source, configuration))
        configuration.update(without(source.values, found), source.name)
        faults += found
    return configuration, faults


def known_options() -> Schema:
    """Radicale's and calsync's options, those of calsync's plugins too."""
    rules = schema()
    for section, named in PLUGINS.items():
        rules[section].update(named)
    return rules


def _folder(configured: bool) -> Path:
    """The data folder of a configuration that names none.

    Radicale's own default, for a Radicale configuration whose collections are there; calsync's in every other case.
    """
    if configured and (options.STOCK_FOLDER / STOCK_ROOT).is_dir():
        return options.STOCK_FOLDER
    return data_folder()
