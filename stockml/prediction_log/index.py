"""Index of the log: lets a run skip lines it has read before.

A row a line stands in `rows`. The checkpoint beside it holds the size, time and inode of the log and of the rows as we
left them. It is moved away before the log changes and written after everything else, so a checkpoint that is there and
agrees with both files is true. Any difference means one full reading, which is compared with the lines that the
checkpoint knew of.
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stockml.core.records import Prediction
from stockml.prediction_log.chain import broken_chain
from stockml.prediction_log.known_lines import KnownLines
from stockml.prediction_log.line import Facts
from stockml.prediction_log.places import FINGERPRINTS, LONGEST_LINE, Span, fingerprint, place, settled_day
from stockml.prediction_log.rewriting import Rewritten
from stockml.prediction_log.rows import Rows
from stockml.prediction_log.scan import Problem, Scan, scan
from stockml.prediction_log.whole_change import smaller_change, whole_change
from stockml.storage.files import sealed, storage, unsealed, write_whole
from stockml.storage.plain_files import plain_status, read_plain

if TYPE_CHECKING:
    from stockml.prediction_log.kept_files import KeptIndex

VERSION = 2
RACY_NS = 2_000_000_000  # a file changed longer ago than this cannot change again and keep its time of change


class Stamp(NamedTuple):
    """A file's size, time of change and inode: equal stamps, unchanged file."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """The file's stamp now; all 0 where there is none, StorageError where it is no plain file."""
        status = plain_status(path)
        return cls(0, 0, 0) if status is None else cls(status.st_size, status.st_mtime_ns, status.st_ino)


class Folded(NamedTuple):
    """The state of feedback: the key of the last outcome it took in, and the digest of the files it wrote.

    `lines` is the fingerprint of the settled lines that it took in: of a log that has the same ones, it is the state
    whatever else became of the log.
    """

    last_key: int
    digest: str
    lines: str = ""


@dataclass(slots=True)
class Index:
    """Facts about the log that need no reading; `scan` only where it was read from end to end."""

    stamp: Stamp
    rows: Rows
    pending: dict[str, Span] = field(default_factory=dict)
    latest: dict[tuple[str, int], str] = field(default_factory=dict)  # greatest data_through by symbol and horizon
    kinds: set[str] = field(default_factory=set)
    known: KnownLines = field(default_factory=KnownLines)
    last_settled: str = ""  # the latest day on which a line was settled
    folded: Folded | None = None
    fingerprint: int = 0  # of the settled lines
    scan: Scan | None = None
    changed: str | None = None  # the sentence about a log that was changed as a whole since it was left
    is_racy: bool = False  # the log had changed so recently that a later change may have the same time

    @classmethod
    def of_scan(cls, stamp: Stamp, found: Scan, rows: Rows, *, is_racy: bool) -> Index:
        """The index of a log that was read from end to end into rows."""
        return cls(
            stamp,
            rows,
            dict(found.pending),
            found.ids.latest(),
            set(found.kinds),
            found.known,
            rows.last_settled(),
            fingerprint=found.fingerprint,
            scan=found,
            is_racy=is_racy,
        )

    def reaches_beyond(self, day: str) -> bool:
        """True if something in the log was not yet there, or not yet known, at the end of `day`."""
        return max((self.last_settled, *self.latest.values())) > day

    def note_new(self, prediction: Prediction, span: Span) -> None:
        """Take in a pending line that was written."""
        key = (prediction.symbol, prediction.prediction_horizon_days)
        self.pending[prediction.id] = span
        self.latest[key] = max(self.latest.get(key, ""), prediction.data_through)
        self.kinds.add(prediction.source)
        self.known.add(prediction.id)
        self.rows.put(Facts.of(prediction), span)

    def note_settled(self, new: Rewritten, key: int) -> None:
        """Take in the completion of a pending line; its key holds time and place."""
        self._note_place(new, self.pending.pop(new.line.id))
        self.fingerprint += fingerprint(new.now, key)
        self.last_settled = max(self.last_settled, settled_day(key))

    def note_reopened(self, new: Rewritten, key: int) -> None:
        """Take in that a settled line, known by its key until now, is pending again."""
        self._note_place(new, Span(place(key), 0))
        self.fingerprint -= fingerprint(new.before, key)
        self.last_settled = self.rows.last_settled()
        self.pending[new.line.id] = new.span
        self.pending = dict(sorted(self.pending.items(), key=lambda item: item[1]))

    def _note_place(self, new: Rewritten, before: Span) -> None:
        if before.at != new.span.at:
            self.rows.drop(before.at)
        self.rows.put(Facts.of(new.line), new.span)

    def note_folded(self, folded: Folded | None) -> None:
        """Take in the state of feedback, which has taken in every settled line."""
        self.folded = folded and folded._replace(lines=self.lines)

    @property
    def lines(self) -> str:
        """The fingerprint of the settled lines."""
        return f"{self.fingerprint % FINGERPRINTS:032x}"

    def to_json(self, rows: Stamp) -> dict[str, object]:
        return {
            "version": VERSION,
            "stamp": self.stamp,
            "rows": rows,
            "kinds": sorted(self.kinds),
            "known": self.known.to_json(),
            "last_settled": self.last_settled,
            "lines": self.lines,
            "folded": self.folded,
        }


def read_from_end_to_end(path: Path, known: KnownLines, folded: Folded | None = None) -> Index:
    """The index of a log by a full reading, compared with the lines that were known.

    `folded` is the state of feedback when the log was left: it is still that of a log with the same settled lines.
    """
    stamp, now = Stamp.of(path), time.time_ns()  # taken first: what changes later shows as another stamp
    rows = Rows.new()
    with storage(path, "read the log"):
        found = scan(path, known.sample(), rows)
    rows.finish()
    index = Index.of_scan(stamp, found, rows, is_racy=now - stamp.mtime_ns < RACY_NS)
    if folded is not None and folded.lines == index.lines:
        index.folded = folded
    index.changed = whole_change(path, known, found)
    if index.changed is None and (text := smaller_change(path, known, found)):
        found.note(Problem(0, text))
    first = None if found.chain.is_whole else broken_chain(path)
    index.known.broken = first and str(first)
    if first and known.broken != str(first) and not found.problems and not index.changed:
        found.note(Problem(first.line, f"{first.text}; --audit tells more, and predicting goes on"))
    return index


class IndexFiles:
    """The index beside a log, and the one it had before it changed last: from both it is known what was there."""

    def __init__(self, log: Path) -> None:
        self._path = log.with_name(".predictions.checkpoint.json")
        self._earlier = log.with_name(".predictions.known.json")
        self._rows = log.with_name(".predictions.index.sqlite")

    def load(self, stamp: Stamp) -> Index | None:
        """The index that was saved for a log with this stamp; None where there is none, or it is of another state."""
        kept = _kept(self._path)
        if kept is None or kept.stamp != stamp or kept.rows != Stamp.of(self._rows):
            return None
        try:
            return _index(stamp, kept, Rows.of(self._rows))
        except (LookupError, TypeError, ValueError, sqlite3.Error):  # as we left them, so not by accident
            return None

    def known(self) -> tuple[KnownLines, Folded | None]:
        """The lines that were known when the log was left, and the state of feedback; it may have changed since."""
        for path in (self._path, self._earlier):
            if (kept := _kept(path)) is not None:
                return kept.known_lines(), _folded(kept)
        return KnownLines(), None

    def retire(self) -> None:
        """Say that the log is about to change: before it does, or the index could outlive its truth."""
        with storage(self._path, "move the file away"), suppress(FileNotFoundError):
            self._path.replace(self._earlier)

    def distrust(self) -> None:
        """Delete the rows, so that the next run reads the log from end to end."""
        with storage(self._rows, "delete the file"):
            self._rows.unlink(missing_ok=True)

    def forget(self) -> None:
        """Delete all that is known."""
        for path in (self._path, self._earlier):
            with storage(path, "delete the file"):
                path.unlink(missing_ok=True)

    def save(self, index: Index) -> None:
        """Write the rows, then the checkpoint behind a checksum; nothing where the rows are damaged, or in use."""
        try:
            index.rows.save(self._rows)
        except sqlite3.Error:
            return  # the next run reads the log from end to end
        values = index.to_json(Stamp.of(self._rows))
        write_whole(self._path, sealed(json.dumps(values, separators=(",", ":")).encode()))


def _kept(path: Path) -> KeptIndex | None:
    """The saved index; None where there is none, or none that this version can have written."""
    body = unsealed(read_plain(path) or b"")
    if body is None:
        return None
    from stockml.prediction_log.kept_files import kept_index

    return kept_index(body, VERSION)


def _index(stamp: Stamp, kept: KeptIndex, rows: Rows) -> Index:
    return Index(
        stamp=stamp,
        rows=rows,
        pending={line.id: _within(stamp, line.span) for line in rows.pending()},
        latest=rows.latest(),
        kinds=set(kept.kinds),
        known=kept.known_lines(),
        last_settled=kept.last_settled,
        folded=_folded(kept),
        fingerprint=int(kept.lines, 16),
    )


def _folded(kept: KeptIndex) -> Folded | None:
    return Folded(*kept.folded) if kept.folded else None


def _within(stamp: Stamp, span: Span) -> Span:
    if not (0 <= span.at <= span.at + span.width <= stamp.size and span.width <= LONGEST_LINE):
        raise ValueError(f"a line of {span.width} bytes at {span.at} is not within the log")
    return span
