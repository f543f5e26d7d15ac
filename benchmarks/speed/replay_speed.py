"""How long a walk-forward backtest takes that trains each month: two versions of the project, in turn.

python benchmarks/speed/replay_speed.py BEFORE [--stocks N] [--start DAY] [--end DAY] [--rounds N]

BEFORE is a git revision, which is cloned; the other version is the working tree. On the price tables beside the
project, by default all stocks that have two years before 2023, over three and a half years: the version before then
trains 43 times from nothing, which takes half an hour on two idle cores.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from timing import NSE, PROJECT, PYTHON, usage_of, verdict
from versions import checked_out

TIMES = 0.25  # of the version before, at most
SESSIONS_BEFORE = 500


@dataclass(frozen=True)
class Took:
    """What a replay took, by the clock and of all cores together, and the errors of its models beside naive's."""

    seconds: float
    cpu_seconds: float
    months: int
    ratios: dict[str, float]

    def __str__(self) -> str:
        errors = ", ".join(f"{name} {ratio:.4f}" for name, ratio in self.ratios.items())
        return (
            f"{self.seconds:.0f} s by the clock, {self.cpu_seconds:.0f} s of a core, {self.months} trainings; "
            f"error over naive's on validation days: {errors}"
        )


def replay(project: Path, home: Path, args: argparse.Namespace, symbols: list[str]) -> Took:
    """One replay from nothing; stocks that fail in some months do not stop it."""
    command = [PYTHON, project / "realtime_predictor.py", "--replay", args.start, args.end, "--retrain", "monthly"]
    command += ["--source", f"csv:{NSE}", "--home", home, "--quiet", "--symbols", *symbols]
    used = usage_of(command, may_fail=True)
    months = sorted(path for path in (home / "replay").iterdir() if path.is_dir() and not path.name.startswith("."))
    return Took(used.seconds, used.cpu_seconds, len(months), ratios(months))


def ratios(months: list[Path]) -> dict[str, float]:
    """The mean absolute error of each forecaster over naive's, averaged over the stocks of all months."""
    metrics = [
        json.loads(p.read_text()) for m in months for p in (m / "ml_training_data/models").glob("*/metrics.json")
    ]
    if not metrics:
        raise SystemExit("no month has a model; does that version run with this environment's libraries?")
    return {
        name: statistics.fmean(one[f"{name}_mae"] / one["naive_mae"] for one in metrics)
        for name in ("lstm", "xgb", "ensemble")
    }


def stocks_with_history(first: str, most: int | None) -> list[str]:
    """The stocks of the shared tables with so many sessions before the replay."""
    found = []
    for path in sorted(NSE.glob("*.csv")):
        days = [line.split(",", 1)[0] for line in path.read_text().splitlines()[1:]]
        if sum(day < first for day in days) >= SESSIONS_BEFORE:
            found.append(path.stem)
    return found[:most]


def options(described: str | None) -> argparse.ArgumentParser:
    """The options of a comparison of replays: the other version, the stocks and the days."""
    parser = argparse.ArgumentParser(description=(described or "").splitlines()[0])
    parser.add_argument("before", metavar="BEFORE")
    parser.add_argument("--stocks", type=int)
    parser.add_argument("--start", default="2023-01-02")
    parser.add_argument("--end", default="2026-07-31")
    return parser


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    symbols = stocks_with_history(args.start, args.stocks)
    taken: dict[str, list[Took]] = {"before": [], "after": []}
    with tempfile.TemporaryDirectory() as folder, checked_out(args.before) as old:
        for number in range(args.rounds):
            order = [("before", old), ("after", PROJECT)]
            for name, project in order if number % 2 == 0 else order[::-1]:
                took = replay(project, Path(folder) / f"{name}{number}", args, symbols)
                taken[name].append(took)
                print(f"{name:<6} {len(symbols)} stocks: {took} (load {os.getloadavg()[0]:.1f})", flush=True)

    def beside(what: str) -> float:
        after, before = (statistics.median(getattr(each, what) for each in taken[name]) for name in ("after", "before"))
        return after / before

    print(verdict("monthly replay, seconds of a core beside the version before", beside("cpu_seconds"), TIMES, "times"))
    print(verdict("monthly replay, seconds by the clock beside it", beside("seconds"), TIMES, "times"))


if __name__ == "__main__":
    sys.exit(main())
