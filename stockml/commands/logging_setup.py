"""Logging setup: messages to stderr and to the log file, and streams that are closed or broken."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

log = logging.getLogger("stockml")


def to_stderr(level: int) -> None:
    """From now on send messages of that level to stderr, one plain line each, and nowhere else."""
    log.handlers.clear()
    log.setLevel(logging.DEBUG)
    log.propagate = False
    _add(_Terminal(), "%(message)s", level)


def to_file(path: Path) -> None:
    """Send all messages to a file too, down to those for debugging, with time and level.

    OSError where it cannot be written.
    """
    from stockml.commands.log_file import LogFile

    _add(LogFile(path), "%(asctime)s %(levelname)s %(message)s", logging.DEBUG)


def _add(handler: logging.Handler, form: str, level: int) -> None:
    handler.setFormatter(logging.Formatter(form))
    handler.setLevel(level)
    log.addHandler(handler)


class _Terminal(logging.Handler):
    """To stderr as it is at each message: while a bar is drawn there, above it."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


def open_closed_streams() -> None:
    """Whoever starts a run without stdout or stderr hears nothing of it, which is no reason to fail."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))


def give_up_stdout() -> None:
    """Point stdout elsewhere, where its reader left or it is full: closing it at the end would fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
