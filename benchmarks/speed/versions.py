"""Another version of the project beside this one: checked out, with this one's environment."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from timing import PROJECT


def git(*words: str | Path) -> str:
    """What git prints; it must end well."""
    command = ["git", *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def revision_of(name: str) -> str:
    """The commit of a revision, by its number."""
    return git("-C", PROJECT, "rev-parse", "--short", f"{name}^{{commit}}").strip()


def clone(revision: str, folder: Path) -> Path:
    """A clone of the project at a revision, in a folder that is not there yet."""
    git("clone", "-q", PROJECT, folder)
    git("-C", folder, "checkout", "-q", revision)
    return folder


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """A clone at a revision that uses this project's environment, for as long as the block lasts.

    It has to run with the libraries there: a version that knows XGBoost by the name of its GPU build alone needs that.
    """
    with tempfile.TemporaryDirectory() as folder:
        project = clone(revision, Path(folder) / "project")
        (project / ".venv").symlink_to(PROJECT / ".venv")
        yield project
