"""How fast either engine trains many stocks, stage by stage, and how far their validation errors are apart.

python benchmarks/speed/engine_speed.py [--stocks N] [--engines numpy tensorflow] [--jobs N] [--prices DIR]

On a simulated market in which a part of each move is taken back the day after, so that there is something to learn, or
on the CSV files of a folder. Engines are measured in turn, as a user starts them: loading and tracing count. TensorFlow
takes a GPU where there is one that the installed build can use; `--engines auto` says which engine training would take.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from timing import PROJECT, verdict

sys.path.insert(0, str(PROJECT))

import numpy as np
import pandas as pd

from benchmarks.machine import processor, versions
from stockml.data.price_table import PriceError, PriceTable, check_prices
from stockml.data.simulated_market import MarketSettings, sample_bars
from stockml.trainers import pipeline
from stockml.trainers.engine_choice import ENGINES, NUMPY, TENSORFLOW, choose

STOCKS, BARS = 500, 760  # bars of each stock: two years to learn from, and what their first indicators look back on
LAST_DAY = date(2025, 12, 31)
TAKEN_BACK = 0.5  # of a day's move
WITHIN = 1.005  # the greater mean validation error over the lesser


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stocks", type=int, default=STOCKS, help="to train (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="(default: the cores)")
    parser.add_argument("--prices", type=Path, help="folder of CSV files (default: a simulated market)")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=[NUMPY, TENSORFLOW])
    args = parser.parse_args()
    print(f"Processor: {processor()}\nGPU: {gpu()}\nVersions: {versions()}", flush=True)
    tables = stocks_of(args.prices, args.stocks) if args.prices else simulated(args.stocks)
    took: dict[str, Training] = {}
    for name in args.engines:
        choice, why = choose(name)
        told = ", ".join(f"{library} {number}" for library, number in choice.versions().items())
        print(f"\n{name}: {choice.name} on the {choice.device.upper()}, {why} ({told})", flush=True)
        took[name] = Training.of(tables, pipeline.TrainingSettings(jobs=args.jobs, engine=choice))
        print(took[name], flush=True)
    if len(took) == 2:
        one, other = took.values()
        apart, size = (one.forecasts - other.forecasts).std(), one.forecasts.std()
        print(f"\nForecasts on validation days: standard deviation {size:.1e} %, of the difference {apart:.1e} %")
        ratio = max(one.error, other.error) / min(one.error, other.error)
        print(verdict("validation error of the LSTM, the worse engine's over the better's", ratio, WITHIN, ""))


def gpu() -> str:
    """The GPU's name, memory and driver as nvidia-smi tells them."""
    ask = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "none"


def simulated(count: int) -> dict[str, PriceTable]:
    """Three years of simulated prices of so many stocks."""
    names = tuple(f"MADE{number:03d}" for number in range(count))
    market = MarketSettings(symbols=names, drift=taken_back)
    bars = {name: sample_bars(name, date(2023, 1, 2), LAST_DAY, settings=market) for name in names}
    return {name: check_prices(name, frame, limit=LAST_DAY) for name, frame in bars.items()}


def taken_back(closes: np.ndarray) -> float:
    """The expected return of the day after these closes."""
    return -TAKEN_BACK * float(closes[-1] / closes[-2] - 1) if len(closes) > 1 else 0.0


def stocks_of(folder: Path, count: int) -> dict[str, PriceTable]:
    """The newest bars of the first CSV files of a folder whose prices can be used, as many as there are."""
    tables: dict[str, PriceTable] = {}
    for path in sorted(folder.glob("*.csv")):
        if len(tables) < count:
            with suppress(PriceError):
                tables[path.stem] = check_prices(path.stem, pd.read_csv(path).tail(BARS))
    return tables


@dataclass(frozen=True)
class Training:
    """What training all stocks took, by stage, and what came of it."""

    seconds: Mapping[str, float]  # by the clock
    of_stocks: Mapping[str, float]  # of each stage of single stocks, added up
    stocks: int
    failures: int
    device: str
    error: float  # mean absolute validation error of the LSTM at the horizon, in %
    over_naive: float
    forecasts: np.ndarray  # of the LSTM on all stocks' validation days, by symbol, at the horizon in %

    @classmethod
    def of(cls, tables: Mapping[str, PriceTable], settings: pipeline.TrainingSettings) -> Training:
        seconds = dict.fromkeys(("prepare", "learn together", "finish"), 0.0)
        under_way, since = "prepare", time.perf_counter()

        def on_progress(stage: str, done: int, total: int) -> None:
            nonlocal under_way, since
            now = time.perf_counter()
            seconds[under_way] += now - since
            since = now
            if stage == "learn together":  # once for each group of stocks that are trained together
                under_way = stage if done < total else "finish"

        results = list(pipeline.train(tables, settings, on_progress))
        seconds[under_way] += time.perf_counter() - since
        trained = [result for result in results if isinstance(result, pipeline.TrainedStock)]
        for failure in [result for result in results if isinstance(result, pipeline.TrainingFailure)][:3]:
            print(failure.message, file=sys.stderr)
        if not trained:
            sys.exit("no stock could be trained")
        return cls(
            seconds=seconds,
            of_stocks={name: sum(stock.seconds[name] for stock in trained) for name in ("tune", "finish")},
            stocks=len(trained),
            failures=len(results) - len(trained),
            device=trained[0].metrics["engine"]["device"],
            error=float(np.mean([stock.metrics["lstm_mae"] for stock in trained])),
            over_naive=pipeline.summary(trained)["lstm"],
            forecasts=np.concatenate([forecasts_of(stock) for stock in sorted(trained, key=lambda s: s.symbol)]),
        )

    def __str__(self) -> str:
        stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in self.seconds.items())
        added = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in self.of_stocks.items())
        return (
            f"{self.stocks} stocks ({self.failures} failed) in {sum(self.seconds.values()):.1f} s, trained on: "
            f"{self.device}\n   by the clock: {stages}\n   of single stocks, added up: {added}\n"
            f"   LSTM: mean absolute validation error {self.error:.4f} %, {self.over_naive:.4f} of naive's"
        )


def forecasts_of(stock: pipeline.TrainedStock) -> np.ndarray:
    """The LSTM's validation forecasts at the horizon in %, shape (n_days,)."""
    table = pd.read_csv(io.StringIO(stock.validation))
    return table[f"lstm_{stock.metrics['horizon_days']}_pct"].to_numpy()


if __name__ == "__main__":
    main()
