"""Training on a cluster: a real scheduler and two workers on this machine's loopback, killed, skewed and taken away."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from certificates import Certificates, certificates
from conftest import made_up_prices
from dependent_tasks import doubled_in_a_chain
from local_cluster import LIBRARIES, LocalCluster, local_cluster, runner_of, wait_for_workers
from planted_modules import plant
from scripts import PROJECT, Ran, files_under, log_of, predict, train
from trained import TRAINED, TRAINED_AS_OF
from waiting import wait_until

from stockml.core.paths import Home
from stockml.data.price_table import PriceTable
from stockml.data.simulated_market import SAMPLE_SYMBOLS
from stockml.models.bundle_store import load_bundle, trained_symbols
from stockml.trainers import cluster_connection
from stockml.trainers import pipeline as training
from stockml.trainers.cluster_connection import ClusterUsageError
from stockml.trainers.cluster_workers import LOOK_SECONDS
from stockml.trainers.dask_cluster import IN_FLIGHT_PER_WORKER, ClusterError, DaskRunner, tasks_ahead
from stockml.trainers.dataset import sessions_needed
from stockml.trainers.fine_tuning import FineTuningSettings, TrainedStock
from stockml.trainers.global_model import GlobalModelSettings
from stockml.trainers.process_pool import WorkerDiedError, WorkersLostError

dask = pytest.importorskip("dask", reason="the cluster's tests need Dask: pip install -r requirements-cluster.txt")
distributed = pytest.importorskip(
    "distributed", reason="the cluster's tests need Dask: pip install -r requirements-cluster.txt"
)

SEVERAL = SAMPLE_SYMBOLS[:4]
SIM = ("--source", "sample", "--as-of", TRAINED_AS_OF)
QUICK = training.TrainingSettings(
    jobs=2, pool=GlobalModelSettings(rounds=(1e-3,), shards=2), own=FineTuningSettings(rates=(3e-4,))
)


# ---- tasks: the workers' copy of the project does not hold the tests, so these are functions anyone has ----


def test_results_and_exceptions_come_back_with_their_numbers(two_workers: LocalCluster) -> None:
    with runner_of(two_workers) as (runner, notices):
        results = dict(runner.map(int, ["10", "11", "no number", "13"]))
        assert dict(runner.map(abs, [-1])) == {0: 1}
    assert isinstance(results.pop(2), ValueError)
    assert results == {0: 10, 1: 11, 3: 13}
    assert notices == []


def test_what_is_handed_out_is_bounded_whatever_there_is_to_do(two_workers: LocalCluster) -> None:
    taken, came, most = 0, 0, 0

    def tasks() -> Iterator[int]:
        nonlocal taken
        for number in range(60):
            taken += 1
            yield number

    with runner_of(two_workers) as (runner, _):
        for _ in runner.map(abs, tasks()):
            most = max(most, taken - came)
            came += 1
    assert came == 60
    assert most <= IN_FLIGHT_PER_WORKER * 2


def test_towards_the_end_no_task_waits_behind_another() -> None:
    assert [tasks_ahead(left, 2) for left in (1000, 16, 15, 8, 7, 5, 1, 0)] == [8, 8, 6, 4, 2, 2, 2, 2]
    assert tasks_ahead(1000, 0) == 0


class WhereItIsRead:
    """Pickles into the number of the process that reads it."""

    def __reduce__(self) -> Any:
        return os.getpid, ()


@pytest.mark.parametrize("function", [int, partial(min, 1 << 2**20)], ids=["little", "much"])
def test_whatever_all_tasks_need_every_worker_has_some_at_once(two_workers: LocalCluster, function: Any) -> None:
    with runner_of(two_workers) as (runner, _):
        results = dict(runner.map(function, [WhereItIsRead()] * 8))
    assert set(results.values()) == {worker.pid for worker in two_workers.workers}


@pytest.mark.parametrize("beside", [0, 30])
def test_tasks_may_wait_for_results(two_workers: LocalCluster, beside: int) -> None:
    with runner_of(two_workers) as (runner, _):
        assert doubled_in_a_chain(runner, beside) == ([1, 2, 4, 8], set(range(beside)))


def test_large_tasks_bring_no_advice(two_workers: LocalCluster) -> None:
    with runner_of(two_workers) as (runner, _):
        assert dict(runner.map(len, [b"x" * 20_000_000])) == {0: 20_000_000}


def test_a_task_that_always_kills_its_worker_is_given_up(tmp_path: Path) -> None:
    with (
        local_cluster(tmp_path, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0") as found,
        runner_of(found, patience_seconds=1) as (runner, _),
    ):
        assert isinstance(dict(runner.map(os._exit, [9]))[0], WorkerDiedError)
        with pytest.raises(WorkersLostError, match="has had no worker for 1 seconds"):
            dict(runner.map(abs, [1]))


def test_a_task_may_wait_for_one_that_is_given_up(tmp_path: Path) -> None:
    found: dict[int, Any] = {}

    def tasks() -> Iterator[str | None]:
        yield "__import__('os')._exit(9)"
        while not found:
            yield None
        yield "1 + 1"

    settings = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    with local_cluster(tmp_path, workers=3, **settings) as cluster, runner_of(cluster, workers=3) as (runner, _):
        for number, outcome in runner.map(eval, tasks()):
            found[number] = outcome
    assert isinstance(found.pop(0), WorkerDiedError)
    assert found == {1: 2}


def test_a_task_that_takes_the_last_worker_with_it_ends_the_map_at_once(tmp_path: Path) -> None:
    killing = f"__import__('time').sleep({LOOK_SECONDS / 3}) or __import__('os')._exit(9)"
    settings = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    with local_cluster(tmp_path, **settings) as found, runner_of(found, patience_seconds=60) as (runner, _):
        began = time.monotonic()
        assert isinstance(dict(runner.map(eval, [killing]))[0], WorkerDiedError)
        assert time.monotonic() - began < 60  # the patience, after which it would have been told that no worker is left


def test_when_all_workers_are_lost_those_who_come_later_do_the_work(tmp_path: Path) -> None:
    with local_cluster(tmp_path, workers=1) as found, runner_of(found, workers=1) as (runner, _):

        def tasks() -> Iterator[float]:
            for number in range(8):
                if number == 3:
                    found.workers[0].kill()
                    found.add_worker()
                yield number / 10

        assert set(dict(runner.map(time.sleep, tasks()))) == set(range(8))


def test_results_lost_with_the_last_worker_are_not_waited_for(tmp_path: Path) -> None:
    with (
        local_cluster(tmp_path, workers=1) as found,
        distributed.Client(found.address, set_as_default=False) as client,
        runner_of(found, workers=1, patience_seconds=2) as (runner, _),
    ):
        results = runner.map(abs, range(20))
        assert next(results) == (0, 0)
        others = IN_FLIGHT_PER_WORKER - 1
        wait_until(lambda: sum(map(len, client.has_what().values())) >= others, "results that wait on the worker")
        found.workers[0].kill()
        with pytest.raises(WorkersLostError, match="has had no worker for 2 seconds"):
            dict(results)


# ---- training ----


@pytest.fixture(scope="module")
def stocks() -> dict[str, PriceTable]:
    return {name: made_up_prices(250, seed=seed, symbol=name) for seed, name in enumerate("ABCD")}


@pytest.fixture(scope="module")
def at_home(stocks: dict[str, PriceTable]) -> dict[str, TrainedStock]:
    return {result.symbol: result for result in training.train(stocks, QUICK)}


@pytest.mark.parametrize("stage", ["learn together", "finish"])
def test_a_worker_killed_in_the_middle_costs_only_time(
    two_workers: LocalCluster, stocks: dict[str, PriceTable], at_home: dict[str, TrainedStock], stage: str
) -> None:
    victim = two_workers.workers[0]

    def on_progress(name: str, done: int, total: int) -> None:
        if name == stage and 0 < done < total:
            victim.kill()

    with runner_of(two_workers) as (runner, _):
        context = training.TrainingContext(on_progress, runner)
        results = {result.symbol: result for result in training.train(stocks, QUICK, context)}
    assert victim.wait() == -signal.SIGKILL
    for symbol, ours in at_home.items():
        theirs = results[symbol]
        assert (theirs.files, theirs.metrics, theirs.validation) == (ours.files, ours.metrics, ours.validation)


def test_the_command_writes_the_same_bytes_as_with_local_processes(
    two_workers: LocalCluster, trained_home: Path, tmp_path: Path
) -> None:
    far = tmp_path / "far"
    ran = train(*SIM, "--symbols", *TRAINED, "--home", far, "--cluster", two_workers.address)
    assert (ran.code, ran.err) == (0, "")
    for folder in ("models", "predictions"):
        assert files_under(far / "ml_training_data" / folder) == files_under(trained_home / "ml_training_data" / folder)


# Makes a worker never finish one stock, so that the training is still under way whenever the scheduler goes away.
NEVER_FINISHED = """
import sys, time
sys.path.append("{project}")
from stockml.trainers import fine_tuning

