"""Online learner: verified predictions in, signal weights, magnitudes and confidences out.

It learns from the lines of the log alone. Storing its state is left to the caller.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from operator import mul
from typing import Any

import numpy as np

from stockml.core.records import STRONG_SIGNAL_PCT, Prediction
from stockml.signals import scale_model
from stockml.signals.calibration import Calibration, Confidence
from stockml.signals.day_outcomes import DayOutcomes
from stockml.signals.expert_weights import EnsembleWeights, ExpertEnsemble, check_weights
from stockml.signals.experts import ANCHORED, DRIFT, EXPERTS, MOST_SIGNALS, START, TRAINED, UNTRAINED
from stockml.signals.priors import NO_PRIORS, Priors
from stockml.signals.rules import DRIFT as DRIFT_SIGNAL
from stockml.signals.rules import SESSIONS_OF_RULES
from stockml.signals.stock_state import HitRate, StockState

STATE_VERSION = 5
FARTHEST_OPINION_PCT = 10.0  # at five sessions, two strong signals; an opinion beyond is clipped
CALMEST_PCT = 0.5  # the smallest scale at five sessions, so that a calm stock's outcomes do not blow up
FARTHEST_CHANGE_PCT = 90.0  # a predicted price stays above 0
FARTHEST = 1000.0  # scales
# An error is a share of the actual price, so the best forecast is not the median m of the change but its (-1)-median
# (Gneiting 2011): m - E|y| / (2 f(m)) to first order, for Student's t with 5 degrees of freedom m - 1.25 scale^2.
BELOW_MEDIAN = 1.25
HALF = 0.5  # accuracy below which predictions are shrunk
SMALLEST_MAGNITUDE = 0.01  # a smaller prior magnitude would leave no room to learn


@dataclass(frozen=True, slots=True)
class Weighing:
    """The weights of the signals that count, to 4 decimals, and the magnitude that shrinks their sum."""

    weights: Mapping[str, float]
    magnitude: float

    @property
    def change_pct(self) -> float:
        """The predicted change in %; the formula that audits any line of the log."""
        return STRONG_SIGNAL_PCT * self.magnitude * math.fsum(self.weights.values())


@dataclass(slots=True)
class _Horizon:
    """The state at one horizon; families of signals are numbered in order of appearance."""

    ensemble: ExpertEnsemble
    calibration: Calibration
    families: dict[str, int] = field(default_factory=lambda: {DRIFT_SIGNAL: DRIFT})
    session: DayOutcomes | None = None
    accuracy: HitRate = field(default_factory=HitRate)
    stocks: dict[str, StockState] = field(default_factory=dict)
    weights_now: EnsembleWeights | None = None  # as if the open session were over; derived, never stored
    beliefs: list[list[float]] | None = None  # the ensemble's, derived as well

    @classmethod
    def fresh(cls, horizon: int) -> _Horizon:
        return cls(ExpertEnsemble(horizon), Calibration(horizon))

    def learn(self, prediction: Prediction) -> None:
        outcome = prediction.outcome
        assert outcome is not None and outcome.was_accurate is not None
        self.weights_now = None
        symbol, scale_pct, actual_pct = prediction.symbol, _scale_pct(prediction), prediction.actual_change_pct
        self.calibration.learn(symbol, scale_pct, prediction.predicted_change_pct, actual_pct, outcome.was_accurate)
        stock = self.stocks.get(symbol)
        if stock is None:
            stock = self.stocks[symbol] = StockState()
        for accuracy in (self.accuracy, stock.accuracy):
            accuracy.add(outcome.was_accurate)
        self._learn_weights(prediction, stock, scale_pct, actual_pct)

    def _learn_weights(self, prediction: Prediction, stock: StockState, scale_pct: float, actual_pct: float) -> None:
        """Add the line to its session, then learn the stock's deviation from the ensemble's error."""
        horizon = self.ensemble.horizon
        scale = max(scale_pct, CALMEST_PCT * _stretch(horizon))
        farthest = _farthest(horizon)
        heard = {
            name: opinion if -farthest <= opinion <= farthest else _clipped(opinion, horizon)
            for name, opinion in prediction.evidence.opinions.items()
            if opinion
        }
        session = self._session(prediction, heard)
        aim_pct = actual_pct - BELOW_MEDIAN * scale**2 / 100
        actual = min(max(aim_pct / scale, -FARTHEST), FARTHEST)
        errors = session.add(self._by_family(heard), scale, actual)
        row = UNTRAINED if prediction.model_trained_at is None else TRAINED
        error = sum(map(mul, self._beliefs()[row], errors))
        stock.learn(heard, scale, error, horizon)

    def _beliefs(self) -> list[list[float]]:
        """The ensemble weights as plain floats; they change with the session alone."""
        if self.beliefs is None:
            self.beliefs = self.ensemble.beliefs.tolist()
        return self.beliefs

    def weigh(self, symbol: str, opinions: Mapping[str, float], priors: Priors) -> Weighing:
        horizon = self.ensemble.horizon
        weights_now = self._weights_now()
        stock = self.stocks.get(symbol, StockState())
        size = max(priors.magnitude_at(horizon), SMALLEST_MAGNITUDE)
        weights = {}
        for name, learned in self._learned_weights(weights_now, opinions, priors, size).items():
            own = learned / size + stock.deviation(name)
            weights[name] = round(own * _clipped(opinions[name], horizon) / STRONG_SIGNAL_PCT, 4)
        accuracy = stock.accuracy.pooled(self.accuracy.share)
        doubt = weights_now.naive_weight(is_trained=bool(priors.weights))
        magnitude = priors.magnitude_at(horizon) * (1 - doubt) * min(1.0, accuracy / HALF)
        sum_pct = STRONG_SIGNAL_PCT * abs(math.fsum(weights.values()))
        if sum_pct * magnitude > FARTHEST_CHANGE_PCT:
            magnitude = math.floor(FARTHEST_CHANGE_PCT / sum_pct * 1e4) / 1e4
        return Weighing({name: weight for name, weight in weights.items() if weight}, round(magnitude, 4))

    def _learned_weights(
        self, weights_now: EnsembleWeights, opinions: Mapping[str, float], priors: Priors, size: float
    ) -> dict[str, float]:
        """All stocks' learned weight of each opinion: the experts' mean by their shares of the ensemble."""

        def priors_of(name: str) -> list[float]:
            prior = priors.weight(name) * size
            of = {START: prior, ANCHORED: prior if priors.weights else 0.0}
            return [of.get(expert, 0.0) for expert in range(len(EXPERTS))]

        heard = {_family(name): name for name in opinions}
        met = np.array([priors_of(heard.get(family, family)) for family in self.families]).T  # (experts, signals)
        shares = weights_now.shares(is_trained=bool(priors.weights))
        learned = shares @ weights_now.learned_weights(met)
        unmet = {family: float(shares @ priors_of(name)) for family, name in heard.items()}
        known = {family: float(learned[number]) for family, number in self.families.items()}
        return {name: (unmet | known)[_family(name)] for name in opinions}

    def _session(self, prediction: Prediction, heard: Mapping[str, float]) -> DayOutcomes:
        """The open session of a line, with room for its signals."""
        if self.session is not None and self.session.made_on != prediction.data_through:
            self.ensemble.close(self.session)
            self.session = self.beliefs = None
        if self.session is None:
            self.session = self.ensemble.open(prediction.data_through, prediction.target_date)
        self.session.known_on = max(self.session.known_on, prediction.target_date)
        if not all(_family(name) in self.families for name in heard):
            new = sorted({_family(name) for name in heard} - self.families.keys())[: MOST_SIGNALS - len(self.families)]
            self.families |= {name: len(self.families) + number for number, name in enumerate(new)}
            starts = np.array([NO_PRIORS.weight(name) * _stretch(self.ensemble.horizon) for name in self.families])
            self.ensemble.widen(starts)
            self.session.widen(starts)
        return self.session

    def _by_family(self, heard: Mapping[str, float]) -> list[float]:
        opinions = [0.0] * len(self.families)
        for name, opinion in heard.items():
            if (number := self.families.get(_family(name))) is not None:
                opinions[number] += opinion
        return opinions

    def _weights_now(self) -> EnsembleWeights:
        if self.weights_now is None:
            ensemble = self.ensemble
            if self.session is not None:
                ensemble = copy.deepcopy(ensemble)
                ensemble.close(self.session)
            self.weights_now = ensemble.weights_now()
        return self.weights_now

    def to_state(self) -> dict[str, Any]:
        return {
            "families": list(self.families),
            "council": self.ensemble.to_state(),
            "session": None if self.session is None else self.session.to_state(),
            "accuracy": asdict(self.accuracy),
            "stocks": {symbol: asdict(stock) for symbol, stock in self.stocks.items()},
            "calibration": self.calibration.to_state(),
        }

    @classmethod
    def from_state(cls, horizon: int, state: Mapping[str, Any]) -> _Horizon:
        return cls(
            ensemble=ExpertEnsemble.from_state(state["council"]),
            calibration=Calibration.from_state(horizon, state["calibration"]),
            families={name: number for number, name in enumerate(state["families"])},
            session=None if state["session"] is None else DayOutcomes.from_state(state["session"]),
            accuracy=HitRate(**state["accuracy"]),
            stocks={
                symbol: StockState(HitRate(**stock["accuracy"]), stock["own"])
                for symbol, stock in state["stocks"].items()
            },
        )


class Learner:
    """Everything learned from verified predictions, by horizon; docs/learning.md states the rules and guarantees."""

    def __init__(self) -> None:
        self._horizons: dict[int, _Horizon] = {}

    def learn(self, prediction: Prediction) -> None:
        """Learn from one verified prediction; call once each, in the order of (verified_at, position in the log)."""
        horizon = prediction.prediction_horizon_days
        self._horizons[horizon] = known = self._at(horizon)
        known.learn(prediction)

    def weigh(self, symbol: str, horizon: int, opinions: Mapping[str, float], priors: Priors = NO_PRIORS) -> Weighing:
        """Weigh a stock's signals.

        Parameters
        ----------
        symbol : str
        horizon : int
            Sessions ahead.
        opinions : mapping
            Each signal's forecast of the change in % at the target; a rule's is its documented weight times 5.
        priors : Priors, optional
            Of the stock's training.

        Returns
        -------
        Weighing
        """
        return self._at(horizon).weigh(symbol, opinions, priors)

    def confidence(
        self,
        symbol: str,
        horizon: int,
        inputs: Mapping[str, float],
        change_pct: float,
        priors: Priors = NO_PRIORS,
    ) -> Confidence:
        """The probability that a predicted change in % is accurate, and the distribution of the change."""
        scale = priors.scale_model.scale_pct(inputs, horizon)
        return self._at(horizon).calibration.confidence(symbol, scale, change_pct, priors.stock_prior)

    def to_state(self) -> dict[str, Any]:
        """A value for JSON that `from_state` turns back without any loss."""
        return {
            "version": STATE_VERSION,
            "horizons": {str(horizon): known.to_state() for horizon, known in self._horizons.items()},
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Learner:
        """Restore a learner from `to_state`; ValueError for a state of another version, or that no learning leaves."""
        if state.get("version") != STATE_VERSION:
            raise ValueError(
                f"learned state has version {state.get('version')!r}, need {STATE_VERSION}; fold the log again"
            )
        from stockml.signals.kept_state import KeptLearner
        from stockml.storage.decoding import converted

        converted(KeptLearner, state)
        learner = cls()
        learner._horizons = {
            int(horizon): _Horizon.from_state(int(horizon), known) for horizon, known in state["horizons"].items()
        }
        for known in learner._horizons.values():
            check_weights(known._weights_now)
        return learner

    def _at(self, horizon: int) -> _Horizon:
        return self._horizons.get(horizon) or _Horizon.fresh(horizon)


@lru_cache(maxsize=1024)
def _family(name: str) -> str:
    """The signal that shares a learned weight: pattern numbers differ by stock, so all patterns are one signal."""
    return "pattern" if name.startswith("pattern_") else name


def _scale_pct(prediction: Prediction) -> float:
    """The scale model's scale when the line was made; of a line that does not tell it, the default's."""
    if prediction.model_scale_pct is not None:
        return prediction.model_scale_pct
    return scale_model.DEFAULT.scale_pct(prediction.evidence.confidence_inputs, prediction.prediction_horizon_days)


@lru_cache
def _stretch(horizon: int) -> float:
    """The typical size of a change over so many sessions, relative to five."""
    return math.sqrt(horizon / SESSIONS_OF_RULES)


def _clipped(opinion: float, horizon: int) -> float:
    farthest = _farthest(horizon)
    return min(max(opinion, -farthest), farthest)


def _farthest(horizon: int) -> float:
    return FARTHEST_OPINION_PCT * _stretch(horizon)
