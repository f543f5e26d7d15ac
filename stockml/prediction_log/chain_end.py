"""The end of the chain of seals: which seal the next line follows, and what a line has to say that moves there.

A line's seal follows that of the sealed line above it. A line that moved to the end of the file, since an editor had
left no room for its outcome, names the seal that it follows (`sealed_after`): its place in the chain stays what it
was. One of an earlier version, which has no seal, names none ("") and stays among those above the chain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from stockml.core.records import record_line
from stockml.core.seals import FIRST, SEALED_AFTER, canonical, seal_of
from stockml.prediction_log.line import BLANKS, BYTE_ORDER_MARK, read_record
from stockml.storage.files import storage
from stockml.storage.plain_files import open_plain, plain_status

BLOCK = 1 << 16  # bytes read at a time

MOVED = b'"sealed_after"'

_SEAL = re.compile(rb'"seal"\s*:\s*"([0-9a-f]{64})"')
_SEALED_AFTER = re.compile(rb'"sealed_after"\s*:\s*"([0-9a-f]{64}|)"')


def seal_in(raw: bytes) -> str | None:
    """The seal in the bytes of a line; None where it has none, or one that is none."""
    found = _SEAL.search(raw)
    return found[1].decode() if found else None


def followed_in(raw: bytes) -> str | None:
    """The seal that a line says it follows, "" for none; None where it did not move."""
    if MOVED not in raw:  # nearly always
        return None
    found = _SEALED_AFTER.search(raw)
    return found[1].decode() if found else None


def without_blanks(raw: bytes) -> bytes:
    """The bytes of a line but for a byte order mark, and blanks at both ends."""
    return raw.removeprefix(BYTE_ORDER_MARK).strip(BLANKS)


def last_seal(path: Path) -> str:
    """The seal that the next line follows, by the newest sealed line in the file; FIRST where there is none."""
    if plain_status(path) is None:
        return FIRST
    moved: dict[str, str] = {}
    with storage(path, "read the log"), open_plain(path) as file:
        seal = _sealed_above(file, file.seek(0, 2), moved)
    passed = set()
    while seal in moved and seal not in passed:  # lines that moved from behind the last one that did not
        passed.add(seal)
        seal = moved[seal]
    return seal


def moved_line(file: BinaryIO, at: int, line: bytes) -> bytes:
    """A line that has to move to the end of the file, with the seal that it follows in the place `at` where it stands.

    One whose seal is not right there moves as it is.
    """
    if followed_in(line) is not None:
        return line
    seal = seal_in(line)
    before = "" if seal is None else _seal_before(file, at, seal, canonical(line))
    return line if before is None else record_line(read_record(line) | {SEALED_AFTER: before}).encode()


def _seal_before(file: BinaryIO, at: int, seal: str, prediction: bytes) -> str | None:
    before = _sealed_above(file, at, {})
    if seal_of(before, prediction) == seal:
        return before
    moved = _moved(file)  # the line it follows has moved itself, which is rare
    while before in moved:
        before = moved.pop(before)
        if seal_of(before, prediction) == seal:
            return before
    return None


def _moved(file: BinaryIO) -> dict[str, str]:
    file.seek(0)
    pairs = ((followed_in(raw), seal_in(raw)) for raw in file)
    return {after: seal for after, seal in pairs if after and seal}


def _sealed_above(file: BinaryIO, end: int, moved: dict[str, str]) -> str:
    """The seal of the nearest line above a byte that did not move; FIRST without one.

    What is met of lines that did move goes into `moved`: each one's seal by the seal that it follows.
    """
    for raw in _backwards(file, end):
        if seal := seal_in(raw):
            after = followed_in(raw)
            if after is None:
                return seal
            moved[after] = seal
    return FIRST


def _backwards(file: BinaryIO, end: int) -> Iterator[bytes]:
    """The lines that end before a byte of the file, from the last to the first, without the blank ones."""
    rest = b""
    while end > 0:
        start = max(0, end - BLOCK)
        file.seek(start)
        first, *lines = (file.read(end - start) + rest).split(b"\n")
        yield from filter(None, map(without_blanks, reversed(lines)))
        rest, end = first, start
    yield from filter(None, [without_blanks(rest)])