real = fine_tuning.fine_tune

def fine_tune(pool, settings, seed, engine, training_set):
    while training_set.symbol == "{symbol}":
        time.sleep(1)
    return real(pool, settings, seed, engine, training_set)

fine_tuning.fine_tune = fine_tune
"""


def test_when_the_scheduler_goes_away_finished_stocks_are_saved_and_only_the_others_trained_again(
    two_workers: LocalCluster, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    saved = home / "ml_training_data/models"
    options = (*SIM, "--symbols", *SEVERAL, "--years", 1, "--home", home, "--json")
    ran: list[Ran] = []
    (tmp_path / "sitecustomize.py").write_text(NEVER_FINISHED.format(project=PROJECT, symbol=SEVERAL[-1]))
    with local_cluster(tmp_path, workers=0) as found:
        for _ in range(2):
            found.add_worker(PYTHONPATH=str(tmp_path))
        wait_for_workers(found, 2)
        run = threading.Thread(target=lambda: ran.append(train(*options, "--cluster", found.address)))
        run.start()
        wait_until(lambda: list(saved.glob("SIM-*/metrics.json")), "the first stock")
        found.scheduler.kill()
        run.join()
    done = {model["symbol"] for model in ran[0].json["models"]}
    assert ran[0].code == 1 and 0 < len(done) < len(SEVERAL)
    assert f"{len(done)} of {len(SEVERAL)} stocks are trained and saved" in ran[0].err
    assert "Traceback" not in ran[0].err and len(ran[0].err.splitlines()) == 1
    assert {load_bundle(Home(home), symbol).symbol for symbol in trained_symbols(Home(home))} == done
    assert {failure["symbol"] for failure in ran[0].json["failures"]} == set(SEVERAL) - done
    before = files_under(saved)
    again = train(*options, "--cluster", two_workers.address, "--only-stale", 1)
    assert again.code == 0
    assert {model["symbol"] for model in again.json["models"]} == set(SEVERAL) - done
    assert before.items() <= files_under(saved).items()


# ---- who may work ----


def other_version(folder: Path) -> Path:
    """A copy of the package, one line longer."""
    shutil.copytree(PROJECT / "stockml", folder / "stockml", ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "stockml/core/wording.py").open("a") as file:
        file.write("# changed\n")
    return folder


def test_workers_that_are_not_alike_are_refused_by_name_before_work_starts(tmp_path: Path) -> None:
    other = tmp_path / "joblib-0.1.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: joblib\nVersion: 0.1\n")
    with local_cluster(tmp_path, workers=0) as found:
        found.add_worker(PYTHONPATH=str(tmp_path))
        found.add_worker(threads=2)
        found.add_worker(cwd=tmp_path)
        found.add_worker(cwd=other_version(tmp_path / "other"))
        found.add_worker(OMP_NUM_THREADS="2")
        found.add_worker(OPENBLAS_NUM_THREADS="2")
        wait_for_workers(found, 6)
        ran = train(*SIM, "--symbols", *TRAINED, "--home", tmp_path / "home", "--cluster", found.address)
        assert ran.code == 3 and not (tmp_path / "home").exists()
        reasons = (
            f"joblib is 0.1, not {version('joblib')}",
            "2 threads",
            f"its folder {tmp_path} is no copy of the project; start it in one, or install the project there with pip",
            f"its folder {tmp_path / 'other'} is a copy of another version of the project",
            "OMP_NUM_THREADS is 2",
            "OPENBLAS_NUM_THREADS is 2",
        )
        for reason in reasons:
            assert reason in ran.err
        assert ran.err.count("gets no work") == 6 and "Traceback" not in ran.err
        found.add_worker()
        with runner_of(found, workers=7) as (runner, notices):
            assert len(notices) == 6 and all("tcp://127.0.0.1:" in notice for notice in notices)
            assert dict(runner.map(abs, [-1, -2])) == {0: 1, 1: 2}


def test_a_worker_takes_nothing_but_this_program_from_the_folder_it_is_started_in(tmp_path: Path) -> None:
    executed = plant(tmp_path)
    shutil.rmtree(tmp_path / "stockml")
    (tmp_path / "stockml").symlink_to(PROJECT / "stockml")
    with local_cluster(tmp_path, workers=0) as found:
        found.add_worker(cwd=tmp_path)
        with runner_of(found, workers=1) as (runner, notices):
            assert dict(runner.map(sessions_needed, [1, 2])) == {0: sessions_needed(1), 1: sessions_needed(2)}
            assert notices == []
    assert not executed.exists()


def test_one_that_joins_later_is_looked_at_too(two_workers: LocalCluster) -> None:
    with runner_of(two_workers) as (runner, notices):
        two_workers.add_worker(threads=2)
        wait_for_workers(two_workers, 3)
        assert set(dict(runner.map(time.sleep, [LOOK_SECONDS, 0.5, 0.5, 0.5, 0.5]))) == set(range(5))
    two_workers.workers[-1].kill()
    two_workers.workers[-1].wait()
    assert len(notices) == 1 and "it has 2 threads" in notices[0]


@pytest.mark.parametrize("address", ["nonsense://x", "tcp://127.0.0.1", "somewhere"])
def test_what_is_no_address_is_wrong_usage(address: str, tmp_path: Path) -> None:
    ran = train(*SIM, "--symbols", *TRAINED, "--home", tmp_path, "--cluster", address)
    assert ran.code == 2 and f"--cluster {address}: no address" in ran.err and len(ran.err.splitlines()) == 1


def test_where_nobody_answers_no_work_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_connection, "CONNECT_SECONDS", 1.0)
    with (
        pytest.raises(ClusterError, match=r"The scheduler at tcp://127\.0\.0\.1:1 does not answer .* Start it"),
        DaskRunner("tcp://127.0.0.1:1", LIBRARIES, print),
    ):
        raise AssertionError


def test_without_dask_the_command_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "distributed.py").write_text("raise ImportError('as if it were not installed')\n")
    options = ("--symbols", *TRAINED, "--home", tmp_path / "home", "--cluster", "tcp://127.0.0.1:8786")
    ran = train(*SIM, *options, env={"PYTHONPATH": str(tmp_path)})
    assert ran.code == 2 and "requirements-cluster.txt" in ran.err and len(ran.err.splitlines()) == 1


# ---- certificates ----

TLS = "distributed.comm.tls."


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("ours"), "ours")


@pytest.fixture(scope="module")
def safe_cluster(tmp_path_factory: pytest.TempPathFactory, ours: Certificates) -> Iterator[LocalCluster]:
    """A scheduler and a worker that talk to holders of certificates alone."""
    settings = ours.variables("scheduler", "worker")
    with local_cluster(tmp_path_factory.mktemp("safe"), 1, protocol="tls", **settings) as found:
        yield found


def in_configuration(holder: Certificates, **instead: str) -> dict[str, str]:
    """Dask's settings for a client with these certificates, some of them replaced."""
    files = {"ca-file": holder.authority, "client.cert": holder.certificate, "client.key": holder.key}
    return {TLS + name: str(file) for name, file in files.items()} | {
        TLS + name.replace("_", "."): file for name, file in instead.items()
    }


