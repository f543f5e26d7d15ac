"""How fast training is: the whole command beside the plain way, the LSTM's arithmetic, and memory.

python benchmarks/speed/train_speed.py [--rounds N] [--stocks N]

On the price tables beside the project, or on the simulated market without them. Each figure stands beside its target;
whatever is compared is measured in turn, in one run.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from multiprocessing.synchronize import Barrier
from pathlib import Path

from timing import NSE, PROJECT, PYTHON, ROUNDS, in_turn, seconds_of, verdict

sys.path.insert(0, str(PROJECT))

AS_OF = "2026-06-30"
STOCKS = ("TCS", "RELIANCE", "INFY", "HDFCBANK", "ICICIBANK", "HINDUNILVR", "ITC", "SBIN", "BHARTIARTL", "LT")
TIMES_FASTER, WITHIN = 8.0, 1.005
SHARE_OF_PRODUCT = 0.5
MANY, GROWTH_MB, PROCESS_MB = 100, 50.0, 1500.0
PRODUCT_SIZE, SPELLS, SPELL_SECONDS = 2048, 5, 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of the whole commands (default: %(default)s)")
    parser.add_argument("--stocks", type=int, default=len(STOCKS), help="to train (default: %(default)s)")
    parser.add_argument("--only", choices=["command", "arithmetic", "memory"], help="one part instead of all three")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = price_files(Path(folder))[: args.stocks]
        parts: dict[str, Callable[[], None]] = {
            "command": lambda: command(files, Path(folder), args.rounds),
            "arithmetic": arithmetic,
            "memory": lambda: memory(files),
        }
        for name, part in parts.items():
            if args.only in {None, name}:
                part()


def price_files(folder: Path) -> list[Path]:
    """The stocks' CSV files: real ones, else simulated."""
    if NSE.is_dir():
        return [NSE / f"{name}.NS.csv" for name in STOCKS]
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


# ---- the LSTM's arithmetic ----


def arithmetic() -> None:
    """The rate of the training step on all cores at once beside that of a large matrix product, spell by spell."""
    cores = os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(cores), context.Queue()
    processes = [context.Process(target=_spells, args=(barrier, results)) for _ in range(cores)]
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    os.environ.update(one_thread)  # read when a process starts: each keeps to its core, as in training
    for process in processes:
        process.start()
    for name in one_thread:
        del os.environ[name]
    rates = [results.get() for _ in processes]  # (products, steps) of each spell, by process
    for process in processes:
        process.join()
    shares, products = [], []
    for spell in range(SPELLS):
        product, step = (sum(rate[kind][spell] for rate in rates) for kind in (0, 1))
        products.append(product)
        shares.append(step / product)
    middle = sorted(range(SPELLS), key=lambda spell: shares[spell])[SPELLS // 2]
    step = shares[middle] * products[middle]
    print(f"{cores} cores: matrix product {products[middle]:.0f} GFLOP/s, LSTM step {step:.0f}")
    print(
        verdict(
            "LSTM training arithmetic, share of the matrix product", shares[middle], SHARE_OF_PRODUCT, "", at_most=False
        )
    )


def _spells(barrier: Barrier, results: multiprocessing.Queue) -> None:
    import numpy as np

    from stockml.models.lstm import INPUTS
    from stockml.trainers.lstm_trainer import LSTMTrainer, OptimizerSettings, Samples, fresh_network

    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((PRODUCT_SIZE, PRODUCT_SIZE)).astype(np.float32)
    settings = OptimizerSettings()
    trainer = LSTMTrainer(len(INPUTS), 5, settings)
    trainer.start(fresh_network(len(INPUTS), 5, seed=0))
    count = 8 * settings.batch
    days = rng.standard_normal((count + 20, len(INPUTS))).astype(np.float32)
    samples = Samples(days, np.arange(20, count + 20), rng.standard_normal((count, 5)).astype(np.float32))
    jobs = {
        0: (lambda: matrix @ matrix, 2.0 * PRODUCT_SIZE**3),
        1: (lambda: trainer.epoch(samples, rng, 1e-3), count * flop_a_window(len(INPUTS))),
    }
    found: dict[int, list[float]] = {0: [], 1: []}
    for _ in range(SPELLS):
        for kind, (job, flop) in jobs.items():
            job()
            barrier.wait()
            begin, done = time.perf_counter(), 0
            while time.perf_counter() - begin < SPELL_SECONDS:
                job()
                done += 1
            found[kind].append(done * flop / (time.perf_counter() - begin) / 1e9)
            barrier.wait()
    results.put((found[0], found[1]))


def flop_a_window(inputs: int) -> float:
    """Multiplications and additions of the matrix products alone, forward and back, for one window."""
    from stockml.models.lstm import LAYERS, UNITS, WINDOW_SESSIONS

    sizes = (inputs, *[UNITS] * (LAYERS - 1))
    forward = sum(2.0 * (size + UNITS) * 4 * UNITS for size in sizes)
    return WINDOW_SESSIONS * (3 * forward - 2.0 * inputs * 4 * UNITS)  # nothing flows back into the inputs


# ---- memory ----


def memory(files: list[Path]) -> None:
    """The processes' memory while many stocks are trained: how much it grows after the tenth, and the largest."""
    import pandas as pd

    from stockml.data.price_table import check_prices
    from stockml.trainers.pipeline import TrainedStock, TrainingSettings, train

    tables = {}
    for number in range(MANY):
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
    print(verdict(f"memory's growth from the 10th to the {MANY}th stock", growth, GROWTH_MB, "MB"))
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
