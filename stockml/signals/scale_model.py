"""Scale model: how widely a change spreads over so many sessions, from the confidence inputs.

A log-linear model of volatilities over a day to a year (HAR: Corsi 2009), with what is known of coming events.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stockml.indicators.announcements import DAYS_AHEAD, FORETOLD, GREATEST_REACTION, REACTION
from stockml.indicators.confidence_inputs import DISRUPTION, EVENT, LIMIT_RUN, RECURRENCE, SPAN, volume_input
from stockml.indicators.events import GREATEST, LEAST_VOLUME
from stockml.indicators.volatility import LEAST_PCT, MARKET_WINDOWS, WINDOWS, market_input, stock_input

DEGREES = 5  # of freedom of Student's law
UNKNOWN_PCT = 1.5  # a large stock's usual volatility per session, where a line has none
GREATEST_PCT = 100.0
DAYS_A_SESSION = 1.4  # calendar days
GREATEST_SIZE = 12.0  # of the log of a scale: a damaged input must not overflow
GREATEST_COEFFICIENT = 5.0
CONSTANT, FOLLOWED = "constant", "results_followed"
KNOWN_RESULTS, FORETOLD_RESULTS = "results_known", "results_foretold"
USUAL_EVENT, USUAL_RECURRENCE = 0.65, 0.33  # logs, where too few sessions are known
# A foretold date comes true to the day or two for three in four results; the others lie weeks about it.
EXACT, EXACT_DAYS, ABOUT_DAYS = 0.75, 0.5, 7.0

# Elasticities of the coming change's size, by maximum likelihood of its Student law over five sessions: of every other
# stock of the NIFTY 50 (2004-2022) and of large US companies (2010-2022), both markets counting alike, each day as with
# results unknown, foretold and known. Price limits and disruptions are too rare there: the 131 days after runs of large
# Indian companies ask for 1.0, simulated stocks within price bands for 1.5 to 2; 55 days after breaks ask for 0.3.
DEFAULT_COEFFICIENTS = {
    CONSTANT: -0.055,
    stock_input(1): 0.02,
    stock_input(5): 0.142,
    stock_input(20): 0.305,
    stock_input(60): 0.075,
    stock_input(250): 0.502,
    market_input(1): 0.176,
    market_input(5): 0.192,
    market_input(20): 0.101,
    market_input(60): -0.296,
    market_input(250): -0.413,
    volume_input(1): 0.068,
    volume_input(5): -0.087,
    EVENT: -0.081,
    RECURRENCE: 0.323,
    FOLLOWED: 0.089,
    SPAN: 0.127,
    KNOWN_RESULTS: 1.439,
    FORETOLD_RESULTS: 1.436,
    LIMIT_RUN: 1.5,
    DISRUPTION: 0.3,
}
TERMS = tuple(DEFAULT_COEFFICIENTS)


@dataclass(frozen=True, slots=True)
class ScaleModel:
    """Coefficients by term: of the log of the scale of a change over one session."""

    coefficients: Mapping[str, float] = field(default_factory=lambda: DEFAULT_COEFFICIENTS)

    def scale_pct(self, inputs: Mapping[str, float], horizon: int) -> float:
        """The scale in % of the change over so many sessions; what the inputs lack counts as usual."""
        terms = terms_of(inputs, horizon)
        size = math.fsum(self.coefficients[name] * terms[name] for name in TERMS)
        return math.sqrt(horizon) * math.exp(min(max(size, -GREATEST_SIZE), GREATEST_SIZE))

    def to_dict(self) -> dict[str, float]:
        """The coefficients as a JSON object."""
        return dict(self.coefficients)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ScaleModel:
        """Restore a model from a JSON object; ValueError names the coefficient that is missing, unknown or wrong."""
        if set(values) != set(TERMS):
            names = ", ".join(sorted(set(values) ^ set(TERMS)))
            raise ValueError(f"scale_model: {names} is missing or unknown; train again")
        for name, value in values.items():
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not abs(value) <= GREATEST_COEFFICIENT:
                raise ValueError(f"scale_model: {name} is {value!r}, not within ±{GREATEST_COEFFICIENT:g}; train again")
        return cls({name: float(values[name]) for name in TERMS})


DEFAULT = ScaleModel()


def terms_of(inputs: Mapping[str, float], horizon: int) -> dict[str, float]:
    """The model's terms, by TERMS: logs, but for the constant and `disruption`.

    A missing window of a stock is replaced by the longest shorter one; one of the market by the stock's own, as far
    from it as the market is over the nearest window that is known.
    """
    terms = {CONSTANT: 1.0}
    substitute = math.log(UNKNOWN_PCT)
    for window in WINDOWS:
        terms[stock_input(window)] = substitute = _log_of(inputs, stock_input(window), substitute)
    gaps = {
        window: _log_of(inputs, market_input(window), 0.0) - terms[stock_input(window)]
        for window in MARKET_WINDOWS
        if market_input(window) in inputs
    }
    for window in MARKET_WINDOWS:
        nearest = min(gaps, key=lambda known: abs(math.log(known / window)), default=None)
        gap = 0.0 if nearest is None else gaps[nearest]
        terms[market_input(window)] = terms[stock_input(window)] + gap
    for name in (volume_input(1), volume_input(5)):
        terms[name] = math.log(min(max(inputs.get(name, 1.0), LEAST_VOLUME), GREATEST))
    is_followed = REACTION in inputs and RECURRENCE not in inputs  # the dates of its results are known
    for name, usual in ((EVENT, USUAL_EVENT), (RECURRENCE, 0.0 if is_followed else USUAL_RECURRENCE)):
        terms[name] = math.log(min(max(inputs[name], 1.0), GREATEST)) if name in inputs else usual
    terms[FOLLOWED] = float(is_followed)
    usual_span = DAYS_A_SESSION * horizon
    span = min(max(inputs.get(SPAN, usual_span), usual_span / 2), usual_span * 3)
    terms[SPAN] = math.log(span / usual_span)
    terms[KNOWN_RESULTS] = terms[FORETOLD_RESULTS] = 0.0
    if DAYS_AHEAD in inputs and REACTION in inputs:
        is_foretold = inputs.get(FORETOLD, 0.0) > 0
        times = min(max(inputs[REACTION], 1.0), GREATEST_REACTION)
        share = _foretold_share(inputs[DAYS_AHEAD], span) if is_foretold else _known_share(inputs[DAYS_AHEAD], span)
        name = FORETOLD_RESULTS if is_foretold else KNOWN_RESULTS
        terms[name] = 0.5 * math.log1p(share * (times**2 - 1) / horizon)  # one session of so many moves more
    terms[LIMIT_RUN] = 0.5 * math.log(min(max(inputs.get(LIMIT_RUN, 1.0), 1.0), 5.0))
    terms[DISRUPTION] = min(max(inputs.get(DISRUPTION, 0.0), 0.0), 1.0)
    return terms


def _log_of(inputs: Mapping[str, float], name: str, otherwise: float) -> float:
    return math.log(min(max(inputs[name], LEAST_PCT), GREATEST_PCT)) if name in inputs else otherwise


def _known_share(days_ahead: float, span: float) -> float:
    """The share of results' reaction that falls within so many days; of the time of day unknown, half on each side."""
    return min(max(min(days_ahead, span - days_ahead + 1), 0.0), 1.0)


def _foretold_share(days_ahead: float, span: float) -> float:
    """The probability that results foretold for so many days ahead come within the span."""

    def before(days: float) -> float:
        return EXACT * _logistic(days / EXACT_DAYS) + (1 - EXACT) * _logistic(days / ABOUT_DAYS)

    return before(span - days_ahead) - before(-days_ahead)


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-min(max(x, -50.0), 50.0)))
