"""Runs the two scripts as a user or cron does: as processes, from a foreign folder, with almost no environment."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from waiting import PATIENCE_SECONDS

PROJECT = Path(__file__).resolve().parents[1]
BARE = {"HOME": "/nonexistent", "PATH": "/usr/bin:/bin"}


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
    if at is not None:
        env = {"DONT_FAKE_MONOTONIC": "1", "TZ": "UTC", **(env or {})}
        local = at.astimezone(ZoneInfo(env["TZ"]))  # faketime reads it so
        command = ["faketime", "-f", f"@{local:%Y-%m-%d %H:%M:%S}", *command]
    done = subprocess.run(
        command, capture_output=True, text=True, env=BARE | (env or {}), cwd=cwd, timeout=PATIENCE_SECONDS, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr)


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
