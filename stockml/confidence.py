"""How likely a prediction is to land within 5 %, and the interval that holds 80 % of outcomes; both learn.

Volatility says how far prices move; outcomes correct that belief, for all stocks and for each. It writes no file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stockml.records import ACCURATE_BELOW_PCT
from stockml.volatility import LEAST_PCT, MARKET_WINDOWS, WINDOWS, market_input, stock_input

ELASTICITIES = {  # of the coming change's size; they sum to less than 1, for what is wild calms down
    stock_input(1): 0.10,
    stock_input(5): 0.06,
    stock_input(20): 0.33,
    stock_input(60): 0.13,
    stock_input(250): 0.22,
    market_input(5): 0.38,  # the market's last week over its last month: a storm comes, or passes
    market_input(20): -0.28,
}
UNKNOWN_PCT = 1.5  # a large stock's usual volatility a session, where a line tells none
GREATEST_PCT = 100.0
SCALE = 0.96  # of Student's law, for the volatilities above over one session
EIGHTY_PCT = 1.4759  # Student's t with 5 degrees of freedom stays within this four times in five
MISSES = 0.2  # the share of outcomes that an 80 % interval leaves out
SHARPEST = 0.999  # no probability is nearer to 0 or 1
OWN_OUTCOMES = 1000.0  # after so many of its own (they overlap) a stock is believed half, all stocks half


@dataclass(frozen=True, slots=True)
class Confidence:
    """The probability of an error below 5 %, and the 80 % interval as changes in %."""

    probability: float
    low_pct: float
    high_pct: float


@dataclass(slots=True)
class _Track:
    """One learner of both figures: what outcomes add to the log odds, and to the log width of the interval."""

    count: int = 0
    shift: float = 0.0
    widening: float = 0.0

    def learn(self, odds: float, accurate: bool, reach: float, *, rate: float) -> None:
        self.count += 1
        # At a rate below 4, of two shifts the higher stays higher after any outcome, and an accurate outcome raises
        # it: so it never lowers a later confidence. The rate must not depend on outcomes, nor one track on another.
        self.shift += rate * (accurate - logistic(odds + self.shift))
        self.widening += rate * ((reach > self.widening) - MISSES)


@dataclass(slots=True)
class Calibration:
    """What outcomes at one horizon have taught about confidence: for all stocks, and for each one."""

    horizon: int
    pool: _Track = field(default_factory=_Track)
    stocks: dict[str, _Track] = field(default_factory=dict)

    def learn(
        self, symbol: str, inputs: Mapping[str, float], change_pct: float, actual_pct: float, accurate: bool
    ) -> None:
        """Fold in one outcome: the predicted and the actual change in %, and whether the error stayed below 5 %."""
        scale = scale_pct(inputs, self.horizon)
        odds = _log_odds(_chance(scale, change_pct))
        reach = math.log(max(abs(actual_pct - change_pct), 1e-6) / (scale * EIGHTY_PCT))
        stock = self.stocks.setdefault(symbol, _Track())
        # Newton's step is 1 / (n p (1 - p)) for n independent outcomes; of these, many are one.
        self.pool.learn(odds, accurate, reach, rate=max(0.0003, 1 / (25 + self.pool.count / 38)))
        stock.learn(odds, accurate, reach, rate=1 / (10 + stock.count / 10))

    def confidence(self, symbol: str, inputs: Mapping[str, float], change_pct: float) -> Confidence:
        """The confidence in a predicted change of a stock."""
        scale = scale_pct(inputs, self.horizon)
        stock = self.stocks.get(symbol, _Track())
        own = stock.count / (stock.count + OWN_OUTCOMES)
        shift = own * stock.shift + (1 - own) * self.pool.shift
        widening = own * stock.widening + (1 - own) * self.pool.widening
        probability = logistic(_log_odds(_chance(scale, change_pct)) + shift)
        width = scale * EIGHTY_PCT * math.exp(widening)
        return Confidence(
            probability=round(min(max(probability, 1 - SHARPEST), SHARPEST), 4),
            low_pct=change_pct - width,
            high_pct=change_pct + width,
        )

    def to_state(self) -> dict[str, Any]:
        """A value for JSON that `from_state` turns back without any loss."""
        tracks = {symbol: [track.count, track.shift, track.widening] for symbol, track in self.stocks.items()}
        return {"pool": [self.pool.count, self.pool.shift, self.pool.widening], "stocks": tracks}

    @classmethod
    def from_state(cls, horizon: int, state: Mapping[str, Any]) -> Calibration:
        """The calibration that `to_state` wrote down."""
        stocks = {symbol: _Track(*values) for symbol, values in state["stocks"].items()}
        return cls(horizon, _Track(*state["pool"]), stocks)


def scale_pct(inputs: Mapping[str, float], horizon: int) -> float:
    """The scale of the change over so many sessions in %, from volatilities in % a session.

    A window that is not known yet is stood in for by the longest known one that is shorter, the market by the stock.
    """
    total, standing_in = 0.0, math.log(UNKNOWN_PCT)
    own: dict[int, float] = {}
    for window in WINDOWS:
        own[window] = standing_in = _log_of(inputs, stock_input(window), standing_in)
        total += ELASTICITIES[stock_input(window)] * standing_in
    for window in MARKET_WINDOWS:
        total += ELASTICITIES[market_input(window)] * _log_of(inputs, market_input(window), own[window])
    return SCALE * math.sqrt(horizon) * math.exp(total)


def _log_of(inputs: Mapping[str, float], name: str, otherwise: float) -> float:
    return math.log(min(max(inputs[name], LEAST_PCT), GREATEST_PCT)) if name in inputs else otherwise


def _chance(scale: float, change_pct: float) -> float:
    """The chance that the error stays below 5 %, where changes lie around 0 as volatility says.

    The error is a share of the actual price: below 5 % are actual prices from predicted / 1.05 to predicted / 0.95.
    Of a bold prediction it is not assumed that it is right: the farther from no change, the less likely.
    """
    predicted = 100 + max(change_pct, -100.0)
    lowest = predicted / (1 + ACCURATE_BELOW_PCT / 100) - 100
    highest = predicted / (1 - ACCURATE_BELOW_PCT / 100) - 100
    return _student_cdf(highest / scale) - _student_cdf(lowest / scale)


def _student_cdf(value: float) -> float:
    """Student's t with 5 degrees of freedom, in closed form (Abramowitz and Stegun 26.7.3)."""
    angle = math.atan(value / math.sqrt(5))
    cosine = math.cos(angle)
    return 0.5 + (angle + math.sin(angle) * cosine * (1 + 2 / 3 * cosine * cosine)) / math.pi


def logistic(odds: float) -> float:
    """The chance that log odds stand for."""
    return 1 / (1 + math.exp(-odds)) if odds >= 0 else math.exp(odds) / (1 + math.exp(odds))


def _log_odds(chance: float) -> float:
    chance = min(max(chance, 1 - SHARPEST), SHARPEST)
    return math.log(chance / (1 - chance))
