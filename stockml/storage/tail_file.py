"""A file that `tail -f` can follow and that no reader meets half written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stockml.storage import files
from stockml.storage.files import storage, sync_folder, write_fully, write_whole
from stockml.storage.pause import pause

TAIL_BLOCK = 4096  # bytes; texts are padded to a multiple, so that a new one rarely changes the length
TAIL_PAUSE_SECONDS = (
    0.05  # tail must wake inside it to notice that a file got shorter; 0.02 sufficed on an idle machine
)


def write_for_tail(path: Path, text: str) -> None:
    """Put `text`, padded, in place of the file so that `tail -f` shows it and no reader meets a torn file.

    `tail -f` follows the file it opened, not its name, so a rename alone shows nothing; a file overwritten under its
    name is met torn by about one reader in 10^5. Hence two files that swap the name: the spare one is rewritten and
    takes the name; then, after a pause in which readers that had already opened it finish, the other is rewritten for
    those who follow it. Writing the same text again changes nothing and shows nothing.
    """
    data = text.encode()
    data += b" " * (-(len(data) + 1) % TAIL_BLOCK) + b"\n"
    spare = path.with_name(f".{path.name}.spare")
    with storage(path, "write the file"):
        if not path.exists():
            write_whole(path, data)
        if spare.is_symlink():
            spare.unlink()  # not ours: what is written there would go elsewhere
        if not spare.exists():
            write_whole(spare, path.read_bytes())
        if path.read_bytes() != data:
            with _shown(spare, data):
                is_exchanged = files.exchange(spare, path)
            if not is_exchanged:
                with _shown(path, data):
                    pass
            sync_folder(path.parent)
        if not spare.is_symlink() and spare.read_bytes() != data:  # it is one where the file itself was
            with _shown(spare, data):
                pass


@contextmanager
def _shown(path: Path, data: bytes) -> Iterator[None]:
    """Rewrite a file at once; it lacks its last line feed until the end, so that followers see that it got shorter."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        write_fully(descriptor, data, 0)
        os.ftruncate(descriptor, len(data) - 1)
        os.fsync(descriptor)
        yield
        pause(TAIL_PAUSE_SECONDS)
        write_fully(descriptor, data[-1:], len(data) - 1)
    finally:
        os.close(descriptor)
