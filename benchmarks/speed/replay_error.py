"""Errors of the LSTMs of a monthly replay, which go on from month to month, beside a version that begins anew.

python benchmarks/speed/replay_error.py BEFORE [--stocks N] [--start DAY] [--end DAY] [--every N] [--seeds N]

BEFORE is a git revision, which is cloned; the other version is the working tree. On the price tables beside the
project, by default all stocks that have two years before 2023, over three and a half years: all months are trained, and
the errors of each fourth stand beside those of a training from nothing. Five seeds take half an hour on two idle cores.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from replay_speed import options, ratios, stocks_with_history
from scipy.stats import t as student_t
from timing import NSE, PROJECT, PYTHON
from versions import checked_out

sys.path.insert(0, str(PROJECT))
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as the scripts have it; read once

from stockml.core.calendars import calendar_for
from stockml.core.clock import Clock
from stockml.core.paths import Home
from stockml.data.fetch import fetch_bars, span_of
from stockml.data.point_in_time import PointInTimePrices
from stockml.data.sources import parse_source
from stockml.replay.model_schedule import month_starts
from stockml.trainers.dataset import sessions_needed
from stockml.trainers.monthly_training import Month, MonthlyWork, train_months
from stockml.trainers.pipeline import TrainingSettings
from stockml.trainers.preloading import PRELOAD
from stockml.trainers.process_pool import ProcessRunner

CONFIDENCE = 0.95


def months_of(days: Sequence[date], symbols: Sequence[str], seed: int, root: Path) -> dict[date, Path]:
    """The homes of this version's models, trained as of each of these days, one after the other."""
    settings, source, now = TrainingSettings(seed=seed), parse_source(f"csv:{NSE}"), datetime.now(UTC)
    clock = Clock(now, days[-1])
    back = sessions_needed(settings.years) + (days[-1] - days[0]).days
    spans = {symbol: span_of(symbol, back, clock) for symbol in symbols}
    bars = fetch_bars(spans, source, clock=clock, home=Home(root)).bars
    stocks = [PointInTimePrices(symbol, raw, source.kind, clock.calendar(symbol)) for symbol, raw in bars.items()]
    months = [Month(root / str(day), Clock(now, day)) for day in days]
    with ProcessRunner(os.cpu_count() or 1, preload=PRELOAD) as runner:
        train_months(months, MonthlyWork(stocks, settings, runner, lambda *_stage: None))  # what fails, fails in both
    return {day: month.folder for day, month in zip(days, months, strict=True)}


def trained(project: Path, home: Path, day: date, symbols: Sequence[str], seed: int) -> Path:
    """The home of a version's models, trained from nothing as of a day."""
    home.mkdir()
    command = [PYTHON, project / "train_models.py", "--source", f"csv:{NSE}", "--as-of", str(day), "--home", home]
    ran = subprocess.run([*command, "--seed", str(seed), "--quiet", "--symbols", *symbols], check=False)
    assert ran.returncode in {0, 1}, "it ended without models; does that version run with this environment's libraries?"
    return home


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    if args.seeds < 2:
        parser.error("an interval needs two seeds or more")
    symbols = stocks_with_history(args.start, args.stocks)
    start, end = map(date.fromisoformat, (args.start, args.end))
    days = month_starts(calendar_for(symbols[0]).sessions_between(start, end))
    judged = days[args.every - 1 :: args.every]  # not the first month, which is trained from nothing by both
    differences = []
    with tempfile.TemporaryDirectory() as folder, checked_out(args.before) as old:
        for seed in range(1, args.seeds + 1):
            root = Path(folder) / str(seed)
            homes = months_of(days, symbols, seed, root)
            after = ratios([homes[day] for day in judged])["lstm"]
            before = ratios([trained(old, root / f"before-{day}", day, symbols, seed) for day in judged])["lstm"]
            differences.append(after - before)
            print(f"seed {seed}: from nothing {before:.6f}, going on {after:.6f}", flush=True)
    mean = statistics.fmean(differences)
    half = student_t.ppf((1 + CONFIDENCE) / 2, len(differences) - 1) * statistics.stdev(differences)
    half /= math.sqrt(len(differences))
    told = "not worse" if mean - half <= 0 else "worse"
    print(f"LSTM error over naive's, {len(symbols)} stocks, {len(judged)} of {len(days)} months, {args.seeds} seeds:")
    print(f"   a difference of {mean:+.6f}, {CONFIDENCE:.0%} interval {mean - half:+.6f} to {mean + half:+.6f}: {told}")


if __name__ == "__main__":
    sys.exit(main())
