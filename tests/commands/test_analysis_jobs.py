"""`realtime_predictor.py --jobs`: the same results for any number of processes, whatever becomes of them."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from asking import AT_ONCE, listing
from fake_yahoo import FakeYahoo, redirected
from made_up_bars import market
from planted_plugins import plant
from scripts import BARE, PROJECT, files_under, log_of, predict
from waiting import PATIENCE_SECONDS, wait_until

import realtime_predictor
from stockml.commands import analysis_jobs
from stockml.commands.analysis_jobs import Helpers, Jobs
from stockml.commands.run import Run, open_run
from stockml.core.clock import Clock
from stockml.core.paths import Home
from stockml.data.fetch import fetch_prices, spans_of
from stockml.signals.plugins import NO_PLUGINS
from stockml.trainers.process_pool import WorkerDiedError

STOCKS = tuple(f"MADE{number}.NS" for number in range(6))
DAYS = ("2025-06-30", "2025-07-01")  # within the bars of `market`
DIES = """
import os, pathlib, signal
class Plugin:
    def opinion(self, prices, horizon):
        once = pathlib.Path({folder!r}, "once")
        if prices.symbol == "MADE1.NS" and not once.exists():
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if prices.symbol == "MADE3.NS":
            os.kill(os.getpid(), signal.SIGKILL)
        return None
"""
WAITS = """
import os, pathlib, time
class Plugin:
    def opinion(self, prices, horizon):
        pathlib.Path({folder!r}, f"waits-{{os.getpid()}}").touch()
        time.sleep(600)
"""


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    """A folder of six stocks' files, two of which cannot be used."""
    folder = tmp_path / "prices"
    folder.mkdir()
    for number, name in enumerate(STOCKS):
        market(seed=number).to_csv(folder / f"{name}.csv")
    (folder / "MADE2.NS.csv").write_text("Date,Close\nno table")
    (folder / "MADE4.NS.csv").unlink()
    return folder


def options(prices: Path, home: Path, *more: object) -> list[str]:
    named = ["--source", f"csv:{prices}", "--symbols", *STOCKS, "--home", home, *more]
    return [str(option) for option in named]


def run_of(prices: Path, home: Path, *more: object) -> Run:
    args = realtime_predictor.parse_args(options(prices, home, "--as-of", DAYS[0], *more))
    return open_run(args, datetime.now(UTC))


def test_log_feedback_and_output_are_the_same_for_any_number_of_processes(tmp_path: Path, prices: Path) -> None:
    before, home = tmp_path / "before", tmp_path / "home"
    assert predict(*options(prices, before, "--horizons", 1, 5, "--as-of", DAYS[0])).code == 1
    left = []
    for jobs in (1, 2, 3):
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(before, home)
        ran = predict(*options(prices, home, "--jobs", jobs, "--horizons", 1, 5, "--as-of", DAYS[1], "--json"))
        files = files_under(home / "realtime_predictions")
        kept = [files[name] for name in files if name == "predictions.jsonl" or name.startswith("feedback/")]
        out = re.sub(r'"seconds": {[^}]*}|"at": "[^"]*"', "", ran.out)  # what the clock says
        left.append((kept, out, ran.err))
        assert len(ran.json["settled"]) == 4
    assert left[0] == left[1] == left[2]


def test_a_killed_helper_costs_time_and_a_stock_that_kills_each_fails_alone(tmp_path: Path, prices: Path) -> None:
    packages = plant(tmp_path / "packages", {"signals": {"dies": DIES.format(folder=str(tmp_path))}})
    named = options(prices, tmp_path / "home", "--as-of", DAYS[0])
    ran = predict(*named, "--jobs", 2, env={"PYTHONPATH": str(packages)})
    assert ran.code == 1
    assert "MADE3.NS: not predicted; its process was killed each time" in ran.err
    assert [line["symbol"] for line in log_of(tmp_path / "home")] == ["MADE0.NS", "MADE1.NS", "MADE5.NS"]
    assert (tmp_path / "once").exists()


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_who_ends_the_run_ends_its_helpers(tmp_path: Path, prices: Path, asked: signal.Signals) -> None:
    packages = plant(tmp_path / "packages", {"signals": {"waits": WAITS.format(folder=str(tmp_path))}})
    command = [str(PROJECT / "realtime_predictor.py"), *options(prices, tmp_path / "home", "--as-of", DAYS[0])]
    environment = BARE | {"PYTHONPATH": str(packages)}
    with subprocess.Popen([*command, "--jobs", "2"], env=environment, cwd="/", stderr=subprocess.PIPE) as process:
        wait_until(lambda: len(list(tmp_path.glob("waits-*"))) == 2, "both helpers")
        helpers = [int(path.name.removeprefix("waits-")) for path in tmp_path.glob("waits-*")]
        process.send_signal(asked)
        _, messages = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 128 + asked, messages
    assert b"Traceback" not in messages
    assert process.pid not in helpers
    wait_until(lambda: not any(Path(f"/proc/{number}").exists() for number in helpers), "the helpers' end")


@pytest.mark.parametrize("value", ["0", "-2", "1.5", "two", "100000"])
def test_a_wrong_number_of_processes_is_wrong_usage(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        realtime_predictor.parse_args(["--jobs", value])
    assert ended.value.code == 2
    assert f"argument --jobs: '{value}' is" in capsys.readouterr().err


Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[tuple[int, Any]]]


