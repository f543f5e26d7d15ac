"""Verified predictions into what is believed now: how far each signal is trusted, how large predictions may be.

Reads nothing but the lines of the log; where the state is kept is the business of who calls it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stockml.confidence import Calibration, Confidence, scale_pct
from stockml.records import STRONG_SIGNAL_PCT, Prediction
from stockml.signals import RULE_WEIGHTS

STATE_VERSION = 1
FARTHEST_OPINION_PCT = 10.0  # a forecaster that sees more than two strong signals is not taken at its word
FARTHEST = 4.0  # scales; an outcome farther away counts as this far, so that no single one rules
POOL_PRECISION = 150.0  # of the starting trusts, in squared scales: what some 500 correlated outcomes weigh
STOCK_PRECISION = 300.0  # how strongly a stock's trusts are held to all stocks'
MAGNITUDE_PRECISION = 5.0


@dataclass(frozen=True, slots=True)
class Priors:
    """What training found before any outcome: trusts by signal, and the magnitude (None: SPEC's start)."""

    trusts: Mapping[str, float] = field(default_factory=dict)
    magnitude: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return {"trusts": dict(self.trusts), "magnitude": self.magnitude}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Priors:
        trusts = {str(name): _finite(name, value) for name, value in values["trusts"].items()}
        magnitude = values["magnitude"]
        return cls(trusts, None if magnitude is None else _finite("magnitude", magnitude))


@dataclass(frozen=True, slots=True)
class Weighing:
    """The weights of the signals that count (4 decimals), and the magnitude that shrinks their sum."""

    weights: Mapping[str, float]
    magnitude: float

    @property
    def change_pct(self) -> float:
        """The predicted change in %, by the rule that every line of the log can be audited with."""
        return STRONG_SIGNAL_PCT * self.magnitude * math.fsum(self.weights.values())


@dataclass(slots=True)
class _Moments:
    """Weighted sums over outcomes: opinions with opinions, and opinions with what came true, all in scales."""

    count: int = 0
    accurate: int = 0
    products: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))  # (signals, signals)
    agreement: np.ndarray = field(default_factory=lambda: np.zeros(0))  # (signals,)
    spread: float = 0.0  # of the summed opinions
    slope: float = 0.0  # of the outcomes along them

    def add(self, index: list[int], opinions: np.ndarray, total: float, actual: float, accurate: bool) -> None:
        self.count += 1
        self.accurate += accurate
        self.products[np.ix_(index, index)] += np.outer(opinions, opinions)
        self.agreement[index] += opinions * actual
        self.spread += total * total
        self.slope += total * actual

    def widen(self, size: int) -> None:
        more = size - len(self.agreement)
        if more > 0:
            self.products = np.pad(self.products, (0, more))
            self.agreement = np.pad(self.agreement, (0, more))

    def posterior(self, start: np.ndarray, precision: float) -> np.ndarray:
        """The trusts that start and outcomes agree on; signals not met yet keep the start."""
        met = len(self.agreement)
        system = self.products + precision * np.eye(met)
        trusts = start.copy()
        trusts[:met] = np.linalg.solve(system, self.agreement + precision * start[:met])
        return trusts

    def to_state(self) -> dict[str, Any]:
        lower = [self.products[row, : row + 1].tolist() for row in range(len(self.agreement))]
        return {
            "count": self.count,
            "accurate": self.accurate,
            "products": lower,
            "agreement": self.agreement.tolist(),
            "spread": self.spread,
            "slope": self.slope,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> _Moments:
        agreement = np.array(state["agreement"], dtype=float)
        products = np.zeros((len(agreement), len(agreement)))
        for row, values in enumerate(state["products"]):
            products[row, : row + 1] = values
            products[: row + 1, row] = values
        return cls(state["count"], state["accurate"], products, agreement, state["spread"], state["slope"])


@dataclass(slots=True)
class _Horizon:
    """All that is known at one horizon; signals are numbered in the order in which they were first met."""

    calibration: Calibration
    signals: dict[str, int] = field(default_factory=dict)
    pool: _Moments = field(default_factory=_Moments)
    stocks: dict[str, _Moments] = field(default_factory=dict)


class Learner:
    """What verified predictions have taught so far; everything follows from sums over their lines."""

    def __init__(self) -> None:
        self._horizons: dict[int, _Horizon] = {}

    def learn(self, prediction: Prediction) -> None:
        """Fold in one verified prediction; each once, in the order of (verified_at, position in the log)."""
        outcome = prediction.outcome
        actual_pct = prediction.actual_change_pct
        assert outcome is not None and outcome.was_accurate is not None
        known = self._horizon(prediction.prediction_horizon_days)
        evidence = prediction.evidence
        known.calibration.learn(
            prediction.symbol,
            evidence.confidence_inputs,
            prediction.predicted_change_pct,
            actual_pct,
            outcome.was_accurate,
        )
        scale = scale_pct(evidence.confidence_inputs, prediction.prediction_horizon_days)
        active = {name: _bounded(opinion / scale) for name, opinion in evidence.opinions.items() if opinion}
        index = [known.signals.setdefault(name, len(known.signals)) for name in active]
        opinions = np.array(list(active.values()))
        total = _bounded(sum(_bounded(STRONG_SIGNAL_PCT * signal.weight / scale) for signal in prediction.signals))
        for moments in (known.pool, known.stocks.setdefault(prediction.symbol, _Moments())):
            moments.widen(len(known.signals))
            moments.add(index, opinions, total, _bounded(actual_pct / scale), outcome.was_accurate)

    def weigh(
        self, symbol: str, horizon: int, regime: str, opinions: Mapping[str, float], priors: Priors | None = None
    ) -> Weighing:
        """The weights of a stock's signals now, from opinions in % at the target (rules: SPEC's weight x 5)."""
        priors = priors or Priors()
        known = self._horizon(horizon)
        trusts = self._trusts(known, symbol, opinions, priors)
        farthest = FARTHEST_OPINION_PCT * math.sqrt(horizon / 5)
        weights = {
            name: round(trusts[name] * min(max(opinion, -farthest), farthest) / STRONG_SIGNAL_PCT, 4)
            for name, opinion in opinions.items()
        }
        return Weighing(
            {name: weight for name, weight in weights.items() if weight}, _magnitude(known, symbol, horizon, priors)
        )

    def confidence(self, symbol: str, horizon: int, inputs: Mapping[str, float], change_pct: float) -> Confidence:
        """How likely a predicted change is to be accurate, and its 80 % interval."""
        return self._horizon(horizon).calibration.confidence(symbol, inputs, change_pct)

    def to_state(self) -> dict[str, Any]:
        """A value for JSON that `from_state` turns back without any loss."""
        return {
            "version": STATE_VERSION,
            "horizons": {
                str(horizon): {
                    "signals": list(known.signals),
                    "pool": known.pool.to_state(),
                    "stocks": {symbol: moments.to_state() for symbol, moments in known.stocks.items()},
                    "calibration": known.calibration.to_state(),
                }
                for horizon, known in self._horizons.items()
                if known.pool.count
            },
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Learner:
        """The learner that `to_state` wrote down; ValueError for a state of another version."""
        if state.get("version") != STATE_VERSION:
            raise ValueError(
                f"learned state has version {state.get('version')!r}, need {STATE_VERSION}; fold the log again"
            )
        learner = cls()
        for horizon, values in state["horizons"].items():
            learner._horizons[int(horizon)] = _Horizon(
                Calibration.from_state(int(horizon), values["calibration"]),
                {name: number for number, name in enumerate(values["signals"])},
                _Moments.from_state(values["pool"]),
                {symbol: _Moments.from_state(moments) for symbol, moments in values["stocks"].items()},
            )
        return learner

    def _horizon(self, horizon: int) -> _Horizon:
        return self._horizons.setdefault(horizon, _Horizon(Calibration(horizon)))

    @staticmethod
    def _trusts(known: _Horizon, symbol: str, opinions: Mapping[str, float], priors: Priors) -> dict[str, float]:
        """Starting trusts, moved by all stocks' outcomes and then by the stock's own (hierarchical ridge)."""
        start = {name: starting_trust(name, priors) for name in (*known.signals, *opinions)}
        if not known.signals:
            return start
        trusts = known.pool.posterior(np.array([start[name] for name in known.signals]), POOL_PRECISION)
        if symbol in known.stocks:
            trusts = known.stocks[symbol].posterior(trusts, STOCK_PRECISION)
        return start | {name: float(trusts[number]) for name, number in known.signals.items()}


def starting_trust(name: str, priors: Priors) -> float:
    """The trust in a signal before any outcome: training's, else 1 for SPEC's six and 0 for all others."""
    return priors.trusts.get(name, 1.0 if name in RULE_WEIGHTS else 0.0)


def starting_magnitude(horizon: int, priors: Priors) -> float:
    """The magnitude before any outcome: training's, else 1, and sqrt(N / 5) for a horizon of N sessions."""
    return math.sqrt(horizon / 5) if priors.magnitude is None else priors.magnitude


def _magnitude(known: _Horizon, symbol: str, horizon: int, priors: Priors) -> float:
    """The start, shrunk by how far outcomes followed the predictions and, below 50 % accuracy, by the accuracy."""
    own = known.stocks.get(symbol, _Moments())
    slope = MAGNITUDE_PRECISION + 0.1 * known.pool.slope + own.slope
    spread = MAGNITUDE_PRECISION + 0.1 * known.pool.spread + own.spread
    followed = min(max(slope / spread, 0.0), 1.0)
    accuracy = (own.accurate + 10.0) / (own.count + 10.0)
    return round(starting_magnitude(horizon, priors) * followed * min(1.0, 2.0 * accuracy), 4)


def _bounded(value: float) -> float:
    return min(max(value, -FARTHEST), FARTHEST)


def _finite(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"priors: {name} is {value!r}, not a finite number; train again")
    return float(value)
