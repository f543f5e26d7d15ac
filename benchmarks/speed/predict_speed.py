"""How long predicting takes: whole processes, beside `import tensorflow` and the plain way; start-up; indicators.

python benchmarks/speed/predict_speed.py    on the price tables beside the project, else on the simulated market
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from timing import NSE, PROJECT, PYTHON, ROUNDS, SharedOut, in_turn, seconds_of, shared_out, verdict

AS_OF = "2025-12-31"
COUNTS = (1, 50, 500)
SHARED = (16, 24, 32, 50, 500)  # stocks, that two processes analyse
PREDICTOR = PROJECT / "realtime_predictor.py"


def price_files(folder: Path) -> dict[str, Path]:
    """Fifty stocks' CSV files: real ones, else simulated."""
    if NSE.is_dir():
        return {path.stem: path for path in sorted(NSE.glob("*.csv"))[:50]}
    sys.path.insert(0, str(PROJECT))
    from stockml.data.simulated_market import MarketSettings, sample_bars

    names = tuple(f"MADE{number:02d}.NS" for number in range(50))
    for name in names:
        bars = sample_bars(name, date(2016, 1, 1), date(2025, 12, 31), settings=MarketSettings(symbols=names))
        bars.to_csv(folder / f"{name}.csv")
    return {name: folder / f"{name}.csv" for name in names}


def trained(home: Path, files: dict[str, Path], source: Path, project: Path = PROJECT) -> dict[str, Path]:
    """The stocks that a version could train, whose models lie in `home` then."""
    command = [PYTHON, project / "train_models.py", "--source", f"csv:{source}", "--as-of", AS_OF, "--home", home]
    seconds_of(["sh", "-c", " ".join(map(str, [*command, "--symbols", *map(repr, files)])) + " || [ $? = 1 ]"])
    folders = {path.name for path in (home / "ml_training_data/models").iterdir()}
    return {symbol: path for symbol, path in files.items() if symbol.replace(".", "_") in folders}


def multiplied(root: Path, home: Path, files: dict[str, Path], count: int) -> tuple[Path, Path, list[str]]:
    """A folder of prices and a home for `count` stocks: the trained ones under new names, their files linked."""
    prices, into = root / f"prices{count}", root / f"home{count}"
    prices.mkdir()
    names = []
    for number in range(count):
        symbol, path = list(files.items())[number % len(files)]
        name = f"N{number:03d}.NS"
        (prices / f"{name}.csv").symlink_to(path.resolve())
        target = into / "ml_training_data/models" / f"N{number:03d}_NS"
        shutil.copytree(home / "ml_training_data/models" / symbol.replace(".", "_"), target, copy_function=os.link)
        names.append(name)
    for name in names:  # when all are linked: a training, too, writes it last
        path = into / "ml_training_data/models" / name.replace(".", "_") / "metrics.json"
        metrics = json.loads(path.read_text())
        path.unlink()  # the link: the trained one stays as it is
        path.write_text(json.dumps(metrics | {"symbol": name}))
    return prices, into, names


def predict(prices: Path, home: Path) -> float:
    """Seconds of one run that predicts every stock of a home again."""
    shutil.rmtree(home / "realtime_predictions", ignore_errors=True)
    return seconds_of([PREDICTOR, "--source", f"csv:{prices}", "--as-of", AS_OF, "--home", home, "--quiet"])


def predicting(root: Path) -> None:
    """Whole processes for 1, 50 and 500 stocks."""
    made = root / "made"
    made.mkdir()
    files = price_files(made)
    models = trained(root / "home", files, next(iter(files.values())).parent)
    places = {count: multiplied(root, root / "home", models, count) for count in sorted({*COUNTS, *SHARED})}
    prices, home, _ = places[50]
    things: dict[str, Callable[[], float]] = {
        "tensorflow": lambda: seconds_of([PYTHON, "-c", "import tensorflow"], {"TF_CPP_MIN_LOG_LEVEL": "3"}),
        "plain": lambda: seconds_of([PYTHON, PROJECT / "benchmarks/speed/plain_predicting.py", prices, home, AS_OF]),
        **{str(count): (lambda count=count: predict(*places[count][:2])) for count in COUNTS},
    }
    took = in_turn(things)
    print(verdict("predict 50 stocks, beside `import tensorflow` alone", took["50"], took["tensorflow"]))
    print(verdict("predict 50 stocks, times faster than plain", took["plain"] / took["50"], 10, "times", at_most=False))
    each = (took["500"] - took["50"]) / 450 * 1000
    print(verdict("each further stock, 50 to 500", each, 30, "ms"))
    print("   " + ", ".join(f"{name}: {seconds:.2f} s" for name, seconds in took.items()))
    sharing(places)


