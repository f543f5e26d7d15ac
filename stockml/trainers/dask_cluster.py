"""Tasks over the workers of a Dask cluster, as `workers` does it over processes of this machine; no file is shared.

Workers get checked values and send back finished bytes. Dask gives out, retries and collects; who may work is seen to
here.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import platform
import queue
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from operator import length_hint
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from stockml import __version__
from stockml.trainers.process_pool import WorkerDiedError, WorkersLostError

if TYPE_CHECKING:
    from distributed import Client, Future

MANY = 1_000_000  # tasks, where nobody knows how many will come
LITTLE = 2**16  # bytes that may go with each task
IN_FLIGHT_A_WORKER = 4  # tasks handed out and not yet taken back: what is sent and held is bounded by it
CONNECT_SECONDS = 10.0
PATIENCE_SECONDS = 60.0  # without any worker; a supervisor has started a dead one again by then
LOOK_SECONDS = 1.0  # between two looks at who has joined or left
THREADS = "OMP_NUM_THREADS"  # one, as in local processes: sums keep their order, and so the bits
OUR_TASKS = "distributed.admin.large-graph-warning-threshold"  # it advises scattering, which survives no worker's death
MISSING = (
    "--cluster needs Dask, which is not installed here; install it with .venv/bin/python -m pip install "
    "-r requirements-cluster.txt, or leave --cluster out"
)
_TALKERS = ("distributed.client", "distributed.core", "distributed.comm", "distributed.batched", "distributed.utils")


class ClusterError(Exception):
    """No work can begin on a cluster, in one plain sentence."""


class ClusterUsageError(ClusterError):
    """Dask is not installed here, or the address is none."""


def facts(libraries: Sequence[str]) -> dict[str, str]:
    """What must be alike on every machine for results to be: versions, our own code, one thread."""
    found = {"python": platform.python_version(), **{name: _version(name) for name in libraries}}
    return {**found, "stockml": f"{__version__} ({_code_digest()})", THREADS: os.environ.get(THREADS, "not set")}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


@cache  # a worker goes on with the code it has loaded, whatever becomes of the files
def _code_digest() -> str:
    digest = hashlib.sha256()
    package = Path(__file__).resolve().parents[1]
    for path in sorted(package.rglob("*.py")):
        digest.update(str(path.relative_to(package)).encode() + path.read_bytes())
    return digest.hexdigest()[:8]


@dataclass(slots=True)
class _RunningTask:
    """A task that is out."""

    number: int
    task: Any
    future: Future
    workers: frozenset[str]  # addresses that may do it


class DaskRunner:
    """The workers of one cluster that are like this machine; use as a context manager.

    Parameters
    ----------
    address : str
        The scheduler's, such as tcp://10.0.0.1:8786.
    libraries : sequence of str
        Distributions whose versions must be the same everywhere.
    on_notice : callable
        Told why a worker gets no work, once each.
    """

    def __init__(
        self,
        address: str,
        libraries: Sequence[str],
        on_notice: Callable[[str], None],
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.address = address
        self._libraries = (*libraries, "distributed")
        self._on_notice = on_notice
        self._patience_seconds = patience_seconds
        self._stack = ExitStack()
        self._client: Client
        self._admitted: frozenset[str] = frozenset()
        self._refused: dict[str, str] = {}
        self._looked = self._seen = 0.0  # when workers were looked at, and when one was there

    def __enter__(self) -> Self:
        """Connect and look at the workers.

        Raises
        ------
        ClusterError
            Where Dask is missing, nobody answers at the address, or no worker fits.
        """
        try:
            import distributed
        except ImportError:
            raise ClusterUsageError(MISSING) from None
        _check_address(self.address)
        with ExitStack() as stack:
            try:
                self._client = _connect(distributed, self.address, stack)
                self._admit_first()
            except WorkersLostError as error:
                raise ClusterError(f"{error} Start it, or name one that runs.") from None
            self._stack = stack.pop_all()
        for reason in self._refused.values():
            self._on_notice(reason)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def map(self, function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        """Each task's number with its result, or with the exception it raised, in the order they are done.

        `function` and the tasks must pickle. What a dying worker had is done by another. A task at which several
        workers died is tried once more alone.

        Raises
        ------
        CrewLostError
            Where the scheduler is gone, or has been without a worker for too long.
        """
        suspects = []
        for number, task, outcome in self._each(function, enumerate(tasks), length_hint(tasks, MANY)):
            if isinstance(outcome, WorkerDiedError):
                suspects.append((number, task))
            else:
                yield number, outcome
        for suspect in suspects:
            for number, _, outcome in self._each(function, iter([suspect]), 1):
                yield number, outcome

    # ---- tasks ----

    def _each(
        self, function: Callable[[Any], Any], numbered: Iterator[tuple[int, Any]], left: int
    ) -> Iterator[tuple[int, Any, Any]]:
        done: queue.SimpleQueue[Future] = queue.SimpleQueue()
        running: dict[Any, _RunningTask] = {}  # by Dask's key
        content = pickle.dumps(function)
        shared = self._share(content)
        more = True
        while more or running:
            while more and len(running) < tasks_ahead(left, len(self._admitted)):
                following = next(numbered, None)
                left -= 1
                if following is None:
                    more = False
                    break
                self._send(*following, shared, running, done)
            if not more and not running:
                return
            ready = _next(done)
            self._look()
            stranded = [key for key, flight in running.items() if not flight.workers & self._admitted]
            if stranded and self._admitted:  # all who were to do them are gone, others have come
                shared = self._share(content)
                for flight in [running.pop(key) for key in stranded]:
                    self._send(flight.number, flight.task, shared, running, done)
            if ready is not None and ready.key in running:
                flight = running.pop(ready.key)
                yield flight.number, flight.task, self._outcome(ready)

    def _share(self, content: bytes) -> Future | bytes:
        """What all tasks need: where it is much it goes to each worker once, and is made anew where its holders died.

        It is there before any task is, for Dask gives tasks to those who have it, and moves them later at best.
        """
        if len(content) < LITTLE:
            return content
        workers = sorted(self._admitted)
        shared = self._client.submit(bytes, content, pure=False, workers=workers)
        arrivals = [self._client.submit(len, shared, pure=False, workers=[worker]) for worker in workers]
        end = time.monotonic() + LOOK_SECONDS
        for arrival in arrivals:
            with _plainly(self.address), suppress(TimeoutError):  # whoever dies meanwhile is not waited for
                arrival.exception(timeout=max(0.0, end - time.monotonic()))
        return shared

    def _send(
        self,
        number: int,
        task: Any,
        shared: Future | bytes,
        running: dict[Any, _RunningTask],
        done: queue.SimpleQueue[Future],
    ) -> None:
        with _plainly(self.address):
            future = self._client.submit(
                work, shared, pickle.dumps(task), pure=False, workers=sorted(self._admitted), allow_other_workers=False
            )
        running[future.key] = _RunningTask(number, task, future, self._admitted)
        future.add_done_callback(done.put)

    def _outcome(self, future: Future) -> Any:
        from distributed import KilledWorker

        with _plainly(self.address):
            try:
                content = future.result()
            except KilledWorker:
                return WorkerDiedError("its worker was killed each time, perhaps for want of memory")
        return pickle.loads(content)

    # ---- workers ----

    def _admit_first(self) -> None:
        """Wait a little for one worker that fits."""
        end = time.monotonic() + min(CONNECT_SECONDS, self._patience_seconds)
        while True:
            self._see_workers()
            if self._admitted:
                return
            if self._refused:
                raise ClusterError(f"No worker at {self.address} fits: {' '.join(self._refused.values())}")
            if time.monotonic() > end:
                raise ClusterError(f"No worker has joined {self.address}; start some, each with --nthreads 1.")
            time.sleep(0.1)

    def _look(self) -> None:
        """See who has joined or left, unless that was just done."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        known = set(self._refused)
        self._see_workers()
        for worker in sorted(set(self._refused) - known):
            self._on_notice(self._refused[worker])
        if time.monotonic() - self._seen > self._patience_seconds:
            raise WorkersLostError(
                f"The cluster at {self.address} has had no worker for {self._patience_seconds:.0f} seconds."
            )

    def _see_workers(self) -> None:
        with _plainly(self.address):
            threads = self._client.nthreads()
            new = sorted(set(threads) - self._admitted - set(self._refused))
            answers = self._client.run(facts, self._libraries, workers=new, on_error="return") if new else {}
        expected = facts(self._libraries) | {THREADS: "1"}
        for worker, answer in answers.items():
            reason = _misfit(threads[worker], answer, expected)
            if reason:
                self._refused[worker] = f"The worker at {worker} gets no work: {reason}."
        self._admitted = frozenset(threads) - set(self._refused)
        self._looked = time.monotonic()
        if self._admitted:
            self._seen = self._looked


