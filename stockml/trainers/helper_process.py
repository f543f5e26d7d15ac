"""A helper process: its environment (one thread, no module of the run's folder), how it begins, works and ends."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from stockml.core import library_warnings

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# One thread per process: two such processes do more than one with two threads, and sums keep their order.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def helpers_environment() -> Iterator[None]:
    """The variables of helper processes, read when one starts; those of before after the block."""
    wanted = dict.fromkeys(_ONE_THREAD, "1") | _safe_path()
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ.update({} if value is None else {name: value})


def _safe_path() -> dict[str, str]:
    """Variables by which a new Python finds this package, and takes no module from the folder that it is started in.

    Its helpers are started as `python -c`, which looks for modules in the current folder first.
    """
    package_in = str(Path(__file__).resolve().parents[2])
    others = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if Path(path).is_absolute()]
    return {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join([package_in, *others])}


warned: list[str] = []  # in a process of the pool: what libraries warned of, and nobody was told yet


def work(function: Callable[[Any], Any], task: Any) -> tuple[Any, list[str]]:
    """In a process of the pool: the result, and what libraries warned of, which the parent logs."""
    result = function(task)
    told = warned.copy()
    warned.clear()
    return result, told


def begin() -> None:
    """Set up a new process: leave interrupts and libraries' warnings to the parent, and end when it ends."""
    library_warnings.take(warned.append)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in ENDING[1:]:
        if callable(signal.getsignal(number)):  # a parent's that this process was forked from
            signal.signal(number, signal.SIG_DFL)
    with suppress(RuntimeError):  # no thread can be started: then it works on without that watch
        threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)
