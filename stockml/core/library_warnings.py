"""Warnings of other people's libraries, told where no reader of a run's messages is bothered: in the debug log.

What is worth a warning is still decided by Python's filters, so that -W and PYTHONWARNINGS work as ever.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger("stockml")


def take(told: Callable[[str], None] | None = None) -> None:
    """From now on tell each warning in one line instead of on stderr, by default to the debug log."""
    tell = told or _debug

    def show(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object, **__: object
    ) -> None:
        tell(f"{filename}:{lineno}: {category.__name__}: {' '.join(str(message).split())}")

    warnings.showwarning = show


@contextmanager
def taken() -> Iterator[None]:
    """Tell each warning of the block to the debug log, whatever the filters say; enter it before any thread starts."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        take()
        yield


def _debug(text: str) -> None:
    log.debug("%s", text)
