"""How fast training is: the whole command beside the plain way, the LSTM's arithmetic, many stocks, and memory.

python benchmarks/speed/train_speed.py [BEFORE] [--rounds N] [--stocks N] [--only PART]    BEFORE: a git revision

On the price tables beside the project, or on the simulated market without them. Each figure stands beside its target;
whatever is compared is measured in turn, in one run. With BEFORE that version stands beside this one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from pathlib import Path

from step_speed import arithmetic
from timing import NSE, PROJECT, PYTHON, ROUNDS, in_turn, seconds_of, usage_of, verdict
from versions import checked_out, revision_of

sys.path.insert(0, str(PROJECT))

from benchmarks.machine import processor

AS_OF, MONTH_BEFORE = "2026-06-30", "2026-05-29"
STOCKS = ("TCS", "RELIANCE", "INFY", "HDFCBANK", "ICICIBANK", "HINDUNILVR", "ITC", "SBIN", "BHARTIARTL", "LT")
NOT_ADJUSTED = "TRENT.NS.csv"  # for a split, and so refused
TIMES_FASTER, WITHIN = 22.0, 1.005
MANY, CORE_SECONDS, ERROR_WITHIN = 500, 0.40, 1.0005
IN_MEMORY, GROWTH_MB, PROCESS_MB = 100, 50.0, 1500.0
NOW = "this version"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("before", metavar="BEFORE", nargs="?", help="a git revision to stand beside this version")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of the ten stocks (default: %(default)s)")
    parser.add_argument("--stocks", type=int, default=MANY, help="of the part `many` (default: %(default)s)")
    parser.add_argument("--only", choices=["command", "arithmetic", "many", "memory"], help="one part instead of all")
    args = parser.parse_args()
    print(f"Processor: {processor()}", flush=True)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, versions = Path(name), {NOW: PROJECT}
        if args.before:
            versions[f"before ({revision_of(args.before)})"] = stack.enter_context(checked_out(args.before))
        files = price_files(folder)
        parts: dict[str, Callable[[], None]] = {
            "command": lambda: command(files[: len(STOCKS)], folder, args.rounds),
            "arithmetic": lambda: arithmetic(versions),
            "many": lambda: many(files, folder, args.stocks, versions),
            "memory": lambda: memory(files[: len(STOCKS)]),
        }
        for name, part in parts.items():
            if args.only in {None, name}:
                part()


def price_files(folder: Path) -> list[Path]:
    """The stocks' CSV files, the ten first: real ones, else simulated."""
    if NSE.is_dir():
        first = [NSE / f"{name}.NS.csv" for name in STOCKS]
        return [*first, *sorted(set(NSE.glob("*.NS.csv")) - {*first, NSE / NOT_ADJUSTED})]
    from stockml.data.simulated_market import SAMPLE_SYMBOLS, sample_bars

    for symbol in SAMPLE_SYMBOLS:
        sample_bars(symbol, date(2016, 1, 1), date.fromisoformat(AS_OF)).to_csv(folder / f"{symbol}.csv")
    return [folder / f"{symbol}.csv" for symbol in SAMPLE_SYMBOLS]


# ---- the whole command ----


def command(files: list[Path], folder: Path, rounds: int) -> None:
    """Training as a user does it beside the plain way, and what either is worth on the same validation days."""
    home, symbols = folder / "home", [path.stem for path in files]
    ours = [PROJECT / "train_models.py", "--source", f"csv:{files[0].parent}", "--as-of", AS_OF, "--home", home]
    ours += ["--symbols", *symbols, "--quiet"]
    plain = [PYTHON, PROJECT / "benchmarks/speed/plain_training.py", "--as-of", AS_OF, *files]
    scores: dict[str, dict[str, float]] = {}

    def run_plain() -> float:
        begin = time.perf_counter()
        done = subprocess.run([str(part) for part in plain], check=True, capture_output=True, text=True)
        scores.update(json.loads(done.stdout))
        return time.perf_counter() - begin

    taken = in_turn({"ours": lambda: seconds_of(ours), "plain": run_plain}, rounds)
    print(f"{len(files)} stocks: {taken['ours']:.1f} s here, {taken['plain']:.1f} s the plain way ({rounds} rounds)")
    print(
        verdict("times faster than plain, whole process", taken["plain"] / taken["ours"], TIMES_FASTER, at_most=False)
    )
    for kind in ("lstm_mae", "xgb_mae"):
        metrics = [
            json.loads((home / "ml_training_data/models" / s.replace(".", "_") / "metrics.json").read_text())
            for s in symbols
        ]
        mine, theirs = (sum(found[kind] for found in scores_of) for scores_of in (metrics, scores.values()))
        naive = sum(found["naive_mae"] for found in metrics)
        print(f"{kind}: over no change {mine / naive:.4f} here, {theirs / naive:.4f} the plain way")
        print(verdict(f"{kind} over plain's", mine / theirs, WITHIN, ""))


