"""How tests wait for what must come: so long that only a hang ends the wait, never a machine that is busy."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_SECONDS = 900


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Return once the condition holds; fails by the name of `what` never came."""
    gives_up_at = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < gives_up_at, f"{what} did not come in {PATIENCE_SECONDS} seconds"
        time.sleep(0.02)
