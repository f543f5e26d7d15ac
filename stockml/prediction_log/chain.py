"""The chain of seals read through: every seal computed again, and each place named at which the chain breaks.

Lines of earlier versions, above the first sealed one, have no seal. A line that moved stands where it was sealed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

from stockml.core.records import Prediction
from stockml.core.seals import FIRST, canonical, seal_of
from stockml.core.wording import count
from stockml.prediction_log.chain_end import MOVED, followed_in, seal_in, without_blanks
from stockml.prediction_log.line import FEW_LINES, read_line
from stockml.prediction_log.places import LONGEST_LINE
from stockml.storage.files import storage
from stockml.storage.plain_files import open_plain, plain_status

BREAKS_NAMED = 10  # the others are counted
BLOCK = 1 << 20  # bytes read at a time

_SOME_ID = re.compile(rb'"id"\s*:\s*"([!#-\[\]-~]{1,80})"')  # of printable ASCII; in a damaged line anything may stand


class Break(NamedTuple):
    """A place at which the chain breaks: the line's number in the file, from 1, and what is wrong with it."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line} {self.text}"


@dataclass(slots=True)
class Chain:
    """The chain as it was found.

    Attributes
    ----------
    lines, unsealed, sealed : int
        The lines of the log; those above the first sealed one, which have no seal; and those that have one.
    head : str or None
        The last seal; None without any.
    breaks : list of Break
        The first BREAKS_NAMED, in the order of the chain.
    broken : int
        How many there are.
    places : dict of str to int
        The number of lines up to each of the seals that were asked for, where it is in the chain.
    """

    lines: int = 0
    unsealed: int = 0
    sealed: int = 0
    head: str | None = None
    breaks: list[Break] = field(default_factory=list)
    broken: int = 0
    places: dict[str, int] = field(default_factory=dict)

    def note(self, line: ChainLine, text: str) -> None:
        """Count a break, and keep the first ones."""
        self.broken += 1
        if len(self.breaks) < BREAKS_NAMED:
            found = _SOME_ID.search(line.raw)
            self.breaks.append(Break(line.number, f"{f'({found[1].decode()}) ' if found else ''}{text}"))


class ChainLine(NamedTuple):
    """A line of the log: its number in the file from 1, and its bytes without the blanks at both ends."""

    number: int
    raw: bytes
    is_loose: bool = False  # it moved, and what it followed is gone, or is followed by another line

    @property
    def seal(self) -> str | None:
        """Its seal; None where it has none."""
        return seal_in(self.raw)

    def read(self) -> Prediction:
        """The prediction; ValueError where it is none."""
        return read_line(self.raw)


def check_chain(path: Path, wanted: Iterable[str] = ()) -> Chain:
    """Read the log from end to end and compute every seal again; it needs no lock and changes nothing.

    Parameters
    ----------
    path : Path
        The log; a chain without any line where there is none.
    wanted : iterable of str
        Seals whose places are to be noted.
    """
    chain, places = Chain(), frozenset(wanted)
    expected: tuple[str, ...] = (FIRST,)  # the seals that the next line may follow
    for line in chain_lines(path):
        chain.lines += 1
        seal = seal_in(line.raw)
        if seal is None and not chain.sealed and _is_json(line.raw):
            chain.unsealed += 1
            continue
        expected = _follow(chain, line, seal, expected)
        chain.sealed += seal is not None
        chain.head = chain.head if line.is_loose else seal or chain.head
        if seal in places:
            chain.places.setdefault(seal, chain.lines)
    return chain


def broken_chain(path: Path) -> Break | None:
    """The first place where the chain breaks, with the number of the others; None where it is whole."""
    chain = check_chain(path)
    if not chain.breaks:
        return None
    first, others = chain.breaks[0], chain.broken - 1
    return first._replace(text=f"{first.text} (and {count(others, 'other place')})") if others else first


