"""A file too large to be held in memory, written beside its place and given its name when it is whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stockml.storage.files import alone_in, storage, sync_folder


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """An empty file beside `path` to write in the block; it takes its place once the block ends well, and only then.

    Whatever ends the block otherwise, the file that was there stays. A killed writer leaves at most one temporary file,
    which the next takes over; two writers of one file wait for each other. Its folder must exist.

    Raises
    ------
    StorageError
        For an OSError of the block too.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    with storage(path, "write the file"):
        descriptor = alone_in(temporary)
        try:
            os.ftruncate(descriptor, 0)
            yield temporary
            os.fsync(descriptor)  # before the rename: a name must never point at bytes that are not there yet
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        finally:
            os.close(descriptor)
        sync_folder(path.parent)


@contextmanager
def parts_folder(temporary: Path) -> Iterator[Path]:
    """A folder beside a temporary file for what it is made of; gone at the end, also what a killed writer left."""
    folder = temporary.with_name(f"{temporary.name}.parts")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
