"""Whole files, whole folders, and scores that `tail -f` shows and nobody reads torn."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import resource
import subprocess
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import pytest
from tools import needs
from waiting import PATIENCE_SECONDS, wait_until

from stockml.storage import files, tail_file
from stockml.storage.files import StorageError, write_whole
from stockml.storage.folders import recover_folder, replace_folder
from stockml.storage.tail_file import write_for_tail

PAUSE_SECONDS = 0.01  # between two files' swap and the rewriting of the other; five times as long in real runs


def test_a_whole_file_takes_the_place_of_the_old_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file.json"
    write_whole(path, "one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two" and list(path.parent.iterdir()) == [path]


def test_what_a_killed_writer_left_is_swept(tmp_path: Path) -> None:
    path = tmp_path / "file"
    (tmp_path / ".file.stockml-00112233445566ff.tmp").write_bytes(b"half of something longer")
    write_whole(path, "whole")
    assert path.read_text() == "whole" and list(tmp_path.iterdir()) == [path]


def _write_many(path: Path, letter: str) -> None:
    for _ in range(200):
        write_whole(path, letter * 20_000)


def test_two_writers_of_one_file_never_mix(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, "a" * 20_000)
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(path, letter)) for letter in "abc"]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        content = path.read_text()
        assert content in ("a" * 20_000, "b" * 20_000, "c" * 20_000)
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0


@pytest.mark.parametrize(
    ("code", "remedy"),
    [(errno.ENOSPC, "free some space"), (errno.EROFS, "--home"), (errno.EIO, "disk reports an error")],
)
def test_a_refused_write_leaves_the_old_file_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, remedy: str
) -> None:
    path = tmp_path / "file"
    write_whole(path, "old")

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "pwrite", refuse)
    with pytest.raises(StorageError, match=remedy) as caught:
        write_whole(path, "new")
    assert str(path) in str(caught.value) and os.strerror(code) in str(caught.value)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_file_that_may_not_grow_is_refused_by_the_system_itself(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, "old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StorageError, match="may not grow"):
            write_whole(path, "x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_text() == "old"


def test_scores_are_padded_json_and_the_same_text_is_not_written_twice(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    write_for_tail(path, '{"a": 1}')
    before = path.stat()
    write_for_tail(path, '{"a": 1}')
    assert path.stat() == before and path.stat().st_size == 4096 and json.loads(path.read_text()) == {"a": 1}
    write_for_tail(path, json.dumps({"a": "x" * 5000}))
    assert path.stat().st_size == 8192
    write_for_tail(path, '{"a": 2}')
    assert path.stat().st_size == 4096 and path.read_text().rstrip() == '{"a": 2}' and path.read_text().endswith("\n")
    assert {file.name for file in tmp_path.iterdir()} == {"scores.json", ".scores.json.spare"}


def _scores(number: int, symbols: int) -> str:
    return json.dumps({f"SYMBOL{n}.NS": {"total_predictions": number, "mean": number / 7} for n in range(symbols)})


def _read_all_the_time(path: Path, stop: Event, reads: Any, found: multiprocessing.Queue[int]) -> None:
    """Count the reads that take less than the pause, and the torn ones among them: no other read is promised."""
    torn = 0
    while not stop.is_set():
        begun = time.monotonic()
        text = path.read_text()
        if time.monotonic() - begun < PAUSE_SECONDS:
            reads.value += 1
            try:
                torn += len({scores["total_predictions"] for scores in json.loads(text).values()}) != 1
            except ValueError:
                torn += 1
    found.put(torn)


@pytest.mark.parametrize("symbols", [10, 200])
def test_a_reader_never_meets_torn_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, symbols: int) -> None:
    monkeypatch.setattr(tail_file, "TAIL_PAUSE_SECONDS", PAUSE_SECONDS)
    path = tmp_path / "scores.json"
    write_for_tail(path, _scores(0, symbols))
    context = multiprocessing.get_context("spawn")
    stop, found = context.Event(), context.Queue()
    reads = context.Value("i", 0)
    reader = context.Process(target=_read_all_the_time, args=(path, stop, reads, found))
    reader.start()
    number = 0
    while number < 100 or reads.value < 500:
        number += 1
        write_for_tail(path, _scores(number, symbols))
    stop.set()
    torn = found.get(timeout=PATIENCE_SECONDS)
    reader.join()
    assert torn == 0


@needs("tail")
@pytest.mark.parametrize("can_exchange", [True, False])
def test_tail_shows_each_change_of_the_scores_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool
) -> None:
    if not can_exchange:
        monkeypatch.setattr(files, "exchange", lambda one, other: False)
    path, shown = tmp_path / "scores.json", tmp_path / "shown"
    write_for_tail(path, _scores(0, 10))
    followed = path.stat().st_ino

    def until_tail_has_seen_it(_: float) -> None:
        """What the pause is for: in real runs a moment, here as long as a busy machine takes."""
        (now,) = (file for file in tmp_path.glob("*scores*") if file.stat().st_ino == followed)
        wait_until(lambda: shown.read_bytes().rstrip().endswith(now.read_bytes().rstrip()), "the change")

    monkeypatch.setattr(tail_file, "pause", until_tail_has_seen_it)
    with shown.open("wb") as out, subprocess.Popen(["tail", "-f", path], stdout=out, stderr=subprocess.DEVNULL) as tail:
        try:
            for number in range(1, 11):
                _wait_for(shown, number)  # runs are further apart than tail takes
                write_for_tail(path, _scores(number, 10))
            _wait_for(shown, 11)
        finally:
            tail.terminate()
    assert [line.strip() for line in shown.read_text().splitlines()] == [_scores(number, 10) for number in range(11)]


def _wait_for(shown: Path, lines: int) -> None:
    wait_until(lambda: shown.read_bytes().count(b"\n") >= lines, f"line {lines}")


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_folder_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool) -> None:
    if not can_exchange:
        monkeypatch.setattr(files, "exchange", lambda one, other: False)
    target = tmp_path / "TCS_NS"
    for content in ("first", "second"):
        new = tmp_path / ".TCS_NS.new"
        new.mkdir()
        (new / "model").write_text(content)
        replace_folder(new, target)
        assert (target / "model").read_text() == content and list(tmp_path.iterdir()) == [target]


def test_a_replacement_interrupted_between_two_renames_is_taken_back(tmp_path: Path) -> None:
    target, moved = tmp_path / "TCS_NS", tmp_path / ".TCS_NS.old"
    moved.mkdir()
    (moved / "model").write_text("old")
    recover_folder(target)
    assert (target / "model").read_text() == "old" and not moved.exists()
    recover_folder(target)
    recover_folder(tmp_path / "NEVER")
    assert list(tmp_path.iterdir()) == [target]
