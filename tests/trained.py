"""A home with trained models, made once for all tests of a run that want one, and copied for each."""

from __future__ import annotations

import shutil
from pathlib import Path

from filelock import FileLock
from scripts import train

TRAINED_AS_OF = "2026-03-02"
TRAINED = ("SIM-ALPHA", "SIM-BETA", "SIM-GAMMA")


def trained_home(shared: Path, target: Path) -> Path:
    """`target`, filled with the models of three simulated companies.

    `shared` is a folder that all worker processes of the test run see.
    """
    kept = shared / "trained-home"
    with FileLock(shared / "trained-home.lock"):
        if not kept.exists():
            new = shared / "trained-home.new"
            ran = train("--source", "sample", "--symbols", *TRAINED, "--as-of", TRAINED_AS_OF, "--home", new)
            assert ran.code == 0, ran.err
            new.rename(kept)
    shutil.copytree(kept, target, dirs_exist_ok=True)
    return target
