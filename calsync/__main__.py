"""`python -m calsync` is the command `calsync`."""

from __future__ import annotations

import sys

from calsync.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
