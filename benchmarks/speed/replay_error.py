"""Errors of the LSTM in trainings month after month, as a replay has them: two versions of the project, over seeds.

python benchmarks/speed/replay_error.py BEFORE [--stocks N] [--start DAY] [--end DAY] [--seeds N]

BEFORE is a git revision, which is cloned; the other version is the working tree. Each month is trained in the home of
the month before it, so that a version which goes on from an earlier network does. By default 12 of every second stock
of the shared price tables, nine months of 2024 and five seeds: a quarter of an hour on two idle cores.
"""

from __future__ import annotations

import argparse
import math
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from replay_speed import ratios, stocks_with_history
from scipy.stats import t as student_t
from timing import NSE, PROJECT, PYTHON
from versions import checked_out

CONFIDENCE = 0.95


def month_starts(symbol: str, start: str, end: str) -> list[str]:
    """The first session of each month, by a stock's prices."""
    firsts: dict[str, str] = {}
    for line in (NSE / f"{symbol}.csv").read_text().splitlines()[1:]:
        day = line.split(",", 1)[0]
        if start <= day <= end:
            firsts.setdefault(day[:7], day)
    return list(firsts.values())


def error(project: Path, home: Path, days: Sequence[str], symbols: Sequence[str], seed: int) -> float:
    """The LSTM's mean absolute error over naive's on validation days, averaged over the stocks of all months."""
    found = []
    for day in days:
        command = [PYTHON, project / "train_models.py", "--source", f"csv:{NSE}", "--as-of", day, "--home", home]
        subprocess.run([*command, "--seed", str(seed), "--quiet", "--symbols", *symbols], check=True)
        found.append(ratios([home])["lstm"])
    return statistics.fmean(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("before", metavar="BEFORE")
    parser.add_argument("--stocks", type=int, default=12)
    parser.add_argument("--start", default="2024-01-01")
    parser.add_argument("--end", default="2024-09-30")
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    if args.seeds < 2:
        parser.error("an interval needs two seeds or more")
    symbols = stocks_with_history(args.start, None)[1::2][: args.stocks]
    days = month_starts(symbols[0], args.start, args.end)
    differences = []
    with tempfile.TemporaryDirectory() as folder, checked_out(args.before) as old:
        for seed in range(1, args.seeds + 1):
            errors = {}
            for name, project in (("before", old), ("after", PROJECT)):
                home = Path(folder) / f"{name}{seed}"
                home.mkdir()
                errors[name] = error(project, home, days, symbols, seed)
            differences.append(errors["after"] - errors["before"])
            print(f"seed {seed}: {', '.join(f'{name} {value:.6f}' for name, value in errors.items())}", flush=True)
    mean = statistics.fmean(differences)
    half = student_t.ppf((1 + CONFIDENCE) / 2, len(differences) - 1) * statistics.stdev(differences)
    half /= math.sqrt(len(differences))
    told = "not worse" if mean - half <= 0 else "worse"
    print(f"LSTM error over naive's, {len(symbols)} stocks, {len(days)} months, {args.seeds} seeds: after less before")
    print(f"   {mean:+.6f}, paired {CONFIDENCE:.0%} interval {mean - half:+.6f} to {mean + half:+.6f}: {told}")


if __name__ == "__main__":
    sys.exit(main())
