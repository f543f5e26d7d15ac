"""Sums over one session's outcomes, from which the experts' weights are learned when the next session begins."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stockml.signals.experts import CURVATURE, EXPERTS, HUBER, START

Array = NDArray[np.float64]

MOST_ROWS = 256  # that wait to be added


class _Row(NamedTuple):
    """One outcome that is not in the sums yet."""

    opinions: list[float]  # in %
    scale: float
    actual: float
    forecasts: list[float]  # of each expert
    held: list[float]  # clipped errors, naive's first


@dataclass(slots=True)
class DayOutcomes:
    """Sums over one session's outcomes; every prediction in it was made from the same session's close.

    Outcomes wait in `rows` and are added many at a time by `settle`, before the sums are read; the sums are the same to
    the bit, however many come together.
    """

    made_on: str
    known_on: str
    is_evidence: bool  # whether the experts' weights of that session are known
    trusts: Array  # (experts, signals) learned weights as of that session
    count: int = 0
    opinions: Array = field(default_factory=lambda: np.zeros(0))  # (signals,) sums in %
    once: Array = field(default_factory=lambda: np.zeros(0))  # (signals,) sums of opinions in scales
    products: Array = field(default_factory=lambda: np.zeros((0, 0)))  # (signals, signals) of opinions
    pulls: Array = field(default_factory=lambda: np.zeros((len(EXPERTS), 0)))  # (experts, signals) of pull and opinions
    pull_once: Array = field(default_factory=lambda: np.zeros(len(EXPERTS)))  # sums of pulls
    losses: Array = field(default_factory=lambda: np.zeros(len(EXPERTS) + 1))  # Huber losses, naive first
    held_once: Array = field(default_factory=lambda: np.zeros(len(EXPERTS) + 1))  # sums of clipped errors
    rows: list[_Row] = field(default_factory=list, compare=False)
    weights: list[list[float]] = field(default_factory=list, compare=False)  # `trusts` while there are rows

    def add(self, opinions: Sequence[float], scale: float, actual: float) -> list[float]:
        """Add one outcome.

        Parameters
        ----------
        opinions : sequence of float, one for each signal
            In %.
        scale : float
            Typical size of the stock's change, in %.
        actual : float
            The change that came, in scales.

        Returns
        -------
        list of float, one for naive and one for each expert
            The error of the naive forecast, then of each expert, in scales, clipped to HUBER.
        """
        if not self.rows:
            self.weights = self.trusts.tolist()
        heard = [(number, opinion / scale) for number, opinion in enumerate(opinions) if opinion]
        forecasts = []
        for weights in self.weights:  # plain floats: for so few of them an array takes ten times as long
            forecast = 0.0
            for number, value in heard:
                forecast += weights[number] * value
            forecasts.append(forecast)
        errors = [actual, *[actual - forecast for forecast in forecasts]]
        held = [error if -HUBER <= error <= HUBER else math.copysign(HUBER, error) for error in errors]
        self.count += 1
        self.rows.append(_Row(list(opinions), scale, actual, forecasts, held))
        if len(self.rows) == MOST_ROWS:
            self.settle()
        return held

    def settle(self) -> None:
        """Bring the sums up to date."""
        if not self.rows:
            return
        opinions, forecasts, held = (np.array([row[part] for row in self.rows], dtype=float) for part in (0, 3, 4))
        scale, actual = (np.array([row[part] for row in self.rows], dtype=float)[:, None] for part in (1, 2))
        self.rows.clear()
        inputs = opinions / scale
        errors = actual - np.concatenate([np.zeros_like(scale), forecasts], axis=1)
        pull = CURVATURE * forecasts + held[:, 1:]
        self.opinions = _added(self.opinions, opinions)
        self.once = _added(self.once, inputs)
        self.products = _added(self.products, inputs[:, :, None] * inputs[:, None, :])
        self.pulls = _added(self.pulls, pull[:, :, None] * inputs[:, None, :])
        self.pull_once = _added(self.pull_once, pull)
        self.losses = _added(self.losses, held * (errors - held / 2))  # Huber's loss
        self.held_once = _added(self.held_once, held)

    def to_state(self) -> dict[str, Any]:
        """A value for JSON."""
        self.settle()
        return {name: value for name, value in plain(self).items() if name not in ("rows", "weights")}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> DayOutcomes:
        """Restore a session from `to_state`."""
        return cls(**arrays(state))

    def widen(self, starts: Array) -> None:
        """Make room for new signals.

        Parameters
        ----------
        starts : array, shape (signals,)
            As in `ExpertEnsemble.widen`.
        """
        self.settle()
        size = len(starts)
        self.trusts = begun(self.trusts, starts)
        self.opinions = padded(self.opinions, size)
        self.once = padded(self.once, size)
        self.products = padded(padded(self.products, size).T, size)
        self.pulls = padded(self.pulls, size)


def _added(total: Array, rows: Array) -> Array:
    """The total with rows added one after the other; `sum` would round otherwise, by how many come together."""
    return np.asarray(np.add.accumulate(np.concatenate([total[None], rows]))[-1])


def padded(values: Array, size: int) -> Array:
    """Values with zeros added along the last axis.

    Parameters
    ----------
    values : array, shape (..., n)
    size : int
        At least n.

    Returns
    -------
    array, shape (..., size)
    """
    more = size - values.shape[-1]
    return np.concatenate([values, np.zeros((*values.shape[:-1], more))], axis=-1)


def begun(weights: Array, starts: Array) -> Array:
    """Learned weights with those of new signals added: the first expert's begin at `starts`, the others' at 0.

    Parameters
    ----------
    weights : array, shape (experts, known)
    starts : array, shape (signals,)

    Returns
    -------
    array, shape (experts, signals)
    """
    wider = padded(weights, len(starts))
    wider[START, weights.shape[-1] :] = starts[weights.shape[-1] :]
    return wider


def plain(record: Any) -> dict[str, Any]:
    """A dataclass's values, arrays as lists."""
    values = {part.name: getattr(record, part.name) for part in fields(record)}
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}


def arrays(state: Mapping[str, Any]) -> dict[str, Any]:
    """The values again, lists as arrays."""
    return {name: np.array(value) if isinstance(value, list) else value for name, value in state.items()}
