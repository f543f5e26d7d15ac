"""A helper process that stands still stalls no training: it is ended, and its tasks are done again."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from stockml.trainers import stalled_processes
from stockml.trainers.process_pool import ProcessRunner, WorkerDiedError
from stockml.trainers.stalled_processes import LOOKS, StallWatch

HERE = os.getpid()


@pytest.fixture(autouse=True)
def in_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stalled_processes, "STALL_SECONDS", 0.6)


def stop_once(task: tuple[int, str]) -> int:
    """Stops its own process the first time, as `kill -STOP` would."""
    number, mark = task
    if number == 1 and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGSTOP)
    return number * 10


def stop_always(number: int) -> int:
    if number == 1:
        os.kill(os.getpid(), signal.SIGSTOP)
    return number * 10


def work(seconds: float) -> float:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return seconds


def test_a_stopped_process_costs_only_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tasks = [(number, str(tmp_path / "stopped")) for number in range(4)]
    with ProcessRunner(2) as runner:
        assert dict(runner.map(stop_once, tasks)) == {0: 0, 1: 10, 2: 20, 3: 30}
    assert any("stood still for 0.6 seconds and had to be ended" in message for message in caplog.messages)


def test_a_task_that_always_stops_its_process_is_given_up_and_stops_no_other() -> None:
    with ProcessRunner(2) as runner:
        found = dict(runner.map(stop_always, range(3)))
    assert isinstance(found.pop(1), WorkerDiedError) and found == {0: 0, 2: 20}


def test_a_process_stopped_after_its_last_task_keeps_no_run_from_ending() -> None:
    with ProcessRunner(2) as runner:
        assert len(dict(runner.map(work, [0.01] * 4))) == 4
        first, *_ = runner._numbers()
        os.kill(first, signal.SIGSTOP)
        while not stalled_processes.is_stopped(first):
            time.sleep(0.001)


def test_looks_are_counted_and_a_process_that_moves_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = {1: 5, 2: 5}
    monkeypatch.setattr(stalled_processes, "_ticks", ticks.__getitem__)
    watch = StallWatch()
    for _ in range(LOOKS):
        assert watch.stalled([1, 2], tasks=2) == []
        ticks[2] += 1
    assert watch.stalled([1, 2], tasks=1) == []  # one of them may be waiting for a task
    assert watch.stalled([1, 2], tasks=2) == [1]
    ticks[1] += 1
    assert watch.stalled([1, 2], tasks=2) == []


@pytest.mark.parametrize("number", [0, 2**22 + 1])
def test_a_process_that_is_not_there_is_neither_stopped_nor_still(number: int) -> None:
    assert not stalled_processes.is_stopped(number) and stalled_processes._ticks(number) == -1
    assert not stalled_processes.is_stopped(HERE) and stalled_processes._ticks(HERE) >= 0
