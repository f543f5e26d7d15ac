"""Training on a cluster: two single-thread workers beside one, on this machine; and predicting for 5,000 stocks.

They print the rows of docs/cluster.md's tables, each in some five minutes of an idle machine.

python benchmarks/speed/cluster_speed.py train      40 simulated stocks, workers warm, first task to last
python benchmarks/speed/cluster_speed.py predict    seconds, memory and growth of the log, in one process
python benchmarks/speed/cluster_speed.py share      the same predictions on two workers beside one process
python benchmarks/speed/cluster_speed.py            all; PREDICTED=1000 for fewer stocks, ROUNDS=1 for fewer rounds
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

import psutil
from predict_speed import AS_OF, PREDICTOR, multiplied, price_files, trained
from timing import PROJECT, shared_out, usage_of, verdict

sys.path.insert(0, str(PROJECT))
os.environ["OMP_NUM_THREADS"] = "1"  # for who asks and for the workers, as the scripts have it; NumPy reads it once

from stockml.data.price_table import PriceTable, check_prices
from stockml.data.simulated_market import MarketSettings, sample_bars
from stockml.trainers import pipeline as training
from stockml.trainers.dask_cluster import DaskRunner
from stockml.trainers.fine_tuning import LIBRARIES

STOCKS, ROUNDS = 40, int(os.environ.get("ROUNDS", "5"))
DASK = str(Path(sysconfig.get_path("scripts")) / "dask")
WORLD = 50_000  # stocks listed anywhere
MOST = int(os.environ.get("PREDICTED", "5000"))
PREDICTED, TRAINED = (1, 500, MOST), 5  # stocks predicted, and how many of them really differ
SETTINGS = training.TrainingSettings()


def stocks(count: int) -> dict[str, PriceTable]:
    """Three years of simulated prices: two to learn from, and what their first indicators look back on."""
    names = tuple(f"MADE{number:02d}" for number in range(count))
    market = MarketSettings(symbols=names)
    bars = {name: sample_bars(name, date(2023, 1, 2), date(2025, 12, 31), settings=market) for name in names}
    return {name: check_prices(name, frame, limit=date(2025, 12, 31)) for name, frame in bars.items()}


@dataclass(frozen=True)
class Processes:
    """A scheduler's address, its process, and those of its workers."""

    address: str
    scheduler: int
    workers: list[int]


@contextmanager
def started(workers: int, folder: Path) -> Iterator[Processes]:
    """A scheduler and that many single-thread workers on the loopback, begun by Dask's own commands."""
    card = folder / "scheduler.json"
    common = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(card)]
    worker = ["worker", *common, "--nthreads", "1", "--no-nanny", "--local-directory", str(folder)]
    found = []
    with ExitStack() as stack:
        for options in (["scheduler", *common, "--port", "0"], *[worker] * workers):
            process = subprocess.Popen([DASK, *options], cwd=PROJECT, stderr=subprocess.DEVNULL)
            found.append(process.pid)
            stack.callback(process.wait)
            stack.callback(process.kill)
        while not (card.exists() and card.read_text().rstrip().endswith("}")):  # not written at once
            time.sleep(0.1)
        address = json.loads(card.read_text())["address"]
        wait_for(address, workers)
        yield Processes(address, found[0], found[1:])


def wait_for(address: str, workers: int) -> None:
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(workers)


@contextmanager
def cluster(workers: int, folder: Path) -> Iterator[tuple[DaskRunner, list[int]]]:
    """The runner of such a cluster, and its workers' processes."""
    with started(workers, folder) as found, DaskRunner(found.address, LIBRARIES, print) as runner:
        yield runner, found.workers


def seconds_of_a_core(*processes: int) -> float:
    times = [psutil.Process(number).cpu_times() for number in processes]
    return sum(each.user + each.system for each in times)


