"""Forecast stock prices, keep an honest record of every forecast, learn from the outcomes.

Its names are those of `stockml.api`, which loads once one of them is used; docs/api.md describes each.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stockml.api import (
        DailyRun,
        Home,
        NotDoneError,
        Prediction,
        ReplayRun,
        StorageError,
        TrainedModel,
        TrainingRun,
        UsageError,
        predict,
        read_log,
        replay,
        train,
        verify,
    )

__version__ = "0.1.0"

__all__ = [
    "DailyRun",
    "Home",
    "NotDoneError",
    "Prediction",
    "ReplayRun",
    "StorageError",
    "TrainedModel",
    "TrainingRun",
    "UsageError",
    "predict",
    "read_log",
    "replay",
    "train",
    "verify",
]

# A subpackage has the name of a function. Python binds a subpackage's name once, when it loads: loaded here and
# unbound, it stays importable (`from stockml.replay.walk_forward import ...`), and `stockml.replay` is the function.
import_module("stockml.replay")
globals().pop("replay")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module("stockml.api"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
