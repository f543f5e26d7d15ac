"""Commands of an installed package, stockml-train and stockml-predict: its two scripts, run as modules.

They run in the Python that they are installed in, and never look for another one.
"""

from __future__ import annotations

import sys

from stockml.commands import bootstrap


def train() -> int:
    """Run train_models.py; returns the exit code."""
    if not _is_ready():
        return bootstrap.NOT_DONE
    import train_models

    return train_models.main()


def predict() -> int:
    """Run realtime_predictor.py; returns the exit code."""
    if not _is_ready():
        return bootstrap.NOT_DONE
    import realtime_predictor

    return realtime_predictor.main()


def _is_ready() -> bool:
    """Make the process that of a command; False, and told, where libraries are missing."""
    bootstrap.prepare()
    if bootstrap.has_libraries():
        return True
    sys.stderr.write(f"The libraries of stockml are not installed in {sys.prefix}; run `pip install` there again.\n")
    return False
