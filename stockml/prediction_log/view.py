"""Views of the log, now or at the end of a past day: pending lines, verified lines, taken ids."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stockml.core.records import Prediction
from stockml.prediction_log.index import Folded, Index
from stockml.prediction_log.line import read_line
from stockml.prediction_log.places import settled_day
from stockml.prediction_log.scan import Problem, lines_at, read_span
from stockml.storage.files import storage
from stockml.storage.plain_files import open_plain


@dataclass(frozen=True, slots=True)
class View:
    """The log as it is, or as it was at the end of a day."""

    pending: tuple[Prediction, ...]
    verified: Iterable[Prediction]  # by (verified_at, position); read again at each iteration
    settled: Iterable[Prediction]  # with the expired ones among them, by (verified_at or expired_at, position)
    ids: Container[str]
    problems: tuple[Problem, ...]  # lines that are not as we wrote them; only where the whole log was read
    is_partial: bool  # something in the log is later than the day looked at
    folded: Folded | None  # the state of feedback, where the view is of the whole log


@dataclass(frozen=True, slots=True)
class Settled:
    """The predictions completed in the log, and those left as they are, all with their outcomes."""

    done: tuple[Prediction, ...] = ()
    left: tuple[Prediction, ...] = ()  # already settled in the log, but only after the day that is replayed


@dataclass(frozen=True, slots=True)
class Ids(Container[str]):
    """The ids in the log; `has` is asked only of days before the newest line of a symbol."""

    index: Index
    has: Callable[[str, int, str], bool]

    def __contains__(self, id_: object) -> bool:
        symbol, day, horizon = str(id_).rsplit(":", 2)
        latest = self.index.latest.get((symbol, int(horizon)), "")
        return day == latest if day >= latest else self.has(symbol, int(horizon), day)


@dataclass(frozen=True, slots=True)
class Lines(Iterable[Prediction]):
    """Settled predictions, read from the log one by one as they are asked for, `keys` saying which."""

    path: Path
    keys: Callable[[], Sequence[int]]
    as_of: str | None

    def __iter__(self) -> Iterator[Prediction]:
        keys = self.keys()
        if self.as_of is None:
            yield from lines_at(self.path, keys)
            return
        known = [key for key in keys if settled_day(key) <= self.as_of]
        yield from (line for line in lines_at(self.path, known) if line.data_through <= self.as_of)


def pending_lines(path: Path, index: Index) -> list[Prediction]:
    """The pending lines of the log, without those that are not where the index says."""
    if not index.pending:
        return []
    lines = []
    with storage(path, "read the log"), open_plain(path) as file:
        for id_, span in index.pending.items():
            with suppress(ValueError):  # without the lock it may be half written
                line = read_line(read_span(file, span))
                if line.id == id_ and line.outcome is None:
                    lines.append(line)
    return lines
