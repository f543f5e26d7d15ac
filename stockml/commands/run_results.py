"""Results of the Python face (`stockml.api`), as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stockml.accuracy.record import Record
from stockml.accuracy.settlement import Waiting
from stockml.core.failures import Failure
from stockml.core.records import Prediction

if TYPE_CHECKING:
    from stockml.commands.replay_command import Curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The messages of a run: notices, and a failure for each stock that could not be dealt with."""

    notices: tuple[str, ...]
    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A stock's models as they were saved: mean absolute errors on the validation days, all in % of the price."""

    symbol: str
    trained_at: str  # exchange-local time, YYYY-MM-DDTHH:MM:SS
    data_through: str  # the last session learned from
    train_samples: int
    val_samples: int
    lstm_mae: float
    xgb_mae: float
    ensemble_mae: float
    naive_mae: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun(Told):
    """The result of `train`: the stocks whose models are saved, and the file about the whole run."""

    models: tuple[TrainedModel, ...]
    session_file: Path | None  # None where there was nothing to train


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyRun(Told):
    """The result of `predict` and `verify`: forecasts, outcomes and the record so far."""

    predictions: tuple[Prediction, ...]  # made by this run
    logged: tuple[str, ...]  # the ids of those that the log did not have yet
    settled: tuple[Prediction, ...]  # whose outcomes became known, each with its outcome
    waiting: tuple[Waiting, ...]  # due, but still without a bar to settle them, and why
    record: Record  # scores by horizon and stock


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRun(Told):
    """The result of `replay`: sessions repeated now, predictions logged now, and the learning curve of all so far."""

    days: int
    logged: int
    curves: Mapping[int, Curve]  # by horizon
    pending: tuple[Prediction, ...]
    waiting: tuple[Waiting, ...]
