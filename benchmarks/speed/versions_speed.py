"""This version beside another one: the commands of a day, each as a whole process, in turn.

python benchmarks/speed/versions_speed.py BEFORE [--rounds N] [--replayed N]    a git revision

Both use the same environment, prices and sessions, and each has homes and models of its own. Seconds are those of the
clock and of a core; what other programs take from this machine disturbs the latter less.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from predict_speed import AS_OF, multiplied, price_files, trained
from timing import PROJECT, PYTHON, ROUNDS, Usage, usage_of
from versions import checked_out, revision_of

sys.path.insert(0, str(PROJECT / "benchmarks"))
from machine import blas, processor

TRAINED = 10  # stocks
REPLAY = ("2025-06-02", "2025-11-28")
SAMPLE = ("--source", "sample", "--symbols", "SIM-ALPHA")


@dataclass(frozen=True)
class Version:
    """A version's scripts, and the folder in which it has its homes."""

    project: Path
    root: Path
    prices: Path  # of the stocks trained, replayed and predicted

    def script(self, name: str, *options: object) -> list[object]:
        return [PYTHON, self.project / name, *options]

    def prepare(self, files: Mapping[str, Path]) -> None:
        """Train the stocks, and give their models to as many as are predicted; a log with nothing due."""
        self.root.mkdir()
        models = trained(self.root / "home", dict(files), self.prices, self.project)
        for count in (50, 500):
            multiplied(self.root, self.root / "home", models, count)
        usage_of(self.script("realtime_predictor.py", *SAMPLE, "--home", self.root / "idle", "--quiet"))

    def train(self, symbols: list[str]) -> Usage:
        home = self.root / "trained"
        shutil.rmtree(home, ignore_errors=True)
        options = ("--source", f"csv:{self.prices}", "--as-of", AS_OF, "--home", home, "--quiet", "--symbols", *symbols)
        return usage_of(self.script("train_models.py", *options))

    def predict(self, count: int) -> Usage:
        home, prices = self.root / f"home{count}", self.root / f"prices{count}"
        shutil.rmtree(home / "realtime_predictions", ignore_errors=True)
        options = ("--source", f"csv:{prices}", "--as-of", AS_OF, "--home", home)
        return usage_of(self.script("realtime_predictor.py", *options))

    def replay(self, symbols: list[str]) -> Usage:
        home = self.root / "replayed"
        shutil.rmtree(home, ignore_errors=True)
        options = ("--source", f"csv:{self.prices}", "--home", home, "--quiet", "--replay", *REPLAY)
        return usage_of(self.script("realtime_predictor.py", *options, "--symbols", *symbols))

    def verify(self) -> Usage:
        options = ("--verify-only", "--source", "sample", "--home", self.root / "idle")
        return usage_of(self.script("realtime_predictor.py", *options))

    def tell(self) -> Usage:
        return usage_of(self.script("realtime_predictor.py", "--help"))


def commands(symbols: list[str]) -> dict[str, Callable[[Version], Usage]]:
    """What is timed, by the words that the table has for it."""
    first = symbols[:TRAINED]
    return {
        f"train {len(first)} stocks": lambda version: version.train(first),
        "predict 50 stocks": lambda version: version.predict(50),
        "predict 500 stocks": lambda version: version.predict(500),
        f"replay {REPLAY[0]} to {REPLAY[1]}, {len(symbols)} stocks": lambda version: version.replay(symbols),
        "--verify-only with nothing due": Version.verify,
        "--help": Version.tell,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("before", metavar="BEFORE")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    args = parser.parse_args()
    print(f"{processor()}\n{blas()}")
    with tempfile.TemporaryDirectory() as text, checked_out(args.before) as other:
        root = Path(text)
        (root / "made").mkdir()
        files = price_files(root / "made")
        prices = next(iter(files.values())).parent
        versions = {
            "before": Version(other, root / "before", prices),
            "here": Version(PROJECT, root / "here", prices),
        }
        for version in versions.values():
            version.prepare(dict(list(files.items())[:TRAINED]))
        print(f"\n| seconds by the clock, and of a core | {revision_of(args.before)} | here | here / before |")
        print("|---|---|---|---|")
        for what, run in commands(list(files)).items():
            taken: dict[str, list[Usage]] = {name: [] for name in versions}
            for number in range(args.rounds):
                order = list(versions) if number % 2 == 0 else list(versions)[::-1]
                for name in order:
                    taken[name].append(run(versions[name]))
            print(row(what, taken), flush=True)
    print(f"Medians of {args.rounds}; load of {os.cpu_count()} cores {os.getloadavg()[0]:.1f} in the last minute.")


def row(what: str, taken: Mapping[str, list[Usage]]) -> str:
    """One line of the table."""
    clock = {name: statistics.median(one.seconds for one in used) for name, used in taken.items()}
    core = {name: statistics.median(one.cpu_seconds for one in used) for name, used in taken.items()}
    told = [f"{clock[name]:.2f}, {core[name]:.2f}" for name in ("before", "here")]
    ratios = [times["here"] / times["before"] for times in (clock, core)]
    return f"| {what} | {' | '.join(told)} | {ratios[0]:.2f}, {ratios[1]:.2f} |"


if __name__ == "__main__":
    main()
