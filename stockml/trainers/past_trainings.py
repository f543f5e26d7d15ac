"""Trainings as of several past days side by side: what one stock's days have in common is built once.

Scaler, patterns and spread are fitted on each training's own days, and shared by none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stockml.core.failures import FetchError
from stockml.data.point_in_time import PointInTimePrices
from stockml.data.price_table import PriceTable
from stockml.data.request import DateRange
from stockml.trainers.dataset import TrainingSet, history_bars
from stockml.trainers.older_days import SharedInputs
from stockml.trainers.pipeline import TrainingFailure, failure_of, prepare_with
from stockml.trainers.training_settings import TrainingSettings


@dataclass(frozen=True, slots=True)
class PastDays:
    """One of so many stocks, and the days its tables may hold in each training, the earliest training first."""

    stock: PointInTimePrices
    spans: Sequence[DateRange]
    stocks: int


def training_sets(settings: TrainingSettings, past: PastDays) -> list[TrainingSet | TrainingFailure]:
    """The training set of each of these trainings, as `pipeline.train` prepares it; or the reason why there is none."""
    tables = [_table(past, span) for span in past.spans]
    histories = [table.history for table in tables if isinstance(table, PriceTable)]
    shared = SharedInputs(next((history for history in reversed(histories) if history is not None), None))
    made: list[TrainingSet | TrainingFailure] = []
    for table in tables:
        if isinstance(table, TrainingFailure):
            made.append(table)
            continue
        try:
            made.append(prepare_with(settings, table, past.stocks, shared.of))
        except Exception as error:  # of one training; the others go on
            made.append(failure_of(past.stock.symbol, error))
    return made


def _table(past: PastDays, span: DateRange) -> PriceTable | TrainingFailure:
    try:
        return past.stock.training_table(span, history_bars(past.stocks))
    except FetchError as error:
        return TrainingFailure(past.stock.symbol, error.kind, str(error))
