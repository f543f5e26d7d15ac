"""Lines of the log rewritten in their places: the changes to commit, and where each line then stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from stockml.core.records import Prediction
from stockml.prediction_log.chain_end import moved_line
from stockml.prediction_log.line import read_line
from stockml.prediction_log.places import Span
from stockml.prediction_log.repair import grown
from stockml.prediction_log.scan import read_span
from stockml.storage.files import storage
from stockml.storage.plain_files import open_plain
from stockml.storage.redo_journal import Change


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A line that was rewritten: what it says, where it stands, its bytes before and now."""

    line: Prediction
    span: Span
    before: bytes
    now: bytes


@dataclass(slots=True)
class Rewriting:
    """Changes for one commit, the lines they leave, and the ids of those that move to the end or could not be had."""

    changes: list[Change] = field(default_factory=list)
    lines: list[Rewritten] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)  # the reason by id


def rewritten(path: Path, spans: Mapping[str, Span], new: Callable[[bytes, str], bytes]) -> Rewriting:
    """The rewriting of lines, by id; one that has grown beyond its place moves to the end of the file.

    `new` turns a line's bytes and id into its new bytes, or says in a ValueError why it cannot; they must read back.
    """
    found, tail = Rewriting(), grown(path, b"")
    with storage(path, "read the log"), open_plain(path) as file:
        for id_, span in spans.items():
            raw = read_span(file, span)
            try:
                line = new(raw, id_)
                said = read_line(line)
            except ValueError as error:
                found.failed[id_] = str(error)
                continue
            at = span.at
            if len(line) > span.width:
                line = moved_line(file, span.at, line)
                at = tail.at + len(tail.new)
                tail = replace(tail, new=tail.new + line + b"\n")
                found.moved.append(id_)
            found.lines.append(Rewritten(said, Span(at, len(line)), raw, line))
            found.changes.append(Change(path.name, span.at, raw, line if at == span.at else b" " * span.width))
    if tail.new:
        found.changes.append(tail)
    return found
