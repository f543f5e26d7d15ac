"""How long setting up takes and what disk it takes: two versions of the project, each from nothing, in turn.

python benchmarks/speed/setup_speed.py BEFORE [AFTER] [--rounds N] [--no-demo]    git revisions; AFTER is HEAD, N is 2

Each time: a fresh clone, an empty environment, empty caches of pip and uv; then `make install`, and `make demo` in it.
It downloads from the package index, whose speed is part of the seconds by the clock, not of those of a core.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from timing import Usage, usage_of, verdict
from versions import clone, revision_of

CACHES = {"PIP_CACHE_DIR": "pip", "UV_CACHE_DIR": "uv", "XDG_CACHE_HOME": "other"}
FROM_ABOVE = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "GPU")  # of a make that called this program


@dataclass(frozen=True)
class SetUp:
    """What setting up a version took: seconds by the clock and of a core, `whole` with the demonstration; megabytes."""

    install: float
    install_cpu: float
    whole: float
    whole_cpu: float
    environment: float
    caches: float

    def __str__(self) -> str:
        return (
            f"install {self.install:.1f} s ({self.install_cpu:.1f} s of a core), "
            f"with the demo {self.whole:.1f} s ({self.whole_cpu:.1f} s of a core), "
            f"environment {self.environment:.0f} MB, caches {self.caches:.0f} MB beside it"
        )

    @property
    def disk(self) -> float:
        return self.environment + self.caches


def megabytes(paths: Iterable[Path], seen: set[tuple[int, int]]) -> float:
    """Disk of all files below; a file with several names counts once, under the first."""
    total = 0
    for folder in paths:
        for path in folder.rglob("*"):
            status = path.lstat()
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                total += status.st_blocks * 512
    return total / 1e6


def set_up(revision: str, folder: Path, *, demo: bool) -> SetUp:
    """Set up one version in an empty folder, and run its demonstration if wanted."""
    project, caches = folder / "project", folder / "caches"
    clone(revision, project)
    os.sync()  # what the one before has left to write is not this one's
    unset = [word for name in FROM_ABOVE for word in ("-u", name)]
    make = ["env", *unset, *(f"{name}={caches / part}" for name, part in CACHES.items()), "make", "-s", "-C", project]
    installed = usage_of([*make, "install"])
    seen: set[tuple[int, int]] = set()
    environment, cached = megabytes([project / ".venv"], seen), megabytes([caches], seen)
    shown = usage_of([*make, "demo"]) if demo else Usage(math.nan, math.nan, math.nan)
    whole = Usage(installed.seconds + shown.seconds, installed.cpu_seconds + shown.cpu_seconds, shown.megabytes)
    return SetUp(installed.seconds, installed.cpu_seconds, whole.seconds, whole.cpu_seconds, environment, cached)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("before", metavar="BEFORE")
    parser.add_argument("after", metavar="AFTER", nargs="?", default="HEAD")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--no-demo", dest="demo", action="store_false")
    args = parser.parse_args()
    revisions = {"before": revision_of(args.before), "after": revision_of(args.after)}
    taken: dict[str, list[SetUp]] = {name: [] for name in revisions}
    for number in range(args.rounds):
        order = list(revisions) if number % 2 == 0 else list(revisions)[::-1]
        for name in order:
            with tempfile.TemporaryDirectory() as folder:
                taken[name].append(set_up(revisions[name], Path(folder), demo=args.demo))
            print(f"{name:<6} {revisions[name]}: {taken[name][-1]} (load {os.getloadavg()[0]:.1f})", flush=True)

    def beside(what: str) -> float:
        after, before = (statistics.median(getattr(each, what) for each in taken[name]) for name in ("after", "before"))
        return after / before

    print(verdict("set up: seconds by the clock, beside the version before", beside("install"), 0.5, ""))
    print(verdict("set up: seconds of a core, beside it", beside("install_cpu"), 0.5, ""))
    print(verdict("set up: disk of the environment, beside it", beside("environment"), 0.55, ""))
    print(verdict("set up: disk with what pip and uv keep, beside it", beside("disk"), 0.55, ""))
    if args.demo:
        print(verdict("make demo from nothing", statistics.median(each.whole for each in taken["after"]), 90))


if __name__ == "__main__":
    main()
