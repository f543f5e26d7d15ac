"""Outcomes into trusts: regressions of differing boldness and memory, and how much the evidence speaks for each.

Opinions and outcomes come in units of the stock's own scale. Stocks move together and outcomes overlap, so a session
is learned from as a whole, when the next one begins. Which stock, which line and which file is others' business.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Facts of five-session changes in their scale (Student's t, 5 degrees of freedom), and of stocks in one session.
HELD_BACK = 1.2  # scales; errors beyond pull no harder (Huber 1964)
CURVATURE = 0.716  # the share of outcomes within that
VARIANCE = 0.687  # of the outcomes held back so
TOGETHER = 0.3  # correlation of two stocks' outcomes in a session; 0.25 to 0.32 on NSE and US stocks


@dataclass(frozen=True, slots=True)
class Expert:
    """One way of learning: how far it lets trusts go, how long it remembers, what share of belief it is given."""

    name: str
    trust_spread: float  # standard deviation of a trust about its start
    drift_spread: float  # of the trust in the drift, in % at five sessions
    mean_spread: float  # of what all signals together forecast on average, in %; infinite: anything
    half_life: float  # sessions
    share: float  # of the belief that changing times give back to it


EXPERTS = (
    Expert("start", trust_spread=1.0, drift_spread=0.3, mean_spread=math.inf, half_life=math.inf, share=0.05),
    Expert("sceptic", trust_spread=0.03, drift_spread=3.0, mean_spread=0.05, half_life=math.inf, share=0.85),
    Expert("short", trust_spread=3.0, drift_spread=3.0, mean_spread=0.05, half_life=25.0, share=0.05),
)
START, SCEPTIC, SHORT = range(3)
CHANGING = 0.01  # the chance that another expert becomes the best one (Herbster and Warmuth 1998)
SHARES = np.array([1.0 - sum(expert.share for expert in EXPERTS), *(expert.share for expert in EXPERTS)])
DECAYS = np.array([0.5 ** (1 / expert.half_life) for expert in EXPERTS])
DRIFT = 0  # the number of the drift among the signals
LEAST_BELIEF = 1e-9  # what is left to believe in after any evidence
SHARPNESS = 3.0  # power of beliefs: an expert believed little, because times may change, has no say until they do
TRAINED_ODDS = 10.0  # by which the sceptic, who stays with what training found, is believed more where it found it
REMEMBERED = 20  # sessions at least, of what experts believed


@dataclass(slots=True)
class DayOutcomes:
    """What the outcomes of one session add up to; every prediction in it was made on the same evening."""

    made_on: str
    known_on: str
    is_evidence: bool  # whether it is known what experts believed on that evening
    trusts: Array  # (experts, signals) on that evening
    count: int = 0
    opinions: Array = field(default_factory=lambda: np.zeros(0))  # (signals,) sums in %
    once: Array = field(default_factory=lambda: np.zeros(0))  # (signals,) sums in scales
    products: Array = field(default_factory=lambda: np.zeros((0, 0)))  # (signals, signals)
    pulls: Array = field(default_factory=lambda: np.zeros((len(EXPERTS), 0)))  # (experts, signals)
    pull_once: Array = field(default_factory=lambda: np.zeros(len(EXPERTS)))
    losses: Array = field(default_factory=lambda: np.zeros(len(EXPERTS) + 1))  # "no change" is the first
    held_once: Array = field(default_factory=lambda: np.zeros(len(EXPERTS) + 1))

    def add(self, opinions: Array, scale: float, actual: float) -> Array:
        """Add one outcome; returns each expert's error, "no change" first, in scales, held back."""
        inputs = opinions / scale
        forecasts = self.trusts @ inputs  # (experts,)
        errors = actual - np.concatenate([[0.0], forecasts])
        held = np.clip(errors, -HELD_BACK, HELD_BACK)
        pull = CURVATURE * forecasts + held[1:]
        self.count += 1
        self.opinions += opinions
        self.once += inputs
        self.products += np.outer(inputs, inputs)
        self.pulls += np.outer(pull, inputs)
        self.pull_once += pull
        self.losses += held * (errors - held / 2)  # Huber's loss
        self.held_once += held
        return held

    def to_state(self) -> dict[str, Any]:
        """A value for JSON."""
        return _plain(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> DayOutcomes:
        """The session that `to_state` wrote down."""
        return cls(**_arrays(state))

    def widen(self, starts: Array) -> None:
        """Make room for signals met since; see `Council.widen`."""
        size = len(starts)
        self.trusts = _begun(self.trusts, starts)
        self.opinions = _padded(self.opinions, size)
        self.once = _padded(self.once, size)
        self.products = _padded(_padded(self.products, size).T, size)
        self.pulls = _padded(self.pulls, size)


@dataclass(slots=True)
class ExpertEnsemble:
    """All experts at one horizon, after the sessions so far; signals have numbers, the drift's is 0."""

    horizon: int
    starts: Array = field(default_factory=lambda: np.zeros(1))  # (signals,) trusts before any outcome
    sessions: int = 0
    latest: str = ""  # the last evening whose predictions were learned from
    beliefs: Array = field(default_factory=lambda: np.eye(1, len(EXPERTS) + 1, START + 1)[0])  # "no change" first
    usual: Array = field(default_factory=lambda: np.zeros(1))  # (signals,) sums of each session's mean opinions
    products: Array = field(default_factory=lambda: np.zeros((2, 1, 1)))  # kept for ever, and fading: (2, signals, ^)
    pulls: Array = field(default_factory=lambda: np.zeros((len(EXPERTS), 1)))
    history: list[tuple[str, Array]] = field(default_factory=lambda: [("", np.zeros((len(EXPERTS), 1)))])

    def to_state(self) -> dict[str, Any]:
        """A value for JSON."""
        return _plain(self) | {"history": [[day, trusts.tolist()] for day, trusts in self.history]}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ExpertEnsemble:
        """The council that `to_state` wrote down."""
        history = [(day, np.array(trusts)) for day, trusts in state["history"]]
        return cls(**_arrays({**state, "history": ()}) | {"history": history})

    def widen(self, starts: Array) -> None:
        """Make room for signals met since.

        Parameters
        ----------
        starts : array, shape (signals,)
            The trusts of all signals before any outcome, those known already first.
        """
        size = len(starts)
        self.starts = starts
        self.usual = _padded(self.usual, size)
        self.products = _padded(_padded(self.products, size).transpose(0, 2, 1), size)
        self.pulls = _padded(self.pulls, size)
        self.history = [(day, _begun(trusts, starts)) for day, trusts in self.history]

    def open(self, made_on: str, known_on: str) -> DayOutcomes:
        """A session to be filled with outcomes of predictions made on one evening.

        Experts are judged by what they believed on that evening, when none of these outcomes, nor any that overlaps
        with them, was known.
        """
        known = [number for number, (day, _) in enumerate(self.history) if day <= made_on]
        number = known[-1] if known else 0
        session = DayOutcomes(made_on, known_on, bool(known), self.history[number][1])
        session.widen(self.starts)
        del self.history[: min(number, max(0, len(self.history) - REMEMBERED))]
        return session

    def close(self, session: DayOutcomes) -> None:
        """Learn from a whole session."""
        information = CURVATURE / ((1 - TOGETHER) * VARIANCE * self.horizon)  # outcomes overlap: so many are one
        stocks = session.count / (1 + (session.count - 1) * TOGETHER)  # as if each moved alone
        common = TOGETHER * stocks / session.count
        if session.is_evidence:
            losses = information * (session.losses - common / 2 * session.held_once**2)
            self.beliefs = self.beliefs * np.exp(losses.min() - losses)
            self.beliefs /= self.beliefs.sum()
        if session.made_on > self.latest:
            self.latest = session.made_on
            changing = CHANGING * stocks  # the less a session tells, the less it unsettles
            self.beliefs = (1 - changing) * self.beliefs + changing * SHARES
            self.products[1] *= DECAYS[SHORT]
            self.pulls *= DECAYS[:, None]
        self.sessions += 1
        self.usual += session.opinions / session.count
        self.products += CURVATURE * information * (session.products - common * np.outer(session.once, session.once))
        self.pulls += information * (session.pulls - common * np.outer(session.pull_once, session.once))
        blank = _begun(np.zeros((len(EXPERTS), 0)), self.starts)
        known_on = max(session.known_on, self.history[-1][0])  # one that came in late stands on all that was learned
        self.history.append((known_on, self.weights_now().trusts(blank)))

    def weights_now(self) -> EnsembleWeights:
        """What the experts believe now, wherever they begin."""
        usual = self.usual / max(self.sessions, 1)
        learned, kept = np.empty_like(self.pulls), np.empty((len(EXPERTS), *self.products.shape[1:]))
        for number, expert in enumerate(EXPERTS):
            precision = np.full(len(self.starts), expert.trust_spread**-2)
            precision[DRIFT] = expert.drift_spread**-2
            prior = np.diag(precision) + np.outer(usual, usual) / expert.mean_spread**2
            system = self.products[int(number == SHORT)] + prior
            solved = np.linalg.solve(system, np.column_stack([self.pulls[number], prior]))
            learned[number], kept[number] = solved[:, 0], solved[:, 1:]
        return EnsembleWeights(self.beliefs, learned, kept)


@dataclass(frozen=True, slots=True)
class EnsembleWeights:
    """What experts believe: trusts are `learned` plus as much of where they began as is `kept`."""

    beliefs: Array  # (experts + 1,), "no change" first
    learned: Array  # (experts, signals)
    kept: Array  # (experts, signals, signals)

    def trusts(self, begins: Array) -> Array:
        """Each expert's trusts, begun at `begins`: both (experts, signals)."""
        return self.learned + np.einsum("eij,ej->ei", self.kept, begins)

    @property
    def naive_weight(self) -> float:
        """The belief in "no change"."""
        return float(self.beliefs[0])

    def shares(self, *, is_trained: bool = False) -> Array:
        """How much each expert says where "no change" is left out, shape (experts,); trained: beside priors."""
        odds = np.ones(len(EXPERTS))
        odds[SCEPTIC] = TRAINED_ODDS if is_trained else 1.0
        sharpened = (odds * np.maximum(self.beliefs[1:], LEAST_BELIEF)) ** SHARPNESS
        return np.asarray(sharpened / sharpened.sum())


def _padded(values: Array, size: int) -> Array:
    """The values with zeros added along the last axis, up to `size`."""
    more = size - values.shape[-1]
    return np.concatenate([values, np.zeros((*values.shape[:-1], more))], axis=-1)


def _begun(trusts: Array, starts: Array) -> Array:
    """The trusts with those of signals met since added: the first expert begins at the start, the others at 0."""
    wider = _padded(trusts, len(starts))
    wider[START, trusts.shape[-1] :] = starts[trusts.shape[-1] :]
    return wider


def _plain(record: DayOutcomes | ExpertEnsemble) -> dict[str, Any]:
    values = {part.name: getattr(record, part.name) for part in fields(record)}
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}


def _arrays(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: np.array(value) if isinstance(value, list) else value for name, value in state.items()}
