"""Index of the log: lets a run skip lines it has read before.

It lies beside the log with the log's size, time and inode as we left it. It is moved away before the log changes and
written after everything else, so an index that is there and agrees with the log is true. Any difference means one
full reading, which is compared with the lines that the index knew of.
"""

from __future__ import annotations

import json
import time
from bisect import insort
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from stockml.core.outcomes import VERIFIED
from stockml.core.records import Prediction
from stockml.prediction_log.chain import broken_chain
from stockml.prediction_log.known_lines import KnownLines
from stockml.prediction_log.line import Facts
from stockml.prediction_log.scan import LONGEST_LINE, Problem, Scan, Span, scan, settled_day
from stockml.prediction_log.whole_change import smaller_change, whole_change
from stockml.storage.files import sealed, storage, unsealed, write_whole
from stockml.storage.plain_files import plain_status, read_plain

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
    """The state of feedback: the key of the last outcome it took in, and the digest of the files it wrote."""

    last_key: int
    digest: str


@dataclass(slots=True)
class Index:
    """Facts about the log that need no reading; `scan` only where it was read from end to end."""

    stamp: Stamp
    pending: dict[str, Span] = field(default_factory=dict)
    latest: dict[tuple[str, int], str] = field(default_factory=dict)  # greatest data_through by symbol and horizon
    kinds: set[str] = field(default_factory=set)
    known: KnownLines = field(default_factory=KnownLines)
    last_settled: str = ""  # the latest day on which a line was settled
    folded: Folded | None = None
    scan: Scan | None = None
    changed: str | None = None  # the sentence about a log that was changed as a whole since it was left
    is_racy: bool = False  # the log had changed so recently that a later change may have the same time

    @classmethod
    def of_scan(cls, stamp: Stamp, found: Scan, *, is_racy: bool) -> Index:
        """The index of a log that was read from end to end."""
        return cls(
            stamp,
            dict(found.pending),
            found.ids.latest(),
            set(found.kinds),
            found.known,
            found.last_settled(),
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
        if self.scan is not None:
            self.scan.ids.add(Facts.of(prediction))

    def note_settled(self, prediction: Prediction, key: int) -> None:
        """Take in the completion of a pending line; its key holds time and place."""
        del self.pending[prediction.id]
        self.last_settled = max(self.last_settled, settled_day(key))
        if self.scan is not None:
            insort(self.scan.verified if prediction.status == VERIFIED else self.scan.expired, key)

    def note_reopened(self, prediction: Prediction, span: Span, key: int) -> None:
        """Take in that a settled line, known by its key, is pending again; the log was read from end to end."""
        assert self.scan is not None, "a settled line is found by a full reading only"
        for keys in (self.scan.verified, self.scan.expired):
            if key in keys:
                keys.remove(key)
        self.last_settled = self.scan.last_settled()
        self.pending[prediction.id] = span
        self.pending = dict(sorted(self.pending.items(), key=lambda item: item[1]))

    def to_json(self) -> dict[str, object]:
        latest: dict[str, dict[int, str]] = {}
        for (symbol, horizon), day in self.latest.items():
            latest.setdefault(symbol, {})[horizon] = day
        return {
            "version": VERSION,
            "stamp": self.stamp,
            "pending": self.pending,
            "latest": latest,
            "kinds": sorted(self.kinds),
            "known": self.known.to_json(),
            "last_settled": self.last_settled,
            "folded": self.folded,
        }


def read_from_end_to_end(path: Path, known: KnownLines) -> Index:
    """The index of a log by a full reading, compared with the lines that were known."""
    stamp, now = Stamp.of(path), time.time_ns()  # taken first: what changes later shows as another stamp
    with storage(path, "read the log"):
        found = scan(path, known.sample())
    index = Index.of_scan(stamp, found, is_racy=now - stamp.mtime_ns < RACY_NS)
    index.changed = whole_change(path, known, found)
    if index.changed is None and (text := smaller_change(path, known, found)):
        found.note(Problem(0, text))
    first = broken_chain(path)
    index.known.broken = first and str(first)
    if first and known.broken != str(first) and not found.problems and not index.changed:
        found.note(Problem(first.line, f"{first.text}; --audit tells more, and predicting goes on"))
    return index


class IndexFiles:
    """The index beside a log, and the one it had before it changed last: from both it is known what was there."""

    def __init__(self, log: Path) -> None:
        self._path = log.with_name(".predictions.checkpoint.json")
        self._earlier = log.with_name(".predictions.known.json")

    def load(self, stamp: Stamp) -> Index | None:
        """The index that was saved for a log with this stamp; None where there is none, or it is of another state."""
        values = _values(self._path)
        if values is None or values["stamp"] != list(stamp):
            return None
        try:
            return _index(stamp, values)
        except (KeyError, TypeError, ValueError, AttributeError):  # behind a right checksum, so not by accident
            return None

    def known(self) -> KnownLines:
        """The lines that were known when the log was left; it may have changed since."""
        for path in (self._path, self._earlier):
            with suppress(KeyError, TypeError, ValueError):
                if (values := _values(path)) is not None:
                    return KnownLines.from_json(values["known"])
        return KnownLines()

    def retire(self) -> None:
        """Say that the log is about to change: before it does, or the index could outlive its truth."""
        with storage(self._path, "move the file away"), suppress(FileNotFoundError):
            self._path.replace(self._earlier)

    def forget(self) -> None:
        """Delete all that is known."""
        for path in (self._path, self._earlier):
            with storage(path, "delete the file"):
                path.unlink(missing_ok=True)

    def save(self, index: Index) -> None:
        """Write the index behind a checksum."""
        write_whole(self._path, sealed(json.dumps(index.to_json(), separators=(",", ":")).encode()))


def _values(path: Path) -> dict[str, Any] | None:
    """The fields of a saved index; None where there is none, or it is not as it was written."""
    body = unsealed(read_plain(path) or b"")
    try:
        values = json.loads(body) if body is not None else None
    except (ValueError, RecursionError):
        return None
    is_ours = isinstance(values, dict) and values.get("version") == VERSION and "stamp" in values
    return values if is_ours else None


def _index(stamp: Stamp, values: dict[str, Any]) -> Index:
    return Index(
        stamp=stamp,
        pending={id_: _span(stamp, *span) for id_, span in values["pending"].items()},
        latest={
            (symbol, int(horizon)): day for symbol, days in values["latest"].items() for horizon, day in days.items()
        },
        kinds=set(values["kinds"]),
        known=KnownLines.from_json(values["known"]),
        last_settled=values["last_settled"],
        folded=Folded(*values["folded"]) if values["folded"] else None,
    )


def _span(stamp: Stamp, at: int, width: int) -> Span:
    if not (0 <= at <= at + width <= stamp.size and width <= LONGEST_LINE):
        raise ValueError(f"a line of {width} bytes at {at} is not within the log")
    return Span(at, width)
