"""A stock's models as one value: forecasts of any day, without a machine-learning library.

Reading and writing bundles is left to `bundle_store`, fitting to the trainers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stockml.core.installation import TRAIN
from stockml.data.price_table import PriceTable
from stockml.indicators.features import HISTORY_SESSIONS, feature_table
from stockml.indicators.patterns import PatternModel, normalised_windows
from stockml.models import lstm
from stockml.models.forest import Forest
from stockml.models.lstm import Network, Scaler

# The newest day's forecast uses each day of the LSTM's window, and the history behind each of those days' features.
SESSIONS_NEEDED = HISTORY_SESSIONS + lstm.WINDOW_SESSIONS - 1

PATTERN_FEATURES = ("pattern_outcome_pct", "pattern_unusual")

MISSING, UNREADABLE, MISMATCH, UNTRUSTED, WRONG_FEATURES = (
    "missing",
    "unreadable",
    "mismatch",
    "untrusted",
    "wrong_features",
)
RETRAIN = f"train it again with {TRAIN} --symbols"


class ModelError(Exception):
    """A bundle that cannot be used, in one plain sentence; `kind` is one of the constants above."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind

    def __reduce__(self) -> tuple[type[ModelError], tuple[str, str]]:
        """Pickle whole, also the kind."""
        return type(self), (self.kind, str(self))


@dataclass(frozen=True, slots=True)
class Forecasts:
    """The models' forecasts of n_days days; NaN (pattern -1) where the history is too short.

    Attributes
    ----------
    days : DatetimeIndex, shape (n_days,)
    lstm_path_pct : array, shape (n_days, horizon)
        Changes in %, 1..horizon sessions ahead.
    xgb_pct : array, shape (n_days,)
        The change in % at the horizon.
    pattern : array, shape (n_days,)
        The number of the day's pattern.
    pattern_unusual : array, shape (n_days,)
        The share of training windows that lay closer to their pattern, 0..1.
    pattern_pct : array, shape (n_days,)
        The mean change in % that followed the pattern, less the average of all patterns.
    """

    days: pd.DatetimeIndex
    lstm_path_pct: NDArray[np.float64]
    xgb_pct: NDArray[np.float64]
    pattern: NDArray[np.int64]
    pattern_unusual: NDArray[np.float64]
    pattern_pct: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ModelBundle:
    """One stock's fitted models with their metrics.json, the record of how they were made."""

    metrics: Mapping[str, Any]
    network: Network
    scaler: Scaler
    forest: Forest
    patterns: PatternModel

    @property
    def symbol(self) -> str:
        """Ticker symbol."""
        return str(self.metrics["symbol"])

    @property
    def trained_at(self) -> str:
        """Exchange-local time of the training, YYYY-MM-DDTHH:MM:SS."""
        return str(self.metrics["trained_at"])

    @property
    def data_through(self) -> date:
        """The last day that the models were trained on."""
        return date.fromisoformat(self.metrics["data_through"])

    @property
    def horizon(self) -> int:
        """Sessions ahead that the models forecast."""
        return self.network.horizon

    def forecast(self, prices: PriceTable, days: Sequence[date] | None = None) -> Forecasts:
        """Forecast from the closes of `days`.

        Parameters
        ----------
        prices : PriceTable
        days : sequence of date, optional
            Sessions of the table; None: the newest.

        Returns
        -------
        Forecasts
            One row per day. A day gets the same bits alone or among others.

        Raises
        ------
        ValueError
            For a day without a bar.
        ModelError
            wrong_features, where the models were made for other features than today's.
        """
        index = prices.frame.index
        wanted = pd.DatetimeIndex(index[-1:] if days is None else list(days))
        rows = np.array([len(index) - 1]) if days is None else index.get_indexer(wanted)
        if (rows < 0).any():
            raise ValueError(f"{prices.symbol}: no bar on {wanted[rows < 0][0].date()}; ask for a session of the table")
        first = max(0, int(rows.min(initial=len(prices.frame))) + 1 - SESSIONS_NEEDED)
        end = int(rows.max(initial=first)) + 1
        return self._forecast_rows(replace(prices, frame=prices.frame.iloc[first:end]), rows - first, wanted)

    def _forecast_rows(self, table: PriceTable, rows: NDArray[np.int64], days: pd.DatetimeIndex) -> Forecasts:
        features = feature_table(table)
        self._check_features(features)
        reading = self.patterns.read(normalised_windows(table, self.patterns.config)[rows])
        inputs = self.scaler.apply(np.column_stack([features[name].to_numpy() for name in lstm.INPUTS]))
        complete = lstm.complete_windows(inputs)[rows]
        path, change = np.full((len(rows), self.horizon), np.nan), np.full(len(rows), np.nan)
        places = lstm.places_of(days[complete].to_numpy())
        path[complete] = self.network.predict(lstm.windows(inputs, rows[complete]), places)
        seen = np.column_stack([features.to_numpy()[rows], reading.outcome_pct, reading.unusual])
        change[complete] = self.forest.predict(seen[complete])
        beyond_usual = reading.outcome_pct - self.patterns.outcome_pct.mean()  # what all have in common is drift
        return Forecasts(days, path, change, reading.number, reading.unusual, beyond_usual)

    def _check_features(self, features: pd.DataFrame) -> None:
        known = (self.metrics["features"], self.metrics["inputs"], self.metrics["window_sessions"])
        if known != (feature_names(features), list(lstm.INPUTS), lstm.WINDOW_SESSIONS):
            text = f"{self.symbol}: its models were made for other features than today's; {RETRAIN} {self.symbol}"
            raise ModelError(WRONG_FEATURES, text)
        names = known[0]
        if self.network.inputs != len(lstm.INPUTS) or self.forest.feature.max() >= len(names):
            text = f"{self.symbol}: its models take more inputs or others than its metrics.json names"
            raise ModelError(UNREADABLE, f"{text}; {RETRAIN} {self.symbol}")


def feature_names(features: pd.DataFrame) -> list[str]:
    """Names of the trees' inputs: the columns of a `feature_table`, shape (n_days, n_features), then the pattern's."""
    return [*map(str, features.columns), *PATTERN_FEATURES]