def sharing(places: dict[int, tuple[Path, Path, list[str]]]) -> None:
    """One process beside two, on two cores: by the clock, and by the CPU seconds that must follow one another."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    for count in SHARED:
        took: dict[int, list[SharedOut]] = {1: [], 2: []}
        for _ in range(ROUNDS):
            for jobs, taken in took.items():
                prices, home, _ = places[count]
                shutil.rmtree(home / "realtime_predictions", ignore_errors=True)
                taken.append(
                    shared_out(
                        [PREDICTOR, "--source", f"csv:{prices}", "--as-of", AS_OF, "--home", home, "--jobs", jobs]
                    )
                )
        limit = 0.6 if count == SHARED[-1] else 1.0
        clock = [statistics.median(one.seconds for one in took[jobs]) for jobs in (1, 2)]
        cores = [statistics.median(one.on_idle_cores(jobs) for one in took[jobs]) for jobs in (1, 2)]
        print(verdict(f"predict {count} stocks, --jobs 2 beside 1, by the clock", clock[1] / clock[0], limit, "times"))
        print(verdict(f"predict {count} stocks, --jobs 2 beside 1, idle cores", cores[1] / cores[0], limit, "times"))
        print(f"   clock {clock[0]:.2f} and {clock[1]:.2f} s, idle cores {cores[0]:.2f} and {cores[1]:.2f} s")
        print(f"   load {os.getloadavg()[0]:.1f}")


def starting(root: Path) -> None:
    """What a run that has nothing to do costs."""
    home = root / "idle"
    seconds_of([PREDICTOR, "--source", "sample", "--home", home, "--symbols", "SIM-ALPHA", "--quiet"])
    took = in_turn(
        {
            "verify": lambda: seconds_of([PREDICTOR, "--verify-only", "--source", "sample", "--home", home]),
            "help": lambda: seconds_of([PREDICTOR, "--help"]),
            "version": lambda: seconds_of([PROJECT / "train_models.py", "--version"]),
        }
    )
    print(verdict("--verify-only with nothing due", took["verify"], 0.15))
    print(verdict("--help", took["help"], 0.5))
    print(verdict("--version", took["version"], 0.5))


def indicators() -> None:
    """Indicators, features and patterns of 500 stocks x 2,500 sessions, and each indicator beside TA-Lib."""
    sys.path.insert(0, str(PROJECT))
    import numpy as np
    import pandas as pd
    import talib

    from stockml.data.price_table import PriceTable
    from stockml.indicators import features
    from stockml.indicators import technical as ours
    from stockml.indicators.patterns import PatternConfig, PatternModel, normalised_windows

    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.015, 2500)))
    columns = {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close, "adj_close": close}
    frame = pd.DataFrame({**columns, "volume": 1e6}, index=pd.bdate_range("2015-01-01", periods=2500))
    table = PriceTable("MADE", frame, None, "csv")
    windows = normalised_windows(table, PatternConfig())
    model = PatternModel.fit(windows[300:700], np.zeros(400), horizon=5, seed=0)

    def one() -> None:
        features.feature_table(table)
        model.read(normalised_windows(table, PatternConfig()))

    one()
    started = time.perf_counter()
    for _ in range(500):
        one()
    print(
        verdict(
            "indicators, features, patterns of 2,500 sessions, a stock", (time.perf_counter() - started) * 2, 10, "ms"
        )
    )
    pairs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "RSI": (lambda: ours.rsi(close, memory=features.HISTORY_SESSIONS), lambda: talib.RSI(close, 14)),
        "MACD": (lambda: ours.macd(close, memory=features.HISTORY_SESSIONS), lambda: talib.MACD(close)),
        "SMA 20": (lambda: ours.sma(close, 20), lambda: talib.SMA(close, 20)),
        "SMA 200": (lambda: ours.sma(close, 200), lambda: talib.SMA(close, 200)),
    }
    for name, (mine, reference) in pairs.items():
        print(verdict(f"{name} of 2,500 sessions beside TA-Lib", repeated(mine) / repeated(reference), 10, "times"))


def repeated(function: Callable[[], object], times: int = 200) -> float:
    """The median seconds of one call."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        function()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        indicators()
        starting(Path(folder))
        predicting(Path(folder))
