"""Settings of a training and its surroundings: what its results depend on, and what they do not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from stockml.core.exchanges import BY_SYMBOL, Exchanges
from stockml.core.progress import Progress, no_progress
from stockml.trainers.common_start import NoStarts, Starts, kind_of
from stockml.trainers.engine_choice import EngineChoice
from stockml.trainers.fine_tuning import FineTuningSettings
from stockml.trainers.global_model import GlobalModelSettings
from stockml.trainers.process_pool import TaskRunner


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """All that the result depends on beside the prices, and the number of processes, on which it does not."""

    horizon: int = 5  # sessions ahead
    years: int = 2  # of days to train on
    seed: int = 1
    jobs: int = field(default_factory=lambda: os.cpu_count() or 1)
    pool: GlobalModelSettings = field(default_factory=GlobalModelSettings)
    own: FineTuningSettings = field(default_factory=FineTuningSettings)
    engine: EngineChoice = field(default_factory=EngineChoice)  # of the LSTM

    def __post_init__(self) -> None:
        for name in ("horizon", "years", "jobs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, it must be at least 1")

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain values, without the number of processes."""
        values = asdict(self)
        del values["jobs"]
        return values

    def kind(self, calendars: Sequence[str]) -> str:
        """Digest of all that a training must share with the one that its common network goes on from.

        Engines are not among it, since they learn the same but for rounding.
        """
        return kind_of({name: value for name, value in self.to_dict().items() if name != "engine"}, calendars)


@dataclass(frozen=True, slots=True)
class TrainingContext:
    """The surroundings of a training, on which no result depends but by the markets and the start.

    Attributes
    ----------
    on_progress : callable
        Called with the stage (prepare, learn together, finish), the number of its steps that are done, and their
        total.
    runner : TaskRunner, optional
        Runs the tasks; None: `settings.jobs` processes of this machine.
    exchanges : Exchanges
        Which stocks share a market, whose average volatility each of them learns from.
    starts : Starts
        Common networks of earlier trainings to go on from.
    """

    on_progress: Progress = no_progress
    runner: TaskRunner | None = None
    exchanges: Exchanges = BY_SYMBOL
    starts: Starts = field(default_factory=NoStarts)
