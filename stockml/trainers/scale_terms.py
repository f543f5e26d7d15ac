"""The scale model's terms of many days at once: `scale_model.terms_of`, in arrays."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stockml.indicators.announcements import DAYS_AHEAD, FORETOLD, GREATEST_REACTION, REACTION
from stockml.indicators.confidence_inputs import DISRUPTION, EVENT, LIMIT_RUN, RECURRENCE, SPAN, volume_input
from stockml.indicators.events import GREATEST, LEAST_VOLUME
from stockml.indicators.volatility import LEAST_PCT, MARKET_WINDOWS, WINDOWS, market_input, stock_input
from stockml.signals import scale_model

Array = NDArray[np.float64]
Terms = dict[str, Array]


def terms_table(inputs: pd.DataFrame, horizon: int) -> Array:
    """The terms of each day.

    Parameters
    ----------
    inputs : DataFrame, shape (n_days, n_inputs)
        The confidence inputs; NaN, or no such column, where one is not known.
    horizon : int
        In sessions.

    Returns
    -------
    array, shape (n_days, n_terms)
        By TERMS.
    """
    known = {str(name): inputs[name].to_numpy(float) for name in inputs.columns}
    n, unknown = len(inputs), np.full(len(inputs), np.nan)

    def of(name: str, otherwise: float = np.nan) -> Array:
        values = known.get(name, unknown)
        return values if math.isnan(otherwise) else np.where(np.isnan(values), otherwise, values)

    terms: Terms = {scale_model.CONSTANT: np.ones(n)}
    substitute = np.full(n, math.log(scale_model.UNKNOWN_PCT))
    for window in WINDOWS:
        found = _log(of(stock_input(window)), LEAST_PCT, scale_model.GREATEST_PCT)
        terms[stock_input(window)] = substitute = np.where(np.isnan(found), substitute, found)
    terms |= _of_market({window: of(market_input(window)) for window in MARKET_WINDOWS}, terms)
    for name in (volume_input(1), volume_input(5)):
        terms[name] = _log(of(name, 1.0), LEAST_VOLUME, GREATEST)
    is_followed = ~np.isnan(of(REACTION)) & np.isnan(of(RECURRENCE))
    usual = np.where(is_followed, 0.0, scale_model.USUAL_RECURRENCE)
    for name, otherwise in ((EVENT, np.full(n, scale_model.USUAL_EVENT)), (RECURRENCE, usual)):
        terms[name] = np.where(np.isnan(of(name)), otherwise, _log(of(name), 1.0, GREATEST))
    terms[scale_model.FOLLOWED] = is_followed.astype(float)
    usual_span = scale_model.DAYS_A_SESSION * horizon
    span = np.clip(of(SPAN, usual_span), usual_span / 2, usual_span * 3)
    terms[SPAN] = np.log(span / usual_span)
    terms |= _of_results(of(DAYS_AHEAD), of(REACTION), of(FORETOLD, 0.0) > 0, span, horizon)
    terms[LIMIT_RUN] = 0.5 * _log(of(LIMIT_RUN, 1.0), 1.0, 5.0)
    terms[DISRUPTION] = np.clip(of(DISRUPTION, 0.0), 0.0, 1.0)
    return np.column_stack([terms[name] for name in scale_model.TERMS])


def _log(values: Array, least: float, greatest: float) -> Array:
    return np.log(np.clip(values, least, greatest))


def _of_market(values: dict[int, Array], of_stock: Terms) -> Terms:
    """The market's; for an unknown window the stock's own, as far from it as the market is over the nearest known."""
    gaps = {
        window: _log(found, LEAST_PCT, scale_model.GREATEST_PCT) - of_stock[stock_input(window)]
        for window, found in values.items()
    }
    terms: Terms = {}
    for window in MARKET_WINDOWS:
        gap = gaps[window]
        for nearest in sorted(gaps, key=lambda known: abs(math.log(known / window))):
            gap = np.where(np.isnan(gap), gaps[nearest], gap)
        terms[market_input(window)] = of_stock[stock_input(window)] + np.where(np.isnan(gap), 0.0, gap)
    return terms


def _of_results(ahead: Array, reaction: Array, is_foretold: NDArray[np.bool_], span: Array, horizon: int) -> Terms:
    def before(days: Array) -> Array:
        exact, about = _logistic(days / scale_model.EXACT_DAYS), _logistic(days / scale_model.ABOUT_DAYS)
        return scale_model.EXACT * exact + (1 - scale_model.EXACT) * about

    known = np.clip(np.minimum(ahead, span - ahead + 1), 0.0, 1.0)
    share = np.where(is_foretold, before(span - ahead) - before(-ahead), known)
    times = np.clip(reaction, 1.0, GREATEST_REACTION)
    size = 0.5 * np.log1p(share * (times**2 - 1) / horizon)
    size = np.where(np.isnan(size), 0.0, size)  # where either is not known
    return {
        scale_model.KNOWN_RESULTS: np.where(is_foretold, 0.0, size),
        scale_model.FORETOLD_RESULTS: np.where(is_foretold, size, 0.0),
    }


def _logistic(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -50.0, 50.0))))
