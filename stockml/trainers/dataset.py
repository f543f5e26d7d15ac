"""Training set of one stock: features, windows, targets and patterns of its checked prices, split by time.

Scaler and patterns are fitted on the fit days alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stockml.core.exchanges import BY_SYMBOL, Exchanges
from stockml.core.wording import count
from stockml.data.price_table import PriceTable
from stockml.indicators.confidence_inputs import SPAN, confidence_table
from stockml.indicators.features import HISTORY_SESSIONS, Split, change_pct, feature_table, split_rows, usable_rows
from stockml.indicators.patterns import PatternConfig, PatternModel, normalised_windows
from stockml.indicators.volatility import market_table
from stockml.models import lstm
from stockml.models.bundle import feature_names
from stockml.models.lstm import Float32, Scaler
from stockml.trainers.lstm_trainer import Samples
from stockml.trainers.older_days import OlderDays, OlderRule, older_days, with_market

SESSIONS_A_YEAR = 252
HISTORY_BARS = 1 << 21  # of all stocks, 56 bytes each
LEAST_DAYS, LEAST_HORIZONS = 75, 5  # some 50 days to fit on, 15 each to select and validate, and the gaps
FARTHEST_TARGET = 4.0  # standard deviations; one crash must not dominate the fit
ALL_OLDER = OlderRule()
LEAST_SPREAD_PCT = 0.05  # per day; a price that moves less is as good as constant


class TooShortError(ValueError):
    """A history too short to train on."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """All that the trainers need of one stock; rows are the table's newest days, oldest first."""

    symbol: str
    source: str
    findings: list[Any]
    dates: NDArray[np.datetime64]  # (n_days,)
    names: list[str]  # of the features
    features: NDArray[np.float64]  # (n_days, n_features), for the trees
    inputs: Float32  # (n_days, n_inputs), scaled, for the LSTM
    paths_pct: NDArray[np.float64]  # (n_days, horizon), changes 1..horizon sessions ahead; NaN where not yet known
    spread_pct: float  # standard deviation of a day's change on the fit days
    split: Split
    scaler: Scaler
    patterns: PatternModel
    pattern_pct: NDArray[np.float64]  # (n_days,) mean outcome of each day's pattern, as known on a fit day
    confidence_inputs: pd.DataFrame  # (n_days, 15); (n_days, 20) after join_market, with the market's volatilities
    older: OlderDays  # for the scale model alone

    @property
    def horizon(self) -> int:
        """Sessions ahead of the farthest target."""
        return int(self.paths_pct.shape[1])

    @property
    def spreads_pct(self) -> NDArray[np.float64]:
        """Standard deviations of the changes 1..horizon sessions ahead in %, shape (horizon,), for independent days."""
        return self.spread_pct * np.sqrt(np.arange(1, self.horizon + 1))

    def targets(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """The changes 1..horizon sessions ahead.

        Parameters
        ----------
        rows : int array, shape (n_rows,)

        Returns
        -------
        array, shape (n_rows, horizon)
            In standard deviations.
        """
        return np.asarray(self.paths_pct[rows] / self.spreads_pct)

    def samples(self, rows: NDArray[np.int64], centre: NDArray[np.float64]) -> Samples:
        """The LSTM's samples of some days.

        Parameters
        ----------
        rows : int array, shape (n_rows,)
        centre : array, shape (horizon,)
            Subtracted from the targets, in standard deviations.

        Returns
        -------
        Samples
            Targets are clipped to FARTHEST_TARGET.
        """
        targets = np.clip(self.targets(rows) - centre, -FARTHEST_TARGET, FARTHEST_TARGET)
        return Samples(self.inputs, rows, targets.astype(np.float32))

    def known_before(self, rows: NDArray[np.int64], day: np.datetime64) -> NDArray[np.int64]:
        """The rows whose target was known before a day.

        Parameters
        ----------
        rows : int array, shape (n_rows,)
        day : datetime64

        Returns
        -------
        int array, shape (n_known,)
        """
        return rows[self.dates[rows + self.horizon] < day]


def stock_seed(seed: int, symbol: str) -> int:
    """A seed that depends on the run's seed and the symbol alone."""
    return zlib.crc32(f"{seed}:{symbol}".encode())


def sessions_needed(years: int) -> int:
    """Sessions of prices to fetch: the training years, and the history of the first day's indicators."""
    return years * SESSIONS_A_YEAR + HISTORY_SESSIONS


def history_bars(stocks: int) -> int:
    """Bars at most of each stock's history, so that a thousand stocks need no more memory than a hundred.

    All there are for up to 256 stocks; a few stocks more or less change nothing.
    """
    return HISTORY_BARS >> max(stocks - 1, 0).bit_length()


def prepare(prices: PriceTable, *, horizon: int, years: int, seed: int, older: OlderRule = ALL_OLDER) -> TrainingSet:
    """Build the training set of the newest years.

    Parameters
    ----------
    prices : PriceTable
    horizon : int
        Sessions ahead of the target.
    years : int
        Of days to train on.
    seed : int
        Of the pattern clustering.
    older : OlderRule
        Of the days before these years, in the table's `history`.

    Returns
    -------
    TrainingSet

    Raises
    ------
    TooShortError
        Where too few days have both a complete window and a target.
    """
    table = feature_table(prices)
    raw = table[list(lstm.INPUTS)].to_numpy()
    usable = usable_rows(prices, horizon) & lstm.complete_windows(raw.astype(np.float32))
    chosen = _newest(usable, years * SESSIONS_A_YEAR)
    _refuse_short(prices, int(chosen.sum()), horizon)
    split = split_rows(chosen, horizon)
    scaler = Scaler.fit(raw[split.fit])
    change = np.stack([change_pct(prices, ahead).to_numpy() for ahead in range(1, horizon + 1)], axis=1)
    patterns, outcome, unusual = _patterns(prices, split, change[:, -1], horizon, seed)
    dates = prices.frame.index.to_numpy().astype("datetime64[D]")
    return _trimmed(
        TrainingSet(
            symbol=prices.symbol,
            source=prices.source,
            findings=[finding.summary() for finding in prices.findings],
            dates=dates,
            names=feature_names(table),
            features=np.column_stack([table.to_numpy(), outcome, unusual]),
            inputs=scaler.apply(raw),
            paths_pct=change,
            spread_pct=max(float(table["change_1_pct"].to_numpy()[split.fit].std()), LEAST_SPREAD_PCT),
            split=split,
            scaler=scaler,
            patterns=patterns,
            pattern_pct=outcome,
            confidence_inputs=confidence_table(prices).assign(**{SPAN: _span_days(prices, horizon)}),
            older=older_days(prices.history, dates[split.fit[0]], horizon, older),
        )
    )


def _patterns(
    prices: PriceTable, split: Split, change: NDArray[np.float64], horizon: int, seed: int
) -> tuple[PatternModel, NDArray[np.float64], NDArray[np.float64]]:
    """The patterns of the days to fit on, each day's outcome in % as it was known then, and how unusual each day is."""
    windows = normalised_windows(prices, PatternConfig())
    patterns = PatternModel.fit(windows[split.fit], change[split.fit], horizon=horizon, seed=seed)
    reading = patterns.read(windows)
    outcome = reading.outcome_pct.copy()
    outcome[split.fit] = patterns.outcomes_as_known(reading.number[split.fit], change[split.fit], horizon=horizon)
    return patterns, outcome, reading.unusual


def join_market(training_sets: Mapping[str, TrainingSet], exchanges: Exchanges = BY_SYMBOL) -> dict[str, TrainingSet]:
    """Join each day's average volatility over the stocks of the same calendar to every stock's own."""
    name_of = {symbol: exchanges.calendar(symbol).name for symbol in training_sets}
    markets: dict[str, list[TrainingSet]] = {}
    for symbol, training_set in training_sets.items():
        markets.setdefault(name_of[symbol], []).append(training_set)
    averages = {
        name: market_table([member.confidence_inputs for member in members]) for name, members in markets.items()
    }
    older = {
        member.symbol: joined
        for members in markets.values()
        for member, joined in zip(members, with_market([member.older for member in members]), strict=True)
    }
    return {
        symbol: replace(
            training_set,
            confidence_inputs=training_set.confidence_inputs.join(averages[name_of[symbol]]),
            older=older[symbol],
        )
        for symbol, training_set in training_sets.items()
    }


def _span_days(prices: PriceTable, horizon: int) -> NDArray[np.float64]:
    """Calendar days from each day to the one so many sessions later, NaN where that is still to come."""
    days = prices.frame.index.to_numpy().astype("datetime64[D]")
    spans = np.full(len(days), np.nan)
    spans[: max(len(days) - horizon, 0)] = (days[horizon:] - days[: len(days) - horizon]).astype(float)
    return spans


def _newest(usable: NDArray[np.bool_], number: int) -> NDArray[np.bool_]:
    rows = np.flatnonzero(usable)
    chosen = np.zeros_like(usable)
    chosen[rows[-number:]] = True
    return chosen


def _refuse_short(prices: PriceTable, days: int, horizon: int) -> None:
    need = LEAST_DAYS + LEAST_HORIZONS * horizon
    if days < need:
        raise TooShortError(
            f"{prices.symbol}: {count(len(prices.frame), 'daily bar')} leave {count(days, 'day')} to learn from, need "
            f"{need} for {count(horizon, 'session')} ahead; use a larger --years, or train it when it has traded longer"
        )


def _trimmed(training_set: TrainingSet) -> TrainingSet:
    """Drop the days before the first window, so that they need not be sent between processes."""
    start = int(training_set.split.fit[0]) - lstm.WINDOW_SESSIONS + 1
    split = Split(*(getattr(training_set.split, part) - start for part in ("fit", "select", "validation")))
    columns = ("dates", "features", "inputs", "paths_pct", "pattern_pct", "confidence_inputs")
    return replace(training_set, split=split, **{name: getattr(training_set, name)[start:] for name in columns})
