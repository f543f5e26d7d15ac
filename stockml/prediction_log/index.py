"""Index of the log: lets a run skip lines it has read before.

It lies beside the log with the log's size, time and inode as we left it. It is deleted before the log changes and
written after everything else, so an index that is there and agrees with the log is true. Any difference means one
full reading.
"""

from __future__ import annotations

import json
from bisect import insort
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from stockml.core.records import VERIFIED, Prediction
from stockml.prediction_log.scan import Scan, Span, settled_day
from stockml.storage.files import sealed, storage, unsealed, write_whole

VERSION = 1


class Stamp(NamedTuple):
    """A file's size, time of change and inode: equal stamps, unchanged file."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """The file's stamp now; all 0 where there is none."""
        with storage(path, "look at the file"):
            try:
                status = path.stat()
            except FileNotFoundError:
                return cls(0, 0, 0)
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)


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
    last_settled: str = ""  # the latest day on which a line was settled
    folded: Folded | None = None
    scan: Scan | None = None
    is_racy: bool = False  # the log had changed so recently that a later change may have the same time

    @classmethod
    def of_scan(cls, stamp: Stamp, found: Scan, *, is_racy: bool) -> Index:
        """The index of a log that was read from end to end."""
        settled = max((settled_day(keys[-1]) for keys in (found.verified, found.expired) if keys), default="")
        return cls(stamp, dict(found.pending), found.ids.latest(), set(found.kinds), settled, None, found, is_racy)

    def reaches_beyond(self, day: str) -> bool:
        """True if something in the log was not yet there, or not yet known, at the end of `day`."""
        return max((self.last_settled, *self.latest.values())) > day

    def note_new(self, prediction: Prediction, span: Span) -> None:
        """Take in a pending line that was written."""
        key = (prediction.symbol, prediction.prediction_horizon_days)
        self.pending[prediction.id] = span
        self.latest[key] = max(self.latest.get(key, ""), prediction.data_through)
        self.kinds.add(prediction.source)
        if self.scan is not None:
            self.scan.ids.add(prediction)

    def note_settled(self, prediction: Prediction, key: int) -> None:
        """Take in the completion of a pending line; its key holds time and place."""
        del self.pending[prediction.id]
        self.last_settled = max(self.last_settled, settled_day(key))
        if self.scan is not None:
            insort(self.scan.verified if prediction.status == VERIFIED else self.scan.expired, key)

    def save(self, path: Path) -> None:
        """Write the index behind a checksum."""
        write_whole(path, sealed(json.dumps(self._to_json(), separators=(",", ":")).encode()))

    def _to_json(self) -> dict[str, object]:
        latest: dict[str, dict[int, str]] = {}
        for (symbol, horizon), day in self.latest.items():
            latest.setdefault(symbol, {})[horizon] = day
        return {
            "version": VERSION,
            "stamp": self.stamp,
            "pending": self.pending,
            "latest": latest,
            "kinds": sorted(self.kinds),
            "last_settled": self.last_settled,
            "folded": self.folded,
        }


def load(path: Path, stamp: Stamp) -> Index | None:
    """The index that was saved for a log with this stamp; None where there is none, or it is of another state."""
    with storage(path, "read the file"):
        body = unsealed(path.read_bytes()) if path.exists() else None
    if body is None:
        return None
    values = json.loads(body)
    if values["version"] != VERSION or Stamp(*values["stamp"]) != stamp:
        return None
    return _index(stamp, values)


def _index(stamp: Stamp, values: dict[str, Any]) -> Index:
    return Index(
        stamp=stamp,
        pending={id_: Span(*span) for id_, span in values["pending"].items()},
        latest={
            (symbol, int(horizon)): day for symbol, days in values["latest"].items() for horizon, day in days.items()
        },
        kinds=set(values["kinds"]),
        last_settled=values["last_settled"],
        folded=Folded(*values["folded"]) if values["folded"] else None,
    )
