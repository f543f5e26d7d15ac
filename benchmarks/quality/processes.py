"""Tasks over processes that are forks of this one: what it knows need not be copied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

_KNOWN: list[Any] = [None]  # handed to processes by forking
_TASKS: list[Callable[[Any], Any]] = []


def spread(jobs: int, known: Any, tasks: Sequence[Callable[[Any], Any]]) -> list[Any]:
    """The results of the tasks, each called with what is known, in their order; with one job in this process.

    A fork in which several OpenMP threads were at work would wait for them for ever, so more than one job needs
    OMP_NUM_THREADS=1, as quality.py sets it.
    """
    if jobs == 1:
        return [task(known) for task in tasks]
    _KNOWN[0], _TASKS[:] = known, tasks
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
        return list(pool.map(_do, range(len(tasks))))


def _do(number: int) -> Any:
    return _TASKS[number](_KNOWN[0])
