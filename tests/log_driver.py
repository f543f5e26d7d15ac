"""A real process that uses the log as the predictor does: `python log_driver.py HOME DAY`; or forked, with faults.

The faults are counted, not timed: the N-th call that changes something on the disk is cut short, refused, or the last
thing the process does.
"""

from __future__ import annotations

import argparse
import errno
import io
import json
import logging
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Never

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[1]))

from log_helpers import run_day

from stockml.core.paths import Home
from stockml.prediction_log import rows
from stockml.storage import files, tail_file
from stockml.storage.files import StorageError

REAL_START = date(2026, 3, 2)  # a Monday; what it predicts is due a week later
CHANGING = ("open", "pwrite", "fsync", "ftruncate", "replace", "rename", "unlink", "mkdir", "link", "rmdir")
KILL_BEFORE, KILL_MIDWAY, KILL_IN_APPEND, CUT_SHORT = "kill before", "kill midway", "kill in append", "cut short"


@dataclass(frozen=True)
class Fault:
    """What happens at the N-th changing call, and at all later ones where it lasts; an errno, or one of the above."""

    what: str | int
    at: int
    lasts: bool = False


@dataclass
class Counter:
    """Counts the calls in `os` that change something, and carries the fault out."""

    fault: Fault | None
    calls: list[str] = field(default_factory=list)

    def install(self) -> None:
        for name in CHANGING:
            setattr(os, name, self._wrapped(name, getattr(os, name)))
        files.exchange = self._wrapped("exchange", files.exchange)
        connected = rows._connected
        rows._connected = lambda name, **named: _Connection(connected(name, **named), self._wrapped, name)

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            if name == "open" and not args[1] & os.O_CREAT:
                return real(*args, **named)
            self.calls.append(name)
            if self.fault is None or not self._strikes(self.fault, name, args):
                return real(*args, **named)
            return _fail(self.fault.what, name, real, *args, **named)

        return call

    def _strikes(self, fault: Fault, name: str, args: tuple[Any, ...]) -> bool:
        if fault.what == KILL_IN_APPEND:
            return name == "pwrite" and _is_append(*args)
        return len(self.calls) == fault.at or (len(self.calls) > fault.at and fault.lasts)


class _Connection:
    """A connection to the index, each of whose changes to the file is counted."""

    def __init__(self, real: sqlite3.Connection, wrapped: Callable[[str, Any], Any], name: str | Path) -> None:
        self._real, self._wrapped, self._is_file = real, wrapped, name != ":memory:"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def execute(self, statement: str, *values: Any) -> Any:
        is_change = self._is_file and not statement.startswith(("SELECT", "PRAGMA"))
        run = self._wrapped("sql", self._real.execute) if is_change else self._real.execute
        return run(statement, *values)

    def executemany(self, statement: str, values: Sequence[Any]) -> Any:
        def some(number: int | None) -> Any:
            return self._real.executemany(statement, values[:number])

        return self._wrapped("sql", some)(None) if self._is_file and values else some(None)

    def backup(self, target: _Connection) -> None:
        target._wrapped("sql", self._real.backup)(target._real)


def _is_append(descriptor: int, data: bytes, at: int) -> bool:
    path = Path(f"/proc/self/fd/{descriptor}").readlink()
    return path.name == "predictions.jsonl" and at == path.stat().st_size


