"""The Dockerfile as a list of instructions, and what it copies into the image."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from scripts import PROJECT


class Instruction(NamedTuple):
    """An instruction in one line, and its words without options."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        return [word for word in self.text.split() if not word.startswith("--")]


def instructions() -> list[Instruction]:
    text = re.sub(r"^\s*#.*\n", "", (PROJECT / "Dockerfile").read_text(), flags=re.M).replace("\\\n", " ")
    return [Instruction(*line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def copied() -> list[Path]:
    """The files and folders of the project that are copied into the image, relative to it; each must be there."""
    patterns = [
        pattern
        for one in instructions()
        if one.name == "COPY" and "--from" not in one.text
        for pattern in one.words[:-1]
    ]
    found = {pattern: sorted(PROJECT.glob(pattern)) for pattern in patterns}
    assert all(found.values()), found
    return [path.relative_to(PROJECT) for paths in found.values() for path in paths]