def work(function: bytes, task: bytes) -> bytes:
    """On a worker: what the function makes of the task, or what it raised, pickled."""
    try:
        result = pickle.loads(function)(pickle.loads(task))
    except Exception as error:  # an answer like any other: Dask would try nothing else, and log it there
        result = error
    return pickle.dumps(result)


def tasks_ahead(left: int, workers: int) -> int:
    """How many tasks may be handed out: towards the end one a worker, so that none waits where another is at work."""
    return workers * min(IN_FLIGHT_A_WORKER, max(1, left // (2 * workers))) if workers else 0


def _misfit(threads: int, answer: Mapping[str, str] | Exception, expected: Mapping[str, str]) -> str | None:
    """Why a worker would not give the same results as this machine; None where it would."""
    if isinstance(answer, Exception):
        return f"it cannot load this program ({type(answer).__name__}: {answer}); start it in a copy of the project"
    if threads != 1:
        return f"it has {threads} threads, where one is wanted; start it with --nthreads 1"
    unlike = [f"{name} is {answer[name]}, not {wanted}" for name, wanted in expected.items() if answer[name] != wanted]
    return f"there {', '.join(unlike)}" if unlike else None


def _check_address(address: str) -> None:
    from distributed.comm import get_address_host_port

    try:
        get_address_host_port(address)
    except ValueError as error:
        text = f"--cluster {address}: no address of a scheduler ({error}); write it as tcp://10.0.0.1:8786"
        raise ClusterUsageError(text) from None


def _connect(distributed: Any, address: str, stack: ExitStack) -> Client:
    """A client that leaves talking to us."""
    import dask

    for name in _TALKERS:
        talker = logging.getLogger(name)
        stack.callback(talker.setLevel, talker.level)
        talker.setLevel(logging.CRITICAL)
    stack.enter_context(dask.config.set({OUR_TASKS: "1 TiB"}))
    with _plainly(address), warnings.catch_warnings():
        warnings.simplefilter("ignore", distributed.versions.VersionMismatchWarning)  # we look at versions ourselves
        client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    stack.callback(client.close, timeout=1)
    return client


def _next(done: queue.SimpleQueue[Future]) -> Future | None:
    try:
        return done.get(timeout=LOOK_SECONDS)
    except queue.Empty:
        return None


@contextmanager
def _plainly(address: str) -> Iterator[None]:
    """Tells a lost connection in one plain sentence."""
    try:
        yield
    except (OSError, CancelledError, RuntimeError) as error:  # Dask's own errors of connections are among these
        if isinstance(error, WorkersLostError):
            raise
        raise WorkersLostError(f"The scheduler at {address} does not answer ({type(error).__name__}).") from None