def _fail(what: str | int, name: str, real: Callable[..., Any], *args: Any, **named: Any) -> Any:
    if what == KILL_BEFORE:
        _die()
    if name == "pwrite" and what != errno.EIO:
        descriptor, data, at = args
        written = real(descriptor, data[: (len(data) + 1) // 2], at)  # a full disk, too, takes what still fits
        if what == CUT_SHORT:
            return written
    elif what == KILL_MIDWAY and args == (None,):  # many rows
        real(1)
    elif what == KILL_MIDWAY:
        with suppress(OSError):
            real(*args, **named)
    if isinstance(what, int) and name == "sql":
        error = sqlite3.OperationalError(os.strerror(what))
        error.sqlite_errorcode = {errno.ENOSPC: 13, errno.EIO: 10, errno.EROFS: 8}[what]
        raise error
    if isinstance(what, int):
        raise OSError(what, os.strerror(what))
    if what in (KILL_MIDWAY, KILL_IN_APPEND):
        _die()
    return real(*args, **named)


def _die() -> Never:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def in_child(action: Callable[[], None], fault: Fault | None = None) -> dict[str, Any]:
    """What became of an action in a process of its own: `code`, and unless it was killed `calls` and `message`."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        sys.stdout = os.fdopen(theirs, "w")
        os._exit(_come_to_grief(lambda *_: action(), "", 0, astuple(fault) if fault else None))
    os.close(theirs)
    with os.fdopen(ours) as heard:
        said = [json.loads(line) for line in heard]
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return {name: value for one in [*said, {"code": code}] for name, value in one.items()}


class Victims:
    """Processes that come to grief, each forked from one that has imported everything.

    They run these tests' predictor of two stocks, or the real one on the simulated market (`real`).
    """

    def __init__(self, *, real: bool = False) -> None:
        command = [sys.executable, __file__, "--serve", *(["--real"] if real else [])]
        alone = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # a fork keeps one thread only
        self.server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=alone
        )

    def start(self, home: Home, day: int, fault: Fault | None = None) -> int:
        """Begin a day's run; returns the process's id before it looks at the log."""
        assert self.server.stdin is not None
        order = {"home": str(home.root), "day": day, "fault": astuple(fault) if fault else None}
        self.server.stdin.write(json.dumps(order) + "\n")
        return int(self._heard()["pid"])

    def end(self) -> dict[str, Any]:
        """What became of it: `code`, and unless it was killed `calls` and `message`."""
        said = self._heard()
        while "code" not in said:
            said |= self._heard()
        return said

    def run(self, home: Home, day: int, fault: Fault | None) -> dict[str, Any]:
        self.start(home, day, fault)
        return self.end()

    def _heard(self) -> dict[str, Any]:
        assert self.server.stdout is not None
        return dict(json.loads(self.server.stdout.readline()))

    def close(self) -> None:
        self.server.communicate()


def serve(predictor: Callable[[Home, int], None]) -> None:
    """Fork a process for each order on stdin, {"home", "day", "fault"}; what it says and its end go to stdout."""
    for order in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os._exit(_come_to_grief(predictor, **json.loads(order)))
        _say(code=os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _come_to_grief(predictor: Callable[[Home, int], None], home: str, day: int, fault: Sequence[Any] | None) -> int:
    """A day's run with a fault; exits as the predictor would, and says how many calls it counted."""
    tail_file.TAIL_PAUSE_SECONDS = 0.0
    counter = Counter(Fault(*fault) if fault else None)
    counter.install()
    _say(pid=os.getpid())
    message = ""
    try:
        predictor(Home(Path(home)), day)
    except StorageError as error:
        message = str(error)
    except BaseException:
        message = traceback.format_exc()
    _say(calls=counter.calls, message=message)
    return 0 if not message else 1 if "Traceback" in message else 3


def real_predictor() -> Callable[[Home, int], None]:
    """A day's run of realtime_predictor.py itself, from its arguments to its exit code, all imports done beforehand."""
    import realtime_predictor

    def run(home: Home, day: int) -> None:
        told = sys.stderr = io.StringIO()
        as_of = str(REAL_START + timedelta(days=day))
        options = ["--home", str(home.root), "--source", "sample", "--symbols", "SIM-ALPHA", "--as-of", as_of, "-q"]
        code = realtime_predictor.main(options)
        sys.stderr = sys.__stderr__
        if code == 3 or (code == 1 and "in the log" in told.getvalue()):  # half done, and it says what is done
            raise StorageError(told.getvalue())
        assert code == 0 and not told.getvalue(), f"exit code {code}: {told.getvalue()}"

    with tempfile.TemporaryDirectory() as home:
        for day in (0, 7):
            run(Home(Path(home)), day)
    return run


def _test_predictor(home: Home, day: int) -> None:
    run_day(home, day)


def _say(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> int:
    """One run or several, as from the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("day", type=int)
    parser.add_argument("--runs", type=int, default=1, help="how many days in a row")
    parser.add_argument("--symbols", nargs="+", default=["TCS.NS", "INFY.NS"])
    parser.add_argument("--lock-timeout", type=float, default=60)
    parser.add_argument("--shuffle", type=int, help="seed for going through the days in another order")
    args = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    tail_file.TAIL_PAUSE_SECONDS = 0.001
    days = list(range(args.day, args.day + args.runs))
    if args.shuffle is not None:
        random.Random(args.shuffle).shuffle(days)
    try:
        for day in days:
            run_day(Home(args.home), day, tuple(args.symbols), lock_timeout=args.lock_timeout)
    except StorageError as error:
        print(error, file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(real_predictor() if sys.argv[2:] == ["--real"] else _test_predictor)
    else:
        sys.exit(main())