# ---- many stocks ----


def many(files: Sequence[Path], folder: Path, stocks: int, versions: Mapping[str, Path]) -> None:
    """The seconds of a core that each of many stocks takes, from nothing and in the training after that.

    Few files are trained under several names.
    """
    prices = folder / "prices"
    prices.mkdir()
    symbols = [f"N{number:04d}{Path(files[number % len(files)].stem).suffix}" for number in range(stocks)]
    for number, symbol in enumerate(symbols):
        (prices / f"{symbol}.csv").symlink_to(files[number % len(files)])
    (folder / "symbols.txt").write_text("\n".join(symbols) + "\n")
    errors: dict[str, list[float]] = {}
    for number, (name, project) in enumerate(versions.items()):
        home = folder / f"home{number}"
        ours = [PYTHON, project / "train_models.py", "--source", f"csv:{prices}", "--home", home, "--quiet"]
        for when, as_of in (("from nothing", MONTH_BEFORE), ("a month later", AS_OF)):
            used = usage_of([*ours, "--symbols-file", folder / "symbols.txt", "--as-of", as_of])
            told = f"{used.seconds:.1f} s by the clock, {used.cpu_seconds:.1f} s of a core"
            print(f"{stocks} stocks {when}, {name}: {told} (load {os.getloadavg()[0]:.1f})")
            what = f"seconds of a core for each, {when}, {name}"
            print(verdict(what, used.cpu_seconds / stocks, CORE_SECONDS), flush=True)
            errors.setdefault(when, []).append(error_of(home, symbols))
            print(f"lstm_mae over no change {errors[when][-1]:.5f}, {when}, {name}")
    for when, (now, *before) in errors.items():
        if before:
            what = f"error on validation days over the version's before, {when}"
            print(verdict(what, now / before[0], ERROR_WITHIN, ""))


def error_of(home: Path, symbols: Sequence[str]) -> float:
    """The LSTM's error on the validation days of all stocks, over that of no change."""
    models = home / "ml_training_data/models"
    metrics = [json.loads((models / symbol.replace(".", "_") / "metrics.json").read_text()) for symbol in symbols]
    return float(sum(of["lstm_mae"] for of in metrics) / sum(of["naive_mae"] for of in metrics))


# ---- memory ----


def memory(files: list[Path]) -> None:
    """The processes' memory while many stocks are trained: how much it grows after the tenth, and the largest."""
    import pandas as pd

    from stockml.data.price_table import check_prices
    from stockml.trainers.pipeline import TrainedStock, TrainingSettings, train

    tables = {}
    for number in range(IN_MEMORY):
        raw = pd.read_csv(files[number % len(files)])
        raw = raw[raw["Date"] <= AS_OF].tail(760)
        tables[f"N{number:03d}.NS"] = replace(check_prices("X.NS", raw), symbol=f"N{number:03d}.NS")
    early: dict[int, float] = {}
    largest: dict[int, float] = {}
    for done, result in enumerate(train(tables, TrainingSettings()), start=1):
        assert isinstance(result, TrainedStock), result
        for process, size in resident_mb().items():
            largest[process] = max(size, largest.get(process, 0.0))
            if done <= 10:
                early[process] = largest[process]
    growth = max(largest[process] - early[process] for process in early)
    print(verdict(f"memory's growth from the 10th to the {IN_MEMORY}th stock", growth, GROWTH_MB, "MB"))
    print(verdict("the largest process", max(largest.values()), PROCESS_MB, "MB"))


def resident_mb() -> dict[int, float]:
    """Of this process and all that descend from it."""
    parents, sizes = {}, {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        except OSError:
            continue  # it has ended meanwhile
        process = int(status.parent.name)
        parents[process] = int(fields["PPid"])
        sizes[process] = int(fields.get("VmRSS", "0 kB").split()[0]) / 1024
    family, waiting = set(), [os.getpid()]
    while waiting:
        process = waiting.pop()
        family.add(process)
        waiting += [child for child, parent in parents.items() if parent == process]
    return {process: sizes[process] for process in family}


if __name__ == "__main__":
    main()
