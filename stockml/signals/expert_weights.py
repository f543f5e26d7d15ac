"""Expert ensemble: outcomes into learned weights, by regressions with differing priors and memory.

Opinions and outcomes come in units of the stock's own scale. Stocks move together and outcomes overlap, so a session
is learned from as a whole, when the next one begins. A learned weight is the regression coefficient of a signal's
opinion: 1 takes the opinion at face value, 0 ignores it. Symbols, log lines and files are left to the learner.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stockml.signals.day_outcomes import Array, DayOutcomes, arrays, begun, padded, plain
from stockml.signals.experts import (
    ANCHORED,
    BEGINNINGS,
    CHANGING,
    CORRELATION,
    CURVATURE,
    DECAYS,
    DRIFT,
    EXPERTS,
    LEAST_WEIGHT,
    MONTH,
    REMEMBERED,
    SHARES,
    SHARPNESS,
    SHORT,
    TRAINED_ODDS,
    VARIANCE,
)

GREATEST_LEARNED = 1e4  # of a learned weight; 1 takes a forecast at face value


@dataclass(slots=True)
class ExpertEnsemble:
    """All experts at one horizon, after the sessions so far; signals are numbered, the drift is 0."""

    horizon: int
    starts: Array = field(default_factory=lambda: np.zeros(1))  # (signals,) learned weights before any outcome
    sessions: int = 0
    latest: str = ""  # the last session whose predictions were learned from
    beliefs: Array = field(default_factory=BEGINNINGS.copy)  # (2, experts + 1) ensemble weights without, with priors
    usual: Array = field(default_factory=lambda: np.zeros(1))  # (signals,) sums of each session's mean opinions
    products: Array = field(default_factory=lambda: np.zeros((2, 1, 1)))  # kept for ever, and fading: (2, signals, ^)
    pulls: Array = field(default_factory=lambda: np.zeros((len(EXPERTS), 1)))
    history: list[tuple[str, Array]] = field(default_factory=lambda: [("", np.zeros((len(EXPERTS), 1)))])

    def to_state(self) -> dict[str, Any]:
        """A value for JSON."""
        return plain(self) | {"history": [[day, weights.tolist()] for day, weights in self.history]}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ExpertEnsemble:
        """Restore an ensemble from `to_state`."""
        history = [(day, np.array(weights)) for day, weights in state["history"]]
        return cls(**arrays({**state, "history": ()}) | {"history": history})

    def widen(self, starts: Array) -> None:
        """Make room for new signals.

        Parameters
        ----------
        starts : array, shape (signals,)
            The learned weights of all signals before any outcome, known signals first.
        """
        size = len(starts)
        self.starts = starts
        self.usual = padded(self.usual, size)
        self.products = padded(padded(self.products, size).transpose(0, 2, 1), size)
        self.pulls = padded(self.pulls, size)
        self.history = [(day, begun(weights, starts)) for day, weights in self.history]

    def open(self, made_on: str, known_on: str) -> DayOutcomes:
        """Begin a session: outcomes of predictions made from one day's close.

        Experts are scored on their weights of that day, before any of these outcomes or any that overlaps with them
        was known.
        """
        known = [number for number, (day, _) in enumerate(self.history) if day <= made_on]
        number = known[-1] if known else 0
        session = DayOutcomes(made_on, known_on, bool(known), self.history[number][1])
        session.widen(self.starts)
        del self.history[: min(number, max(0, len(self.history) - REMEMBERED))]
        return session

    def close(self, session: DayOutcomes) -> None:
        """Learn from a whole session.

        Notes
        -----
        Exponential weights with a fixed share (Vovk 1990; Herbster and Warmuth 1998), and one step of each expert's
        Bayesian ridge regression (Hoerl and Kennard 1970).
        """
        session.settle()
        # outcomes overlap, so `horizon` of them count as one
        information = CURVATURE / ((1 - CORRELATION) * VARIANCE * self.horizon)
        stocks = session.count / (1 + (session.count - 1) * CORRELATION)  # the number of independent ones
        common = CORRELATION * stocks / session.count
        if session.is_evidence:
            self._reweigh(information * (session.losses - common / 2 * session.held_once**2))
        if session.made_on > self.latest:
            self.latest = session.made_on
            changing = CHANGING * stocks  # a session with little information redistributes little
            self.beliefs = (1 - changing) * self.beliefs + changing * SHARES
            self.products[1] *= DECAYS[SHORT]
            self.pulls *= DECAYS[:, None]
        self.sessions += 1
        self.usual += session.opinions / session.count
        self.products += CURVATURE * information * (session.products - common * np.outer(session.once, session.once))
        self.pulls += information * (session.pulls - common * np.outer(session.pull_once, session.once))
        blank = begun(np.zeros((len(EXPERTS), 0)), self.starts)
        known_on = max(session.known_on, self.history[-1][0])  # a late one builds on all that was learned
        self.history.append((known_on, self.weights_now().learned_weights(blank)))

    def _reweigh(self, losses: Array) -> None:
        """Multiply each ensemble weight by exp(-loss)."""
        self.beliefs = self.beliefs * np.exp(losses.min() - losses)
        self.beliefs /= self.beliefs.sum(axis=1, keepdims=True)

    def weights_now(self) -> EnsembleWeights:
        """The weights after the sessions so far, for any priors."""
        usual = self.usual / max(self.sessions, 1)
        learned, kept = np.empty_like(self.pulls), np.empty((len(EXPERTS), *self.products.shape[1:]))
        for number, expert in enumerate(EXPERTS):
            precision = np.full(len(self.starts), expert.weight_spread**-2)
            precision[DRIFT] = expert.drift_spread**-2
            prior = np.diag(precision) + np.outer(usual, usual) / expert.mean_spread**2
            system = self.products[int(number == SHORT)] + prior
            solved = np.linalg.solve(system, np.column_stack([self.pulls[number], prior]))
            learned[number], kept[number] = solved[:, 0], solved[:, 1:]
        return EnsembleWeights(self.sessions, self.beliefs, learned, kept)


@dataclass(frozen=True, slots=True)
class EnsembleWeights:
    """The ensemble's weights; an expert's learned weights are `learned` plus `kept` times its priors."""

    sessions: int  # learned from
    probabilities: Array  # (2, experts + 1) of naive and of each expert, given the outcomes, without and with priors
    learned: Array  # (experts, signals)
    kept: Array  # (experts, signals, signals)

    def learned_weights(self, priors: Array) -> Array:
        """Each expert's learned weights.

        Parameters
        ----------
        priors : array, shape (experts, signals)
            The learned weights before any outcome.

        Returns
        -------
        array, shape (experts, signals)
        """
        return np.asarray(self.learned + np.einsum("eij,ej->ei", self.kept, priors))

    def naive_weight(self, *, is_trained: bool = False) -> float:
        """The ensemble weight of the naive forecast, for a stock without priors from training or with them."""
        return float(self.probabilities[int(is_trained), 0])

    def shares(self, *, is_trained: bool = False) -> Array:
        """Each expert's share of a prediction, the naive forecast left out.

        Parameters
        ----------
        is_trained : bool, default False
            Of a stock with priors from training: the prior-anchored expert alone for a MONTH, since its overlapping
            outcomes are a handful of independent ones; after it, favoured by TRAINED_ODDS.

        Returns
        -------
        array, shape (experts,)
            Sums to 1.
        """
        if is_trained and self.sessions < MONTH:
            return np.asarray(np.eye(len(EXPERTS))[ANCHORED])
        odds = np.where(np.arange(len(EXPERTS)) == ANCHORED, TRAINED_ODDS if is_trained else 1.0, 1.0)
        sharpened = (odds * np.maximum(self.probabilities[int(is_trained), 1:], LEAST_WEIGHT)) ** SHARPNESS
        return np.asarray(sharpened / sharpened.sum())


def check_weights(found: Callable[[], EnsembleWeights]) -> None:
    """ValueError where the sums of a restored state give no weights that a prediction can be made with."""
    try:
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            weights = found()
    except (ArithmeticError, ValueError):  # a matrix without an inverse is a ValueError
        raise ValueError("the learned sums give no weights; fold the log again") from None
    if not all(np.abs(part).max() <= GREATEST_LEARNED for part in (weights.learned, weights.kept)):
        raise ValueError("the learned sums give weights that are too large; fold the log again")
