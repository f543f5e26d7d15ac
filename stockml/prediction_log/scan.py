"""A full reading of the log: the places of its lines, its ids, its damage and the repairs.

Memory stays small for a log of any length: of a settled line only its row in the index is kept.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from stockml.core.records import Prediction
from stockml.core.wording import count
from stockml.prediction_log.known_lines import KnownLines
from stockml.prediction_log.line import (
    BLANKS,
    BYTE_ORDER_MARK,
    Facts,
    joined_lines,
    padding_for,
    read_both,
    read_facts,
    read_line,
)
from stockml.prediction_log.places import LONGEST_LINE, Days, Span, fingerprint, place, settled_key
from stockml.prediction_log.quick_chain import QuickChain
from stockml.prediction_log.rows import Rows
from stockml.storage.files import StorageError, storage
from stockml.storage.plain_files import open_plain, plain_status
from stockml.storage.redo_journal import Change

SET_ASIDE = ": set aside"
PROBLEMS_NAMED = 10  # a file in a wrong encoding is wrong in every line; the rest is counted
MOST_SET_ASIDE = 100_000  # more lines that are none make it another file, whose reading would take memory without end


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


@dataclass(slots=True)
class Scan:
    """The result of a full reading."""

    size: int = 0
    pending: dict[str, Span] = field(default_factory=dict)
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
    rows: Rows | None = None  # where a row a line is wanted
    fingerprint: int = 0  # of the settled lines, where rows are wanted
    chain: QuickChain = field(default_factory=QuickChain)

    def note(self, problem: Problem) -> None:
        """Keep a problem for the messages; beyond PROBLEMS_NAMED the last one stands for all that follow."""
        if len(self.problems) < PROBLEMS_NAMED:
            self.problems.append(problem)
        else:
            self.unnamed += 1
            text = f"this and {count(self.unnamed, 'other line')} are not as they were written either"
            self.problems[-1] = Problem(problem.line, text)


def scan(path: Path, wanted: Iterable[str] = (), rows: Rows | None = None) -> Scan:
    """Read the log from end to end without changing it, noting which of the ids `wanted` are met in which order.

    Each line is put into `rows`, if there are any, as it will stand when it is repaired.

    Raises
    ------
    StorageError
        For a file that cannot be a log: none that is plain, a line without end, or lines without end that are none.
    """
    found = Scan(wanted=frozenset(wanted), rows=rows)
    if plain_status(path) is None:
        return found
    name = path.name
    with open_plain(path) as file:
        for number, raw in enumerate(iter(partial(file.readline, LONGEST_LINE + 1), b""), start=1):
            if len(raw) > LONGEST_LINE or found.set_aside:
                _refuse_endless(path, found, number, raw)
            _take(found, name, number, raw)
            found.size += len(raw)
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
    if raw.startswith(b"{") and raw.endswith((b"}\n", b" \n")):  # nearly all
        return _take_whole(found, name, number, body)
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
    return None


def _take_whole(found: Scan, name: str, number: int, body: bytes) -> None:
    try:
        facts, typed = read_both(body)
    except ValueError as error:
        found.chain.give_up()
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
        found.chain.follow(body, typed)
        _keep(found, number, facts, Span(found.size, len(body)), body)


def _take_piece(found: Scan, number: int, body: bytes, at: int) -> None:
    try:
        _keep(found, number, read_facts(body), Span(at, len(body)), body)
    except ValueError as error:
        _set_aside(found, Problem(number, str(error)), Span(at, len(body)))


def _take_last(found: Scan, name: str, number: int, body: bytes) -> None:
    """The last line where it lacks its line feed: completed if that is safe, else set aside; ended in any case."""
    found.chain.give_up()
    for missing in (b"", b"}"):  # a cut inside a value cannot be told from a shorter value, except by the reader
        try:
            facts = read_facts(body + missing)
            padding = padding_for(body + missing) if facts.ended_at is None else b""
        except ValueError as error:
            reason = str(error)
            continue
        if missing and not body.rstrip(BLANKS).endswith((b'"', b"null", b"}")):
            break
        found.note(Problem(number, "was cut at its end, which is put back"))
        whole = body + missing + padding
        _keep(found, number, facts, Span(found.size, len(whole)), whole)
        found.repairs.append(Change(name, found.size + len(body), b"", missing + padding + b"\n"))
        return
    _set_aside(found, Problem(number, reason), Span(found.size, len(body)))
    found.repairs.append(Change(name, found.size + len(body), b"", b"\n"))


def _keep(found: Scan, number: int, facts: Facts, span: Span, raw: bytes) -> None:
    """Take in the place of a good line, once for each id."""
    id_ = facts.id
    if not found.ids.add(facts):
        earlier = found.pending.get(id_)
        if earlier is None or facts.ended_at is None:
            problem = Problem(number, f"is a second line of {id_}; the first counts")
            return _set_aside(found, problem, span)
        problem = Problem(number, f"has the outcome of {id_}; an earlier line without it")
        _set_aside(found, problem, earlier)
        del found.pending[id_]
        if found.rows is not None:
            found.rows.drop(earlier.at)
    else:
        found.known.add(id_)
        if id_ in found.wanted:
            found.met.append(id_)
    found.kinds.add(facts.source)
    if facts.ended_at is None:
        found.pending[id_] = span
    if found.rows is not None:
        found.rows.put(facts, span)
        if facts.ended_at is not None:
            found.fingerprint += fingerprint(raw, settled_key(facts.ended_at, span.at))
    return None


def _set_aside(found: Scan, problem: Problem, span: Span) -> None:
    problem = Problem(problem.line, f"{problem.text}{SET_ASIDE}")
    found.note(problem)
    found.set_aside.append((problem, span))


class LineGone(StorageError):  # noqa: N818
    """A line does not stand where it was known to."""


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
                raise LineGone(f"{path}: the file was edited while it was read; run again") from None
            yield line


def read_span(file: BinaryIO, span: Span) -> bytes:
    """The bytes of a line."""
    file.seek(span.at)
    return file.read(span.width)


def rejected_entry(problem: Problem, raw: bytes) -> bytes:
    """A line's entry in `predictions.rejected.jsonl`: an object with the reason, then the line byte for byte."""
    reason = {"set_aside": problem.text, "line": problem.line, "bytes": len(raw)}
    return json.dumps(reason).encode() + b"\n" + raw + b"\n"
