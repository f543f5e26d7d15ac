"""The first module that the process loads from which helpers are forked: it prints nothing of its own.

What libraries warn of is left to the run, and so is that no process can be forked: the run says so in a sentence. It is
imported for that alone, and by no other process.
"""

from __future__ import annotations

import sys
from types import TracebackType

from stockml.core import library_warnings
from stockml.trainers.helper_process import warned


def _end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print no OSError: the process that could not fork ends of it, which the run hears of."""
    if not issubclass(kind, OSError):
        sys.__excepthook__(kind, error, trace)


library_warnings.take(warned.append)
sys.excepthook = _end
