"""A file too large to be held in memory, written beside its place and given its name when it is whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stockml.storage.files import storage, sync_folder
from stockml.storage.temporary import give_mode, new_temporary, parts_of


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """An empty file beside `path` to write in the block; it takes its place once the block ends well, and only then.

    Whatever ends the block otherwise, the file that was there stays; of two writers the later one wins. Its folder must
    exist.

    Raises
    ------
    StorageError
        For an OSError of the block too.
    """
    with storage(path, "write the file"):
        descriptor, temporary = new_temporary(path)
        try:
            yield temporary
            give_mode(descriptor, path)
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
    """A folder beside a temporary file for what it is made of; gone at the end."""
    folder = parts_of(temporary)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
