"""Priors: what training hands to the learner: weights, magnitude, stock prior and scale model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from stockml.signals.calibration import NO_STOCK_PRIOR, StockPrior
from stockml.signals.rules import RULE_WEIGHTS, SESSIONS_OF_RULES
from stockml.signals.scale_model import DEFAULT, ScaleModel


@dataclass(frozen=True, slots=True)
class Priors:
    """The state before any outcome of a prediction.

    Attributes
    ----------
    weights : mapping
        The prior of each signal's learned weight.
    magnitude : float, optional
        The factor that shrinks predictions; None: 1 at five sessions, and sqrt(N / 5) at N.
    stock_prior : StockPrior
    scale_model : ScaleModel
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    magnitude: float | None = None
    stock_prior: StockPrior = NO_STOCK_PRIOR
    scale_model: ScaleModel = DEFAULT

    def to_dict(self) -> dict[str, Any]:
        """The priors as a JSON object, in the keys of metrics.json."""
        return {
            "trusts": dict(self.weights),
            "magnitude": self.magnitude,
            "habit": asdict(self.stock_prior),
            "scale_model": self.scale_model.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Priors:
        """Restore priors from a JSON object; ValueError where one is missing or none that training leaves."""
        from stockml.signals.kept_state import KeptPriors
        from stockml.storage.decoding import DecodingError, converted

        try:
            kept = converted(KeptPriors, values)
        except DecodingError as error:
            raise ValueError(f"its priors are not as training writes them, the record {error}; train again") from None
        return cls(
            kept.trusts,
            kept.magnitude,
            StockPrior(kept.habit.shift, kept.habit.outcomes),
            DEFAULT if kept.scale_model is None else ScaleModel.from_dict(kept.scale_model),
        )

    def weight(self, name: str) -> float:
        """The prior of a signal's learned weight: training's, else 1 for the rules and 0 for all others."""
        return self.weights.get(name, 1.0 if name in RULE_WEIGHTS else 0.0)

    def beyond_their_horizon(self) -> Priors:
        """The priors farther ahead than the models look: the weights alone, which leave the rules what they earned."""
        return Priors(self.weights, self.magnitude)

    def magnitude_at(self, horizon: int) -> float:
        """The prior magnitude at a horizon of so many sessions."""
        return math.sqrt(horizon / SESSIONS_OF_RULES) if self.magnitude is None else self.magnitude


NO_PRIORS = Priors()
