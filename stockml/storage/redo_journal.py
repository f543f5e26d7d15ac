"""A redo journal: changes to the files of one folder that happen wholly or not at all, through kills and power cuts.

A change says which bytes stand at a place before and after. Their meaning is left to the log.

Why this order of writes survives a power cut at any point (a disk may keep any subset of what was not yet fsynced, and
part of a single write):

1. The journal is written beside its name and fsynced, takes its name by a rename, and the folder is fsynced. Until
   then no other file was touched: a start finds no journal, the old state, and nothing to do.
2. The files are written, the set-aside lines before the log, then each is fsynced (and the folder, where a file is
   new). Until then the journal is whole: a start finds in each place any mixture of old and new bytes, or of NULs where
   a file grew and its data did not make it, and writes the new bytes over it; doing so twice changes nothing.
3. The journal is deleted. That need not be fsynced: the next change begins with a folder fsync, which takes the
   deletion along before it touches anything; a journal that reappears before then finds its new bytes in place.

A file that somebody edited between the crash and the next start may no longer hold the bytes that a change expects.
Such changes are set aside for the log to redo; nothing is written over bytes that we did not leave. A journal that no
commit can have written is not carried out, whatever its checksum.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress, groupby
from pathlib import Path

from stockml.storage.files import StorageError, sealed, storage, sync_folder, unsealed, write_fully, write_whole
from stockml.storage.plain_files import open_plain, plain_status, read_plain

MOST_BYTES = 1 << 32
FARTHEST = 1 << 44  # bytes; logs end below
LONGEST_NAME = 100
_NAME = re.compile(f"[A-Za-z0-9][A-Za-z0-9._-]{{,{LONGEST_NAME - 1}}}")


@dataclass(frozen=True, slots=True)
class Change:
    """At byte `at` of a file, `old` becomes `new`: of the same length, or `old` is empty and the file grows by `new`.

    A commit holds at most one change by which a file grows, and no other reaches behind its `at`.
    """

    file: str
    at: int
    old: bytes
    new: bytes

    def fits(self, found: bytes | None) -> bool:
        """True if `found`, read where `new` belongs, is a state that this change can have left behind."""
        if found is None or len(found) < len(self.old):
            return False
        if found in (self.old, self.new):
            return True
        before = self.old or bytes(len(found))  # what a file grew by may read as NULs after a power cut
        return all(byte in pair for byte, *pair in zip(found, before, self.new, strict=False))


class Journal:
    """The journal and the files beside it that it protects; the caller holds the lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._left_path = path.with_name(f"{path.name}.left")

    def commit(self, changes: Sequence[Change]) -> None:
        """Make all changes durable; the StorageError says whether none happened or the next start finishes them."""
        if not changes:
            return
        with storage(self.path, "prepare a change, so nothing was changed"):
            if self.path.exists():
                raise StorageError(f"{self.path}: an earlier change is still unfinished; run again to finish it first")
            write_whole(self.path, _to_bytes(changes))
        with storage(self.path.parent, "finish a change, which is kept for the next run to finish"):
            self._apply(changes)
            self.path.unlink()

    def replay(self) -> None:
        """Finish the changes of an interrupted run; those whose place was edited since are set aside, see `left`."""
        with storage(self.path, "finish what an interrupted run began"):
            if not self.path.exists():
                return
            changes = _from_bytes(read_plain(self.path, MOST_BYTES) or b"")
            fits = [change.fits(self._found(change)) for change in changes]
            self._apply(list(compress(changes, fits)))
            if not all(fits):
                misfits = [change for change, fitted in zip(changes, fits, strict=True) if not fitted]
                write_whole(self._left_path, _to_bytes([*self.left(), *misfits]))
            self.path.unlink()

    def left(self) -> list[Change]:
        """The changes that could not be finished, until `forget_left`."""
        with storage(self._left_path, "read the file"):
            return _from_bytes(read_plain(self._left_path, MOST_BYTES) or b"")

    def forget_left(self) -> None:
        """Delete the changes that could not be finished."""
        with storage(self._left_path, "delete the file"):
            self._left_path.unlink(missing_ok=True)

    def _found(self, change: Change) -> bytes | None:
        """The bytes at a change's place; None where the file ends before it."""
        path = self.path.with_name(change.file)
        if plain_status(path) is None:
            return b"" if change.at == 0 else None
        with open_plain(path) as file:
            if file.seek(0, os.SEEK_END) < change.at:
                return None
            file.seek(change.at)
            return file.read(len(change.new))

    def _apply(self, changes: Sequence[Change]) -> None:
        for name, group in groupby(changes, key=lambda change: change.file):
            path = self.path.with_name(name)
            is_new = not path.exists()
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)
            try:
                for change in group:
                    write_fully(descriptor, change.new, change.at)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if is_new:
                sync_folder(path.parent)


def _to_bytes(changes: Sequence[Change]) -> bytes:
    # latin-1 gives each byte one character, so lines with broken UTF-8 pass through JSON unharmed
    rows = [[change.file, change.at, change.old.decode("latin-1"), change.new.decode("latin-1")] for change in changes]
    return sealed(json.dumps(rows).encode())


def _from_bytes(data: bytes) -> list[Change]:
    body = unsealed(data)
    if body is None:
        return []  # a disk without working fsync, or an edit by hand: not to be carried out
    from stockml.storage.decoding import decoded

    try:
        return [_change(*row) for row in decoded(list[tuple[str, int, str, str]], body, MOST_BYTES)]
    except ValueError:  # behind a right checksum, so not by accident
        return []


def _change(file: str, at: int, old: str, new: str) -> Change:
    """A change to a file beside the journal; ValueError for one that no commit of ours can have written."""
    if not _NAME.fullmatch(file) or not 0 <= at <= FARTHEST or (old and len(old) != len(new)):
        raise ValueError(f"{file!r} at {at!r}: no change of ours")
    return Change(file, at, old.encode("latin-1"), new.encode("latin-1"))
