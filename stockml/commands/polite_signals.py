"""Polite signals: a run that is asked to end does so as after Ctrl-C, wherever it is at that moment.

Python drops an exception raised inside what it calls in passing: the end of a module's import, a generator that is
closed, a comparison of keys. A run that went on all the same would be ended by nothing but a kill, so it is asked again
until it ends.
"""

from __future__ import annotations

import signal
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

POLITE = (signal.SIGTERM, signal.SIGHUP)  # of systemd, kill and a terminal that is closed
AGAIN_SECONDS = 0.01  # after a drop: whatever dropped it is over by then, or drops the next one too


class Ended(KeyboardInterrupt):
    """A signal from outside that asks the run to end, as Ctrl-C does."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def interrupted_code(error: KeyboardInterrupt) -> int:
    """The exit code of a run that was ended from outside, as a shell would give it."""
    return 128 + (error.number if isinstance(error, Ended) else signal.SIGINT)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let a polite signal end the block as Ctrl-C does, once; one that is ignored, as under nohup, stays ignored."""
    kept = {number: signal.getsignal(number) for number in POLITE if signal.getsignal(number) is signal.SIG_DFL}
    if threading.current_thread() is not threading.main_thread() or not kept:
        yield
        return
    request = _Request(tuple(kept))
    alarm, told = signal.signal(signal.SIGALRM, request.repeat), sys.unraisablehook
    sys.unraisablehook = lambda dropped: None if isinstance(dropped.exc_value, Ended) else told(dropped)
    for number in kept:
        signal.signal(number, request.begin)
    try:
        yield
    finally:
        request.close()
        for number, handler in {**kept, signal.SIGALRM: alarm}.items():
            signal.signal(number, handler)
        sys.unraisablehook = told


class _Request:
    """A request to end: an Ended, and another for each that was dropped on its way out of the block."""

    def __init__(self, numbers: tuple[signal.Signals, ...]) -> None:
        self._numbers = numbers
        self._number = 0
        self._raised: weakref.ref[Ended] | None = None

    def begin(self, number: int, _frame: Any) -> None:
        for one in self._numbers:
            signal.signal(one, signal.SIG_IGN)
        self._number = number
        raise self._ended()

    def repeat(self, _number: int, _frame: Any) -> None:
        if self._number:
            raise self._ended()

    def close(self) -> None:
        """Stop asking: the block is left."""
        self._raised = None  # and its call with it
        if self._number:  # else no timer is ours
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _ended(self) -> Ended:
        """An Ended that no frame of its own traceback holds, so that it is gone as soon as it is dropped."""
        error = Ended(self._number)
        self._raised = weakref.ref(error, lambda _: signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS))
        return error
