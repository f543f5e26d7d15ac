"""Paths of all files that are written: under `--home DIR`, else beside the scripts or in a folder of the user's.

Names and paths only; the contents belong to the modules that own the files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from stockml.core.installation import default_root

SYMBOL_RULE = "letters, digits and . - ^ = & _ only, starting with a letter, a digit or ^, at most 32 characters"
_SYMBOL = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.\-^=&_]{0,31}")


@dataclass(frozen=True, slots=True)
class Home:
    """The documented folders under one root; nothing is created until something is written."""

    root: Path = field(default_factory=default_root)

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root))  # a text too, for people at a prompt

    @property
    def settings(self) -> Path:
        """The home's own settings, written by a person or by --init."""
        return self.root / "stockml.toml"

    @property
    def training(self) -> Path:
        """All that training and fetching leave."""
        return self.root / "ml_training_data"

    @property
    def models(self) -> Path:
        """Trained bundles, a folder a stock."""
        return self.training / "models"

    @property
    def common_models(self) -> Path:
        """Common networks of the newest trainings, which the next one goes on from, a file each."""
        return self.training / "common_models"

    @property
    def metrics(self) -> Path:
        """Scores of each training run."""
        return self.training / "metrics"

    @property
    def training_lock(self) -> Path:
        """The lock held while results of training are put in their places."""
        return self.training / ".lock"

    @property
    def validation(self) -> Path:
        """Validation forecasts and the actual prices, a file a stock."""
        return self.training / "predictions"

    @property
    def prices(self) -> Path:
        """The price cache and yfinance's own caches."""
        return self.training / "prices"

    @property
    def announcements(self) -> Path:
        """The days on which companies publish results, as Yahoo told them and when."""
        return self.prices / "announcements.jsonl"

    @property
    def log(self) -> Path:
        """The prediction log."""
        return self.root / "realtime_predictions" / "predictions.jsonl"

    @property
    def exchanges(self) -> Path:
        """The exchanges of symbols that do not name theirs, as they were said, told by the prices or by Yahoo."""
        return self.root / "realtime_predictions" / "exchanges.json"

    @property
    def feedback(self) -> Path:
        """Accuracy and learned weights, derived from the log."""
        return self.root / "realtime_predictions" / "feedback"


def is_symbol(symbol: str) -> bool:
    """False for what could not be a ticker, or could leave its folder."""
    return _SYMBOL.fullmatch(symbol) is not None and ".." not in symbol


def check_symbol(symbol: str) -> str:
    """The symbol itself; ValueError where it could not be a ticker, or could leave its folder."""
    if not is_symbol(symbol):
        raise ValueError(f"{symbol!r} is not a symbol: {SYMBOL_RULE}; correct the spelling")
    return symbol


def expanded(text: str) -> Path:
    """A path that somebody wrote, `~` being the home directory, which a shell expands at a word's start alone."""
    try:
        return Path(text).expanduser()
    except RuntimeError:  # nobody's home directory
        return Path(text)


def folder_name(symbol: str) -> str:
    """The name of a symbol's folder, as in SPEC: TCS_NS for TCS.NS."""
    return check_symbol(symbol).replace(".", "_")
