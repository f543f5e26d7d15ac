"""Confidence calibration: the probability of an error below 5 %, and the interval that holds 80 % of outcomes.

Both follow from volatility and are corrected by outcomes, for all stocks together and for each stock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stockml.core.line_arithmetic import ACCURATE_BELOW_PCT
from stockml.core.student_t import StudentT
from stockml.signals.scale_model import DEGREES

EIGHTY = 0.8  # the share of outcomes that the interval of a line holds
MISSES = 1 - EIGHTY
EIGHTY_IN_SCALES = StudentT(0.0, 1.0, DEGREES).quantile_pct(0.5 + EIGHTY / 2)
DECIMALS = 4  # of a change in %
GREATEST_PROBABILITY = 0.999  # and 0.001 the least
OWN_OUTCOMES = 500.0  # overlapping outcomes after which a stock's own shift counts as much as all stocks'
WIDTH_SLOWNESS = 4.0  # intervals narrowed after a few calm weeks would be too narrow for the next volatile one


@dataclass(frozen=True, slots=True)
class Confidence:
    """The probability of an error below 5 %, and the distribution of the change, both corrected by outcomes."""

    probability: float
    distribution: StudentT
    model_scale_pct: float  # the distribution's scale before that correction, which learning will start from


@dataclass(frozen=True, slots=True)
class StockPrior:
    """A stock's log-odds offset estimated in training, and the number of outcomes it rests on."""

    shift: float = 0.0
    outcomes: float = 0.0


NO_STOCK_PRIOR = StockPrior()


@dataclass(slots=True)
class _Track:
    """Online estimates of two corrections: to the log odds, and to the log width of the interval."""

    count: int = 0
    shift: float = 0.0
    widening: float = 0.0

    def learn(self, odds: float, accurate: bool, reach: float, *, rate: float, width_rate: float) -> None:
        self.count += 1
        # At a rate below 4, of two shifts the higher stays higher after any outcome, and an accurate outcome raises
        # it: so it never lowers a later confidence. The rate must not depend on outcomes, nor one track on another.
        self.shift += rate * (accurate - logistic(odds + self.shift))
        self.widening += width_rate * ((reach > self.widening) - MISSES)


@dataclass(slots=True)
class Calibration:
    """Corrections learned from the outcomes at one horizon: for all stocks, and for each one."""

    horizon: int
    pool: _Track = field(default_factory=_Track)
    stocks: dict[str, _Track] = field(default_factory=dict)

    def learn(self, symbol: str, scale_pct: float, change_pct: float, actual_pct: float, accurate: bool) -> None:
        """Learn from one outcome: the predicted and the actual change in %, and if the error stayed below 5 %.

        `scale_pct` is the scale model's, as it was when the prediction was made.

        Notes
        -----
        Online logistic regression for the odds; an adaptive conformal interval (Gibbs and Candes 2021) for the width.
        """
        odds = _log_odds(_chance(scale_pct, change_pct))
        reach = math.log(max(abs(actual_pct - change_pct), 1e-6) / (scale_pct * EIGHTY_IN_SCALES))
        stock = self.stocks.setdefault(symbol, _Track())
        pooled, own = _pool_rate(self.pool.count), _own_rate(stock.count)
        self.pool.learn(odds, accurate, reach, rate=pooled, width_rate=pooled / WIDTH_SLOWNESS)
        stock.learn(odds, accurate, reach, rate=own, width_rate=own)

    def confidence(
        self, symbol: str, scale_pct: float, change_pct: float, prior: StockPrior = NO_STOCK_PRIOR
    ) -> Confidence:
        """The confidence in a predicted change in % of a stock, `scale_pct` being the scale model's."""
        stock = self.stocks.get(symbol, _Track())
        shift = _blend((self.pool.shift, OWN_OUTCOMES), (stock.shift, stock.count), (prior.shift, prior.outcomes))
        widening = _blend((self.pool.widening, OWN_OUTCOMES * WIDTH_SLOWNESS), (stock.widening, stock.count))
        probability = logistic(_log_odds(_chance(scale_pct, change_pct)) + shift)
        return Confidence(
            probability=round(min(max(probability, 1 - GREATEST_PROBABILITY), GREATEST_PROBABILITY), 4),
            distribution=StudentT(round(change_pct, DECIMALS), _rounded(scale_pct * math.exp(widening)), DEGREES),
            model_scale_pct=_rounded(scale_pct),
        )

    def to_state(self) -> dict[str, Any]:
        """A value for JSON that `from_state` turns back without any loss."""
        tracks = {symbol: [track.count, track.shift, track.widening] for symbol, track in self.stocks.items()}
        return {"pool": [self.pool.count, self.pool.shift, self.pool.widening], "stocks": tracks}

    @classmethod
    def from_state(cls, horizon: int, state: Mapping[str, Any]) -> Calibration:
        """Restore a calibration from `to_state`."""
        stocks = {symbol: _Track(*values) for symbol, values in state["stocks"].items()}
        return cls(horizon, _Track(*state["pool"]), stocks)


def stock_prior_of(scales_pct: Iterable[float], actual_pct: Iterable[float]) -> StockPrior:
    """Estimate a stock's prior from the accuracy of the naive forecast on past days.

    Parameters
    ----------
    scales_pct : iterable of float
        The scale model's scale of each day, oldest first.
    actual_pct : iterable of float
        The change in % after each day.

    Returns
    -------
    StockPrior
    """
    track = _Track()
    for scale, actual in zip(scales_pct, actual_pct, strict=True):
        odds = _log_odds(_chance(scale, 0.0))
        accurate = abs(actual) / (1 + actual / 100) < ACCURATE_BELOW_PCT
        track.learn(odds, accurate, 0.0, rate=_own_rate(track.count), width_rate=0.0)
    return StockPrior(track.shift, float(track.count))


# Newton's step is 1 / (n p (1 - p)) for n independent outcomes; correlated and overlapping ones count as far fewer.


def _pool_rate(count: int) -> float:
    return max(0.0003, 1 / (400 + count / 38))


def _own_rate(count: int) -> float:
    return 1 / (10 + count / 10)


def _blend(*parts: tuple[float, float]) -> float:
    """The mean of values, each with its weight."""
    return math.fsum(value * weight for value, weight in parts) / math.fsum(weight for _, weight in parts)


def _chance(scale: float, change_pct: float) -> float:
    """The probability of an error below 5 %, for changes distributed about 0 with this scale.

    The error is a share of the actual price: accurate are actual prices from predicted / 1.05 to predicted / 0.95.
    The distribution is centred on no change, not on the prediction, so a bold prediction gets a lower probability.
    """
    predicted = 100 + max(change_pct, -100.0)
    lowest = predicted / (1 + ACCURATE_BELOW_PCT / 100) - 100
    highest = predicted / (1 - ACCURATE_BELOW_PCT / 100) - 100
    law = StudentT(0.0, scale, DEGREES)
    return law.below(highest) - law.below(lowest)


def _rounded(scale: float) -> float:
    """To six significant digits: the log stays readable, and holds what its interval was computed from."""
    return float(f"{scale:.6g}")


def logistic(odds: float) -> float:
    """The probability with these log odds."""
    return 1 / (1 + math.exp(-odds)) if odds >= 0 else math.exp(odds) / (1 + math.exp(odds))


def _log_odds(chance: float) -> float:
    chance = min(max(chance, 1 - GREATEST_PROBABILITY), GREATEST_PROBABILITY)
    return math.log(chance / (1 - chance))
