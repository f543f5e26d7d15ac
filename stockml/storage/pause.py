"""A pause of a length of time."""

from __future__ import annotations

import select


def pause(seconds: float) -> None:
    """Wait so many seconds, whatever happens to the clock meanwhile.

    time.sleep waits for a moment of the system's clock instead, which fails where a program shifts a process's clock.
    """
    select.select([], [], [], seconds)
