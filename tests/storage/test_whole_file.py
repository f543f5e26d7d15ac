"""A large file is there whole or not at all, and the one that was there stays until then."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from stockml.storage.files import StorageError
from stockml.storage.whole_file import parts_folder, whole_file


def write(path: Path, text: str) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(text)


@pytest.mark.parametrize("old", [None, "", "old and longer than the new"])
def test_the_new_file_takes_the_name_and_nothing_else_stays(tmp_path: Path, old: str | None) -> None:
    path = tmp_path / "table.csv"
    if old is not None:
        path.write_text(old)
    write(path, "new")
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "full"), StorageError),
        (OSError(errno.EIO, "broken"), StorageError),
        (ValueError("no room"), ValueError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_whatever_ends_the_writing_leaves_the_old_file(
    tmp_path: Path, error: BaseException, told: type[BaseException]
) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(told), whole_file(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def _write_half_and_die(path: Path) -> None:
    with whole_file(path) as temporary, parts_folder(temporary) as parts:
        temporary.write_text("half, and longer than what comes after it")
        (parts / "sheet").write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_writer_leaves_the_old_file_and_the_next_one_sweeps(tmp_path: Path) -> None:
    path = tmp_path / "table.xlsx"
    path.write_text("old")
    killed = multiprocessing.get_context("fork").Process(target=_write_half_and_die, args=(path,))
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL and path.read_text() == "old"
    with whole_file(path) as temporary, parts_folder(temporary) as parts:
        assert list(parts.iterdir()) == [] and temporary.read_bytes() == b""
        temporary.write_text("new")
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot write the file"):
        write(tmp_path / "none" / "table.csv", "new")
    assert list(tmp_path.iterdir()) == []