def _follow(chain: Chain, line: ChainLine, seal: str | None, expected: tuple[str, ...]) -> tuple[str, ...]:
    """Take in the next line; returns the seals that the one after it may follow."""
    after = followed_in(line.raw)
    before = expected if after is None else (after,)  # where nothing has that seal, the line stands at the end of all
    is_quick = chain.lines > FEW_LINES and not line.is_loose
    if is_quick and seal is not None and seal in _computed(before, _quick_form()(line.raw)):
        return (seal,)
    try:
        right = _computed(before, canonical(line.raw))
    except (ValueError, RecursionError):
        chain.note(line, "is not JSON any more")
        return expected if seal is None else (*expected, seal)
    if line.is_loose:
        chain.note(line, "moved to the end, and the line that it followed is gone or is followed by another")
        return expected
    if seal in right:
        return (seal,)
    if seal is None:
        chain.note(line, "has no seal, among lines that have one")
        return (*expected, *right)
    chain.note(line, "does not follow the line before it: one of both was changed, or lines between them are gone")
    return (seal, *right)


def _computed(before: Iterable[str], prediction: bytes | None) -> list[str]:
    return [] if prediction is None else [seal_of(seal, prediction) for seal in before]


def _is_json(raw: bytes) -> bool:
    try:
        canonical(raw)
    except (ValueError, RecursionError):
        return False
    return True


@cache
def _quick_form() -> Callable[[bytes], bytes | None]:
    """The canonical JSON by msgspec, which is imported where a log is long enough to be worth it."""
    from stockml.prediction_log.typed_line import sealed_form

    return sealed_form


# ---- the lines in the order of the chain ----


def chain_lines(path: Path) -> Iterator[ChainLine]:
    """The lines of the log that are not blank, those that moved in the places where they were sealed."""
    if plain_status(path) is None:
        return
    with storage(path, "read the log"), open_plain(path) as file:
        moved = _Moved.of(file)
        yield from (place.read(file) for place in moved.unsealed)
        is_begun = False
        for number, _, raw in _numbered(file):
            line = ChainLine(number, without_blanks(raw))
            if not line.raw or number in moved.numbers:
                continue
            seal = seal_in(line.raw) if moved.places else None
            if seal is not None and not is_begun:
                is_begun = True
                yield from moved.following(file, FIRST)
            yield line
            if seal is not None:
                yield from moved.following(file, seal)
        yield from moved.following(file, FIRST)
        yield from moved.left(file)


def _numbered(file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """Number, place and bytes of every line; one without end comes in pieces."""
    number, at, is_ended = 0, 0, True
    file.seek(0)
    while raw := file.readline(LONGEST_LINE + 1):
        number += is_ended
        yield number, at, raw
        at, is_ended = at + len(raw), raw.endswith(b"\n")


def _any_moved(file: BinaryIO) -> bool:
    """False where no line moved, which is usual; reading line by line would take twenty times as long."""
    file.seek(0)
    end = b""
    while block := file.read(BLOCK):
        if MOVED in end + block:
            return True
        end = block[-len(MOVED) :]
    return False


class _Place(NamedTuple):
    number: int
    at: int
    width: int

    def read(self, file: BinaryIO) -> ChainLine:
        file.seek(self.at)
        return ChainLine(self.number, without_blanks(file.read(self.width)))


@dataclass(slots=True)
class _Moved:
    """The places of the lines that moved, by the seal that each follows."""

    places: dict[str, _Place] = field(default_factory=dict)
    others: list[_Place] = field(default_factory=list)  # that claim to follow what another follows already
    unsealed: list[_Place] = field(default_factory=list)  # that follow none
    numbers: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, file: BinaryIO) -> _Moved:
        found = cls()
        if not _any_moved(file):
            return found
        for number, at, raw in _numbered(file):
            if (after := followed_in(raw)) is None:
                continue
            place = _Place(number, at, len(raw))
            found.numbers.add(number)
            if not after and seal_in(raw) is None:
                found.unsealed.append(place)
            elif not after or found.places.setdefault(after, place) is not place:
                found.others.append(place)
        return found

    def following(self, file: BinaryIO, seal: str | None) -> Iterator[ChainLine]:
        """The lines that follow a seal, one after the other."""
        here = file.tell()
        while seal is not None and (place := self.places.pop(seal, None)):
            line = place.read(file)
            yield line
            seal = seal_in(line.raw)
        file.seek(here)

    def left(self, file: BinaryIO) -> Iterator[ChainLine]:
        """The lines that follow no seal of the log, in the file's order, each with those that follow it."""
        places = [(place, after) for after, place in self.places.items()] + [(place, "") for place in self.others]
        for place, after in sorted(places):
            if after and self.places.pop(after, None) is None:
                continue  # taken up behind another one
            line = place.read(file)._replace(is_loose=True)
            yield line
            yield from self.following(file, seal_in(line.raw))
