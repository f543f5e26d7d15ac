"""Process pool: tasks over processes of one thread each, with few tasks queued and results as they come.

A killed process costs time only: its tasks are run again. So does one that stands still, which is killed. Results never
depend on the number of processes.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import chain, count
from typing import Any, Protocol, Self

from stockml.core.wording import cause
from stockml.trainers import stalled_processes
from stockml.trainers.helper_process import ENDING, begin, helpers_environment, work
from stockml.trainers.stalled_processes import StallWatch, end, is_gone, is_stopped, look_seconds

log = logging.getLogger("stockml")

QUEUED_PER_PROCESS = 2  # tasks submitted ahead: no process idles, and memory does not grow with the number of stocks
LIMIT = "a limit of the system is reached"
DEATHS_ALONE = 2  # a task that kills its process so often while nothing else runs is given up


Numbered = Iterator[tuple[int, Any] | None]
Running = dict[Future[Any], tuple[int, Any]]


class WorkerDiedError(RuntimeError):
    """A task whose process was killed each time, as happens when memory runs out."""


class WorkersLostError(RuntimeError):
    """All workers are gone; the message is one plain sentence."""


class _NoneStartsError(Exception):
    """No further process can be started."""


class TaskRunner(Protocol):
    """Runs tasks: a ProcessRunner on this machine, or a DaskRunner on a cluster."""

    def map(self, function: Callable[[Any], Any], tasks: Iterable[Any | None]) -> Iterator[tuple[int, Any]]:
        """Yield each task's number with its result, or with the exception it raised, in order of completion.

        Tasks may depend on earlier results. Where none can be had before a further result is taken, they yield None,
        which has no number, and are asked again then; they end only where no task will follow.
        """
        ...


class ProcessRunner:
    """A fixed number of processes, started at the first task and kept for all; use as a context manager."""

    def __init__(self, jobs: int, preload: Sequence[str] = (), *, forks: bool = False) -> None:
        """Set up; nothing is started yet.

        Parameters
        ----------
        jobs : int
            Processes.
        preload : sequence of str
            Modules that a process needs, loaded once for all.
        forks : bool, default False
            Take the processes from this one, which has loaded all that they need. No thread may run here then.
        """
        self.jobs = jobs
        self._preload = list(preload)
        self._context: Any = multiprocessing.get_context("fork") if forks else self._forkserver()
        self._pool: ProcessPoolExecutor | None = None
        self._is_alone = False
        self._environment = ExitStack()

    def __enter__(self) -> Self:
        self._environment.enter_context(helpers_environment())
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self._kill()
        self._stop()
        self._environment.close()

    def start(self) -> None:
        """Start the processes now and not at the first task, as must be where threads will run by then."""
        if self._can_start():
            with suppress(_NoneStartsError):
                self._submitted(os.getpid)

    def map(self, function: Callable[[Any], Any], tasks: Iterable[Any | None]) -> Iterator[tuple[int, Any]]:
        """Yield each task's number with its result, as `TaskRunner.map` does.

        `function` and the tasks must pickle. Tasks that were running when a process was killed are run again one at a
        time, before the others. Where no process can be started, this one does them all.
        """
        numbered = numbered_tasks(tasks)
        if not self._can_start():
            yield from _here(function, numbered)
            return
        again: deque[tuple[int, Any, int]] = deque()  # number, task, deaths alone
        running: Running = {}
        try:
            while True:
                try:
                    yield from self._all_of(function, numbered, running)
                except BrokenProcessPool:
                    self._stop()
                    self._context = self._forkserver()  # threads may run by now, which a copy of this process lacks
                    again.extend((number, task, 0) for number, task in running.values())
                    running.clear()
                if not again:
                    return
                while again:
                    yield from self._alone(function, again)
        except _NoneStartsError:
            yield from ((number, _killed()) for number, _, deaths in again if deaths)  # it might kill this one
            unfinished = [*running.values(), *((number, task) for number, task, deaths in again if not deaths)]
            yield from _here(function, chain(unfinished, numbered))

    def _all_of(
        self, function: Callable[[Any], Any], numbered: Numbered, running: Running
    ) -> Iterator[tuple[int, Any]]:
        self._fill(function, numbered, running)
        while running:
            future = min(self._first_of(running), key=lambda future: running[future][0])
            outcome = _outcome(future)  # a broken pool leaves its task in `running`
            number, _ = running.pop(future)
            try:
                self._fill(function, numbered, running)  # before the caller takes its time
            finally:
                yield number, outcome
            self._fill(function, numbered, running)

    def _fill(self, function: Callable[[Any], Any], numbered: Numbered, running: Running) -> None:
        """Submit tasks until each process has some ahead, or there is none for now."""
        while len(running) < QUEUED_PER_PROCESS * self.jobs and (following := next(numbered, None)):
            running[self._submit(function, following, running)] = following

    def _submit(self, function: Callable[[Any], Any], task: tuple[int, Any], running: Running) -> Future[Any]:
        try:
            return self._submitted(work, function, task[1])
        except (BrokenProcessPool, _NoneStartsError):
            running[Future()] = task  # not begun, but taken from the iterator
            raise

    def _submitted(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """A task of the pool; BrokenProcessPool, or _NoneStartsError where the system has no place for its process."""
        try:
            with _undivided():
                return self._processes().submit(function, *arguments)
        except BrokenProcessPool:
            raise
        except (OSError, EOFError, RuntimeError) as error:  # no place for a process, in the fork server, for a thread
            self._do_alone(error)
            raise _NoneStartsError from error

    def _alone(self, function: Callable[[Any], Any], again: deque[tuple[int, Any, int]]) -> Iterator[tuple[int, Any]]:
        number, task, deaths = again.popleft()
        try:
            future = self._submitted(work, function, task)
            self._first_of([future])
            yield number, _outcome(future)
        except _NoneStartsError:
            again.appendleft((number, task, deaths))
            raise
        except BrokenProcessPool:
            self._stop()
            if deaths + 1 < DEATHS_ALONE:
                again.appendleft((number, task, deaths + 1))
            else:
                yield number, _killed()

    def _first_of(self, running: Collection[Future[Any]]) -> set[Future[Any]]:
        """Wait for the first tasks that are done; processes that stand still are ended, which breaks the pool."""
        watch = StallWatch()
        while True:
            done, _ = wait(running, timeout=look_seconds(), return_when=FIRST_COMPLETED)
            if done or not running:
                return done
            if any(map(is_gone, self._numbers())):  # and the pool has not heard of it: it was sending a result
                self._kill()
            if stalled := watch.stalled(self._numbers(), len(running)):
                text = "%s stood still for %g seconds and had to be ended; what was begun there is done again."
                stood = "A helper process" if len(stalled) == 1 else f"{len(stalled)} helper processes"
                log.warning(text, stood, stalled_processes.STALL_SECONDS)
                end(stalled)

    def _numbers(self) -> list[int]:
        """The numbers of the processes."""
        return list(getattr(self._pool, "_processes", None) or ())

    def _can_start(self) -> bool:
        """False where the system has no place for the locks of a pool, as with a read-only /dev/shm; told once."""
        if self._pool is None and not self._is_alone:
            try:
                self._processes()
            except (OSError, NotImplementedError) as error:
                self._do_alone(error)
        return not self._is_alone

    def _do_alone(self, error: BaseException) -> None:
        self._kill()  # those that did start: the pool has no thread yet that would tell them to end
        self._stop()
        self._is_alone = True
        log.warning("No further process can be started (%s); all is done in this one.", cause(error, LIMIT))

    def _forkserver(self) -> Any:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(self._preload)  # heavy imports once, not once per process
        return context

    def _processes(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self.jobs, mp_context=self._context, initializer=begin)
        return self._pool

    def _kill(self) -> None:
        """End the processes at once: whoever ends a run does not wait for the tasks that have begun.

        The pool then waits for no rest of a result that one of them was sending: this process lets go of the pipe too.
        """
        end(self._numbers())
        results = getattr(self._pool, "_result_queue", None)
        if results is not None:
            results._writer.close()

    def _stop(self) -> None:
        if self._pool is not None:
            if any(map(is_stopped, self._numbers())):  # it would never hear that it is to end, and may keep the others
                self._kill()
            pool, self._pool = self._pool, None
            with suppress(RuntimeError):  # its own thread could not be started, and so cannot be waited for
                pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _undivided() -> Iterator[None]:
    """Not broken off in the middle: what is asked of a signal in the block happens at its end.

    A process whose start is broken off would look for locks that are gone by then, and say so at length.
    """
    came: list[int] = []
    kept = {}
    if threading.current_thread() is threading.main_thread():
        kept = {number: signal.getsignal(number) for number in ENDING if callable(signal.getsignal(number))}
    for number in kept:
        signal.signal(number, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def numbered_tasks(tasks: Iterable[Any | None]) -> Numbered:
    """Each task with its number; None where there is none for now."""
    numbers = count()
    return (None if task is None else (next(numbers), task) for task in tasks)


def _killed() -> WorkerDiedError:
    return WorkerDiedError("its process was killed each time, perhaps for want of memory")


def _here(function: Callable[[Any], Any], numbered: Numbered) -> Iterator[tuple[int, Any]]:
    """The same in this process, one task after the other, with one thread as there."""
    from threadpoolctl import threadpool_limits

    for number, task in iter(partial(next, numbered, None), None):
        try:
            with threadpool_limits(1):
                outcome = function(task)
        except Exception as error:
            outcome = error
        yield number, outcome


def _outcome(future: Future[tuple[Any, list[str]]]) -> Any:
    error = future.exception()
    if isinstance(error, BrokenProcessPool):
        raise error
    if error is not None:
        return error
    result, warned = future.result()
    for text in warned:
        log.debug("%s", text)
    return result
