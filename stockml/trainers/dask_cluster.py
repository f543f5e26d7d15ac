"""Dask cluster: tasks over its workers, as `process_pool` runs them over local processes; no file is shared.

Workers receive checked values and return finished bytes. Dask distributes, retries and collects the tasks.
"""

from __future__ import annotations

import pickle
import queue
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import chain
from operator import length_hint
from typing import TYPE_CHECKING, Any, Self

from stockml.trainers import cluster_connection
from stockml.trainers.cluster_connection import ClusterUsageError
from stockml.trainers.cluster_workers import LOOK_SECONDS, ClusterError, ClusterWorkers, plain_errors
from stockml.trainers.process_pool import Numbered, WorkerDiedError, WorkersLostError, numbered_tasks

if TYPE_CHECKING:
    from distributed import Future

__all__ = ["ClusterError", "ClusterUsageError", "DaskRunner"]

MANY = 1_000_000  # tasks, where their number is not known
LITTLE = 2**16  # bytes that may be sent with each task
IN_FLIGHT_PER_WORKER = 4  # tasks submitted and not yet collected, which bounds the memory
PATIENCE_SECONDS = 60.0  # without any worker; a supervisor has restarted a dead one by then
# By its name: a scheduler unpickles what it hands on, and need not have this program.
WORK = f"__import__('importlib').import_module('{__name__}').work(function, task)"


@dataclass(frozen=True, slots=True)
class _RunningTask:
    number: int
    task: Any
    workers: frozenset[str]  # addresses that may run it
    future: Future[Any]  # held, because Dask drops a task that nobody waits for


@dataclass(slots=True)
class _Batch:
    """The running tasks of one function, by Dask's key, and the futures that are done."""

    function: bytes  # pickled
    shared: Future[Any] | bytes  # the function where the workers have it
    running: dict[Any, _RunningTask] = field(default_factory=dict)
    done: queue.SimpleQueue[Any] = field(default_factory=queue.SimpleQueue)

    def next_done(self) -> Any:
        """The next future that is done; None where none is within LOOK_SECONDS."""
        try:
            return self.done.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            return None


