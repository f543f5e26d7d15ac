"""Lock files: their owner's alone, never a link's other end; whoever waits says for whom."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

import pytest

from stockml.storage import file_lock, lock_holder
from stockml.storage.file_lock import LockTimeout, exclusive
from stockml.storage.files import StorageError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_both_files_are_their_owner_s_alone(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with exclusive(path):
        assert [mode(path), mode(tmp_path / ".lock.queue")] == [0o600, 0o600]


@pytest.mark.parametrize("wide", [0o644, 0o666, 0o640])
def test_a_wider_mode_is_narrowed(tmp_path: Path, wide: int) -> None:
    for name in (".lock", ".lock.queue"):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(wide)
    with exclusive(tmp_path / ".lock"):
        assert [mode(tmp_path / name) for name in (".lock", ".lock.queue")] == [0o600, 0o600]


@pytest.mark.parametrize("name", [".lock", ".lock.queue"])
@pytest.mark.parametrize("kind", ["link", "link to nothing", "FIFO", "folder"])
def test_what_is_no_plain_file_is_refused_in_one_sentence(tmp_path: Path, name: str, kind: str) -> None:
    victim, path = tmp_path / "victim", tmp_path / name
    victim.write_text("precious")
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(victim if kind == "link" else tmp_path / "nothing")
    with pytest.raises(StorageError, match=rf"{name}: ") as refused, exclusive(tmp_path / ".lock"):
        raise AssertionError("it was taken for a lock file")
    assert str(refused.value).count("\n") == 0 and "run again" in str(refused.value)
    assert victim.read_text() == "precious" and mode(victim) != 0o600 and not (tmp_path / "nothing").exists()


def test_it_says_for_whom_it_waits_and_what_is_guarded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / ".lock"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        waiting = pytest.raises(LockTimeout, match=rf"after 0.05 s \(process {os.getpid()}: .*nothing was changed")
        with waiting, exclusive(path, timeout=0.05, guarded="the models"):
            raise AssertionError("two held the lock at once")
    (said,) = caplog.messages
    assert said.startswith(f"another run is writing the models (process {os.getpid()}: ")
    assert said.endswith("; waiting up to 0.05 s for it to end")


@pytest.mark.parametrize(
    ("locks", "told"),
    [
        ("1: FLOCK  ADVISORY  WRITE {pid} {place} 0 EOF", "process {pid}: "),
        ("1: -> FLOCK  ADVISORY  WRITE {pid} {place} 0 EOF", None),
        ("1: POSIX  ADVISORY  WRITE {pid} {place} 0 EOF", None),
        ("1: FLOCK  ADVISORY  WRITE -1 {place} 0 EOF", None),  # of another container
        ("1: FLOCK  ADVISORY  WRITE {pid} 00:2d:{inode} 0 EOF", "process {pid}: "),  # on an overlay
        ("1: FLOCK  ADVISORY  WRITE 4194305 {place} 0 EOF", "process 4194305"),  # ended just now
        ("nonsense", None),
        ("", None),
    ],
)
def test_the_holder_is_told_where_the_system_knows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locks: str, told: str | None
) -> None:
    with (tmp_path / "lock").open("w") as file:
        status = os.fstat(file.fileno())
        place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
        (tmp_path / "locks").write_text(locks.format(pid=os.getpid(), place=place, inode=status.st_ino) + "\n")
        monkeypatch.setattr(lock_holder, "LOCKS", tmp_path / "locks")
        found = lock_holder.lock_holder(file.fileno())
    assert (found or "").startswith(told.format(pid=os.getpid())) if told else found is None


def test_a_long_or_odd_command_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "7"
    folder.mkdir()
    (folder / "cmdline").write_bytes(b"/usr/bin/python3\0/opt/train_models.py\0--symbols\0A\x1b[2J\n" + b"x" * 500)
    monkeypatch.setattr(lock_holder, "PROCESSES", tmp_path)
    command = lock_holder._command(7)
    assert command.startswith("/opt/train_models.py --symbols A?[2J?xxx") and len(command) == lock_holder.SHOWN
    assert file_lock._named(-1) == ""
