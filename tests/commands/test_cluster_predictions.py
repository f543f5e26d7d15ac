"""`realtime_predictor.py --cluster`: the same results as of one process, from workers that have no file of the asker's.

The cluster is a real one on this machine's loopback; workers and scheduler are killed at stages, not after seconds.
"""

from __future__ import annotations

import json
import pickle
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from conftest import made_up_prices
from local_cluster import LocalCluster, local_cluster, wait_for_workers
from made_up_bars import market
from made_up_models import made_up_metrics, made_up_models
from planted_plugins import plant
from scripts import files_under, log_of, predict

import realtime_predictor
from stockml.commands import analysis_jobs, replay_command
from stockml.commands.analysis_jobs import Helpers, Jobs
from stockml.commands.exits import NOTHING_DONE, NotDoneError, UsageError, run_command
from stockml.commands.run import Run, open_run
from stockml.core.paths import Home
from stockml.models.bundle_store import bundle_folder, save_bundle
from stockml.replay.walk_forward import ReplayContext
from stockml.signals.plugins import NO_PLUGINS
from stockml.signals.priors import Priors
from stockml.trainers import cluster_connection, dask_cluster
from stockml.trainers.dask_cluster import DaskRunner
from stockml.trainers.process_pool import WorkersLostError

pytest.importorskip("distributed", reason="the cluster's tests need Dask: pip install -r requirements-cluster.txt")

STOCKS = tuple(f"MADE{number}.NS" for number in range(8))
DAYS = ("2026-06-29", "2026-06-30")  # within the bars
CLOCK = re.compile(rb'"seconds": ?{[^}]*}|\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)')
NOBODY = "tcp://127.0.0.1:1"


@pytest.fixture(scope="module")
def at_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight stocks' files and a home: some with models, some with damaged ones, one without prices, one with bad ones.

    Yesterday's predictions are logged and due.
    """
    folder = tmp_path_factory.mktemp("at-home")
    prices, home = folder / "prices", Home(folder / "home")
    prices.mkdir()
    table = made_up_prices(650)
    models, priors = made_up_models(table, seed=1), {"priors": Priors().to_dict()}
    for number, name in enumerate(STOCKS):
        market(700, seed=number).to_csv(prices / f"{name}.csv")
        if number < 5:
            through = "2026-07-20" if number == 4 else "2026-06-01"  # a model of a later day is not used
            named = {
                "priors": Priors().to_dict(),
                "symbol": name,
                "data_through": through,
                "trained_at": f"{through}T15:30:00",
            }
            save_bundle(home, made_up_metrics(table) | named | priors, models, "")
    for number, file in ((1, "fast.bin"), (2, "lstm_model.h5"), (3, "metrics.json")):
        with (bundle_folder(home, STOCKS[number]) / file).open("ab") as damaged:
            damaged.write(b"damage")
    (prices / "MADE6.NS.csv").write_text("Date,Close\nno table")
    (prices / "MADE7.NS.csv").unlink()
    assert predict(*options(folder, "--horizons", 1, 5, "--as-of", DAYS[0])).code == 1
    return folder


def options(folder: Path, *more: object) -> list[str]:
    named = ["--source", f"csv:{folder / 'prices'}", "--symbols", *STOCKS, "--home", folder / "home", *more]
    return [str(option) for option in named]


def run_of(folder: Path, *more: object) -> Run:
    args = realtime_predictor.parse_args(options(folder, "--horizons", 1, 5, "--as-of", DAYS[1], *more))
    return open_run(args, datetime.now(UTC))


def left_by(at_home: Path, *more: object) -> Any:
    """What a run leaves of a fresh copy of the home: its files and what it tells, but for what the clock says."""
    folder = at_home.with_name("copy")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(at_home, folder)
    run = run_of(folder, *more)
    done = realtime_predictor.carry_out(run)
    result = CLOCK.sub(b"", json.dumps(done.result).encode()).decode()
    files = files_under(folder / "home/realtime_predictions")
    del files[".predictions.checkpoint.json"]  # it knows the log by its time of change
    return {name: CLOCK.sub(b"", content) for name, content in files.items()}, result, run.failures


@pytest.fixture(scope="module")
def alone(at_home: Path) -> Any:
    """What one process leaves."""
    return left_by(at_home, "--jobs", 1)


def test_log_report_and_all_else_are_those_of_one_process(at_home: Path, alone: Any, two_workers: LocalCluster) -> None:
    files, result, failures = left_by(at_home, "--cluster", two_workers.address)
    assert files.keys() == alone[0].keys()
    assert [name for name in files if files[name] != alone[0][name]] == []
    assert (result, failures) == alone[1:]
    told = " ".join(failure.message for failure in failures)
    for text in ("fast.bin is not the file", "lstm_model.h5 is not the file", "metrics.json is damaged", "no file"):
        assert text in told
    assert "MADE0.NS:2026-06-29:1" in result


def test_the_command_says_and_logs_what_it_does_in_one_process(at_home: Path, two_workers: LocalCluster) -> None:
    told = []
    for how in (("--cluster", two_workers.address), ("--jobs", 1)):
        folder = at_home.with_name("copy")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(at_home, folder)
        ran = predict(*options(folder, "--as-of", DAYS[1], "--verify-only", *how))
        told.append((ran, log_of(folder / "home")))
    assert told[0] == told[1] and told[0][0].code == 0


Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[tuple[int, Any]]]


def without_files(folder: Path) -> Map:
    """Does each task as another machine would, where none of the files lies."""

    def run_tasks(function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        packed = [pickle.dumps(partial(function, task)) for task in tasks]
        folder.rename(folder.with_name("away"))
        yield from enumerate(pickle.loads(task)() for task in packed)
        folder.with_name("away").rename(folder)

    return run_tasks


def test_whoever_analyses_needs_no_file(at_home: Path) -> None:
    run = run_of(at_home)
    here = Jobs(run, STOCKS, NO_PLUGINS).fetch(STOCKS, 300)
    there = Jobs(run, STOCKS, NO_PLUGINS, Helpers(without_files(at_home), 2, are_far=True)).fetch(STOCKS, 300)
    assert there.failures == here.failures
    for symbol, stock in here.tables.items():
        assert repr(there.tables[symbol]) == repr(stock)
    assert here.tables["MADE0.NS"].analysis.model is not None


# ---- deaths ----


def after_the_first_result(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do something in the middle of an analysis: the modules of the next steps are loaded after its first result."""
    monkeypatch.setattr(analysis_jobs, "_load", lambda _: act())
    monkeypatch.setattr(analysis_jobs, "STOCKS_PER_TASK", 1)