@dataclass(frozen=True)
class Cost:
    """Seconds so far, or of a stage: by the clock, of the workers' cores, of the coordinator's."""

    clock: float
    workers: float
    coordinator: float

    @classmethod
    def so_far(cls, workers: list[int]) -> Cost:
        return cls(time.perf_counter(), seconds_of_a_core(*workers), time.process_time())

    def since(self, before: Cost) -> Cost:
        return Cost(*(now - then for now, then in zip(astuple(self), astuple(before), strict=True)))

    def __str__(self) -> str:
        return f"{self.clock:.1f} s (workers {self.workers:.1f} s, coordinator {self.coordinator:.1f} s of a core)"


def cost_of_training(tables: Mapping[str, PriceTable], runner: DaskRunner, workers: list[int]) -> dict[str, Cost]:
    """What the whole and each stage took, first task to last, with the workers warm."""
    list(training.train(dict(list(tables.items())[:4]), SETTINGS, training.TrainingContext(runner=runner)))
    marks = {"prepare": Cost.so_far(workers)}

    def on_progress(stage: str, done: int, total: int) -> None:
        if stage == "learn together":
            marks["finish" if done else stage] = Cost.so_far(workers)

    results = list(training.train(tables, SETTINGS, training.TrainingContext(on_progress, runner)))
    end = Cost.so_far(workers)
    assert all(isinstance(result, training.TrainedStock) for result in results)
    stages = {stage: after.since(mark) for (stage, mark), (_, after) in pairwise([*marks.items(), ("", end)])}
    return {"all": end.since(marks["prepare"]), **stages}


def train() -> None:
    """Two workers beside one, in turn, so that a noisy minute hits both alike; medians and docs/cluster.md's tables."""
    tables = stocks(STOCKS)
    found: dict[int, list[dict[str, Cost]]] = {1: [], 2: []}
    for _ in range(ROUNDS):
        for workers, costs in found.items():
            with tempfile.TemporaryDirectory() as folder, cluster(workers, Path(folder)) as (runner, pids):
                costs.append(cost_of_training(tables, runner, pids))
            print(
                f"{workers} workers",
                *(f"   {stage}: {cost}" for stage, cost in costs[-1].items()),
                sep="\n",
                flush=True,
            )
    one, two = (statistics.median(cost["all"].clock for cost in costs) for costs in found.values())
    print(verdict(f"two workers on {STOCKS} stocks, times one", one / two, 1.8, "times", at_most=False))
    print(f"   {one:.1f} s with one, {two:.1f} s with two, workers warm, first task to last, medians of {ROUNDS}")
    print(f"   load of the machine's {os.cpu_count()} cores: {os.getloadavg()[0]:.1f} in the last minute")
    every = [cost for costs in found.values() for cost in costs]
    seconds = {stage: statistics.median(cost[stage].workers for cost in every) / STOCKS for stage in every[0]}
    asking = statistics.median(cost["all"].coordinator for cost in every) / STOCKS
    print(*rows_of_training(seconds["prepare"] + seconds["finish"], seconds["learn together"], asking), sep="\n")


def rows_of_training(alone: float, together: float, asking: float) -> list[str]:
    """The tables of docs/cluster.md, from the seconds of a core that a stock takes."""
    training_stocks, shards = SETTINGS.pool.most_teachers, SETTINGS.pool.shards
    least = WORLD * asking  # what the workers' results take where they come together
    seconds = {n: max(WORLD * alone / n + training_stocks * together / min(n, shards), least) for n in (4, 8, 32)}
    return [
        "| seconds of a core, a stock | on workers, for itself | on workers, teaching | where it is asked for |",
        "|---|---|---|---|",
        f"| train {STOCKS} stocks | {alone:.2f} | {together:.2f} | {asking:.2f} |",
        "",
        f"| workers | {WORLD:,} x {alone:.2f} s / N + {training_stocks:,} x {together:.2f} s / min(N, {shards}) |",
        "|---|---|",
        *(f"| {n} | {took / 3600:.1f} h |" for n, took in seconds.items()),
        f"No number of workers makes it less than {WORLD:,} x {asking:.2f} s = {least / 3600:.1f} h.",
    ]


