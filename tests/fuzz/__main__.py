"""python -m tests.fuzz [--seconds N] [TARGET…]: the targets under atheris, each so long, in processes of their own.

Needs the extra `fuzz` (atheris). Ends with status 1 where a target broke its word; the octets that did it are left in
the folder that is named then.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help="without any: all of them")
    parser.add_argument("--seconds", type=int, default=180, help="for each target (default: 180)")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        return _fuzz(args.targets[0], Path(args.inside), args.seconds)
    with contextlib.suppress(ImportError):
        import tests.fuzz.targets as known

        args.targets = args.targets or list(known.TARGETS)
    return max((_apart(name, args.seconds) for name in args.targets), default=0)


def _apart(name: str, seconds: int) -> int:
    """One target in a process of its own: libFuzzer ends the process that it runs in."""
    folder = Path(tempfile.mkdtemp(prefix=f"calsync-fuzz-{name}-"))
    command = [sys.executable, "-m", "tests.fuzz", "--inside", str(folder), "--seconds", str(seconds), name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    runs = re.findall(r"^Done (\d+) runs", done.stderr, re.MULTILINE) or re.findall(
        r"^#(\d+)", done.stderr, re.MULTILINE
    )
    covered = re.findall(r" cov: (\d+)", done.stderr)
    print(f"{name}: {runs[-1] if runs else 0} executions, coverage {covered[-1] if covered else 0}", flush=True)
    if done.returncode:
        print(done.stderr[-3000:], file=sys.stderr)
        print(f"{name}: broke its word; the octets are in {folder}", file=sys.stderr)
    return int(bool(done.returncode))


def _fuzz(name: str, folder: Path, seconds: int) -> int:
    try:
        import atheris
    except ImportError:
        print("tests.fuzz: atheris is missing (pip install 'calsync[fuzz]')", file=sys.stderr)
        return 2
    with atheris.instrument_imports(include=["calsync"]):
        from tests.fuzz import seeds
        from tests.fuzz.targets import TARGETS
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, seed in enumerate(seeds.of(name)):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [str(corpus), f"-max_total_time={seconds}", "-max_len=4096", "-timeout=20", "-rss_limit_mb=2048"]
    atheris.Setup([sys.argv[0], f"-artifact_prefix={folder}/", *options], TARGETS[name])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
