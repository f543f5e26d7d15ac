"""A run that is asked to end does so, wherever the request reaches it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from scripts import BARE, PROJECT
from waiting import PATIENCE_SECONDS

# Each way is code that Python calls in passing; what it raises never reaches whoever runs the block.
WAYS = {
    "a finalizer": "class Closing:\n    def __del__(self): ask()\ndef drop(): Closing()\n",
    "a weak reference's call": (
        "import weakref\nclass Held: pass\n"
        "def drop():\n    held = Held()\n    kept = weakref.ref(held, lambda _: ask())\n    del held\n"
    ),
    "a generator that is closed": (
        "def numbers():\n    try:\n        yield 1\n    finally:\n        ask()\ndef drop(): next(numbers())\n"
    ),
    "code that catches everything": ("def drop():\n    try:\n        ask()\n    except BaseException:\n        pass\n"),
}
SCRIPT = """
import argparse, os, signal, sys, time
signal.signal({number}, signal.SIG_DFL)  # whoever runs the tests may ignore it, as nohup does
from stockml.commands.exits import run_command
def ask():
    os.kill(os.getpid(), {number})
    for _ in range(100): pass
{way}
def main(args):
    drop()
    time.sleep({seconds})
    return 0
if __name__ == "__main__":
    sys.exit(run_command(main, argparse.Namespace(quiet=False, verbose=False, log_file=None)))
"""


def ended(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=BARE | {"PYTHONPATH": str(PROJECT)},
        check=False,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_a_request_that_is_dropped_on_its_way_is_made_again(way: str, number: signal.Signals) -> None:
    once = f"import signal\nsignal.setitimer = lambda *_: None\n{SCRIPT}"  # dropped, and not made again
    assert ended(once.format(way=way, number=int(number), seconds=0)).returncode == 0
    ran = ended(SCRIPT.format(way=way, number=int(number), seconds=PATIENCE_SECONDS))
    assert (ran.returncode, ran.stdout) == (128 + number, "")
    assert ran.stderr == f"Ended by {number.name}; what was finished is saved.\n"


@pytest.fixture
def alarm() -> Iterator[None]:
    kept = signal.getsignal(signal.SIGALRM)
    yield
    assert signal.getsignal(signal.SIGALRM) is kept and signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.usefixtures("alarm")
def test_nothing_is_asked_of_what_comes_after_the_block() -> None:
    from stockml.commands.polite_signals import Ended, ended_by_signals

    told = sys.unraisablehook
    with pytest.raises(Ended), ended_by_signals():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL and sys.unraisablehook is told
