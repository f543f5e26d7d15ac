"""Temporary files: names that nobody can foretell, for their owner alone until they are whole, and no planted link."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stockml.storage import temporary
from stockml.storage.archive import write_archive
from stockml.storage.files import write_whole
from stockml.storage.folders import new_folder, put_folder, recover_folder
from stockml.storage.tail_file import write_for_tail
from stockml.storage.temporary import new_temporary, temporary_name
from stockml.storage.whole_file import whole_file

LEFT = ".file.stockml-0123456789abcdef.tmp"


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    kept = os.umask(0o022)
    yield
    os.umask(kept)


def by_block(path: Path) -> None:
    with whole_file(path) as written:
        written.write_text("new")


def as_archive(path: Path) -> None:
    source = path.with_name("source")
    source.write_text("new")
    path.unlink(missing_ok=True)
    write_archive(path, {"a": source}, {})
    source.unlink()


WRITERS: dict[str, Callable[[Path], None]] = {
    "at once": lambda path: write_whole(path, "new"),
    "as a block": by_block,
    "an archive": as_archive,
}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_it_is_its_owner_s_alone_until_it_is_whole_and_then_as_any_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], None]
) -> None:
    seen: list[tuple[str, int]] = []
    replace, rename, give_mode = Path.replace, Path.rename, temporary.give_mode

    def look(descriptor: int, path: Path) -> None:
        (found,) = tmp_path.glob(".*.tmp")
        seen.append((found.name, mode(found)))
        give_mode(descriptor, path)

    for module in ("files", "whole_file", "archive"):
        monkeypatch.setattr(f"stockml.storage.{module}.give_mode", look)
    path = tmp_path / "file"
    for _ in range(2):
        write(path)
        assert mode(path) == 0o644
    assert [found[1] for found in seen] == [0o600, 0o600] and seen[0][0] != seen[1][0]
    assert (Path.replace, Path.rename) == (replace, rename) and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kept", [0o600, 0o640, 0o664])
def test_a_file_that_is_written_anew_keeps_its_mode(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "file"
    for write in (WRITERS["at once"], WRITERS["as a block"]):
        path.write_text("old")
        path.chmod(kept)
        write(path)
        assert (path.read_text(), mode(path)) == ("new", kept)


def test_the_umask_is_heeded_and_left_alone(tmp_path: Path) -> None:
    os.umask(0o077)
    write_whole(tmp_path / "file", "new")
    assert mode(tmp_path / "file") == 0o600 and os.umask(0o077) == 0o077


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_link_in_place_of_the_temporary_file_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], None]
) -> None:
    """Even where the name was foretold."""
    victim, path = tmp_path / "victim", tmp_path / "file"
    victim.write_text("precious")
    (tmp_path / LEFT).symlink_to(victim)
    names = iter([LEFT, ".file.stockml-fedcba9876543210.tmp"])
    monkeypatch.setattr(temporary, "temporary_name", lambda path: path.with_name(next(names)))
    with pytest.raises(RuntimeError, match="cannot write the file"):
        write(path)
    assert victim.read_text() == "precious"
    write(path)
    assert victim.read_text() == "precious" and not path.is_symlink()


def test_a_link_in_place_of_the_file_itself_is_replaced(tmp_path: Path) -> None:
    victim, path = tmp_path / "victim", tmp_path / "file"
    victim.write_text("precious")
    victim.chmod(0o666)
    path.symlink_to(victim)
    write_whole(path, "new")
    assert victim.read_text() == "precious" and not path.is_symlink() and mode(path) == 0o644


def test_a_link_in_place_of_the_spare_scores_is_replaced(tmp_path: Path) -> None:
    victim, path = tmp_path / "victim", tmp_path / "scores.json"
    victim.write_text("precious")
    (tmp_path / ".scores.json.spare").symlink_to(victim)
    for number in range(2):
        write_for_tail(path, json.dumps({"a": number}))
    assert victim.read_text() == "precious" and json.loads(path.read_text()) == {"a": 1}


def test_links_in_place_of_folders_are_replaced_or_left_alone(tmp_path: Path) -> None:
    elsewhere, target = tmp_path / "elsewhere", tmp_path / "home/TCS_NS"
    elsewhere.mkdir()
    (elsewhere / "model").write_text("precious")
    target.parent.mkdir()
    for name in (".TCS_NS.old", ".restore.tmp"):
        (target.parent / name).symlink_to(elsewhere)
    recover_folder(target)
    assert not os.path.lexists(target)
    put_folder(target, {"model": b"new"})
    put_folder(target, {"model": b"newer"})
    new_folder(target.parent / ".restore.tmp")
    assert (elsewhere / "model").read_text() == "precious" and (target / "model").read_text() == "newer"
    assert not (target.parent / ".restore.tmp").is_symlink() and mode(target) == 0o755


# ---- what a killed run left ------------------------------------------------------------------------------------------


def test_only_what_is_ours_and_left_is_swept(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    kept = {victim, *(tmp_path / name for name in (".file.tmp", ".file.0123456789abcdef.tmp", "file.stockml-1.tmp"))}
    for path in kept:
        path.write_text("precious")
    link = tmp_path / ".link.stockml-0123456789abcdef.tmp"
    link.symlink_to(victim)
    for name in (LEFT, ".b.stockml-0123456789abcdef.tmp"):
        (tmp_path / name).write_text("half")
        (tmp_path / f"{name}.parts").mkdir()
        (tmp_path / f"{name}.parts" / "sheet").write_text("half")
    (tmp_path / ".gone.stockml-0123456789abcdef.tmp.parts").mkdir()
    written = temporary_name(tmp_path / "other")
    with written.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # by a run that goes on
        descriptor, made = new_temporary(tmp_path / "file")
        os.close(descriptor)
        assert set(tmp_path.iterdir()) == kept | {link, written, made}
    assert victim.read_text() == "precious"
