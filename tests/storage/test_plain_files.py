"""Whatever has taken a file's place is refused at once in one sentence, and never waited for."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from stockml.storage.files import StorageError
from stockml.storage.plain_files import open_plain, plain_status, read_plain


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


OTHERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a FIFO": (os.mkfifo, "is a FIFO"),
    "a folder": (lambda path: path.mkdir(), "is a folder"),
    "a socket": (bind, "is a socket"),
    "a device without end": (lambda path: path.symlink_to("/dev/zero"), "is a device"),
    "the null device": (lambda path: path.symlink_to("/dev/null"), "is a device"),
    "a link to a FIFO": (lambda path: (os.mkfifo(f"{path}.fifo"), path.symlink_to(f"{path}.fifo"))[1], "is a FIFO"),
    "a link to nothing": (lambda path: path.symlink_to("nowhere"), "a link to nowhere, where there is nothing"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "Too many levels of symbolic links"),
}


@pytest.mark.parametrize(("make", "words"), OTHERS.values(), ids=OTHERS)
def test_what_is_no_plain_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], words: str
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's name may not be long
    path = Path("file") if make is bind else tmp_path / "file"
    make(path)
    for read in (plain_status, read_plain):
        with pytest.raises(StorageError, match=words) as refused:
            read(path)
        assert "run again" in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["a FIFO", "a device without end", "a folder"])
def test_one_that_took_the_place_after_it_was_looked_at_is_refused_too(tmp_path: Path, name: str) -> None:
    OTHERS[name][0](tmp_path / "file")
    with pytest.raises(StorageError, match=OTHERS[name][1]):
        open_plain(tmp_path / "file")


def test_a_file_and_a_link_to_one_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"text")
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        status = plain_status(tmp_path / name)
        assert status is not None and status.st_size == 4 and read_plain(tmp_path / name) == b"text"
        with open_plain(tmp_path / name) as file:
            assert file.read() == b"text"


def test_where_there_is_nothing_there_is_no_file(tmp_path: Path) -> None:
    assert plain_status(tmp_path / "none") is None and read_plain(tmp_path / "none") is None
