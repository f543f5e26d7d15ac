"""Threads for what waits on disks and networks; they do without where the system has no place for another one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Threads(Executor):
    """As a ThreadPoolExecutor, but a task for which no thread can be started is done at once by whoever hands it in."""

    def __init__(self, most: int) -> None:
        self._pool = ThreadPoolExecutor(most)

    def submit(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """See Executor."""
        future: Future[R] = Future()
        begun = threading.Lock()

        def run() -> None:
            if not begun.acquire(blocking=False) or not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(function(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)
                if not isinstance(error, Exception):
                    raise

        try:
            self._pool.submit(run)
        except RuntimeError:
            run()  # the pool keeps it too, for the next thread that ends: this one has begun it
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """See Executor."""
        self._pool.shutdown(wait, cancel_futures=cancel_futures)
