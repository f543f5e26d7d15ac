"""Give every reader 20,000 hostile files: python tests/fuzz/run_fuzz.py [CASES] [TARGET ...]

Each target runs in a process of its own, in which no reading may take over 5 seconds or 500 MB more than the process
had before. Prints a line of figures a target; exit code 1 where one failed, its smallest failing file above.
"""

from __future__ import annotations

import argparse
import logging
import os
import resource
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE)]

LONGEST_S = 5.0
MOST_BYTES = 500 << 20
WARM_UP = 20


class TooLongError(BaseException):
    """A reading that took too long; no reader may catch it, as it would a TimeoutError."""


@contextmanager
def limited() -> Iterator[None]:
    """TooLongError in a block that takes too long, MemoryError in one that takes too much."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MOST_BYTES, resource.RLIM_INFINITY))
    signal.setitimer(signal.ITIMER_REAL, LONGEST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def too_long(number: int, frame: object) -> None:
    raise TooLongError(f"a file was read for over {LONGEST_S:.0f} s")


def run_one(name: str, cases: int) -> None:
    """Run a target in this process, within its limits, and print its figures."""
    from fuzzing import folder, fuzz
    from readers import TARGETS

    from stockml.storage import tail_file

    tail_file.TAIL_PAUSE_SECONDS, os.fsync = 0.0, lambda descriptor: None
    logging.getLogger("stockml").setLevel(logging.CRITICAL)
    warnings.simplefilter("error")
    signal.signal(signal.SIGALRM, too_long)
    with folder() as home:
        target = TARGETS[name](home)
        fuzz(target, WARM_UP, is_random=True)
        begin = time.process_time()
        told = fuzz(target, cases, is_random=True, watched=limited)
        seconds = time.process_time() - begin
    print(f"{name:16} {told.cases:8,} {told.refused:8,} {seconds:9.0f} {told.longest_s:9.2f}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("cases", nargs="?", type=int, default=20_000)
    parser.add_argument("targets", nargs="*", help="all where none is named")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        run_one(args.one, args.cases)
        return 0
    from readers import TARGETS

    print(f"{'reader':16} {'files':>8} {'refused':>8} {'CPU s':>9} {'longest s':>9}", flush=True)
    failed = []
    for name in args.targets or TARGETS:
        command = [sys.executable, __file__, str(args.cases), "--one", name]
        if subprocess.run(command, check=False, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}).returncode:
            print(f"{name:16} failed", flush=True)
            failed.append(name)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
