"""What the verified lines of the log add up to: accuracy for people, and the learner's state; owner of feedback/.

Everything in the folder is a function of the verified lines alone, folded in the order of (verified_at, position): it
can be deleted at any time and comes back the same. A run folds in only what is new, where it can be sure of the rest.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar

from stockml.core.records import VERIFIED, Prediction
from stockml.prediction_log.log import Folded, PredictionLog, Settled
from stockml.prediction_log.view import View
from stockml.storage.files import storage, write_whole
from stockml.storage.tail_file import write_for_tail

LOG = logging.getLogger(__name__)

VERSION = 1
ENOUGH_OUTCOMES = 500  # for a share of 58 % to be no luck, though they overlap
GREATEST_DIRECTION, GREATEST_R2 = 0.58, 0.05  # nobody forecasts prices so well by honest means


class Learns(Protocol):
    """What is asked of a learner: the same lines in the same order give the same state."""

    def __init__(self) -> None: ...

    def learn(self, prediction: Prediction) -> None: ...

    def to_state(self) -> dict[str, Any]: ...

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self: ...


L = TypeVar("L", bound=Learns)


@dataclass(slots=True)
class Accuracy:
    """A symbol's verified predictions so far, all horizons together."""

    total: int = 0
    accurate: int = 0
    direction_hits: int = 0  # predicted and actual change of the same sign
    error_pct_sum: float = 0.0
    naive_error_pct_sum: float = 0.0
    error_squares: float = 0.0
    naive_error_squares: float = 0.0

    def add(self, prediction: Prediction) -> None:
        outcome = prediction.outcome
        assert outcome is not None and outcome.error_pct is not None and outcome.naive_error_pct is not None
        self.total += 1
        self.accurate += bool(outcome.was_accurate)
        self.direction_hits += prediction.predicted_change_pct * prediction.actual_change_pct > 0
        self.error_pct_sum += outcome.error_pct
        self.naive_error_pct_sum += outcome.naive_error_pct
        self.error_squares += outcome.error_pct**2
        self.naive_error_squares += outcome.naive_error_pct**2

    def to_record(self) -> dict[str, Any]:
        """SPEC's three keys, then how far predictions were off, and how far "no change" would have been."""
        return {
            "total_predictions": self.total,
            "accurate_predictions": self.accurate,
            "accuracy": round(self.accurate / self.total, 4),
            "mean_error_pct": round(self.error_pct_sum / self.total, 4),
            "mean_naive_error_pct": round(self.naive_error_pct_sum / self.total, 4),
            "direction_hits": self.direction_hits,
        }


@dataclass(frozen=True, slots=True)
class Learned(Generic[L]):
    """What is known after folding: the learner, and each symbol's accuracy."""

    learner: L
    accuracy: dict[str, Accuracy]

    def fold(self, predictions: Iterable[Prediction]) -> None:
        for prediction in predictions:
            self.accuracy.setdefault(prediction.symbol, Accuracy()).add(prediction)
            try:
                self.learner.learn(prediction)
            except (ArithmeticError, LookupError, TypeError, ValueError) as error:
                LOG.warning("%s: counted, but nothing can be learned from its line (%s)", prediction.id, error)