def test_training_and_prediction_work_by_tls_with_dasks_own_settings(
    safe_cluster: LocalCluster, ours: Certificates, stocks: dict[str, PriceTable], tmp_path: Path
) -> None:
    assert safe_cluster.address.startswith("tls://127.0.0.1:")
    with dask.config.set(in_configuration(ours)), runner_of(safe_cluster, workers=1) as (runner, _):
        prepared = dict(runner.map(partial(training.prepare_with, QUICK, stocks=1), [stocks["A"]]))
    assert prepared[0].symbol == "A"
    options = ("--symbols", "SIM-ALPHA", "--home", tmp_path, "--cluster", safe_cluster.address)
    ran = predict(*SIM, *options, env=ours.variables("client"))
    assert (ran.code, [line["symbol"] for line in log_of(tmp_path)]) == (0, ["SIM-ALPHA"])


def test_without_certificates_or_with_others_no_work_begins(
    safe_cluster: LocalCluster, ours: Certificates, tmp_path: Path
) -> None:
    others = certificates(tmp_path, "others")
    missing = in_configuration(ours, client_cert="/nowhere/one.pem")
    wrong_key = in_configuration(ours, client_key=str(others.key))
    cases: list[tuple[dict[str, Any], type[ClusterError], str]] = [
        (
            {TLS + "ca-file": None},
            ClusterUsageError,
            "names no distributed.comm.tls.ca-file; set it there or by DASK_DI",
        ),
        (
            missing,
            ClusterUsageError,
            r"/nowhere/one\.pem, the distributed\.comm\.tls\.client\.cert of Dask's configuration, ca",
        ),
        (wrong_key, ClusterUsageError, "are no certificates and key that go together"),
        (in_configuration(others), ClusterError, "do not accept each other's certificates"),
        (in_configuration(others, **{"ca-file": str(ours.authority)}), ClusterError, "do not accept each other's cert"),
    ]
    for settings, kind, told in cases:
        with dask.config.set(settings), pytest.raises(kind, match=told), DaskRunner(safe_cluster.address, (), print):
            raise AssertionError
