"""Runs the two scripts as a user or cron does: as processes, from a foreign folder, with almost no environment."""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import pty
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from zoneinfo import ZoneInfo

from waiting import PATIENCE_SECONDS

PROJECT = Path(__file__).resolve().parents[1]
_KERNELS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "NPY_DISABLE_CPU_FEATURES")  # scripts compute as the tests do
BARE = {
    "HOME": "/proc/nonexistent",  # no library of a test run by root can make that folder
    "PATH": "/usr/bin:/bin",
    **{name: os.environ[name] for name in _KERNELS if name in os.environ},
}
WARM = {"realtime_predictor.py"}  # forked from a process that has loaded the libraries; see warm_python.py

ESCAPE = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")


@dataclass(frozen=True)
class Ran:
    """What a process left: exit code, output, messages."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out)


def run(
    script: str, *options: object, env: dict[str, str] | None = None, cwd: str = "/", at: datetime | None = None
) -> Ran:
    """Run `train_models.py` or `realtime_predictor.py` by its absolute path.

    With `at` the process's clock begins at that moment, by the program faketime; its stopwatches run as ever.
    """
    command = [str(PROJECT / script), *map(str, options)]
    if at is None and not env and script in WARM:
        return _run_warm(command, cwd)
    if at is not None:
        env = {"DONT_FAKE_MONOTONIC": "1", "TZ": "UTC", **(env or {})}
        local = at.astimezone(ZoneInfo(env["TZ"]))  # faketime reads it so
        command = ["faketime", "-f", f"@{local:%Y-%m-%d %H:%M:%S}", *command]
    done = subprocess.run(
        command, capture_output=True, text=True, env=BARE | (env or {}), cwd=cwd, timeout=PATIENCE_SECONDS, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def _run_warm(command: Sequence[str], cwd: str) -> Ran:
    """Run a command in a process that has the libraries loaded already."""
    with socket.socket(socket.AF_UNIX) as asking, TemporaryFile() as out, TemporaryFile() as err:
        asking.settimeout(PATIENCE_SECONDS)
        asking.connect(_warm_python())
        asked = {"command": command, "environment": BARE, "folder": cwd}
        socket.send_fds(asking, [json.dumps(asked).encode()], [out.fileno(), err.fileno()])
        told = json.loads(asking.recv(1000))
        texts = [file.read().decode() for file in (out, err) if file.seek(0) == 0]
    return Ran(told["code"], *texts)


@cache
def _warm_python() -> str:
    """The address of a server of such processes, which ends with this process."""
    address = str(Path(tempfile.mkdtemp(prefix="warm-python-")) / "socket")
    command = [sys.executable, str(PROJECT / "tests/warm_python.py"), address]
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # as the scripts have it, and safe to fork
    server = subprocess.Popen(
        command, env=BARE | one_thread, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None and server.stdout.readline() == "ready\n"
    atexit.register(lambda: (server.communicate(timeout=PATIENCE_SECONDS), shutil.rmtree(Path(address).parent)))
    return address


def watched(script: str, *options: object, env: dict[str, str] | None = None, columns: int = 120) -> Ran:
    """Run a script on a terminal of its own; `out` is all that was drawn there, messages and escapes included."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    command = [str(PROJECT / script), *map(str, options)]
    terminal = {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=BARE | terminal | (env or {}), cwd="/"
    )
    os.close(theirs)
    drawn = b"".join(_read_until_closed(ours))
    os.close(ours)
    return Ran(process.wait(PATIENCE_SECONDS), drawn.decode().replace("\r\n", "\n"), "")


def _read_until_closed(terminal: int) -> Iterator[bytes]:
    """What is drawn on a terminal until the last that held its other end has gone (Linux then says EIO)."""
    with suppress(OSError):
        while part := os.read(terminal, 65536):
            yield part


def train(*options: object, **how: Any) -> Ran:
    return run("train_models.py", *options, **how)


def predict(*options: object, **how: Any) -> Ran:
    return run("realtime_predictor.py", *options, **how)


def log_of(home: Path) -> list[dict[str, Any]]:
    """The records of a home's log, in order."""
    path = home / "realtime_predictions" / "predictions.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def files_under(folder: Path) -> dict[str, bytes]:
    """The bytes of every file below a folder by its relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
