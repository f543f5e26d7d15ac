"""Place of the package: a checkout, beside its two scripts, or an installation with two commands in their place."""

from __future__ import annotations

import os
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

# Every installer leaves this folder beside an installed package; a checkout, also one installed as editable, has none.
_BESIDE = os.listdir(PROJECT)  # noqa: PTH208 - each start pays for it, and pathlib takes ten times as long
IS_INSTALLED = any(name.startswith("stockml-") and name.endswith(".dist-info") for name in _BESIDE)

TRAIN = "stockml-train" if IS_INSTALLED else "train_models.py"  # the commands, as messages name them
PREDICT = "stockml-predict" if IS_INSTALLED else "realtime_predictor.py"


def install_command(name: str) -> str:
    """The command that installs what an optional part needs."""
    if IS_INSTALLED:
        return f"{sys.executable} -m pip install 'stockml[{name}]'"
    return f".venv/bin/python -m pip install -r requirements-{name}.txt"


def default_root() -> Path:
    """The folder to write under where none is named: the project's, or of an installed package the user's own."""
    if not IS_INSTALLED:
        return PROJECT
    data = Path(os.environ.get("XDG_DATA_HOME", ""))
    if data.is_absolute():  # the standard ignores any other
        return data / "stockml"
    try:
        return Path.home() / ".local/share/stockml"
    except RuntimeError:  # a user without a home directory, as of a service
        return Path("/var/lib/stockml")


def as_called(text: str) -> str:
    """A text on the two scripts, with the names of the commands where these stand in their place."""
    if not IS_INSTALLED:
        return text
    for name, command in (("train_models.py", TRAIN), ("realtime_predictor.py", PREDICT)):
        text = text.replace(f"./{name}", command).replace(name, command)
    return text
