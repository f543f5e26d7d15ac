"""A real scheduler and its workers on this machine's loopback, begun by Dask's own commands; each can be killed."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from scripts import BARE, PROJECT
from waiting import wait_until

from stockml.trainers.dask_cluster import DaskRunner

DASK = str(Path(sysconfig.get_path("scripts")) / "dask")
LIBRARIES = ("numpy", "joblib")


class LocalCluster:
    """A scheduler, in a folder without a copy of the project, and workers, in one by default."""

    def __init__(self, folder: Path, settings: dict[str, str], *, protocol: str = "tcp") -> None:
        self.folder = folder
        self.workers: list[subprocess.Popen[bytes]] = []
        self._settings = settings
        card = folder / "scheduler.json"
        options = ("--port", "0", "--protocol", protocol, "--scheduler-file", str(card))
        self.scheduler = self._start("scheduler", *options, cwd=folder)
        wait_until(lambda: card.exists() and card.read_text().rstrip().endswith("}"), "the scheduler")
        self.address = json.loads(card.read_text())["address"]

    def add_worker(
        self, threads: int = 1, cwd: Path = PROJECT, python: Path | None = None, **environment: str
    ) -> subprocess.Popen[bytes]:
        """Start a worker without a supervisor, so that a killed one stays away; perhaps by another Python."""
        worker = self._start(
            *("worker", self.address, "--nthreads", str(threads), "--no-nanny", "--memory-limit", "0"),
            *("--local-directory", str(self.folder)),
            cwd=cwd,
            python=python,
            environment={"OMP_NUM_THREADS": "1"} | environment,
        )
        self.workers.append(worker)
        return worker

    def _start(
        self,
        what: str,
        *options: str,
        cwd: Path,
        python: Path | None = None,
        environment: dict[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        command = [*([str(python)] if python else []), DASK, what, *options, "--host", "127.0.0.1", "--no-dashboard"]
        variables = BARE | self._settings | (environment or {})
        with (self.folder / f"{what}.log").open("ab") as log:
            return subprocess.Popen(command, cwd=cwd, env=variables, stdout=log, stderr=log)

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@contextmanager
def local_cluster(folder: Path, workers: int = 2, *, protocol: str = "tcp", **settings: str) -> Iterator[LocalCluster]:
    """A cluster whose processes have these settings in their environment."""
    found = LocalCluster(folder, settings, protocol=protocol)
    try:
        for _ in range(workers):
            found.add_worker()
        yield found
    finally:
        found.stop()


def wait_for_workers(found: LocalCluster, count: int) -> None:
    from distributed import Client

    with Client(found.address, set_as_default=False) as client:
        wait_until(lambda: len(client.nthreads()) == count, f"worker {count}")


@contextmanager
def runner_of(found: LocalCluster, workers: int = 2, **how: Any) -> Iterator[tuple[DaskRunner, list[str]]]:
    """A runner once there are that many workers, and its notices."""
    wait_for_workers(found, workers)
    notices: list[str] = []
    with DaskRunner(found.address, LIBRARIES, notices.append, **how) as runner:
        yield runner, notices


@pytest.fixture(scope="session")
def lasting_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    pytest.importorskip("distributed", reason="the cluster's tests need Dask: pip install -r requirements-cluster.txt")
    with local_cluster(tmp_path_factory.mktemp("cluster")) as found:
        yield found


@pytest.fixture
def two_workers(lasting_cluster: LocalCluster) -> LocalCluster:
    """The cluster of all tests that leave its scheduler alone, with two workers alive."""
    lasting_cluster.workers = [worker for worker in lasting_cluster.workers if worker.poll() is None]
    while len(lasting_cluster.workers) < 2:
        lasting_cluster.add_worker()
    wait_for_workers(lasting_cluster, 2)
    return lasting_cluster
