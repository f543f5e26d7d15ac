"""Folders written whole, put in place of another, and recovered after an interruption."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from stockml.storage import files
from stockml.storage.files import StorageError, make_folder, storage, sync_file, sync_folder
from stockml.storage.temporary import new_temporary_folder

SYNCED_AT_ONCE = 8  # files; a disk takes less for many at once than for one after the other


def put_folder(target: Path, files: Mapping[str, bytes]) -> None:
    """Put a folder of these files in place of `target`, whole or not at all; the caller holds a lock.

    They are writable by the owner alone, whatever the umask: a file that others can write is not trusted.
    """
    make_folder(target.parent)
    with storage(target, "write the folder"):
        folder = new_temporary_folder(target)
        try:
            for name, content in files.items():
                with (folder / name).open("xb") as file:
                    file.write(content)
                    os.fchmod(file.fileno(), 0o644)
            folder.chmod(0o755)
            replace_folder(folder, target)
        except (OSError, StorageError):
            shutil.rmtree(folder, ignore_errors=True)
            raise


def new_folder(folder: Path) -> None:
    """Create a folder that is empty and its owner's alone, in place of what an interrupted run left; no link stays.

    The caller holds a lock that keeps other runs from doing the same.
    """
    with storage(folder, "create the folder"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove(folder)
        folder.mkdir(mode=0o700)


def replace_folder(new: Path, target: Path) -> None:
    """Put the complete folder `new` in place of `target`, which is deleted; both lie beside each other.

    Every file in `new` is on the disk before it takes the name. Where names cannot be exchanged in one step the old
    folder is moved away first: `recover_folder` brings it back should that be interrupted.
    """
    with storage(target, "replace the folder"):
        recover_folder(target)
        if target.exists() and not target.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
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
        if not target.exists() and not _moved(target).is_symlink():
            _moved(target).rename(target)


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def moved_folders(parent: Path) -> Iterator[Path]:
    """Folders moved away for their replacement; after an interruption they may be the only copy."""
    return parent.glob(_moved(parent / "*").name)


def _moved(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _sync_files(folder: Path) -> None:
    from stockml.storage.threads import Threads

    paths = [path for path in folder.rglob("*") if path.is_file()]
    with Threads(SYNCED_AT_ONCE) as threads:
        for _ in threads.map(sync_file, paths):  # which raises what went wrong
            pass
    sync_folder(folder)
