"""How likely a prediction is to land within 5 %, and the interval that holds 80 % of outcomes; both learn.

Volatility says how far prices move; outcomes shift that belief, for all stocks and for each. It writes no file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stockml.records import ACCURATE_BELOW_PCT
from stockml.volatility import LEAST_PCT, MARKET_WINDOWS, WINDOWS, market_input, stock_input

SCALE_WEIGHTS = {  # elasticities of the coming volatility, after HAR (Corsi 2009); they sum to 1
    stock_input(1): 0.05,
    stock_input(5): 0.20,
    stock_input(20): 0.25,
    stock_input(60): 0.15,
    stock_input(250): 0.15,
    market_input(5): 0.10,
    market_input(20): 0.10,
}
UNKNOWN_PCT = 1.8  # a stock's usual volatility a session, where a line tells none
STEEPNESS = 2.2  # of the log-logistic law of |change| / scale
MEDIAN = 0.62  # of |change| / scale
MISSES = 0.2  # the share of outcomes that an 80 % interval leaves out
SHARPEST = 0.999  # no probability is nearer to 0 or 1


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

    def learn(self, odds: float, accurate: bool, reach: float, *, slowest: float) -> None:
        rate = max(slowest, 1.0 / (self.count + 10))
        self.count += 1
        # A rate below 4 keeps a higher shift higher after every update, so an accurate outcome never lowers later ones.
        self.shift += 2.0 * rate * (accurate - _logistic(odds + self.shift))
        self.widening += 2.0 * rate * ((reach > self.widening) - MISSES)


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
        reach = math.log(max(abs(actual_pct - change_pct), 1e-6) / (scale * _WIDTH))
        self.pool.learn(odds, accurate, reach, slowest=0.0005)
        self.stocks.setdefault(symbol, _Track()).learn(odds, accurate, reach, slowest=0.005)

    def confidence(self, symbol: str, inputs: Mapping[str, float], change_pct: float) -> Confidence:
        """The confidence in a predicted change of a stock."""
        scale = scale_pct(inputs, self.horizon)
        stock = self.stocks.get(symbol, _Track())
        own = stock.count / (stock.count + 200)  # outcomes overlap: 200 are worth about 40
        shift = own * stock.shift + (1 - own) * self.pool.shift
        widening = own * stock.widening + (1 - own) * self.pool.widening
        probability = _logistic(_log_odds(_chance(scale, change_pct)) + shift)
        width = scale * _WIDTH * math.exp(widening)
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
    """The typical size of the change over so many sessions in %, from volatilities in % a session.

    A window that is not known yet is stood in for by the longest known one that is shorter.
    """
    total, standing_in = 0.0, math.log(UNKNOWN_PCT)
    for window in WINDOWS:
        standing_in = _log_of(inputs, stock_input(window), standing_in)
        total += SCALE_WEIGHTS[stock_input(window)] * standing_in
    for window in MARKET_WINDOWS:
        own = _log_of(inputs, stock_input(window), standing_in)
        total += SCALE_WEIGHTS[market_input(window)] * _log_of(inputs, market_input(window), own)
    return math.sqrt(horizon) * math.exp(total)


def _log_of(inputs: Mapping[str, float], name: str, otherwise: float) -> float:
    return math.log(min(max(inputs[name], LEAST_PCT), 100.0)) if name in inputs else otherwise


def _chance(scale: float, change_pct: float) -> float:
    """The chance of a change within 5 % of the predicted one, where changes lie around 0 as volatility says."""
    near = _within(ACCURATE_BELOW_PCT - abs(change_pct), scale)
    return 0.5 * (near + _within(ACCURATE_BELOW_PCT + abs(change_pct), scale))


def _within(reach: float, scale: float) -> float:
    """The chance of a change smaller than `reach` of either sign, by the log-logistic law; odd in `reach`."""
    if reach == 0:
        return 0.0
    chance = _logistic(STEEPNESS * math.log(abs(reach) / (scale * MEDIAN)))
    return math.copysign(chance, reach)


def _logistic(odds: float) -> float:
    return 1 / (1 + math.exp(-odds)) if odds >= 0 else math.exp(odds) / (1 + math.exp(odds))


def _log_odds(chance: float) -> float:
    chance = min(max(chance, 1 - SHARPEST), SHARPEST)
    return math.log(chance / (1 - chance))


_WIDTH = MEDIAN * math.exp(_log_odds(1 - MISSES) / STEEPNESS)  # half the 80 % interval, in scales
