"""Commands of an installed package, stockml-train and stockml-predict: its two scripts, run as modules.

They run in the Python that they are installed in, and never look for another one.
"""

from __future__ import annotations

from stockml.commands import bootstrap


def train() -> int:
    """Run train_models.py; returns the exit code."""
    bootstrap.prepare()
    import train_models

    return train_models.main()


def predict() -> int:
    """Run realtime_predictor.py; returns the exit code."""
    bootstrap.prepare()
    import realtime_predictor

    return realtime_predictor.main()