def test_a_worker_killed_in_the_middle_changes_nothing(
    at_home: Path, alone: Any, two_workers: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = two_workers.workers[0]
    after_the_first_result(monkeypatch, victim.kill)
    assert left_by(at_home, "--cluster", two_workers.address) == alone
    assert victim.wait() < 0


def test_where_all_are_lost_nothing_is_logged_and_the_end_is_one_sentence(
    at_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_cluster, "DaskRunner", partial(DaskRunner, patience_seconds=1))
    before = files_under(at_home)
    with local_cluster(tmp_path, workers=1) as found:
        wait_for_workers(found, 1)
        after_the_first_result(monkeypatch, found.workers[0].kill)
        with pytest.raises(NotDoneError, match=r"no worker for 1 seconds\. Nothing was verified or predicted; "):
            realtime_predictor.carry_out(run_of(at_home, "--cluster", found.address))
        found.add_worker()
        wait_for_workers(found, 1)
        after_the_first_result(monkeypatch, found.scheduler.kill)
        args = run_of(at_home, "--cluster", found.address).args
        assert run_command(realtime_predictor.predict_and_learn, args) == NOTHING_DONE
    assert files_under(at_home) == before


def test_the_loss_is_told_in_one_line(
    at_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cluster_connection, "CONNECT_SECONDS", 1.0)
    args = run_of(at_home, "--cluster", NOBODY).args
    assert run_command(realtime_predictor.predict_and_learn, args) == NOTHING_DONE
    told = capsys.readouterr().err
    assert told.startswith(f"The scheduler at {NOBODY} does not answer") and len(told.splitlines()) == 1


# ---- usage ----


@pytest.mark.parametrize("address", ["nonsense://x", "tcp://127.0.0.1", "somewhere"])
def test_what_is_no_address_is_wrong_usage(at_home: Path, address: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"--cluster {address}: no address")):
        realtime_predictor.carry_out(run_of(at_home, "--cluster", address))


def test_without_dask_the_command_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "distributed.py").write_text("raise ImportError('as if it were not installed')\n")
    sample = ("--source", "sample", "--symbols", "SIM-ALPHA", "--as-of", "2026-03-02", "--home", tmp_path / "home")
    ran = predict(*sample, "--cluster", "tcp://127.0.0.1:8786", env={"PYTHONPATH": str(tmp_path)})
    assert ran.code == 2 and "requirements-cluster.txt" in ran.err and len(ran.err.splitlines()) == 1
    assert not (tmp_path / "home/realtime_predictions").exists()


@pytest.mark.parametrize(
    "beside",
    [
        ["--status"],
        ["--report"],
        ["--self-check"],
        ["--audit"],
        ["--export", "x.csv"],
        ["--explain", "MADE0.NS:2026-06-29:5"],
        ["--replay", "2025-06-02", "2025-06-30"],
    ],
)
def test_what_needs_no_worker_takes_no_cluster(beside: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        realtime_predictor.parse_args(["--cluster", NOBODY, *beside])
    assert ended.value.code == 2
    assert "--cluster" in capsys.readouterr().err


def test_a_worker_without_the_plugins_of_the_run_gets_no_work(
    at_home: Path, tmp_path: Path, two_workers: LocalCluster
) -> None:
    packages = plant(tmp_path, {"signals": {"calm": "class Plugin:\n    def opinion(self, prices, horizon): return 0"}})
    ran = predict(
        *options(at_home, "--as-of", DAYS[1], "--cluster", two_workers.address), env={"PYTHONPATH": str(packages)}
    )
    assert ran.code == 3
    assert re.search(r"No worker at \S+ fits: .* there \S+ is missing, not ", ran.err)


def test_a_replay_trains_on_the_workers_and_tells_of_their_loss(
    tmp_path: Path, two_workers: LocalCluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done: dict[int, int] = {}

    def replay(_settings: object, _stocks: object, context: ReplayContext) -> None:
        assert context.runner is not None
        done.update(context.runner.map(abs, [-1, -2]))
        raise WorkersLostError("The scheduler does not answer.")

    monkeypatch.setattr(replay_command, "replay", replay)
    named = ["--replay", "2026-03-02", "2026-03-02", "--retrain", "monthly", "--source", "sample", "--symbols"]
    args = realtime_predictor.parse_args(
        [*named, "SIM-ALPHA", "--home", str(tmp_path), "--cluster", two_workers.address]
    )
    other = realtime_predictor.other_command(args, datetime.now(UTC))
    assert other is not None and run_command(other, args) == NOTHING_DONE
    assert done == {0: 1, 1: 2}
    told = "The scheduler does not answer, so the models of a month could not be trained; run the same again, or leave"
    assert told in capsys.readouterr().err
