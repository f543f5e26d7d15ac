"""Process pool: results by number, tasks that wait for results, killed processes and broken pools."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from dependent_tasks import doubled_in_a_chain
from waiting import wait_until

from stockml.trainers import stalled_processes
from stockml.trainers.process_pool import QUEUED_PER_PROCESS, ProcessRunner, WorkerDiedError
from stockml.trainers.stalled_processes import is_gone


def double(number: int) -> int:
    if number == 3:
        raise ValueError("three")
    return 2 * number


def die_once(path: str) -> str:
    """Kills its own process unless it was here before."""
    try:
        with open(path, "x"):  # noqa: PTH123
            os.kill(os.getpid(), signal.SIGKILL)
    except FileExistsError:
        return path
    raise AssertionError


def die_while_sending(path: str) -> str:
    """Kills its own process in the middle of its result, unless it was here before."""

    def send(connection: Any, content: bytes, write: Any = None) -> None:
        os.write(connection.fileno(), bytes(content[:10]))
        os.kill(os.getpid(), signal.SIGKILL)

    try:
        with open(path, "x"):  # noqa: PTH123
            Connection._send = send  # type: ignore[attr-defined]
    except FileExistsError:
        pass
    return path


def always_die(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def threads(_: int) -> str:
    return os.environ["OMP_NUM_THREADS"]


def test_results_and_exceptions_come_back_with_their_numbers() -> None:
    with ProcessRunner(2) as runner:
        results = dict(runner.map(double, range(6)))
        again = dict(runner.map(double, [10]))
    assert {n: r for n, r in results.items() if n != 3} == {0: 0, 1: 2, 2: 4, 4: 8, 5: 10}
    assert str(results[3]) == "three"
    assert again == {0: 20}


@pytest.mark.parametrize("beside", [0, 30])
def test_tasks_may_wait_for_results(beside: int) -> None:
    with ProcessRunner(2) as runner:
        assert doubled_in_a_chain(runner, beside) == ([1, 2, 4, 8], set(range(beside)))


def test_tasks_may_wait_for_results_where_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProcessRunner, "_can_start", lambda _: False)
    with ProcessRunner(2) as runner:
        assert doubled_in_a_chain(runner, 5) == ([1, 2, 4, 8], set(range(5)))


@pytest.mark.parametrize("broken", [1, 4, 6, 9])
def test_a_pool_that_breaks_while_it_gets_a_task_loses_none(broken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = ProcessRunner._submitted, count(1)

    def submitted(self: ProcessRunner, *what: Any) -> Any:
        if next(calls) == broken:
            raise BrokenProcessPool
        return real(self, *what)

    monkeypatch.setattr(ProcessRunner, "_submitted", submitted)
    with ProcessRunner(2) as runner:
        results = list(runner.map(abs, range(-8, 0)))
    assert sorted(results) == [(number, 8 - number) for number in range(8)]


def test_where_no_further_task_can_be_had_what_is_done_comes_first() -> None:
    def tasks() -> Iterator[int]:
        yield from range(QUEUED_PER_PROCESS * 2)
        raise OSError("no further task")

    found = []
    with ProcessRunner(2) as runner, pytest.raises(OSError, match="no further task"):
        for result in runner.map(abs, tasks()):
            found.append(result)
    assert len(found) == 1


def test_while_a_result_is_dealt_with_the_processes_have_their_next_tasks() -> None:
    taken = 0

    def tasks() -> Iterator[int]:
        nonlocal taken
        while taken < 20:
            taken += 1
            yield taken

    with ProcessRunner(2) as runner:
        for done, _ in enumerate(runner.map(abs, tasks()), start=1):
            assert taken == min(20, done + QUEUED_PER_PROCESS * 2)


def test_a_killed_process_costs_only_time(tmp_path) -> None:
    paths = [str(tmp_path / name) for name in "abcdef"]
    with ProcessRunner(2) as runner:
        assert dict(runner.map(die_once, paths)) == dict(enumerate(paths))


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_process_killed_while_it_sends_a_result_costs_only_time(
    jobs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stalled_processes, "STALL_SECONDS", 12.0)
    paths = [str(tmp_path / name) for name in "abcd"]
    with ProcessRunner(jobs) as runner:
        assert dict(runner.map(die_while_sending, paths)) == dict(enumerate(paths))


def test_a_run_that_is_ended_waits_for_no_rest_of_a_result(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.touch()
    with pytest.raises(KeyboardInterrupt), ProcessRunner(1) as runner:
        results = runner.map(die_while_sending, [str(first), str(second)])
        assert next(results) == (0, str(first))
        (helper,) = runner._numbers()
        wait_until(lambda: second.exists() and is_gone(helper), "a helper that was killed")
        raise KeyboardInterrupt


def test_a_task_that_always_kills_its_process_is_given_up_and_stops_no_other() -> None:
    with ProcessRunner(2) as runner:
        results = dict(runner.map(always_die, range(8)))
    assert isinstance(results.pop(2), WorkerDiedError)
    assert results == {number: number for number in range(8) if number != 2}


def test_processes_use_one_thread_and_leave_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with ProcessRunner(1) as runner:
        assert dict(runner.map(threads, [0])) == {0: "1"}
    assert os.environ["OMP_NUM_THREADS"] == "7"
