"""The log of predictions: one line each for its whole life, completed in place; owner of predictions.jsonl.

Outcomes are found elsewhere; here they are written so that nothing is lost, doubled or half written. Only this module
changes the log; each change goes through the redo journal, which says why no crash can tear it.
"""

from __future__ import annotations

import logging
from bisect import insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

from stockml.core.outcomes import Outcome
from stockml.core.records import Prediction
from stockml.core.seals import FIRST
from stockml.prediction_log.chain_end import last_seal
from stockml.prediction_log.index import Folded, Index, Stamp
from stockml.prediction_log.line import completed_line, new_line, reopened_line, sealed_in_turn
from stockml.prediction_log.log_reader import LogReader
from stockml.prediction_log.places import Span, settled_key
from stockml.prediction_log.repair import batches, grown, lost_lines, rejected_path, repairs
from stockml.prediction_log.restore import alone
from stockml.prediction_log.rewriting import Rewriting, rewritten
from stockml.prediction_log.scan import LineGone, Problem
from stockml.prediction_log.seals import Head, Witness, added, witness_path
from stockml.prediction_log.view import Ids, Settled, View, pending_lines
from stockml.prediction_log.whole_change import LogChanged
from stockml.storage.file_lock import LockTimeout
from stockml.storage.redo_journal import Change, Journal

__all__ = ["Folded", "LockTimeout", "LogChanged", "PredictionLog", "Problem", "Settled", "View"]  # the room's face

LOG = logging.getLogger(__name__)

LOCK_TIMEOUT_SECONDS = 60.0