def predict() -> None:
    """A predictor's day for many stocks: the trained ones under many names, in one process; docs/cluster.md's table."""
    print("| stocks | seconds | seconds of a core | memory at the most, MB | growth of the log, bytes |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as text:
        root = Path(text)
        (root / "made").mkdir()
        files = dict(list(price_files(root / "made").items())[:TRAINED])
        models = trained(root / "home", files, next(iter(files.values())).parent)
        for count in PREDICTED:
            prices, home, _ = multiplied(root, root / "home", models, count)
            command = [PREDICTOR, "--source", f"csv:{prices}", "--as-of", AS_OF, "--home", home, "--quiet"]
            used = usage_of([*command, "--jobs", "1"])
            log = home / "realtime_predictions/predictions.jsonl"
            lines = sum(1 for _ in log.open("rb"))
            assert lines == count, f"{lines} lines for {count} stocks"
            size = log.stat().st_size
            cost = f"{used.seconds:.1f} | {used.cpu_seconds:.1f} | {used.megabytes:,.0f}"
            print(f"| {count:,} | {cost} | {size:,} |", flush=True)
        models_size = bytes_under(home / "ml_training_data/models")
    print(f"   the models of {count:,} take {models_size / 1e9:.1f} GB, here links to those of {len(models)} stocks")
    print(f"   load of the machine's {os.cpu_count()} cores: {os.getloadavg()[0]:.1f} in the last minute")


def share() -> None:
    """The predictor's day on two workers beside one process, in turn: by the clock, and in seconds of a core.

    On idle cores the whole takes what the asker needs and half of what the workers need together. The scheduler's work
    and that of idle workers is told beside it; the log has to be the same, byte for byte.
    """
    with tempfile.TemporaryDirectory() as text, started(2, Path(text)) as found:
        root = Path(text)
        (root / "made").mkdir()
        files = dict(list(price_files(root / "made").items())[:TRAINED])
        models = trained(root / "home", files, next(iter(files.values())).parent)
        prices, home, _ = multiplied(root, root / "home", models, MOST)
        command = [PREDICTOR, "--source", f"csv:{prices}", "--as-of", AS_OF, "--home", home, "--quiet"]
        ways = {"one process": ["--jobs", "1"], "two workers": ["--cluster", found.address]}
        took: dict[str, list[tuple[float, float, float, float]]] = {way: [] for way in ways}
        logs = set()
        for _ in range(ROUNDS):
            for way, options in ways.items():
                shutil.rmtree(home / "realtime_predictions", ignore_errors=True)
                before = seconds_of_a_core(*found.workers), seconds_of_a_core(found.scheduler)
                used = shared_out([*command, *options])
                workers = seconds_of_a_core(*found.workers) - before[0]
                scheduler = seconds_of_a_core(found.scheduler) - before[1]
                took[way].append((used.seconds, used.own_cpu_seconds, workers, scheduler))
                logs.add((home / "realtime_predictions/predictions.jsonl").read_bytes())
    assert len(logs) == 1, "the logs differ"
    one, two = ([statistics.median(column) for column in zip(*rows, strict=True)] for rows in took.values())
    idle = two[1] + two[2] / 2
    print(verdict(f"predict {MOST} stocks, two workers beside one process, idle cores", idle / one[1], 0.6, "times"))
    print(verdict(f"predict {MOST} stocks, two workers beside one process, clock", two[0] / one[0], 0.6, "times"))
    print(
        f"   of a core: one process {one[1]:.1f} s; asker {two[1]:.1f}, workers {two[2]:.1f}, scheduler {two[3]:.1f} s"
    )
    print(f"   by the clock {one[0]:.1f} and {two[0]:.1f} s; idle workers took {one[2]:.1f} s of a core meanwhile")
    print(f"   load of the machine's {os.cpu_count()} cores: {os.getloadavg()[0]:.1f} in the last minute")


def bytes_under(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    for work in sys.argv[1:] or ("train", "predict", "share"):
        {"train": train, "predict": predict, "share": share}[work]()
