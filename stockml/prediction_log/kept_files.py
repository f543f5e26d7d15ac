"""Small files beside the log as they are read back: the index's checkpoint, heads of the chain, plans of a restore."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

from stockml.prediction_log.known_lines import MOST_NEWEST, MOST_SPREAD, KnownLines
from stockml.storage.decoding import MOST_COUNTED, Count, DecodingError, Digest, Name, Text, decoded

MOST_BYTES = 1 << 20  # ours have some 10,000; the ids of few lines are in it
GREATEST_STAMP = (1 << 63) - 1

_Stamp = tuple[Annotated[int, Meta(ge=0, le=GREATEST_STAMP)], int, Annotated[int, Meta(ge=0)]]
_Place = Annotated[int, Meta(ge=0, le=GREATEST_STAMP)]
_Day = Annotated[str, Meta(pattern=r"^(\d{4}-\d\d-\d\d)?\Z")]
_Id = Annotated[str, Meta(pattern=r"^[^:]{1,40}:\d{4}-\d\d-\d\d:\d{1,7}\Z")]
_Step = Annotated[int, Meta(ge=1, le=GREATEST_STAMP)]


class _Known(Struct, forbid_unknown_fields=True):
    count: Count
    step: _Step
    spread: Annotated[list[_Id], Meta(max_length=MOST_SPREAD)]
    newest: Annotated[list[_Id], Meta(max_length=MOST_NEWEST)]
    broken: Text | None

    def __post_init__(self) -> None:
        if self.count < len(self.spread):
            raise ValueError(f"knows {len(self.spread)} of {self.count} lines")


class KeptIndex(Struct, forbid_unknown_fields=True):
    """The fields of the checkpoint, each by its name in the file."""

    version: int
    stamp: _Stamp
    rows: _Stamp
    kinds: list[Name]
    known: _Known
    last_settled: _Day
    lines: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
    folded: tuple[Annotated[int, Meta(ge=0)], Digest, Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?\Z")]] | None

    def known_lines(self) -> KnownLines:
        """The lines that were known."""
        known = self.known
        return KnownLines(known.count, known.step, known.spread, known.newest, known.broken)


class KeptHead(Struct):
    """A line of seals.jsonl, each field by its name there."""

    at: Text
    count: Annotated[int, Meta(ge=1, le=MOST_COUNTED)]
    seal: Digest
    width: _Place = field(name="bytes")
    as_of: Text | None = None


class KeptPlan(Struct, forbid_unknown_fields=True):
    """The plan of a restore."""

    names: list[Text]
    aside: Annotated[str, Meta(pattern=r"^before-restore-[A-Za-z0-9-]{1,60}\Z")]


def kept_index(body: bytes, version: int) -> KeptIndex | None:
    """The checkpoint, if it is wholly one that a run of this version can have written; else None."""
    try:
        kept = decoded(KeptIndex, body, MOST_BYTES)
    except DecodingError:
        return None
    return kept if kept.version == version else None
