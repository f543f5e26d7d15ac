"""Threads, and what is done where the system has no place for one."""

from __future__ import annotations

import threading
import time
from concurrent.futures import wait

import pytest
from limited_starts import allow

from stockml.storage.threads import Threads

NO_THREAD = RuntimeError("can't start new thread")


@pytest.mark.parametrize("allowed", [0, 1, 2, 8])
def test_each_task_is_done_once_however_many_threads_can_start(monkeypatch: pytest.MonkeyPatch, allowed: int) -> None:
    allow(monkeypatch, threading.Thread, allowed, NO_THREAD)
    done: list[int] = []

    def task(number: int) -> int:
        time.sleep(0.001)
        done.append(number)
        return number * number

    with Threads(4) as threads:
        assert list(threads.map(task, range(30))) == [number * number for number in range(30)]
    assert sorted(done) == list(range(30))


@pytest.mark.parametrize("allowed", [0, 2])
def test_an_error_is_that_of_its_task(monkeypatch: pytest.MonkeyPatch, allowed: int) -> None:
    allow(monkeypatch, threading.Thread, allowed, NO_THREAD)
    with Threads(2) as threads:
        futures = [threads.submit(int, text) for text in ("1", "none", "3")]
        wait(futures)
    assert isinstance(futures[1].exception(), ValueError)
    assert [futures[0].result(), futures[2].result()] == [1, 3]


def test_an_interrupt_of_a_task_done_here_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    allow(monkeypatch, threading.Thread, 0, NO_THREAD)
    with Threads(1) as threads, pytest.raises(KeyboardInterrupt):
        threads.submit(interrupted)


def test_what_waits_at_an_error_is_not_begun() -> None:
    done: list[int] = []
    may_go_on = threading.Event()

    def task(number: int) -> None:
        if number == 0:
            may_go_on.wait()
            raise ValueError("the first")
        time.sleep(0.05)
        done.append(number)

    threads = Threads(1)
    answers = threads.map(task, range(100))
    may_go_on.set()
    with pytest.raises(ValueError, match="the first"):
        list(answers)
    threads.shutdown(cancel_futures=True)
    assert len(done) < 3
