"""A full reading of the log: the places of its lines, its ids, its damage and the repairs.

Memory stays small for a log of any length: of a settled line only its time and its place are kept.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from stockml.core.records import EXPIRED, Prediction
from stockml.core.wording import count
from stockml.prediction_log.known_lines import KnownLines
from stockml.prediction_log.line import BLANKS, BYTE_ORDER_MARK, joined_lines, padding_for, read_line
from stockml.storage.files import StorageError, storage
from stockml.storage.plain_files import open_plain, plain_status
from stockml.storage.redo_journal import Change

PLACE_BITS = 44  # a settled line's key is one number, its time above its place; logs end below 16 TiB
SET_ASIDE = ": set aside"
PROBLEMS_NAMED = 10  # a file in a wrong encoding is wrong in every line; the rest is counted
MOST_SET_ASIDE = 100_000  # more lines that are none make it another file, whose reading would take memory without end
LONGEST_LINE = 1 << 20  # bytes; the path of the farthest horizon takes some 20,000


class Span(NamedTuple):
    """The place of a line: its first byte, and its length without the line feed."""

    at: int
    width: int


class Problem(NamedTuple):
    """A line that is not as we wrote it."""

    line: int  # from 1; 0 for what is wrong with the log as a whole
    text: str

    @property
    def is_set_aside(self) -> bool:
        """True for a line that counts no more, and is kept elsewhere."""
        return SET_ASIDE in self.text

    def __str__(self) -> str:
        return f"the prediction log{f', line {self.line}' if self.line else ''}: {self.text}"


class Days:
    """The ids of a log, kept small: for each symbol and horizon its days, ascending, as numbers like 20260201."""

    def __init__(self) -> None:
        self._days: dict[tuple[str, int], array[int]] = {}

    def add(self, prediction: Prediction) -> bool:
        """Add an id; False where it was there already."""
        key = (prediction.symbol, prediction.prediction_horizon_days)
        days, day = self._days.setdefault(key, array("i")), _day_number(prediction.data_through)
        if days and day <= days[-1]:
            place = bisect_left(days, day)
            if days[place] == day:
                return False
            days.insert(place, day)
        else:
            days.append(day)  # nearly always: a log is written day by day
        return True

    def has(self, symbol: str, horizon: int, day: str) -> bool:
        """True if the log holds this id."""
        days, number = self._days.get((symbol, horizon), array("i")), _day_number(day)
        place = bisect_left(days, number)
        return place < len(days) and days[place] == number

    def lacking(self, other: Days) -> tuple[int, str]:
        """The number of the other's ids that are not here, and the newest day of those."""
        lost = [day for key, days in other._days.items() for day in set(days) - set(self._days.get(key, ()))]
        return len(lost), _day_text(max(lost)) if lost else ""

    def latest(self) -> dict[tuple[str, int], str]:
        """The newest day by symbol and horizon."""
        return {key: _day_text(days[-1]) for key, days in self._days.items()}


def _day_number(day: str) -> int:
    return int(day[:4] + day[5:7] + day[8:10])


def _day_text(number: int) -> str:
    digits = f"{number:08d}"
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"


