"""No place for a further process or thread, as under ulimit -u: the run does all tasks itself, each of them once."""

from __future__ import annotations

import errno
import os
from concurrent.futures import process as executor
from multiprocessing.process import BaseProcess

import pytest
from limited_starts import allow

from stockml.trainers.process_pool import ProcessRunner, WorkerDiedError

FULL = BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


@pytest.mark.parametrize("forks", [False, True])
@pytest.mark.parametrize("allowed", [0, 1, 3])
@pytest.mark.parametrize(
    ("error", "why"), [(FULL, FULL.strerror), (EOFError("unexpected EOF"), "a limit of the system is reached")]
)
def test_all_is_done_where_the_next_process_cannot_be_started(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    error: Exception,
    why: str,
    allowed: int,
    forks: bool,
) -> None:
    allow(monkeypatch, BaseProcess, allowed, error)
    with ProcessRunner(4, forks=forks) as runner:
        runner.start()
        for _ in range(2):
            found = list(runner.map(abs, range(-40, 0)))
            assert sorted(found) == [(number, 40 - number) for number in range(40)]
    assert caplog.messages == [f"No further process can be started ({why}); all is done in this one."]


@pytest.mark.parametrize("forks", [False, True])
def test_all_is_done_where_no_thread_can_be_started(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, *, forks: bool
) -> None:
    allow(monkeypatch, executor._ExecutorManagerThread, 0, RuntimeError("can't start new thread"))
    with ProcessRunner(2, forks=forks) as runner:
        assert dict(runner.map(abs, [-1, -2, -3])) == {0: 1, 1: 2, 2: 3}
    assert caplog.messages == [
        "No further process can be started (a limit of the system is reached); all is done in this one."
    ]


def test_what_killed_a_process_is_not_tried_in_this_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    allow(monkeypatch, BaseProcess, 2, FULL)  # one for both tasks, one for the first alone
    with ProcessRunner(1) as runner:
        found = dict(runner.map(os._exit, [3, "text"]))
    assert isinstance(found[0], WorkerDiedError)
    assert isinstance(found[1], TypeError)
    assert len(caplog.messages) == 1
