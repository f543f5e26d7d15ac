"""Where everything that is written lies: the folder beside the scripts, or `--home DIR`.

It knows names and paths only; what is in the files is the business of the modules that own them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

SYMBOL_RULE = "letters, digits and . - ^ = & _ only, starting with a letter, a digit or ^, at most 32 characters"
_SYMBOL = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.\-^=&_]{0,31}")


@dataclass(frozen=True, slots=True)
class Home:
    """The documented folders under one root; nothing is created until something is written."""

    root: Path = PROJECT

    @property
    def training(self) -> Path:
        return self.root / "ml_training_data"

    @property
    def models(self) -> Path:
        return self.training / "models"

    @property
    def metrics(self) -> Path:
        return self.training / "metrics"

    @property
    def training_lock(self) -> Path:
        """Held by whoever puts results of training in their places."""
        return self.training / ".lock"

    @property
    def validation(self) -> Path:
        """Validation forecasts beside what happened, a file a stock."""
        return self.training / "predictions"

    @property
    def prices(self) -> Path:
        """The price store and yfinance's own caches."""
        return self.training / "prices"

    @property
    def log(self) -> Path:
        return self.root / "realtime_predictions" / "predictions.jsonl"

    @property
    def feedback(self) -> Path:
        return self.root / "realtime_predictions" / "feedback"


def check_symbol(symbol: str) -> str:
    """The symbol itself; ValueError where it could not be a ticker, or could leave its folder."""
    if not _SYMBOL.fullmatch(symbol) or ".." in symbol:
        raise ValueError(f"{symbol!r} is not a symbol: {SYMBOL_RULE}; correct the spelling")
    return symbol


def folder_name(symbol: str) -> str:
    """The symbol's folder, as SPEC writes it: TCS.NS lies in TCS_NS."""
    return check_symbol(symbol).replace(".", "_")