class Feedback(Generic[L]):
    """The folder and the kind of learner whose state it holds."""

    def __init__(self, folder: Path, learner: type[L] | None = None) -> None:
        self._type = learner
        self._scores = folder / "accuracy_scores.json"
        self._state = folder / "learned.json"

    def update(self, log: PredictionLog, view: View | None = None, settled: Settled | None = None) -> Learned[L]:
        """Bring the folder up to the log, under its lock; returns what was known as of the view.

        The folder always follows the whole log. Only where the view looks at an earlier day does the answer differ:
        then it is folded anew from what was verified by that day, with what has just been settled as of it.
        """
        learned = self._up_to_date(log)
        if view is None or not view.is_partial:
            return learned
        return self.preview(view, settled.left if settled else ())

    def keep(self, log: PredictionLog, learned: Learned[L], last_key: int) -> None:
        """Write down what was folded elsewhere, up to the outcome with that key; the caller holds the log's lock."""
        self._write(learned)
        log.note_folded(Folded(last_key, self._digest()))

    def preview(self, view: View, settled: Iterable[Prediction] = ()) -> Learned[L]:
        """What is known as of the view, and from lines settled beside it, which are given in the order of the log.

        It needs no lock; nothing is written.
        """
        known = self._kept(view.folded) if view.folded else None
        if known is None:
            known = self._nothing()
            known.fold(view.verified)
        verified = [line for line in settled if line.status == VERIFIED]
        known.fold(sorted(verified, key=lambda line: line.outcome.settled_at if line.outcome else ""))
        return known

    def kept_accuracy(self, log: PredictionLog) -> dict[str, Accuracy] | None:
        """The accuracy by symbol where the folder holds all outcomes of the log already, else None; under its lock.

        It needs no learner: a run with nothing to do may leave out whatever one would load.
        """
        if not log.path.exists() and not self._state.exists() and not self._scores.exists():
            return {}
        values = self._values(log.folded) if log.folded and not log.unfolded else None
        return None if values is None else _accuracy(values)

    def _up_to_date(self, log: PredictionLog) -> Learned[L]:
        new, folded = log.unfolded, log.folded
        learned = self._kept(folded) if folded and (not new or new[0] > folded.last_key) else None
        if learned is None:  # lost, edited, of another version, or an outcome came in that belongs before the last one
            new = log.full_scan().verified
            learned, folded = self._nothing(), None
        learned.fold(log.lines_at(new))
        last_key = new[-1] if new else folded.last_key if folded else 0
        if new or folded is None:
            self._write(learned)
            folded = Folded(last_key, self._digest())
        log.note_folded(folded)
        return learned

    @property
    def _learner(self) -> type[L]:
        assert self._type is not None, "without a learner only the accuracy that is kept can be asked for"
        return self._type

    def _nothing(self) -> Learned[L]:
        return Learned(self._learner(), {})

    def _kept(self, folded: Folded) -> Learned[L] | None:
        """What the folder holds; None unless it is what was written when `folded` was noted."""
        values = self._values(folded)
        if values is None:
            return None
        try:
            return Learned(self._learner.from_state(values["learner"]), _accuracy(values))
        except (ValueError, KeyError, TypeError):
            return None

    def _values(self, folded: Folded) -> dict[str, Any] | None:
        """The state file as it was written when `folded` was noted, else None."""
        if self._digest() != folded.digest:
            return None
        try:
            values = json.loads(self._state.read_bytes())
            return values if values["version"] == VERSION else None
        except (ValueError, KeyError, TypeError):
            return None

    def _write(self, learned: Learned[L]) -> None:
        scores = {symbol: accuracy.to_record() for symbol, accuracy in sorted(learned.accuracy.items())}
        state = {
            "version": VERSION,
            "accuracy": {symbol: asdict(accuracy) for symbol, accuracy in sorted(learned.accuracy.items())},
            "learner": learned.learner.to_state(),
        }
        write_whole(self._state, json.dumps(state, allow_nan=False, sort_keys=True) + "\n")
        write_for_tail(self._scores, json.dumps(scores, allow_nan=False, indent=2))

    def _digest(self) -> str:
        with storage(self._scores.parent, "read the folder"):
            found = [path.read_bytes() if path.exists() else b"" for path in (self._state, self._scores)]
        return hashlib.sha256(b"".join(found)).hexdigest()


def _accuracy(values: Mapping[str, Any]) -> dict[str, Accuracy]:
    return {symbol: Accuracy(**sums) for symbol, sums in values["accuracy"].items()}


def leakage_warning(accuracy: Iterable[Accuracy]) -> str | None:
    """What in the record so far is too good to be true, in one sentence; None where nothing is, or it is short."""
    scores = list(accuracy)
    total = sum(score.total for score in scores)
    if total < ENOUGH_OUTCOMES:
        return None
    direction = sum(score.direction_hits for score in scores) / total
    naive = sum(score.naive_error_squares for score in scores)
    r2 = 1 - sum(score.error_squares for score in scores) / naive if naive else 0.0
    if direction <= GREATEST_DIRECTION and r2 <= GREATEST_R2:
        return None
    return (
        f"Of {total} predictions {direction:.1%} had the right direction and {r2:.1%} of the squared change was "
        f"explained (over {GREATEST_DIRECTION:.0%} or {GREATEST_R2:.0%} is too good to be true): a value may have "
        "seen the future; run --self-check"
    )
