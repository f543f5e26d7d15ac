"""Scale model: how widely a change spreads over so many sessions, from volatilities; a log-linear HAR (Corsi 2009)."""

from __future__ import annotations

import math
from collections.abc import Mapping

from stockml.indicators.volatility import LEAST_PCT, MARKET_WINDOWS, WINDOWS, market_input, stock_input

DEGREES = 5  # of freedom of Student's law
ELASTICITIES = {  # of the coming change's size; they sum to less than 1, since volatility reverts to its mean
    stock_input(1): 0.10,
    stock_input(5): 0.06,
    stock_input(20): 0.33,
    stock_input(60): 0.13,
    stock_input(250): 0.22,
    market_input(5): 0.38,  # the market's last week against its last month: rising or falling volatility
    market_input(20): -0.28,
}
UNKNOWN_PCT = 1.5  # a large stock's usual volatility per session, where a line has none
GREATEST_PCT = 100.0
SCALE = 0.96  # of Student's law, for the volatilities above over one session


def scale_pct(inputs: Mapping[str, float], horizon: int) -> float:
    """The scale in % of the change over so many sessions, from volatilities in % per session.

    A missing window is replaced by the longest shorter one, a missing market volatility by the stock's own.
    """
    total, substitute = 0.0, math.log(UNKNOWN_PCT)
    own: dict[int, float] = {}
    for window in WINDOWS:
        own[window] = substitute = _log_of(inputs, stock_input(window), substitute)
        total += ELASTICITIES[stock_input(window)] * substitute
    for window in MARKET_WINDOWS:
        total += ELASTICITIES[market_input(window)] * _log_of(inputs, market_input(window), own[window])
    return SCALE * math.sqrt(horizon) * math.exp(total)


def _log_of(inputs: Mapping[str, float], name: str, otherwise: float) -> float:
    return math.log(min(max(inputs[name], LEAST_PCT), GREATEST_PCT)) if name in inputs else otherwise
