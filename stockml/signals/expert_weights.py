"""Expert ensemble: outcomes into learned weights, by regressions with differing priors and memory.

Opinions and outcomes come in units of the stock's own scale. Stocks move together and outcomes overlap, so a session
is learned from as a whole, when the next one begins. A learned weight is the regression coefficient of a signal's
opinion: 1 takes the opinion at face value, 0 ignores it. Symbols, log lines and files are left to the learner.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Properties of five-session changes in their scale (Student's t, 5 degrees of freedom), and of stocks in one session.
HUBER = 1.2  # scales; the threshold beyond which an error pulls no harder (Huber 1964)
CURVATURE = 0.716  # the share of outcomes within the threshold
VARIANCE = 0.687  # of outcomes clipped to the threshold
CORRELATION = 0.3  # of two stocks' outcomes in a session; 0.25 to 0.32 on NSE and US stocks


@dataclass(frozen=True, slots=True)
class Expert:
    """Settings of one regression: its prior, its memory, and its part in the fixed share."""

    name: str
    weight_spread: float  # standard deviation of a learned weight about its prior
    drift_spread: float  # of the drift's learned weight, in % at five sessions
    mean_spread: float  # of the average forecast of all signals together, in %; infinite: not restrained
    half_life: float  # of past sessions' influence, in sessions
    share: float  # of the ensemble weight that is redistributed after each session


EXPERTS = (
    Expert("start", weight_spread=1.0, drift_spread=0.3, mean_spread=math.inf, half_life=math.inf, share=0.05),
    Expert("anchored", weight_spread=0.03, drift_spread=3.0, mean_spread=0.05, half_life=math.inf, share=0.85),
    Expert("short", weight_spread=3.0, drift_spread=3.0, mean_spread=0.05, half_life=25.0, share=0.05),
)
START, ANCHORED, SHORT = range(3)
UNTRAINED, TRAINED = range(2)  # stocks without priors from training, and with them
CHANGING = 0.01  # the chance that another expert becomes the best one (Herbster and Warmuth 1998)
SHARES = np.array([1.0 - sum(expert.share for expert in EXPERTS), *(expert.share for expert in EXPERTS)])
DECAYS = np.array([0.5 ** (1 / expert.half_life) for expert in EXPERTS])
DRIFT = 0  # the number of the drift among the signals
LEAST_WEIGHT = 1e-9  # of an expert, whatever the evidence against it
SHARPNESS = 3.0  # power of the ensemble weights: the small weight that the fixed share gives back has no say
TRAINED_ODDS = 3.0  # in favour of the prior-anchored expert for good, where training has found priors
MONTH = 20  # sessions learned from before any expert but the prior-anchored one has a say beside priors from training
REMEMBERED = 20  # sessions at least, of the experts' past weights
MOST_ROWS = 256  # that wait to be added
# The ensemble weights before any outcome, naive first: without priors from training the documented rule is all that is
# known. Beside them the start is the expert that leaves them after a handful of outcomes, so it has to earn its weight.
BEGINNINGS = np.array([[0.0, 1.0, 0.0, 0.0], [0.0, 0.05, 0.9, 0.05]])


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
        return {name: value for name, value in _plain(self).items() if name not in ("rows", "weights")}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> DayOutcomes:
        """Restore a session from `to_state`."""
        return cls(**_arrays(state))

    def widen(self, starts: Array) -> None:
        """Make room for new signals.

        Parameters
        ----------
        starts : array, shape (signals,)
            As in `ExpertEnsemble.widen`.
        """
        self.settle()
        size = len(starts)
        self.trusts = _begun(self.trusts, starts)
        self.opinions = _padded(self.opinions, size)
        self.once = _padded(self.once, size)
        self.products = _padded(_padded(self.products, size).T, size)
        self.pulls = _padded(self.pulls, size)


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
        return _plain(self) | {"history": [[day, weights.tolist()] for day, weights in self.history]}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ExpertEnsemble:
        """Restore an ensemble from `to_state`."""
        history = [(day, np.array(weights)) for day, weights in state["history"]]
        return cls(**_arrays({**state, "history": ()}) | {"history": history})

    def widen(self, starts: Array) -> None:
        """Make room for new signals.

        Parameters
        ----------
        starts : array, shape (signals,)
            The learned weights of all signals before any outcome, known signals first.
        """
        size = len(starts)
        self.starts = starts
        self.usual = _padded(self.usual, size)
        self.products = _padded(_padded(self.products, size).transpose(0, 2, 1), size)
        self.pulls = _padded(self.pulls, size)
        self.history = [(day, _begun(weights, starts)) for day, weights in self.history]

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
        blank = _begun(np.zeros((len(EXPERTS), 0)), self.starts)
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


def _added(total: Array, rows: Array) -> Array:
    """The total with rows added one after the other; `sum` would round otherwise, by how many come together."""
    return np.asarray(np.add.accumulate(np.concatenate([total[None], rows]))[-1])


def _padded(values: Array, size: int) -> Array:
    """The values with zeros added along the last axis, up to `size`."""
    more = size - values.shape[-1]
    return np.concatenate([values, np.zeros((*values.shape[:-1], more))], axis=-1)


def _begun(weights: Array, starts: Array) -> Array:
    """Learned weights with those of new signals added: the first expert's begin at `starts`, the others' at 0."""
    wider = _padded(weights, len(starts))
    wider[START, weights.shape[-1] :] = starts[weights.shape[-1] :]
    return wider


def _plain(record: DayOutcomes | ExpertEnsemble) -> dict[str, Any]:
    values = {part.name: getattr(record, part.name) for part in fields(record)}
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}


def _arrays(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: np.array(value) if isinstance(value, list) else value for name, value in state.items()}
