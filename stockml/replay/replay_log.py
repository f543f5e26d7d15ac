"""The log of a replay, and the learner that follows it outcome by outcome."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Protocol

from stockml.accuracy.record import GrowingRecord
from stockml.accuracy.tracker import Feedback, Learned
from stockml.core.outcomes import Outcome
from stockml.core.records import Prediction
from stockml.prediction_log.log import PredictionLog
from stockml.signals.learner import Learner


class ReplayLog(Protocol):
    """The part of a log that a replay needs: on disk, or in memory."""

    @property
    def pending(self) -> Mapping[str, Prediction]:
        """Predictions without an outcome, by id."""

    @property
    def learner(self) -> Learner:
        """The learner after all outcomes so far."""

    def settle(self, outcomes: Mapping[str, Outcome]) -> None:
        """Complete pending predictions, and learn from them."""

    def append(self, predictions: Sequence[Prediction]) -> Sequence[Prediction]:
        """Add predictions; returns those that were new."""


class DiskReplayLog:
    """The log on disk, held under its lock, and the learner's state, kept in memory until `close`."""

    def __init__(self, log: PredictionLog, feedback: Feedback[Learner]) -> None:
        self._log, self._feedback = log, feedback
        self._learned: Learned[Learner] = feedback.update(log)
        self._record = GrowingRecord(self._learned.record)  # complete when the replay ends: nobody asks for it before
        self._last_key = log.folded.last_key if log.folded else 0
        self._folded = 0  # of the log's unfolded outcomes
        self.pending: dict[str, Prediction] = {line.id: line for line in log.read().pending}

    @property
    def learner(self) -> Learner:
        """The learner after all outcomes so far."""
        return self._learned.learner

    def settle(self, outcomes: Mapping[str, Outcome]) -> None:
        """Complete pending predictions, and learn from them."""
        if not outcomes:
            return
        for line in self._log.settle(outcomes).done:
            del self.pending[line.id]
        known = self._log.unfolded
        new: Sequence[int] = known[bisect_right(known, self._last_key) :]
        if len(known) - self._folded != len(new):  # one sorts before the last: start over, as a live run does
            self._learned, new = Learned(Learner()), self._log.settled()
            self._record = GrowingRecord(self._learned.record)
        for line in self._log.lines_at(new):
            self._record.add(line)
            self._learned.learn(line)
        self._folded, self._last_key = len(known), (new or [self._last_key])[-1]

    def append(self, predictions: Sequence[Prediction]) -> Sequence[Prediction]:
        """Write predictions; returns those that were new."""
        new = self._log.append(predictions)
        self.pending |= {line.id: line for line in new}
        return new

    def close(self) -> None:
        """Leave feedback/ as the last day's run would have."""
        self._record.close()
        self._feedback.keep(self._log, self._learned, self._last_key)
