"""Commands as the shell gives them, without the shell."""

from __future__ import annotations

import argparse
from types import ModuleType


def run(module: ModuleType, *words: str) -> int:
    """The exit status of `calsync WORDS…`, of which `module` registers the commands."""
    parser = argparse.ArgumentParser(prog="calsync")
    module.register(parser.add_subparsers(required=True))
    args = parser.parse_args(words)
    status: int = args.func(args)
    return status