class DaskRunner:
    """The workers of one cluster that compute like this machine; use as a context manager.

    Parameters
    ----------
    address : str
        The scheduler's, such as tcp://10.0.0.1:8786.
    libraries : sequence of str
        Distributions whose versions must be the same everywhere.
    on_notice : callable
        Called once per worker that gets no work, with the reason.
    patience_seconds : float
        Time without any worker after which the cluster is given up.
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
        self._client: Any  # distributed.Client, whose methods are not all typed
        self._workers: ClusterWorkers

    def __enter__(self) -> Self:
        """Connect, and admit workers.

        Raises
        ------
        ClusterError
            Where Dask is missing, nobody answers at the address, or no worker fits.
        """
        with ExitStack() as stack:
            try:
                self._client = cluster_connection.connect(self.address, stack)
                self._workers = ClusterWorkers(
                    self._client,
                    self.address,
                    self._libraries,
                    self._on_notice,
                    patience_seconds=self._patience_seconds,
                )
                self._workers.wait_for_first(min(cluster_connection.CONNECT_SECONDS, self._patience_seconds))
            except WorkersLostError as error:
                raise ClusterError(f"{error} Start it, or name one that runs.") from None
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def jobs(self) -> int:
        """Workers that do tasks at the moment."""
        return len(self._workers.admitted)

    def map(self, function: Callable[[Any], Any], tasks: Iterable[Any | None]) -> Iterator[tuple[int, Any]]:
        """Yield each task's number with its result, as `TaskRunner.map` does.

        `function` and the tasks must pickle. A dying worker's tasks are run by others. A task at which several workers
        died is tried once more alone.

        Raises
        ------
        WorkersLostError
            Where the scheduler is gone, or has been without a worker for too long.
        """
        numbered, left = numbered_tasks(tasks), length_hint(tasks, MANY)
        while True:
            suspects = []
            for number, task, outcome in self._run(function, numbered, left):
                if isinstance(outcome, WorkerDiedError):
                    suspects.append((number, task))
                else:
                    yield number, outcome
            if not suspects:
                return
            for suspect in suspects:
                for number, _, outcome in self._run(function, iter([suspect]), 1):
                    yield number, outcome

    def _run(self, function: Callable[[Any], Any], numbered: Numbered, left: int) -> Iterator[tuple[int, Any, Any]]:
        """The tasks with their numbers and results, until there are no more, or none for now and none that runs."""
        content = pickle.dumps(function)
        batch = _Batch(content, self._share(content))
        while True:
            if not batch.running:  # asked also where there is no worker: for nothing left to do none is waited for
                following = next(numbered, None)
                if following is None:
                    return
                numbered = chain([following], numbered)
            while len(batch.running) < tasks_ahead(left, len(self._workers.admitted)):
                following = next(numbered, None)
                if following is None:
                    break
                left -= 1
                self._submit(*following, batch)
            future = batch.next_done()
            self._workers.look()
            self._resubmit_stranded(batch)
            if future is not None and future.key in batch.running:
                finished = batch.running.pop(future.key)
                yield finished.number, finished.task, self._outcome(future)

    def _share(self, content: bytes) -> Future[Any] | bytes:
        """A large function as a future that each worker holds, which Dask computes again where its holders died.

        It is in place before any task, because Dask prefers the workers that hold a task's inputs.
        """
        if len(content) < LITTLE:
            return content
        workers = sorted(self._workers.admitted)
        shared: Future[Any] = self._client.submit(bytes, content, pure=False, workers=workers)
        arrivals = [self._client.submit(len, shared, pure=False, workers=[worker]) for worker in workers]
        end = time.monotonic() + LOOK_SECONDS
        for arrival in arrivals:
            with plain_errors(self.address), suppress(TimeoutError):  # a worker that dies meanwhile is not waited for
                arrival.exception(timeout=max(0.0, end - time.monotonic()))
        return shared

    def _submit(self, number: int, task: Any, batch: _Batch) -> None:
        workers = self._workers.admitted
        with plain_errors(self.address):
            given = {"function": batch.shared, "task": packed(task)}
            future = self._client.submit(
                eval, WORK, given, pure=False, workers=sorted(workers), allow_other_workers=False
            )
        batch.running[future.key] = _RunningTask(number, task, workers, future)
        future.add_done_callback(batch.done.put)

    def _resubmit_stranded(self, batch: _Batch) -> None:
        """Submit tasks again whose workers are all gone, once others have come."""
        admitted = self._workers.admitted
        stranded = [key for key, running in batch.running.items() if not running.workers & admitted]
        if stranded and admitted:
            batch.shared = self._share(batch.function)
            for running in [batch.running.pop(key) for key in stranded]:
                self._submit(running.number, running.task, batch)

    def _outcome(self, future: Any) -> Any:
        from distributed import KilledWorker

        with plain_errors(self.address):
            try:
                content = self._result(future)
            except KilledWorker:
                return WorkerDiedError("its worker was killed each time, perhaps for want of memory")
            except ImportError:  # a new process at the address of one that was looked at
                text = f"A worker of {self.address} was started again under the same address and has lost this program."
                raise WorkersLostError(text) from None
        return pickle.loads(content)

    def _result(self, future: Any) -> bytes:
        """The result of a task that was done, pickled; one lost with its worker is awaited only while workers come."""
        while True:
            with suppress(TimeoutError):
                return bytes(future.result(timeout=LOOK_SECONDS))
            self._workers.look()


def packed(task: Any) -> list[Any]:
    """A task, pickled, and after it its large arrays as they are, which Dask sends without a copy."""
    import numpy as np

    arrays: list[Any] = []

    def is_small(buffer: pickle.PickleBuffer) -> bool:
        content = buffer.raw()
        if content.nbytes >= LITTLE:
            arrays.append(np.frombuffer(content, np.uint8))
        return content.nbytes < LITTLE

    return [pickle.dumps(task, protocol=5, buffer_callback=is_small), *arrays]


def unpacked(content: bytes, *arrays: Any) -> Any:
    """The task. Its arrays lie in memory of their own, as aligned as any: so their sums have the same bits."""
    return pickle.loads(content, buffers=map(bytearray, arrays))


def work(function: bytes, task: Sequence[Any]) -> bytes:
    """On a worker: the function's result for the task, or the exception it raised, pickled."""
    try:
        result = pickle.loads(function)(unpacked(*task))
    except Exception as error:  # returned like a result, so that Dask neither retries nor logs it
        result = error
    return pickle.dumps(result)


def tasks_ahead(left: int, workers: int) -> int:
    """Number of tasks that may be in flight; towards the end one per worker, so that none waits behind another."""
    return workers * min(IN_FLIGHT_PER_WORKER, max(1, left // (2 * workers))) if workers else 0
