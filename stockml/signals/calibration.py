"""How likely a prediction is to land within 5 %, and the interval that holds 80 % of outcomes; both learn.

Volatility says how far prices move; outcomes correct that belief, for all stocks and for each. It writes no file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stockml.core.records import ACCURATE_BELOW_PCT
from stockml.indicators.volatility import LEAST_PCT, MARKET_WINDOWS, WINDOWS, market_input, stock_input

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
OWN_OUTCOMES = 500.0  # after so many of its own (they overlap) a stock is believed half, all stocks half
PATIENCE = 4.0  # widths learn so many times more slowly: narrowed after calm weeks, they would meet the next storm


@dataclass(frozen=True, slots=True)
class Confidence:
    """The probability of an error below 5 %, and the 80 % interval as changes in %."""

    probability: float
    low_pct: float
    high_pct: float


@dataclass(frozen=True, slots=True)
class StockPrior:
    """What training saw of a stock: the log odds that its outcomes add to what volatility says, and their number."""

    shift: float = 0.0
    outcomes: float = 0.0


NO_STOCK_PRIOR = StockPrior()


@dataclass(slots=True)
class _Track:
    """One learner of both figures: what outcomes add to the log odds, and to the log width of the interval."""

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
        together, own = _pool_rate(self.pool.count), _own_rate(stock.count)
        self.pool.learn(odds, accurate, reach, rate=together, width_rate=together / PATIENCE)
        stock.learn(odds, accurate, reach, rate=own, width_rate=own)

    def confidence(
        self, symbol: str, inputs: Mapping[str, float], change_pct: float, habit: StockPrior = NO_STOCK_PRIOR
    ) -> Confidence:
        """The confidence in a predicted change of a stock."""
        scale = scale_pct(inputs, self.horizon)
        stock = self.stocks.get(symbol, _Track())
        shift = _blend((self.pool.shift, OWN_OUTCOMES), (stock.shift, stock.count), (habit.shift, habit.outcomes))
        widening = _blend((self.pool.widening, OWN_OUTCOMES * PATIENCE), (stock.widening, stock.count))
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


def habit_of(inputs: Iterable[Mapping[str, float]], actual_pct: Iterable[float], horizon: int) -> StockPrior:
    """What a stock's past days teach before any prediction of it was made.

    Parameters
    ----------
    inputs : of mappings
        Each day's confidence inputs, oldest first.
    actual_pct : of float
        The change after each in %; a prediction of no change is judged by it.
    """
    track = _Track()
    for day, actual in zip(inputs, actual_pct, strict=True):
        odds = _log_odds(_chance(scale_pct(day, horizon), 0.0))
        accurate = abs(actual) / (1 + actual / 100) < ACCURATE_BELOW_PCT
        track.learn(odds, accurate, 0.0, rate=_own_rate(track.count), width_rate=0.0)
    return StockPrior(track.shift, float(track.count))


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


# Newton's step is 1 / (n p (1 - p)) for n independent outcomes; of these, which come together or overlap, many are one.


def _pool_rate(count: int) -> float:
    return max(0.0003, 1 / (400 + count / 38))


def _own_rate(count: int) -> float:
    return 1 / (10 + count / 10)


def _blend(*parts: tuple[float, float]) -> float:
    """The mean of values, each with its weight."""
    return math.fsum(value * weight for value, weight in parts) / math.fsum(weight for _, weight in parts)


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
    return student_cdf(highest / scale) - student_cdf(lowest / scale)


def student_cdf(value: float) -> float:
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
