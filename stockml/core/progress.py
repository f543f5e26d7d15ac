"""Progress of the work: a bar with the time left on a terminal, nothing anywhere else."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Progress = Callable[[str, int, int], None]  # called with a stage, its steps done, and their number


def no_progress(stage: str, done: int, of: int) -> None:
    """Report nothing."""


@contextmanager
def progress(args: argparse.Namespace) -> Iterator[Progress]:
    """A callback for a stage's steps; it draws a bar with the time left where stderr is a terminal."""
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