class PredictionLog(LogReader):
    """The log at a path; nothing is opened or created until needed, nothing is written without the lock."""

    def __init__(self, path: Path, *, accepts_changes: bool = False) -> None:
        super().__init__(path, accepts_changes=accepts_changes)
        self._journal = Journal(path.with_name(".predictions.journal"))
        self._unfolded: list[int] = []  # keys of outcomes that feedback has not taken in yet
        self._is_edited = False

    # Writing ----------------------------------------------------------------------------------------------------------

    @contextmanager
    def locked(self, timeout: float = LOCK_TIMEOUT_SECONDS) -> Iterator[PredictionLog]:
        """Hold the log's lock, from re-reading to the last fsync; LockTimeout if another run holds it for too long.

        The changes of an interrupted run are finished first; damaged lines are repaired or set aside.
        """
        with alone(self.path, timeout):
            self._is_locked, self._is_edited = True, False
            try:
                self._journal.replay()
                self._reread()
                yield self
                self._save()
            finally:
                self._is_locked, self._index, self._unfolded, self._later = False, None, [], {}

    def settle(self, outcomes: Mapping[str, Outcome]) -> Settled:
        """Complete pending lines in place; ids that are not pending in the log are left alone."""
        index = self._writable()
        due = sorted((id_ for id_ in outcomes if id_ in index.pending), key=index.pending.__getitem__)
        done: list[Prediction] = []
        for ids in batches(due):
            done += self._complete(index, {id_: outcomes[id_] for id_ in ids})
        left = (replace(line, outcome=outcomes[id_]) for id_, line in self._later.items() if id_ in outcomes)
        return Settled(tuple(done), tuple(left))

    def append(self, predictions: Iterable[Prediction]) -> list[Prediction]:
        """Write new predictions, all or none, leaving out those already in the log; returns those written."""
        index = self._writable()
        taken = Ids(index, self._has)
        new: dict[str, Prediction] = {}
        for prediction in predictions:
            if prediction.id not in taken:
                new.setdefault(prediction.id, prediction)
        if not new:
            return []
        made = sealed_in_turn(new.values(), last_seal(self.path))
        lines = list(map(new_line, made))
        change = grown(self.path, b"".join(lines))
        self._commit([change])
        at = change.at
        for prediction, line in zip(made, lines, strict=True):
            index.note_new(prediction, Span(at, len(line) - 1))
            at += len(line)
        return made

    def reopen(self, times: Mapping[str, str]) -> list[Prediction]:
        """Make settled lines pending again, all or none, each with a note of the outcome that it had.

        Parameters
        ----------
        times : mapping
            The time to note by id, YYYY-MM-DDTHH:MM:SS; ValueError for an id that is not a settled line's.
        """
        index = self._writable()
        found = self._asked(lambda rows: rows.settled_places(times))
        spans = {id_: span for id_, (_, span) in found.items()}
        new = rewritten(self.path, spans, lambda raw, id_: reopened_line(raw, id_, times[id_]))
        failed = dict.fromkeys(times.keys() - spans.keys(), "no settled line") | new.failed
        if failed:
            raise ValueError("; ".join(f"{id_} cannot be reopened: {why}" for id_, why in failed.items()))
        self._put(new)
        for one in new.lines:
            index.note_reopened(one, found[one.line.id][0])
        self._unfolded, index.folded = [], None  # no outcome can be unlearned: feedback is folded again
        return [one.line for one in new.lines]

    def head(self) -> Head | None:
        """The end of the chain of seals; None where no line has a seal. Needs no lock."""
        seal = last_seal(self.path)
        return None if seal == FIRST else Head(self._known().known.count, seal)

    def witness(self, at: datetime, as_of: date | None = None) -> Witness | None:
        """Write the head down in seals.jsonl, with the time at which the run ends; None without a head."""
        self._writable()
        head = self.head()
        if head is None:
            return None
        found = Witness.now(head, self.path, at, as_of)
        self._journal.commit([added(self.path, found)])
        return found

    # For feedback -----------------------------------------------------------------------------------------------------

    @property
    def folded(self) -> Folded | None:
        """The state of feedback when the log was last left; None where that is not known."""
        return self._writable().folded

    @property
    def unfolded(self) -> list[int]:
        """Keys, ascending, of the outcomes since then."""
        return sorted(self._unfolded)

    def lines_at(self, keys: Sequence[int]) -> Iterator[Prediction]:
        """The predictions of settled lines by their keys, in their order."""
        try:
            yield from super().lines_at(keys)
        except LineGone:
            if self._is_locked:
                self._files.distrust()
            raise

    def note_folded(self, folded: Folded) -> None:
        """Record that feedback has taken in every outcome."""
        index = self._writable()
        before, self._unfolded = index.folded, []
        index.note_folded(folded)
        self._is_unsaved |= index.folded != before

    # ------------------------------------------------------------------------------------------------------------------

    def _writable(self) -> Index:
        assert self._is_locked and self._index is not None, "the log is written under its lock only"
        return self._index

    def _reread(self) -> None:
        """Make the index true under the lock, by a full reading if need be; then repair the log."""
        stamp, left = Stamp.of(self.path), self._journal.left()
        index = self._index
        if index is None or index.scan is None or index.is_racy or index.stamp != stamp:
            index = None if left else self._files.load(stamp)
        self._is_unsaved = index is None or index.scan is not None
        self._index = None  # the index of a large log takes room
        self._index = index or self._scanned()
        self._put_right(self._index)
        if left:
            self._redo(left)

    def _put_right(self, index: Index) -> None:
        """Set damaged lines aside and repair others, where the log was read from end to end."""
        self._agreed(index)
        if index.changed:
            LOG.warning("%s: taken as it is, as --accept-log says", self.path)
            self._files.forget()
        if index.scan is not None:
            for changes in repairs(self.path, index.scan):
                self._commit(changes)

    def _redo(self, left: list[Change]) -> None:
        """Write again the changes of an interrupted run whose place somebody edited since."""
        for path in (rejected_path(self.path), witness_path(self.path)):
            entries = b"".join(change.new for change in left if change.file == path.name)
            self._commit([grown(path, entries)] if entries else [])
        for line in lost_lines(self.path, left):
            self.append([replace(line, outcome=None)])
            if line.outcome is not None:
                self.settle({line.id: line.outcome})
        self._journal.forget_left()

    def _pending_lines(self) -> list[Prediction]:
        index = self._known()
        lines = super()._pending_lines()
        if self._is_locked and len(lines) < len(index.pending):
            # the index is not true: somebody changed the log and kept its size, time and inode
            self._index, self._is_unsaved = self._scanned(), True
            self._put_right(self._index)
            lines = pending_lines(self.path, self._index)
        return lines

    def _complete(self, index: Index, due: Mapping[str, Outcome]) -> list[Prediction]:
        """Settle some lines in one commit; a line that somebody left without room moves to the end of the file."""
        spans = {id_: index.pending[id_] for id_ in due}
        new = rewritten(self.path, spans, lambda raw, id_: completed_line(raw, id_, due[id_]))
        for id_, why in new.failed.items():
            LOG.error("%s: its line cannot be completed and stays pending (%s); correct it", id_, why)
        self._put(new)
        for one in new.lines:
            key = settled_key(due[one.line.id].ended_at, one.span.at)
            index.note_settled(one, key)
            insort(self._unfolded, key)
        return [one.line for one in new.lines]

    def _put(self, new: Rewriting) -> None:
        """Commit rewritten lines."""
        if new.moved:
            self._files.forget()  # until the index is written: these lines no longer stand where they were known to
        self._commit(new.changes)
        for id_ in new.moved:
            self._writable().known.move_to_end(id_)

    def _commit(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        index = self._writable()
        self._is_edited |= Stamp.of(self.path) != index.stamp
        self._files.retire()
        self._is_unsaved = True
        self._journal.commit(changes)
        index.stamp = Stamp.of(self.path)

    def _save(self) -> None:
        """Write the index that spares the next run a full reading, unless somebody edited the log meanwhile."""
        index = self._writable()
        if self._unfolded:
            index.folded = None
        is_as_we_left_it = not self._is_edited and Stamp.of(self.path) == index.stamp
        if self._is_unsaved and is_as_we_left_it and index.stamp.inode:
            self._files.save(index)