@dataclass(slots=True)
class Scan:
    """The result of a full reading."""

    size: int = 0
    pending: dict[str, Span] = field(default_factory=dict)
    verified: list[int] = field(default_factory=list)  # keys, ascending once read
    expired: list[int] = field(default_factory=list)
    ids: Days = field(default_factory=Days)
    kinds: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    unnamed: int = 0  # problems beyond those named
    crlf: array[int] = field(default_factory=lambda: array("q"))  # lines that end in CR LF
    known: KnownLines = field(default_factory=KnownLines)  # the lines that are there now
    wanted: frozenset[str] = frozenset()  # ids of which it is to be noted when they are met
    met: list[str] = field(default_factory=list)
    set_aside: list[tuple[Problem, Span]] = field(default_factory=list)
    repairs: list[Change] = field(default_factory=list)

    @property
    def settled(self) -> list[int]:
        """Keys of the verified and the expired lines together, ascending."""
        return sorted([*self.verified, *self.expired])

    def last_settled(self) -> str:
        """The latest day on which a line was settled; empty without one."""
        return max((settled_day(keys[-1]) for keys in (self.verified, self.expired) if keys), default="")

    def note(self, problem: Problem) -> None:
        """Keep a problem for the messages; beyond PROBLEMS_NAMED the last one stands for all that follow."""
        if len(self.problems) < PROBLEMS_NAMED:
            self.problems.append(problem)
        else:
            self.unnamed += 1
            text = f"this and {count(self.unnamed, 'other line')} are not as they were written either"
            self.problems[-1] = Problem(problem.line, text)


def settled_key(ended_at: str, at: int) -> int:
    """A number that sorts as (time, place in the file) does, and holds both."""
    time = int(ended_at[11:13] + ended_at[14:16] + ended_at[17:19])
    return (_day_number(ended_at) * 1_000_000 + time) << PLACE_BITS | at


def place(key: int) -> int:
    """The place part of a key: the line's first byte."""
    return key & ((1 << PLACE_BITS) - 1)


