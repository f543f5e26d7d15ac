"""What the benchmarks share: commands timed as whole processes, in turn, and a line for each target."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PYTHON = PROJECT / ".venv" / "bin" / "python"
SHARED = Path(os.environ.get("STOCKML_SHARED") or PROJECT.parent / "shared")
NSE = SHARED / "market-data" / "nse-nifty50"
ROUNDS = 5
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is timed finds its modules compiled, as a user's second run does


def _well_ended(command: Sequence[object], env: Mapping[str, str] | None = None) -> str:
    """What a process that must end well wrote on stderr; shown where it did not."""
    words = [str(part) for part in command]
    ran = subprocess.run(words, capture_output=True, text=True, env={**os.environ, **(env or {})}, check=False)
    if ran.returncode:
        sys.stderr.write(ran.stderr)
        ran.check_returncode()
    return ran.stderr


def seconds_of(command: Sequence[object], env: Mapping[str, str] | None = None) -> float:
    """Wall-clock seconds of a process from start to end; it must end well."""
    started = time.perf_counter()
    _well_ended(command, env)
    return time.perf_counter() - started


@dataclass(frozen=True)
class Usage:
    """What a process took: seconds by the clock and of a core, and its memory at the most."""

    seconds: float
    cpu_seconds: float
    megabytes: float


# Of a child the system says at least what its parent held when it began: so a small parent is asked. It adopts helper
# processes that end after whoever began them (prctl's PR_SET_CHILD_SUBREAPER), so that their seconds are counted.
_ASIDE = """
import ctypes, json, os, resource, subprocess, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
began = time.perf_counter()
code = subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL).returncode
assert 0 <= code <= int(sys.argv[1]), code
seconds = time.perf_counter() - began
try:
    while True:
        os.wait()
except ChildProcessError:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6]))
"""


def usage_of(command: Sequence[object], *, may_fail: bool = False) -> Usage:
    """What a process took from start to end; it must end well, or fail for some stocks alone where it may."""
    aside = [PYTHON, "-c", _ASIDE, str(int(may_fail)), *(str(part) for part in command)]
    return Usage(*json.loads(subprocess.run(aside, check=True, stdout=subprocess.PIPE).stdout))


# The same of a script run inside, whose helper processes are then told apart from itself.
_INSIDE = """
import json, os, resource, runpy, sys, time
began, sys.argv = time.perf_counter(), sys.argv[1:]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as ended:
    assert not ended.code, ended
seconds = time.perf_counter() - began
used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps([seconds, *(one.ru_utime + one.ru_stime for one in used)]), file=sys.stderr)
"""


@dataclass(frozen=True)
class SharedOut:
    """What a script and its helper processes took: seconds by the clock, and of a core each."""

    seconds: float
    own_cpu_seconds: float
    helpers_cpu_seconds: float

    def on_idle_cores(self, jobs: int) -> float:
        """The seconds it would take where nothing else keeps its cores busy, of work that its helpers share evenly."""
        return self.own_cpu_seconds + self.helpers_cpu_seconds / jobs


def shared_out(command: Sequence[object]) -> SharedOut:
    """What one of the scripts took with its helper processes; it must end well."""
    told = _well_ended([PYTHON, "-c", _INSIDE, *command])
    return SharedOut(*json.loads(told.splitlines()[-1]))


def in_turn(things: Mapping[str, Callable[[], float]], rounds: int = ROUNDS) -> dict[str, float]:
    """Each thing's median seconds; all are run once a round, so that a noisy minute hits every one alike."""
    taken: dict[str, list[float]] = {name: [] for name in things}
    for _ in range(rounds):
        for name, measure in things.items():
            taken[name].append(measure())
    return {name: statistics.median(values) for name, values in taken.items()}


def verdict(what: str, value: float, limit: float, unit: str = "s", *, at_most: bool = True) -> str:
    """One line: the figure, its target, and whether it was met."""
    met = value <= limit if at_most else value >= limit
    sign = "<=" if at_most else ">="
    return f"{what:<62} {value:9.3f} {unit:<6} target {sign} {limit:g} {unit}: {'met' if met else 'MISSED'}"
