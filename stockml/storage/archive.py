"""Archives of a few files: written whole, with a manifest of checksums, and read without trust.

An archive is a ZIP file. Which names it may hold is said by the owner of the files. Reading bounds everything that a
hostile file could claim: its directory, its names, its kinds of members, and how much they unpack to.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO

from stockml.storage.files import StorageError, make_folder, storage, sync_folder, write_fully
from stockml.storage.plain_files import open_plain
from stockml.storage.temporary import give_mode, new_temporary

MANIFEST = "manifest.json"
BLOCK = 1 << 20  # bytes held in memory at a time
LARGEST_DIRECTORY = 1 << 16  # bytes; a few names take one or two thousand
LARGEST_MANIFEST = 1 << 16
ALWAYS_UNPACKED = 64 << 20  # bytes, whatever the archive's size
GREATEST_RATIO = 200  # of the bytes unpacked to those packed; a log has some 10

_END = struct.Struct("<4s4H2LH")  # the last record of a ZIP file without a comment
_ZIP64_LOCATOR = b"PK\6\7"  # before it, in files beyond 4 GiB; it may claim another directory
_UNREADABLE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, LookupError, RuntimeError)


class ArchiveError(ValueError):
    """No whole archive of ours; the text says why, after the path."""


def write_archive(path: Path, files: Mapping[str, Path], about: Mapping[str, Any]) -> None:
    """Write a new archive: whole and read back, or not at all.

    Parameters
    ----------
    path : Path
        Nothing may stand there; its folder exists.
    files : mapping
        The file to keep by its name in the archive.
    about : mapping
        What else the manifest says, for JSON.
    """
    with storage(path, "write the file"):
        descriptor, temporary = new_temporary(path)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                _fill(file, files, about)
                file.flush()
                give_mode(descriptor, path)
                os.fsync(descriptor)
                read_archive(temporary, files)
                temporary.rename(path)
        except ArchiveError as error:
            with suppress(OSError):
                temporary.unlink()
            raise StorageError(f"{path}: what was written {error}; check the disk and run again") from None
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        sync_folder(path.parent)


def _fill(file: BinaryIO, files: Mapping[str, Path], about: Mapping[str, Any]) -> None:
    entries = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, source in files.items():
            sums, length = hashlib.sha256(), 0
            with open_plain(source) as content, archive.open(_member(name), "w", force_zip64=True) as packed:
                while block := content.read(BLOCK):
                    sums.update(block)
                    length += len(block)
                    packed.write(block)
            entries[name] = {"bytes": length, "sha256": sums.hexdigest()}
        archive.writestr(_member(MANIFEST), json.dumps({**about, "files": entries}, indent=2) + "\n")


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = (stat.S_IFREG | 0o644) << 16
    return member


def read_archive(path: Path, names: Collection[str], into: Path | None = None) -> dict[str, Any]:
    """Check every file of an archive, and unpack them into a new folder where one is named.

    Parameters
    ----------
    path : Path
    names : collection of str
        The names that the files may have.
    into : Path or None
        The folder; what it holds after an ArchiveError is left to the caller.

    Returns
    -------
    dict
        The manifest: what was said at writing, and under "files" the length and the SHA-256 of each.
    """
    with storage(path, "read the file"), open_plain(path) as file, _opened(file) as archive:
        manifest = _manifest(archive, names, size=os.fstat(file.fileno()).st_size)
        for name, entry in manifest["files"].items():
            with archive.open(name) as packed:
                if into is None:
                    _copy(packed, name, entry, None)
                    continue
                make_folder((into / name).parent)
                with storage(into / name, "write the file"), _created(into / name) as descriptor:
                    _copy(packed, name, entry, descriptor)
        return manifest


@contextmanager
def _opened(file: BinaryIO) -> Iterator[zipfile.ZipFile]:
    try:
        _check_directory(file)
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (ArchiveError, StorageError):
        raise
    except OSError as error:
        if error.errno != errno.EINVAL:  # of a place before the file's first byte, which a damaged archive names
            raise
        raise ArchiveError("is damaged (it names a place outside itself)") from None
    except _UNREADABLE:
        raise ArchiveError("is damaged") from None


def _check_directory(file: BinaryIO) -> None:
    """ArchiveError unless the file ends as ours do, before anything is read whose length it claims."""
    size = file.seek(0, os.SEEK_END)
    if size < _END.size:
        raise ArchiveError("is no backup, or only the beginning of one")
    file.seek(max(0, size - _END.size - 20))
    tail = file.read()
    mark, *_, length, _, comment = _END.unpack(tail[-_END.size :])
    if mark != b"PK\5\6" or comment or tail.startswith(_ZIP64_LOCATOR):
        raise ArchiveError("is no backup, or only the beginning of one")
    if length > LARGEST_DIRECTORY:
        raise ArchiveError(f"claims a directory of {length:,} bytes, which no backup has")


def _manifest(archive: zipfile.ZipFile, names: Collection[str], *, size: int) -> dict[str, Any]:
    members = {member.filename: member for member in archive.infolist()}
    for name, member in members.items():
        if name != MANIFEST and name not in names:
            raise ArchiveError(f"holds {name[:80]!r}, which is no file of a backup")
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG) or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ArchiveError(f"holds {name!r} as something else than a plain file")
    if MANIFEST not in members:
        raise ArchiveError(f"holds no {MANIFEST}")
    with archive.open(MANIFEST) as packed:
        text = packed.read(LARGEST_MANIFEST + 1)
    from stockml.storage.decoding import DecodingError, decoded_object

    try:
        manifest = decoded_object(text, LARGEST_MANIFEST)
    except DecodingError as error:
        raise ArchiveError(f"has a {MANIFEST} that {error}") from None
    files = manifest.get("files")
    if not isinstance(files, dict) or not all(map(_is_entry, files.values())):
        raise ArchiveError(f"has a {MANIFEST} that lists no files")
    if len(archive.infolist()) != len(members) or members.keys() != {MANIFEST, *files}:
        raise ArchiveError(f"does not hold the files that its {MANIFEST} lists")
    if sum(entry["bytes"] for entry in files.values()) > max(ALWAYS_UNPACKED, GREATEST_RATIO * size):
        raise ArchiveError(f"claims to unpack to over {GREATEST_RATIO} times its size, which no backup does")
    return manifest


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    length = entry.get("bytes")
    return type(length) is int and length >= 0 and isinstance(entry.get("sha256"), str)


@contextmanager
def _created(path: Path) -> Iterator[int]:
    """A new file, open for writing; on the disk at the end."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        yield descriptor
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy(packed: IO[bytes], name: str, entry: Mapping[str, Any], descriptor: int | None) -> None:
    """Unpack one file, never more of it than the manifest says; ArchiveError where it is another."""
    sums, length = hashlib.sha256(), 0
    while length <= entry["bytes"] and (block := packed.read(BLOCK)):
        if descriptor is not None:
            write_fully(descriptor, block, length)
        sums.update(block)
        length += len(block)
    if length != entry["bytes"] or sums.hexdigest() != entry["sha256"]:
        raise ArchiveError(f"is damaged: {name} is not as it was written")
