"""How far the work is, told step by step; a bar with the time left where a terminal watches, nothing anywhere else."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Progress = Callable[[str, int, int], None]  # told a stage, its steps done, and how many there are


def no_progress(stage: str, done: int, of: int) -> None:
    """Nobody watches."""


@contextmanager
def progress(args: argparse.Namespace) -> Iterator[Progress]:
    """A function to tell a stage's steps to; it draws a bar with the time left where a terminal watches stderr."""
    if not sys.stderr.isatty() or args.quiet or args.json:
        yield no_progress
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def on_progress(stage: str, done: int, of: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=of)
            bars.update(tasks[stage], completed=done, total=of)

        yield on_progress
