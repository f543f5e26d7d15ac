"""Values and signals in words: prices, shares, changes, days. The page's script writes them alike."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

from stockml.signals.plugins import PREFIX

NO_WORDS = "–"
SIMULATED = "simulated market, no real prices"

MEANINGS = {
    "overbought": "RSI above 70",
    "oversold": "RSI below 30",
    "macd_positive": "MACD above 0",
    "golden_cross": "close above its 50-day, above its 200-day average",
    "death_cross": "close below its 50-day, below its 200-day average",
    "regime_bullish": "up 5 % or more in 20 sessions, without wild swings",
    "drift": "where prices have gone on average",
    "lstm": "the neural network's forecast",
    "xgb": "the gradient-boosted trees' forecast",
    "pattern": "what followed this shape of prices and volumes",
}


def meaning(signal: str) -> str:
    """Meaning of a signal in a few words; '' for an unknown one."""
    if signal.startswith(PREFIX):
        return f"the plug-in {signal.removeprefix(PREFIX)}"
    return MEANINGS.get("pattern" if re.fullmatch(r"pattern_\d+", signal) else signal, "")


def money(value: float) -> str:
    """A price with two decimals; a small one with five significant digits."""
    return f"{value:,.2f}" if abs(value) >= 10 else f"{Decimal(f'{value:.5g}'):f}"


def signed(value: float) -> str:
    """A change in % with its sign."""
    text = f"{value:+.2f}"
    return "0.00 %" if float(text) == 0 else f"{text} %".replace("-", "−")


def percent(value: float | None) -> str:
    """A value in %."""
    return NO_WORDS if value is None else f"{value:.2f} %"


def share(value: float) -> str:
    """A fraction in per cent."""
    return f"{value * 100:.1f} %"


def day(text: str) -> str:
    """2026-03-02 as 2 Mar 2026."""
    return f"{date.fromisoformat(text):%-d %b %Y}"


def direction(value: float) -> str:
    """The class that colours a change."""
    return {"▲": "up", "▼": "down"}.get(arrow(value), "")


def arrow(value: float) -> str:
    """A change's direction without colour."""
    shown = round(value, 2)
    return "▲" if shown > 0 else "▼" if shown < 0 else "■"


def moment_text(text: str) -> str:
    """Time the report was written, in UTC, or the day it acts on."""
    return f"acting as on {day(text)}" if len(text) == 10 else f"written {day(text[:10])}, {text[11:16]} UTC"
