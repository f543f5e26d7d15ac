"""Accuracy tracker: settled lines of the log in, each symbol's score and the learner's state out; owner of feedback/.

Everything in the folder is a function of the settled lines, folded in the order of (verified_at or expired_at,
position), and of the main horizon that the home's settings name: it can be deleted at any time and comes back the same.
A run folds in only what is new, where it can be sure of the rest. Expired lines teach nothing; they are counted beside
the scores.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from stockml.accuracy.record import Record
from stockml.core.outcomes import VERIFIED
from stockml.core.records import Prediction
from stockml.prediction_log.log import Folded, PredictionLog, Settled
from stockml.prediction_log.view import View
from stockml.storage.files import storage, write_whole
from stockml.storage.plain_files import read_plain
from stockml.storage.tail_file import write_for_tail

if TYPE_CHECKING:
    from stockml.accuracy.kept_record import KeptState

LOG = logging.getLogger(__name__)

VERSION = 7


class Learns(Protocol):
    """A learner: the same lines in the same order give the same state."""

    def __init__(self) -> None: ...

    def learn(self, prediction: Prediction) -> None: ...

    def to_state(self) -> dict[str, Any]: ...

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self: ...


L = TypeVar("L", bound=Learns)


@dataclass(frozen=True, slots=True)
class Learned(Generic[L]):
    """The state after folding settled lines: the learner, and the record of the predictions."""

    learner: L
    record: Record = field(default_factory=Record)

    def fold(self, predictions: Iterable[Prediction]) -> None:
        for prediction in self.record.fold(predictions):
            self.learn(prediction)

    def learn(self, prediction: Prediction) -> None:
        """Let the learner take in one settled prediction, which the record is given apart."""
        if prediction.status != VERIFIED:
            return
        try:
            self.learner.learn(prediction)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            LOG.warning("%s: counted, but nothing can be learned from its line", prediction.id)
            LOG.debug("%s: %s: %s", prediction.id, type(error).__name__, error)


class AccuracyTracker:
    """Owner of feedback/: reads the record from it, for which no learner is needed."""

    def __init__(self, folder: Path, main_horizon: int | None = None) -> None:
        self._main_horizon = main_horizon  # as the home's settings name it
        self._scores_file = folder / "accuracy_scores.json"
        self._state_file = folder / "learned.json"

    def kept(self, log: PredictionLog) -> Record | None:
        """The record where the folder holds all outcomes of the log already, else None; under its lock."""
        if not log.path.exists() and not self._state_file.exists() and not self._scores_file.exists():
            return Record()
        if not log.folded or log.unfolded:
            return None
        with suppress(ValueError):
            kept = self._kept_state(log.folded)
            if kept is not None and kept.main_horizon == self._main_horizon:
                return Record.from_state(kept.record)
        return None

    def record(self, view: View) -> Record:
        """The record as of the view; it needs no lock."""
        kept = self._record(view.folded) if view.folded else None
        if kept is not None:
            return kept
        record = Record()
        for _ in record.fold(view.settled):
            pass
        return record

    def _record(self, folded: Folded) -> Record | None:
        """The record as it was written when `folded` was noted, else None."""
        with suppress(ValueError):
            if (kept := self._kept_state(folded)) is not None:
                return Record.from_state(kept.record)
        return None

    def _kept_state(self, folded: Folded) -> KeptState | None:
        """The state file as it was written when `folded` was noted, else None; ValueError where nobody wrote it so."""
        if self._digest() != folded.digest:
            return None
        from stockml.accuracy.kept_record import MOST_BYTES, KeptState
        from stockml.storage.decoding import decoded

        kept = decoded(KeptState, read_plain(self._state_file, MOST_BYTES) or b"", MOST_BYTES)
        return kept if kept.version == VERSION else None

    def _digest(self) -> str:
        with storage(self._scores_file.parent, "read the folder"):
            found = [read_plain(path) or b"" for path in (self._state_file, self._scores_file)]
        return hashlib.sha256(b"".join(found)).hexdigest()


class Feedback(AccuracyTracker, Generic[L]):
    """The folder together with the kind of learner whose state it holds."""

    def __init__(self, folder: Path, learner: type[L], main_horizon: int | None = None) -> None:
        super().__init__(folder, main_horizon)
        self._learner = learner

    def update(self, log: PredictionLog, view: View | None = None, settled: Settled | None = None) -> Learned[L]:
        """Bring the folder up to the log, under its lock; returns the state as of the view.

        The folder always follows the whole log. Only where the view looks at an earlier day does the answer differ:
        then it is folded again from what was verified by that day, with what has just been settled as of it.
        """
        learned = self._up_to_date(log)
        if view is None or not view.is_partial:
            return learned
        return self.preview(view, settled.left if settled else ())

    def keep(self, log: PredictionLog, learned: Learned[L], last_key: int) -> None:
        """Write down what was folded elsewhere, up to the outcome with that key; the caller holds the log's lock."""
        self._write(learned)
        log.note_folded(Folded(last_key, self._digest()))

    def refolded(self, view: View) -> dict[str, tuple[Any, Any]]:
        """By each file's name what it holds, None where it is not there, and the same folded again from the view.

        By the main horizon that the folder names: the settings may have changed since the last run.
        """
        again, state = self._nothing(), _json_in(self._state_file)
        again.fold(view.settled)
        main_horizon = state.get("main_horizon") if isinstance(state, dict) else self._main_horizon
        texts = _texts(again, main_horizon if isinstance(main_horizon, int) else None)
        pairs = zip((self._state_file, self._scores_file), texts, strict=True)
        return {path.name: (_json_in(path), json.loads(text)) for path, text in pairs}

    def preview(self, view: View, settled: Iterable[Prediction] = ()) -> Learned[L]:
        """The state as of the view and of lines settled beside it, which are given in the order of the log.

        It needs no lock; nothing is written.
        """
        known = self._kept(view.folded) if view.folded else None
        if known is None:
            known = self._nothing()
            known.fold(view.settled)
        known.fold(sorted(settled, key=lambda line: line.outcome.ended_at if line.outcome else ""))
        return known

    def _up_to_date(self, log: PredictionLog) -> Learned[L]:
        folded = log.folded
        new: Sequence[int] = log.unfolded
        learned = self._kept(folded) if folded and (not new or new[0] > folded.last_key) else None
        if learned is None:  # lost, edited, of another version, or an outcome came in that belongs before the last one
            new = log.settled()
            learned, folded = self._nothing(), None
        learned.fold(log.lines_at(new))
        last_key = new[-1] if new else folded.last_key if folded else 0
        if new or folded is None:
            self._write(learned)
            folded = Folded(last_key, self._digest())
        log.note_folded(folded)
        return learned

    def _nothing(self) -> Learned[L]:
        return Learned(self._learner())

    def _kept(self, folded: Folded) -> Learned[L] | None:
        """The state in the folder; None unless it was written when `folded` was noted."""
        try:
            kept = self._kept_state(folded)
            if kept is None or kept.main_horizon != self._main_horizon:
                return None
            return Learned(self._learner.from_state(kept.learner), Record.from_state(kept.record))
        except (ValueError, KeyError, TypeError):
            return None

    def _write(self, learned: Learned[L]) -> None:
        state, scores = _texts(learned, self._main_horizon)
        write_whole(self._state_file, state)
        write_for_tail(self._scores_file, scores)


def _texts(learned: Learned[L], main_horizon: int | None) -> tuple[str, str]:
    """The content of the state file and of the scores' file."""
    state = {
        "version": VERSION,
        "main_horizon": main_horizon,
        "record": learned.record.to_state(),
        "learner": learned.learner.to_state(),
    }
    return (
        json.dumps(state, allow_nan=False, sort_keys=True) + "\n",
        json.dumps(learned.record.to_scores(main_horizon), allow_nan=False, indent=2),
    )


def _json_in(path: Path) -> Any:
    """The JSON value in a file; None where there is no file, or none in it."""
    from stockml.storage.decoding import decoded_object

    try:
        return decoded_object(read_plain(path) or b"")
    except ValueError:
        return None
