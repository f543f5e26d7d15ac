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
        """Restore priors from a JSON object; ValueError where one is missing or not a finite number."""
        try:
            weights, magnitude, stock_prior = (values[name] for name in ("trusts", "magnitude", "habit"))
            coefficients = values.get("scale_model")  # bundles made before the model was fitted have none
            return cls(
                {str(name): _finite(name, value) for name, value in weights.items()},
                None if magnitude is None else _finite("magnitude", magnitude),
                StockPrior(**{name: _finite(name, value) for name, value in stock_prior.items()}),
                DEFAULT if coefficients is None else ScaleModel.from_dict(coefficients),
            )
        except (KeyError, TypeError, AttributeError):
            raise ValueError("its priors are not as training writes them; train again") from None

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


def _finite(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"priors: {name} is {value!r}, not a finite number; train again")
    return float(value)
