"""`make soak`: everything that is too long for `make test`, then what it measured.

python -m tests.soak [--minutes 20] [arguments of pytest]
"""

from __future__ import annotations

import argparse
import os
import sys
import time

import pytest

from tests.soak import figures


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak ARGS=…", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20, help="about how long all of it takes (default 20)")
    options, rest = parser.parse_known_args()
    os.environ["CALSYNC_SOAK_MINUTES"] = str(options.minutes)
    began = time.monotonic()
    paths = [] if any(not argument.startswith("-") for argument in rest) else ["tests"]
    status = pytest.main(["-m", "soak", "-p", "no:cacheprovider", *paths, *rest])
    print(f"\nFigures ({(time.monotonic() - began) / 60:.1f} minutes)")
    for what, value in figures.FIGURES:
        print(f"  {what}: {value}")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
