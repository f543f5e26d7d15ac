"""Unsupervised patterns: the shapes of normalised price and volume windows, clustered without labels.

A fitted model gives each day's window its pattern, how unusual it is, and the mean outcome of that pattern. The weight
of that forecast is left to the learner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from stockml.data.price_table import PriceTable
from stockml.indicators.smoothing import Array


@dataclass(frozen=True, slots=True)
class PatternConfig:
    """Settings of windows and clusters."""

    window_sessions: int = 20  # one trading month
    patterns: int = 8  # about 40 windows each in two years of days
    shrink_windows: float = 20.0  # independent windows after which a pattern's mean outcome counts half
    volume_weight: float = 0.5  # relative to the price's shape, which matters more


@dataclass(frozen=True, slots=True)
class PatternReading:
    """The patterns of n_days windows, each array of shape (n_days,).

    Attributes
    ----------
    number : int array
        -1 where the history is too short.
    unusual : array
        The share of training windows that lay closer to their pattern, 0..1; NaN where the history is too short.
    outcome_pct : array
        The mean change in % that followed the pattern, shrunk toward 0; NaN where the history is too short.
    """

    number: NDArray[np.int64]
    unusual: Array
    outcome_pct: Array


def normalised_windows(prices: PriceTable, config: PatternConfig) -> Array:
    """Each day's window of prices and volumes as a shape without scale.

    Parameters
    ----------
    prices : PriceTable
    config : PatternConfig

    Returns
    -------
    array, shape (n_days, 2 * window_sessions)
        First the log price minus its start over its standard deviation, then the log volume minus its mean over its
        standard deviation. Zeros for a window without movement; NaN until there are enough sessions.
    """
    size = config.window_sessions
    out = np.full((len(prices.frame), 2 * size), np.nan)
    if len(out) < size:
        return out
    price = sliding_window_view(np.log(prices.frame["adj_close"].to_numpy()), size)  # (windows, size)
    volume = sliding_window_view(np.log1p(prices.frame["volume"].to_numpy()), size)
    out[size - 1 :, :size] = _over_spread(price - price[:, :1], price)
    out[size - 1 :, size:] = _over_spread(volume - volume.mean(axis=1, keepdims=True), volume) * config.volume_weight
    return out


def _over_spread(shape: Array, windows: Array) -> Array:
    spread = windows.std(axis=1, keepdims=True)
    still = spread < 1e-9  # below any tick: the rounding of equal prices, not a movement
    return np.asarray(np.where(still, 0.0, shape / np.where(still, 1.0, spread)))


@dataclass(frozen=True, slots=True)
class PatternModel:
    """Fitted patterns with their mean outcomes and the distances of the training windows."""

    config: PatternConfig
    centres: Array  # (patterns, 2 * window_sessions)
    outcome_pct: Array  # (patterns,) shrunk mean change in %
    distances: Array  # (101,) percentiles of the training windows' distances to their centres

    @classmethod
    def fit(
        cls, windows: Array, outcomes_pct: Array, *, horizon: int, seed: int, config: PatternConfig | None = None
    ) -> PatternModel:
        """Cluster the training windows and average the outcomes of each pattern.

        Parameters
        ----------
        windows : array, shape (n_windows, 2 * window_sessions)
            Training rows of `normalised_windows` alone, oldest first.
        outcomes_pct : array, shape (n_windows,)
            The change in % after each window.
        horizon : int
            Sessions to an outcome; so many overlapping windows count as one.
        seed : int
            Of the clustering.
        config : PatternConfig, optional

        Returns
        -------
        PatternModel

        Raises
        ------
        ValueError
            With fewer windows than patterns.

        Notes
        -----
        k-means (Lloyd 1982).
        """
        from sklearn.cluster import KMeans

        config = config or PatternConfig()
        if len(windows) < config.patterns:
            raise ValueError(f"{len(windows)} windows, need {config.patterns} for as many patterns; use more history")
        clusters = KMeans(n_clusters=config.patterns, n_init=3, random_state=seed).fit(windows)
        centres = clusters.cluster_centers_.astype(np.float64)
        number, distance = _nearest(windows, centres)
        sums = np.bincount(number, weights=outcomes_pct, minlength=config.patterns).astype(np.float64)
        counts = np.bincount(number, minlength=config.patterns).astype(np.float64)
        return cls(
            config=config,
            centres=centres,
            outcome_pct=_shrunk_mean(sums, counts, horizon, config),
            distances=np.percentile(distance, np.arange(101)),
        )

    def read(self, windows: Array) -> PatternReading:
        """Assign each window to its nearest pattern.

        Parameters
        ----------
        windows : array, shape (n_days, 2 * window_sessions)
            As from `normalised_windows`; rows with NaN have no pattern.

        Returns
        -------
        PatternReading
        """
        known = np.isfinite(windows).all(axis=1)
        number = np.full(len(windows), -1, dtype=np.int64)
        unusual, outcome = np.full(len(windows), np.nan), np.full(len(windows), np.nan)
        number[known], distance = _nearest(windows[known], self.centres)
        unusual[known] = np.searchsorted(self.distances, distance) / len(self.distances)
        outcome[known] = self.outcome_pct[number[known]]
        return PatternReading(number, unusual, outcome)

    def outcomes_as_known(self, number: NDArray[np.int64], outcomes_pct: Array, *, horizon: int) -> Array:
        """The mean outcome of each training row's pattern, from outcomes known on the row's day.

        A row's own outcome, and any later one, is left out; otherwise a model fitted on this feature would be given the
        targets it is to forecast.

        Parameters
        ----------
        number : int array, shape (n_windows,)
            The patterns of consecutive days, oldest first.
        outcomes_pct : array, shape (n_windows,)
            The change in % after each window.
        horizon : int
            Sessions to an outcome.

        Returns
        -------
        array, shape (n_windows,)
            In %, shrunk toward 0.
        """
        chosen = np.eye(self.config.patterns)[number]  # (n_windows, patterns)
        sums = np.zeros_like(chosen)
        counts = np.zeros_like(chosen)
        known = slice(None, max(0, len(chosen) - horizon))
        sums[horizon:] = np.cumsum(chosen * outcomes_pct[:, None], axis=0)[known]
        counts[horizon:] = np.cumsum(chosen, axis=0)[known]
        means = _shrunk_mean(sums, counts, horizon, self.config)
        return np.asarray(means[np.arange(len(number)), number])


def _nearest(windows: Array, centres: Array) -> tuple[NDArray[np.int64], Array]:
    # Row by row, not as one matrix product: a day's last bits then do not depend on the number of days.
    squared = np.stack([((windows - centre) ** 2).sum(axis=1) for centre in centres], axis=1)
    number = squared.argmin(axis=1)
    return number, np.sqrt(squared[np.arange(len(windows)), number])


def _shrunk_mean(sums: Array, counts: Array, horizon: int, config: PatternConfig) -> Array:
    """The mean outcome times n / (n + shrink_windows), n being the windows that do not overlap."""
    independent = counts / horizon
    means = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    return np.asarray(means * independent / (independent + config.shrink_windows))
