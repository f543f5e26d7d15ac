"""Folders written whole, put in place of another, and recovered after an interruption."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from stockml.storage import files
from stockml.storage.files import storage, sync_folder


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write these files into a new folder; where one cannot be written, none is left.

    They are writable by the owner alone, whatever the umask: a file that others can write is not trusted.
    """
    with storage(folder, "write the folder"):
        shutil.rmtree(folder, ignore_errors=True)  # left by an interrupted run
        try:
            folder.mkdir(parents=True, mode=0o755)
            for name, content in files.items():
                (folder / name).write_bytes(content)
                (folder / name).chmod(0o644)
            folder.chmod(0o755)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def replace_folder(new: Path, target: Path) -> None:
    """Put the complete folder `new` in place of `target`, which is deleted; both lie beside each other.

    Every file in `new` is on the disk before it takes the name. Where names cannot be exchanged in one step the old
    folder is moved away first: `recover_folder` brings it back should that be interrupted.
    """
    with storage(target, "replace the folder"):
        recover_folder(target)
        _remove(_moved(target))
        _sync_files(new)
        if not target.exists():
            new.rename(target)
        elif not files.exchange(new, target):
            target.rename(_moved(target))
            new.rename(target)
        sync_folder(target.parent)
        _remove(new)
        _remove(_moved(target))


def recover_folder(target: Path) -> None:
    """Bring back a folder whose replacement was interrupted between its two renames; call before reading it."""
    with storage(target, "bring back the folder"), suppress(FileNotFoundError):
        if not target.exists():
            _moved(target).rename(target)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def moved_folders(parent: Path) -> Iterator[Path]:
    """Folders moved away for their replacement; after an interruption they may be the only copy."""
    return parent.glob(_moved(parent / "*").name)


def _moved(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _sync_files(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    sync_folder(folder)
