"""The journal after a power cut: whatever part of the unsynced bytes reached the disk, a replay gives the new state."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stockml.storage.files import StorageError, sealed
from stockml.storage.redo_journal import Change, Journal, _to_bytes

SECTOR = 16  # stands for the disk's 512 bytes, so that small files have many

quick = settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def changed_files(draw: st.DrawFn) -> tuple[bytes, bytes, list[Change]]:
    """A file, what it becomes, and the changes between: some places rewritten, and something added at its end."""
    old = draw(st.binary(min_size=0, max_size=200))
    new = bytearray(old)
    changes: list[Change] = []
    for start in draw(st.lists(st.integers(0, max(len(old) - 1, 0)), max_size=3, unique=True)):
        stop = min(start + draw(st.integers(1, 40)), len(old))
        if all(stop <= change.at or start >= change.at + len(change.old) for change in changes) and stop > start:
            content = draw(st.binary(min_size=stop - start, max_size=stop - start))
            changes.append(Change("file", start, old[start:stop], content))
            new[start:stop] = content
    added = draw(st.binary(max_size=100))
    if added:
        changes.append(Change("file", len(old), b"", added))
    return old, bytes(new) + added, changes


@st.composite
def power_cuts(draw: st.DrawFn) -> tuple[bytes, bytes, list[Change]]:
    """What a disk may hold after a power cut while a file was being changed; what it should; and the changes."""
    old, new, changes = draw(changed_files())
    length = draw(st.integers(len(old), len(new)))
    found = bytearray(old + bytes(length - len(old)))  # where a file grew and its data did not make it: NULs
    for start in range(0, length, SECTOR):
        if draw(st.booleans()):
            found[start : start + SECTOR] = new[start : min(start + SECTOR, length)]
    return bytes(found), new, changes


@quick
@given(power_cuts())
def test_whatever_reached_the_disk_a_replay_gives_the_new_state(
    tmp_path: Path, cut: tuple[bytes, bytes, list[Change]]
) -> None:
    found, new, changes = cut
    path, journal = tmp_path / "file", Journal(tmp_path / "journal")
    for _ in range(2):  # a second replay, of a journal whose deletion did not reach the disk, changes nothing
        path.write_bytes(found)
        journal.path.write_bytes(_to_bytes(changes))
        journal.replay()
        assert path.read_bytes() == new and not journal.path.exists() and journal.left() == []
        found = new


@quick
@given(changed_files(), st.data())
def test_a_journal_that_is_not_whole_is_not_believed(
    tmp_path: Path, files: tuple[bytes, bytes, list[Change]], data: st.DataObject
) -> None:
    old, _, changes = files
    path, journal = tmp_path / "file", Journal(tmp_path / "journal")
    path.write_bytes(old)
    whole = _to_bytes(changes)
    journal.path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    journal.replay()
    assert path.read_bytes() == old and not journal.path.exists()


def test_bytes_that_somebody_else_wrote_are_not_written_over(tmp_path: Path) -> None:
    path, journal = tmp_path / "file", Journal(tmp_path / "journal")
    fits, misfits = Change("file", 0, b"aa", b"bb"), Change("file", 4, b"", b"added")
    path.write_bytes(b"aaccEDITED")
    journal.path.write_bytes(_to_bytes([fits, misfits]))
    journal.replay()
    assert path.read_bytes() == b"bbccEDITED" and journal.left() == [misfits]
    path.write_bytes(b"x")
    journal.path.write_bytes(_to_bytes([fits]))
    journal.replay()
    assert path.read_bytes() == b"x" and journal.left() == [misfits, fits]
    journal.forget_left()
    assert journal.left() == []


def test_nothing_new_begins_before_an_unfinished_change_is_finished(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.path.write_bytes(_to_bytes([Change("file", 0, b"", b"first")]))
    with pytest.raises(StorageError, match="unfinished"):
        journal.commit([Change("file", 0, b"", b"second")])
    journal.replay()
    assert (tmp_path / "file").read_bytes() == b"first"


WRONG_SHAPES = {
    "another folder": [["../../x", 0, "", "text"]],
    "a whole path": [["/tmp/x", 0, "", "text"]],
    "the folder above": [["..", 0, "", "text"]],
    "this folder": [[".", 0, "", "text"]],
    "a name with a NUL": [["a\0b", 0, "", "text"]],
    "no name": [["", 0, "", "text"]],
    "a name that is too long": [["x" * 300, 0, "", "text"]],
    "half a surrogate": [["\ud800", 0, "", "text"]],
    "a place beyond every disk": [["log", 10**30, "", "text"]],
    "true for a place": [["log", True, "", "text"]],
    "too long a row": [["log", 0, "", "text", 1]],
    "no list": {"file": "x"},
    "too short a row": [["log", 0, ""]],
    "a text for a place": [["log", "0", "", "text"]],
    "a place before the file": [["log", -1, "", "text"]],
    "another length": [["log", 0, "abc", "text"]],
    "no bytes": [["log", 0, "", "\u0915"]],
    "nested": [[[[[]]]]],
}


@pytest.mark.parametrize("rows", WRONG_SHAPES.values(), ids=WRONG_SHAPES)
def test_a_journal_with_a_right_checksum_that_no_run_can_have_written_is_not_carried_out(
    tmp_path: Path, rows: object
) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "log").write_bytes(b"abcdef")
    (folder / "journal").write_bytes(sealed(json.dumps(rows).encode()))
    journal = Journal(folder / "journal")
    journal.replay()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "log"]
    assert (folder / "log").read_bytes() == b"abcdef" and journal.left() == []
