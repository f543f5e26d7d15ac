"""Ranges of a predicted price: those that hold 50, 80 and 95 % of outcomes, from the line's own distribution."""

from __future__ import annotations

from typing import NamedTuple

from stockml.accuracy.scores import EIGHTY
from stockml.core.records import Prediction, round_price

SHARES = (0.5, EIGHTY, 0.95)
LEAST_PCT = -99.0  # a price stays above 0


class Range(NamedTuple):
    """The prices between which so large a share of outcomes is expected."""

    share: float
    low: float
    high: float


def price_ranges(line: Prediction) -> list[Range]:
    """The three ranges, the narrowest first; only the 80 % one, which every line has, where it has no distribution."""
    if line.distribution is None:
        return [Range(EIGHTY, line.low, line.high)]
    return [Range(share, *_prices(line, share)) for share in SHARES]


def _prices(line: Prediction, share: float) -> tuple[float, float]:
    if share == EIGHTY or line.distribution is None:
        return line.low, line.high
    low, high = (max(edge, LEAST_PCT) for edge in line.distribution.interval_pct(share))
    return round_price(line.current_price * (1 + low / 100)), round_price(line.current_price * (1 + high / 100))