def dying(symbols: set[str], asked: list[list[str]]) -> Map:
    """Does the tasks from the last to the first; those with one of the symbols kill their process."""

    def run_tasks(function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        for number, task in reversed(list(enumerate(tasks))):
            asked.append(list(task.spans))
            function, task = pickle.loads(pickle.dumps((function, task)))  # as another process sees them
            is_lost = bool(symbols & set(task.spans))
            yield number, WorkerDiedError("killed") if is_lost else pickle.loads(pickle.dumps(function(task)))

    return run_tasks


def test_results_are_in_the_order_of_the_stocks_and_a_lost_task_is_asked_stock_by_stock(
    tmp_path: Path, prices: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysis_jobs, "TASKS_PER_PROCESS", 1)
    run, asked = run_of(prices, tmp_path / "home"), []
    fetched = Jobs(run, STOCKS, NO_PLUGINS, Helpers(dying({"MADE3.NS"}, asked), 2)).fetch(STOCKS, 300)
    assert list(fetched.tables) == ["MADE0.NS", "MADE1.NS", "MADE5.NS"]
    assert list(fetched.failures) == ["MADE2.NS", "MADE3.NS", "MADE4.NS"]
    assert fetched.failures["MADE3.NS"].message == "MADE3.NS: not predicted; killed"
    assert asked == [list(STOCKS[3:]), list(STOCKS[:3]), [STOCKS[5]], [STOCKS[4]], [STOCKS[3]]]


@pytest.mark.parametrize("source", ["csv", "sample", "yahoo", "yahoo, offline"])
def test_every_source_tells_what_it_tells_one_process(tmp_path: Path, prices: Path, source: str) -> None:
    of_files = {"csv": STOCKS, "sample": ("SIM-BETA", "SIM-NOBODY", "SIM-ALPHA")}
    names = of_files.get(source, ("TCS.NS", "NOPE.NS", "INFY.NS"))
    kind = f"csv:{prices}" if source == "csv" else source.partition(",")[0]
    clock, home = Clock(datetime(2026 if "yahoo" in source else 2025, 7, 1, 12, tzinfo=UTC)), Home(tmp_path / "home")
    run, spans = run_of(prices, home.root, "--source", kind), spans_of(names, 300, clock)
    jobs = Jobs(run, names, NO_PLUGINS, Helpers(dying(set(), []), 2))
    with FakeYahoo(date(2026, 6, 30)) as yahoo, redirected(yahoo):
        for seed, symbol in enumerate(("TCS.NS", "INFY.NS")):
            yahoo.listings[symbol] = listing(seed=seed)
        how = {"clock": clock, "home": home, "settings": replace(AT_ONCE, offline=False)}
        if "offline" in source:
            fetch_prices(spans, run.source, **how)
            how["settings"] = replace(AT_ONCE, offline=True)
        shared = jobs._fetch(spans, run.source, **how)
        if source == "yahoo":
            how["home"] = Home(tmp_path / "other")  # what is kept in the first would not be asked for again
        alone = fetch_prices(spans, run.source, **how)
    assert len(alone.tables) > 1 and alone.failures
    assert list(shared.summary().items()) == list(alone.summary().items())
    assert list(shared.failures.values()) == list(alone.failures.values())
    assert shared.listings == alone.listings
    assert all(stock.analysis.data_through == alone.tables[name].data_through for name, stock in shared.tables.items())


def test_only_stocks_that_are_wanted_are_analysed_and_stages_share_the_time(tmp_path: Path, prices: Path) -> None:
    run = run_of(prices, tmp_path / "home")
    fetched = Jobs(run, ["MADE0.NS"], NO_PLUGINS).fetch(STOCKS[:2], 300)
    assert [stock.analysis is not None for stock in fetched.tables.values()] == [True, False]
    assert list(fetched.bars) == list(STOCKS[:2])
    assert set(run.seconds) == {"fetch", "analyze"}
    assert all(seconds > 0 for seconds in run.seconds.values())


def test_few_stocks_take_one_process_and_many_the_cores_where_no_thread_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    monkeypatch.setattr(analysis_jobs, "_can_fork", lambda: True)
    worth = analysis_jobs.WORTH_A_PROCESS
    stocks = (1, 2 * worth - 1, 2 * worth, 3 * worth - 1, 3 * worth, 100 * worth)
    assert [analysis_jobs._usual_jobs(number) for number in stocks] == [1, 1, 2, 2, 3, 3]
    monkeypatch.undo()
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        assert not analysis_jobs._can_fork()
    finally:
        ended.set()
        thread.join()


def test_where_no_process_can_be_started_all_is_done_in_one(
    tmp_path: Path, prices: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_more() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(analysis_jobs, "_can_fork", lambda: True)
    monkeypatch.setattr(os, "fork", no_more)
    args = options(prices, tmp_path / "home", "--as-of", DAYS[0], "--jobs", 2)
    assert realtime_predictor.main(args) == 1
    assert len(log_of(tmp_path / "home")) == 4
    assert "No further process can be started (Resource temporarily unavailable)" in capsys.readouterr().err
