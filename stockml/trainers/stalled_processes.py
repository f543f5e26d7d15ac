"""Processes that stand still: stopped from outside, or waiting for what never comes, while there is work to do.

A process that computes uses CPU time, however busy the machine is. Looks are counted, not seconds, so that a machine
that slept, or a run that was stopped as a whole, finds nothing wrong when it goes on.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

STALL_SECONDS = 60.0  # without any CPU time, while there are tasks
LOOKS = 12  # in that time


def look_seconds() -> float:
    """The time from one look to the next."""
    return STALL_SECONDS / LOOKS


class StallWatch:
    """Looks at the processes of a pool, and names those that have stood still long enough."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[int, int]] = {}  # clock ticks of each process, and looks since they rose

    def stalled(self, processes: Collection[int], tasks: int) -> list[int]:
        """Look once; returns the processes that stand still though there are so many tasks.

        As many processes as tasks are lacking may stand still, since they wait for the next.
        """
        self._seen = {number: self._look(number) for number in processes}
        still = [number for number, (_, looks) in self._seen.items() if looks >= LOOKS]
        idle = max(0, len(processes) - tasks)
        return still if len(still) > idle else []

    def _look(self, number: int) -> tuple[int, int]:
        ticks = _ticks(number)
        before, looks = self._seen.get(number, (-1, 0))
        return (ticks, looks + 1) if ticks == before and ticks >= 0 else (ticks, 0)


def _ticks(number: int) -> int:
    """The CPU time of a process in clock ticks; -1 where it is not known."""
    fields = _stat(number)
    return int(fields[11]) + int(fields[12]) if fields else -1


def is_stopped(number: int) -> bool:
    """True for a process that a signal has stopped."""
    fields = _stat(number)
    return bool(fields) and fields[0] in ("T", "t")


def is_gone(number: int) -> bool:
    """True for a process that has ended."""
    fields = _stat(number)
    return not fields or fields[0] in ("Z", "X")


def _stat(number: int) -> list[str]:
    """The fields of /proc/NUMBER/stat behind the command's name: the state first; none where there is no process."""
    try:
        return Path(f"/proc/{number}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def end(processes: Collection[int]) -> None:
    """Kill processes, also stopped ones, which no other signal would end."""
    for number in processes:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
