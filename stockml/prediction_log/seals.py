"""Heads of the chain, one a run, in seals.jsonl beside the log: how many predictions there were, and the last seal.

Who keeps a head elsewhere can prove later that every prediction up to it was made by then, and is as it was.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Self

from stockml.core import record_fields as field
from stockml.core.seals import SHOWN
from stockml.core.wording import count
from stockml.prediction_log.repair import grown
from stockml.storage.files import storage
from stockml.storage.plain_files import open_plain, plain_status
from stockml.storage.redo_journal import Change

NEWEST_BYTES = 1 << 14  # hold the last head, however damaged what stands behind it
LONGEST_HEAD = 1 << 12


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: the number of predictions in the log, and the last seal."""

    count: int
    seal: str

    def __str__(self) -> str:
        return f"{count(self.count, 'prediction')}, head {self.seal[:SHOWN]}"


@dataclass(frozen=True, slots=True)
class Witness:
    """A head as a run wrote it down: when, how long the log was, and the past day that the run acted on, if any."""

    at: str  # UTC, YYYY-MM-DDTHH:MM:SSZ
    head: Head
    width: int  # bytes of the log
    as_of: str | None = None

    @classmethod
    def now(cls, head: Head, log: Path, at: datetime, as_of: date | None) -> Self:
        """The witness of a run that ends at a moment, given with its time zone."""
        status = plain_status(log)
        moment = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return cls(moment, head, status.st_size if status else 0, as_of.isoformat() if as_of else None)

    def to_record(self) -> dict[str, Any]:
        """The object of a line of seals.jsonl."""
        record = {"at": self.at, "count": self.head.count, "seal": self.head.seal, "bytes": self.width}
        return record if self.as_of is None else record | {"as_of": self.as_of}

    def to_json(self) -> str:
        """The line of seals.jsonl, without its line feed."""
        return json.dumps(self.to_record())

    @classmethod
    def from_json(cls, raw: bytes) -> Self:
        """The witness of a line; ValueError in plain words for any other."""
        from stockml.prediction_log.kept_files import KeptHead
        from stockml.storage.decoding import decoded

        kept = decoded(KeptHead, raw, LONGEST_HEAD)
        field.time_text("at", kept.at.removesuffix("Z"))
        as_of = None if kept.as_of is None else field.day_text("as_of", kept.as_of)
        return cls(kept.at, Head(kept.count, kept.seal), kept.width, as_of)


def witness_path(log: Path) -> Path:
    """The file of the heads."""
    return log.with_name("seals.jsonl")


def added(log: Path, witness: Witness) -> Change:
    """The change that adds a witness to the file; a line that lacks its end is ended first."""
    path = witness_path(log)
    status = plain_status(path)
    is_open = False
    if status and status.st_size:
        with storage(path, "read the file"), open_plain(path) as file:
            file.seek(-1, os.SEEK_END)
            is_open = file.read(1) != b"\n"
    return grown(path, b"\n" * is_open + witness.to_json().encode() + b"\n")


def witnesses(log: Path) -> Iterator[tuple[int, Witness | str]]:
    """Each line of the file by its number: a witness, or what is wrong with the line."""
    path = witness_path(log)
    if plain_status(path) is None:
        return
    with storage(path, "read the file"), open_plain(path) as file:
        number = 0
        while raw := file.readline(LONGEST_HEAD):
            number += 1
            if raw.strip():
                yield number, _read(raw)


def last_witness(log: Path) -> Witness | None:
    """The newest head that was written down; None without any."""
    path = witness_path(log)
    status = plain_status(path)
    if status is None:
        return None
    with storage(path, "read the file"), open_plain(path) as file:
        file.seek(max(0, status.st_size - NEWEST_BYTES))
        lines: list[Any] = [_read(raw) for raw in file.read().splitlines()]
    return next((found for found in reversed(lines) if isinstance(found, Witness)), None)


def _read(raw: bytes) -> Witness | str:
    try:
        return Witness.from_json(raw)
    except ValueError as error:
        return str(error)
