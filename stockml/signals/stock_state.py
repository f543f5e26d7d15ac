"""One stock's part of the learned state: its accuracy, and the deviation of its learned weights from all stocks'."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stockml.signals.experts import CURVATURE, VARIANCE

OWN_SPREAD = 0.02  # standard deviation of one stock's learned weight about all stocks'
PRIOR_HITS = 2.0  # accurate outcomes that each accuracy begins with
POOLED_OUTCOMES = 5.0  # a stock's outcomes after which its own accuracy counts as much as all stocks'


@dataclass(slots=True)
class HitRate:
    """The share of accurate outcomes, begun with PRIOR_HITS."""

    count: int = 0
    accurate: int = 0

    def add(self, accurate: bool) -> None:
        """Count one outcome."""
        self.count += 1
        self.accurate += accurate

    def pooled(self, all_stocks: float) -> float:
        """The share, shrunk toward the share of all stocks."""
        hits = self.accurate + PRIOR_HITS + POOLED_OUTCOMES * all_stocks
        return hits / (self.count + PRIOR_HITS + POOLED_OUTCOMES)

    @property
    def share(self) -> float:
        """The share by itself."""
        return (self.accurate + PRIOR_HITS) / (self.count + PRIOR_HITS)


@dataclass(slots=True)
class StockState:
    """One stock's accuracy, and by signal the information and pull of its deviation from all stocks."""

    accuracy: HitRate = field(default_factory=HitRate)
    own: dict[str, list[float]] = field(default_factory=dict)

    def learn(self, opinions: Mapping[str, float], scale: float, error: float, horizon: int) -> None:
        """Learn from one outcome: opinions and their scale in %, the ensemble's error in scales."""
        information, pull = CURVATURE**2 / (VARIANCE * horizon), CURVATURE / (VARIANCE * horizon)
        for name, opinion in opinions.items():
            value = opinion / scale
            sums = self.own.get(name)
            if sums is None:
                sums = self.own[name] = [0.0, 0.0]
            sums[0] += information * value * value
            sums[1] += pull * value * error

    def deviation(self, name: str) -> float:
        """The difference of this stock's learned weight from all stocks'."""
        information, pull = self.own.get(name, (0.0, 0.0))
        return pull / (information + OWN_SPREAD**-2)