def settled_day(key: int) -> str:
    """The date part of a key's time."""
    return _day_text((key >> PLACE_BITS) // 1_000_000)


def scan(path: Path, wanted: Iterable[str] = ()) -> Scan:
    """Read the log from end to end without changing it, noting which of the ids `wanted` are met in which order.

    Raises
    ------
    StorageError
        For a file that cannot be a log: none that is plain, a line without end, or lines without end that are none.
    """
    found = Scan(wanted=frozenset(wanted))
    if plain_status(path) is None:
        return found
    with open_plain(path) as file:
        for number, raw in enumerate(iter(partial(file.readline, LONGEST_LINE + 1), b""), start=1):
            _refuse_endless(path, found, number, raw)
            _take(found, path.name, number, raw)
            found.size += len(raw)
    found.verified.sort()
    found.expired.sort()
    if found.crlf:
        first, others = found.crlf[0], len(found.crlf) - 1
        ends = f"and {others} others end" if others else "ends"
        found.note(Problem(first, f"{ends} in CR LF, which does no harm and is left as it is"))
    return found


def _refuse_endless(path: Path, found: Scan, number: int, raw: bytes) -> None:
    if len(raw) > LONGEST_LINE:
        raise StorageError(
            f"{path}: line {number} is longer than {LONGEST_LINE:,} bytes, which no prediction is; "
            f"take it out (sed -i {number}d) and run again"
        )
    if len(found.set_aside) > MOST_SET_ASIDE:
        raise StorageError(
            f"{path}: more than {MOST_SET_ASIDE:,} of its lines are no predictions, so it is no log; "
            "bring the log back from a backup, or move the file away, and run again"
        )


def _take(found: Scan, name: str, number: int, raw: bytes) -> None:
    """Take in one line of the file."""
    body = raw.removesuffix(b"\n")
    if body.startswith(BYTE_ORDER_MARK):
        blanks = b" " * len(BYTE_ORDER_MARK)
        found.repairs.append(Change(name, found.size, BYTE_ORDER_MARK, blanks))
        found.note(Problem(number, "starts with a byte order mark, which is replaced by blanks"))
        body = blanks + body.removeprefix(BYTE_ORDER_MARK)
    if body.endswith(b"\r"):
        found.crlf.append(number)
    is_ended = raw.endswith(b"\n")
    if body.strip(BLANKS):
        (_take_whole if is_ended else _take_last)(found, name, number, body)
    elif not is_ended:
        found.repairs.append(Change(name, found.size + len(body), b"", b"\n"))


def _take_whole(found: Scan, name: str, number: int, body: bytes) -> None:
    try:
        prediction = read_line(body)
    except ValueError as error:
        pieces = joined_lines(body)
        for start, _ in pieces[1:]:
            found.repairs.append(Change(name, found.size + start - 1, body[start - 1 : start], b"\n"))
        if pieces:
            found.note(Problem(number, f"holds {len(pieces)} lines, which are parted again"))
        for start, end in pieces:
            _take_piece(found, number, body[start:end], found.size + start)
        if not pieces:
            _set_aside(found, Problem(number, str(error)), Span(found.size, len(body)))
    else:
        _keep(found, number, prediction, Span(found.size, len(body)))


def _take_piece(found: Scan, number: int, body: bytes, at: int) -> None:
    try:
        _keep(found, number, read_line(body), Span(at, len(body)))
    except ValueError as error:
        _set_aside(found, Problem(number, str(error)), Span(at, len(body)))


def _take_last(found: Scan, name: str, number: int, body: bytes) -> None:
    """The last line where it lacks its line feed: completed if that is safe, else set aside; ended in any case."""
    for missing in (b"", b"}"):  # a cut inside a value cannot be told from a shorter value, except by the reader
        try:
            prediction = read_line(body + missing)
            padding = padding_for(body + missing) if prediction.outcome is None else b""
        except ValueError as error:
            reason = str(error)
            continue
        if missing and not body.rstrip(BLANKS).endswith((b'"', b"null")):
            break
        found.note(Problem(number, "was cut at its end, which is put back"))
        _keep(found, number, prediction, Span(found.size, len(body + missing + padding)))
        found.repairs.append(Change(name, found.size + len(body), b"", missing + padding + b"\n"))
        return
    _set_aside(found, Problem(number, reason), Span(found.size, len(body)))
    found.repairs.append(Change(name, found.size + len(body), b"", b"\n"))


def _keep(found: Scan, number: int, prediction: Prediction, span: Span) -> None:
    """Take in the place of a good line, once for each id."""
    if not found.ids.add(prediction):
        earlier = found.pending.get(prediction.id)
        if earlier is None or prediction.outcome is None:
            problem = Problem(number, f"is a second line of {prediction.id}; the first counts")
            return _set_aside(found, problem, span)
        problem = Problem(number, f"has the outcome of {prediction.id}; an earlier line without it")
        _set_aside(found, problem, earlier)
        del found.pending[prediction.id]
    else:
        id_ = prediction.id
        found.known.add(id_)
        if id_ in found.wanted:
            found.met.append(id_)
    found.kinds.add(prediction.source)
    if prediction.outcome is None:
        found.pending[prediction.id] = span
    else:
        keys = found.expired if prediction.status == EXPIRED else found.verified
        keys.append(settled_key(prediction.outcome.ended_at, span.at))
    return None


def _set_aside(found: Scan, problem: Problem, span: Span) -> None:
    problem = Problem(problem.line, f"{problem.text}{SET_ASIDE}")
    found.note(problem)
    found.set_aside.append((problem, span))


def lines_at(path: Path, keys: Sequence[int]) -> Iterator[Prediction]:
    """The predictions of settled lines, by their keys and in their order."""
    if not keys:
        return
    with storage(path, "read the log"), open_plain(path) as file:
        for key in keys:
            file.seek(place(key))
            try:
                line = read_line(file.readline(LONGEST_LINE))
            except ValueError:
                raise StorageError(f"{path}: the file was edited while it was read; run again") from None
            yield line


def read_span(file: BinaryIO, span: Span) -> bytes:
    """The bytes of a line."""
    file.seek(span.at)
    return file.read(span.width)


def rejected_entry(problem: Problem, raw: bytes) -> bytes:
    """A line's entry in `predictions.rejected.jsonl`: an object with the reason, then the line byte for byte."""
    reason = {"set_aside": problem.text, "line": problem.line, "bytes": len(raw)}
    return json.dumps(reason).encode() + b"\n" + raw + b"\n"
