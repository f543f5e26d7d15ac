"""Runs the two scripts as a user or cron does: as processes, from a foreign folder, with almost no environment."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
BARE = {"HOME": "/nonexistent", "PATH": "/usr/bin:/bin"}
TIMEOUT_SECONDS = 300


@dataclass(frozen=True)
class Ran:
    """What a process left: exit code, output, messages."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out)


def run(script: str, *options: object, env: dict[str, str] | None = None, cwd: str = "/") -> Ran:
    """Run `train_models.py` or `realtime_predictor.py` by its absolute path."""
    command = [str(PROJECT / script), *map(str, options)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=BARE | (env or {}), cwd=cwd, timeout=TIMEOUT_SECONDS, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr)


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
