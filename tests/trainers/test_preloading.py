"""Preloading: helpers find their libraries loaded; nothing else changes, and nothing of it is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from scripts import BARE, PROJECT

from stockml.trainers import preloading

# Of a script that preloads a slow module, and meanwhile sends an interrupt to the process that loads it.
SCRIPT = """
import os, signal, sys, time
from multiprocessing import forkserver
from stockml.trainers import preloading
from stockml.trainers.process_pool import ProcessRunner

def seen(_):
    loaded = "slow_to_load" in sys.modules
    return loaded, os.environ["OPENBLAS_NUM_THREADS"]

if __name__ == "__main__":
    before = dict(os.environ)
    preloading.PRELOAD = (preloading.PRELOAD[0], "slow_to_load")
    preloading.preload()
    assert dict(os.environ) == before
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.01)
    os.kill(forkserver._forkserver._forkserver_pid, signal.SIGINT)
    with ProcessRunner(1, preloading.PRELOAD) as runner:
        print(list(runner.map(seen, [0])))
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()
"""


def test_helpers_find_loaded_what_was_begun_before_and_neither_interrupt_nor_warning_is_told(tmp_path: Path) -> None:
    loading = tmp_path / "loading"
    slow = f"import time, warnings\nopen({str(loading)!r}, 'w').close()\ntime.sleep(0.3)\nwarnings.warn('a word')\n"
    for name, text in (("slow_to_load", slow), ("script", SCRIPT)):
        (tmp_path / f"{name}.py").write_text(text)
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py", loading],
        capture_output=True,
        text=True,
        env=BARE | {"PYTHONPATH": f"{PROJECT}{os.pathsep}{tmp_path}"},
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("[(0, (True, '1'))]\n", "", 0)


@pytest.mark.parametrize("error", [FileNotFoundError, PermissionError, BlockingIOError])
def test_where_nothing_can_be_started_training_says_so_and_not_this(
    error: type[OSError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> None:
        raise error

    monkeypatch.setattr(preloading.forkserver, "ensure_running", refused)
    before = dict(os.environ)
    preloading.preload()
    assert dict(os.environ) == before
