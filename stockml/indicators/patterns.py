"""Unsupervised patterns: the shapes of normalised price and volume windows, clustered without labels.

A fitted model tells a day's window its pattern, how unusual it is, and what used to follow that pattern. How far to
trust that is left to learning.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from stockml.data.price_table import PriceTable
from stockml.indicators.technical import Array


@dataclass(frozen=True, slots=True)
class PatternConfig:
    """How windows are cut and clustered."""

    window_sessions: int = 20  # one trading month
    patterns: int = 8  # about 40 windows each in two years of days
    shrink_windows: float = 20.0  # independent windows after which a pattern's mean outcome counts half
    volume_weight: float = 0.5  # beside the price's shape, which matters more


@dataclass(frozen=True, slots=True)
class PatternReading:
    """The patterns of n_days windows.

    `number` is -1 and the others NaN where the history is too short. `unusual` is the share of training windows that
    lay closer to their pattern; `outcome_pct` the pattern's own later change, shrunk toward 0.
    """

    number: NDArray[np.int64]
    unusual: Array
    outcome_pct: Array


def normalised_windows(prices: PriceTable, config: PatternConfig) -> Array:
    """Each day's window as a shape without scale, shape (n_days, 2 * window_sessions); NaN until there are enough.

    The first half is the log price less its start over its spread, the second the log volume less its mean over its
    spread; a window without any movement is all zeros.
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
    """Fitted patterns: centres (patterns, 2 * window), what followed each, and the distances seen in training."""

    config: PatternConfig
    centres: Array
    outcome_pct: Array  # (patterns,) shrunk mean change in %
    distances: Array  # (101,) percentiles of the training windows' distances to their centres

    @classmethod
    def fit(
        cls, windows: Array, outcomes_pct: Array, *, horizon: int, seed: int, config: PatternConfig | None = None
    ) -> PatternModel:
        """Cluster the training windows and average what followed each pattern.

        Parameters
        ----------
        windows : array, shape (n_windows, 2 * window_sessions)
            Training rows of `normalised_windows` alone, oldest first.
        outcomes_pct : array, shape (n_windows,)
            The change after each, in %.
        horizon : int
            Sessions an outcome takes; windows that overlap so far count as one.
        seed : int

        Raises
        ------
        ValueError
            With fewer windows than patterns.
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
        """The pattern of each window, shape (n_days, 2 * window_sessions); rows with NaN have none."""
        known = np.isfinite(windows).all(axis=1)
        number = np.full(len(windows), -1, dtype=np.int64)
        unusual, outcome = np.full(len(windows), np.nan), np.full(len(windows), np.nan)
        number[known], distance = _nearest(windows[known], self.centres)
        unusual[known] = np.searchsorted(self.distances, distance) / len(self.distances)
        outcome[known] = self.outcome_pct[number[known]]
        return PatternReading(number, unusual, outcome)

    def outcomes_as_known(self, number: NDArray[np.int64], outcomes_pct: Array, *, horizon: int) -> Array:
        """For training rows: what followed the pattern before each row, shape (n_windows,).

        A row's own answer, and any not yet known on its day, is left out; otherwise a model fitted on this feature
        would be shown the answers it is to forecast. Rows are consecutive days, oldest first.
        """
        chosen = np.eye(self.config.patterns)[number]  # (n_windows, patterns)
        sums = np.zeros_like(chosen)
        counts = np.zeros_like(chosen)
        answered = slice(None, max(0, len(chosen) - horizon))
        sums[horizon:] = np.cumsum(chosen * outcomes_pct[:, None], axis=0)[answered]
        counts[horizon:] = np.cumsum(chosen, axis=0)[answered]
        means = _shrunk_mean(sums, counts, horizon, self.config)
        return np.asarray(means[np.arange(len(number)), number])


def _nearest(windows: Array, centres: Array) -> tuple[NDArray[np.int64], Array]:
    # Row by row, not as one matrix product: a day's last bits then do not depend on how many days were asked for.
    squared = np.stack([((windows - centre) ** 2).sum(axis=1) for centre in centres], axis=1)
    number = squared.argmin(axis=1)
    return number, np.sqrt(squared[np.arange(len(windows)), number])


def _shrunk_mean(sums: Array, counts: Array, horizon: int, config: PatternConfig) -> Array:
    """The mean outcome times n / (n + shrink_windows), n being the windows that do not overlap."""
    independent = counts / horizon
    means = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    return np.asarray(means * independent / (independent + config.shrink_windows))
