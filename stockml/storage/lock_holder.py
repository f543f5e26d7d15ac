"""The process that holds a lock, as the kernel knows it: its number and its command, for a message."""

from __future__ import annotations

import os
from pathlib import Path

LOCKS, PROCESSES = Path("/proc/locks"), Path("/proc")
SHOWN = 100  # characters of a command


def lock_holder(descriptor: int) -> str | None:
    """The holder of the lock of an open file, in words as "process 4711: ./train_models.py --years 3".

    None where the system does not say: where it is no Linux, or the holder is in another container.
    """
    try:
        number = _number(os.fstat(descriptor), LOCKS.read_text().splitlines())
    except (OSError, ValueError):
        return None
    if not number:
        return None
    command = _command(number)
    return f"process {number}: {command}" if command else f"process {number}"


def _number(status: os.stat_result, lines: list[str]) -> int:
    """The number of the process that holds a lock of the file; 0 where none is named."""
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    found = 0
    for line in lines:
        words = line.split()
        if "->" in words or len(words) < 6 or words[1] != "FLOCK":  # one with an arrow waits
            continue
        place, _, inode = words[5].rpartition(":")
        if int(inode) == status.st_ino and int(words[4]) > 0:
            if place == device:
                return int(words[4])
            found = int(words[4])  # a file system on top of others shows the device of one below
    return found


def _command(number: int) -> str:
    """Its command line as it may be printed; empty where it may not be read, or the process has ended."""
    try:
        words = (PROCESSES / str(number) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ""
    if Path(words[0]).name.startswith("python") and len(words) > 2:
        del words[0]
    text = " ".join(word for word in words if word)
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
