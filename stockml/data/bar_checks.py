"""One check per function: a table of daily bars in, the bars to keep and the findings out.

Each looks for one fault of real price feeds; `price_table.check_prices` runs them in their order. The masks are
public where `point_in_time` needs the same answer without dropping a bar.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stockml.data.findings import NOTED, Checked, Finding, Mask, PriceError, bars, days, drop

PRICES = ("open", "high", "low", "close", "adj_close")
COLUMNS = (*PRICES, "volume")

LEAST_PRICE, GREATEST_PRICE = 1e-12, 1e13  # no share costs less or more; the log holds numbers up to 1e15
ROUNDING = 0.01  # adjusted prices are rounded: an open may lie so far outside its day's high and low
WILD_RANGE = 3.0  # high over low within a day; the widest true one in 450,000 bars is 1.84
LEVEL = 1.35  # a day's change as a factor that asks for an explanation
MIXED_BARS = 10

Array = NDArray[np.float64]


class Columns(NamedTuple):
    """A table's columns as arrays, shape (n_days,) each: pandas takes longer to look at a Series than at its values."""

    open: Array
    high: Array
    low: Array
    close: Array
    adj_close: Array
    volume: Array


def columns(frame: pd.DataFrame) -> Columns:
    """The columns of a table of COLUMNS as arrays of shape (n_days,).

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars with the columns COLUMNS.

    Returns
    -------
    Columns
        Arrays of shape (n_days,).
    """
    return Columns(*frame.to_numpy().T)


def log_changes(values: Array) -> Array:
    """The log of each day's change as a factor; 0 for the first day.

    Parameters
    ----------
    values : array, shape (n_days,)
        Prices, all above 0.

    Returns
    -------
    array, shape (n_days,)
        Natural logarithm.
    """
    logs = np.log(values)
    return np.diff(logs, prepend=logs[:1])


# ---- order and days --------------------------------------------------------------------------------------------------


def sort_dates(frame: pd.DataFrame) -> Checked:
    """Sort the bars, oldest first; note those that were out of order.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars with the columns COLUMNS.

    Returns
    -------
    frame : DataFrame, shape (n_kept, 6)
    findings : list of Finding
    """
    if frame.index.is_monotonic_increasing:
        return frame, []
    late = np.asarray(frame.index < frame.index.to_series().cummax().to_numpy())
    dates = days(frame.index[late].sort_values())
    return frame.sort_index(kind="stable"), [Finding("order", NOTED, dates, f"{bars(dates)} out of order, sorted")]


def drop_duplicates(frame: pd.DataFrame) -> Checked:
    """Keep one bar a day, the last given.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars with the columns COLUMNS.

    Returns
    -------
    frame : DataFrame, shape (n_kept, 6)
    findings : list of Finding

    Raises
    ------
    PriceError
        mixed_tickers, where the bars of a day are of two companies.
    """
    if frame.index.is_unique:
        return frame, []
    again = frame.index.duplicated(keep="last")
    closes = frame["close"].where(frame["close"] > 0).groupby(level=0)
    torn = (closes.max() / closes.min() > LEVEL).to_numpy()
    if torn.sum() > MIXED_BARS:
        dates = days(closes.max().index[torn])
        raise PriceError("mixed_tickers", f"{bars(dates)} have two prices far apart: the table mixes two companies")
    return drop(frame, again, "duplicate", "given more than once, the last kept")


def drop_later(frame: pd.DataFrame, limit: date) -> Checked:
    """Drop the bars after `limit`, whose sessions are not complete.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars with the columns COLUMNS.
    limit : date
        The last day to keep.

    Returns
    -------
    frame : DataFrame, shape (n_kept, 6)
    findings : list of Finding
    """
    return drop(frame, frame.index.to_numpy() > np.datetime64(limit), "open_session", "of a session still open dropped")


# ---- bars that are wrong in themselves -------------------------------------------------------------------------------


class BarRule(NamedTuple):
    """A fault that a bar shows by itself; `is_broken` gives a mask of shape (n_days,)."""

    is_broken: Callable[[Columns], Mask]
    kind: str
    text: str


def _lacks_price(bar: Columns) -> Mask:
    return np.asarray(np.isnan(bar[: len(PRICES)]).any(axis=0))


def _is_not_positive(bar: Columns) -> Mask:
    return np.asarray((np.asarray(bar[: len(PRICES) - 1]) <= 0).any(axis=0))


def _is_no_price(bar: Columns) -> Mask:
    prices = np.asarray(bar[: len(PRICES) - 1])
    return np.asarray(((prices < LEAST_PRICE) | (prices > GREATEST_PRICE)).any(axis=0))


def _is_inverted(bar: Columns) -> Mask:
    highest = np.maximum(np.maximum(bar.low, bar.open), bar.close)
    lowest = np.minimum(np.minimum(bar.high, bar.open), bar.close)
    return (bar.high < bar.low) | (bar.high < highest * (1 - ROUNDING)) | (bar.low > lowest * (1 + ROUNDING))


NO_PRICE_RULES = (
    BarRule(_lacks_price, "missing_price", "without a price dropped"),
    BarRule(_is_not_positive, "not_positive", "with a price of zero or below dropped"),
    BarRule(lambda bar: bar.adj_close <= 0, "not_positive_adjusted", "with an adjusted close of zero or below dropped"),
    BarRule(lambda bar: bar.volume < 0, "negative_volume", "with a volume below zero dropped"),
    BarRule(_is_no_price, "not_a_price", f"below {LEAST_PRICE:g} or above {GREATEST_PRICE:g} dropped"),
)
INVERTED_RULE = BarRule(_is_inverted, "high_low", "whose high and low do not enclose their other prices dropped")
WILD_RULE = BarRule(
    lambda bar: bar.high > bar.low * WILD_RANGE,
    "wild_range",
    f"whose high is over {WILD_RANGE:.0f} times their low dropped",
)


def is_wrong_alone(frame: pd.DataFrame) -> Mask:
    """Bars that break a rule, whatever stands around them.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        The columns COLUMNS; NaN where a price is missing.

    Returns
    -------
    array of bool, shape (n_days,)
    """
    bar = columns(frame)
    with np.errstate(invalid="ignore"):
        broken = [rule.is_broken(bar) for rule in (*NO_PRICE_RULES, INVERTED_RULE, WILD_RULE)]
    return np.asarray(np.any(broken, axis=0))


def _drop_by(frame: pd.DataFrame, rule: BarRule) -> Checked:
    return drop(frame, rule.is_broken(columns(frame)), rule.kind, rule.text)


def drop_not_positive(frame: pd.DataFrame) -> Checked:
    """Drop the bars that lack a price, have one that no share can have, or a volume below zero.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars with the columns COLUMNS.

    Returns
    -------
    frame : DataFrame, shape (n_kept, 6)
    findings : list of Finding
    """
    if np.isnan(columns(frame).volume).any():
        frame = frame.fillna({"volume": 0.0})  # no volume given says as much as a volume of zero
    findings: list[Finding] = []
    for rule in NO_PRICE_RULES:
        frame, found = _drop_by(frame, rule)
        findings += found
    return frame, findings


def drop_inverted(frame: pd.DataFrame) -> Checked:
    """Drop the bars whose high is below their low, their open or their close.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars with the columns COLUMNS.

    Returns
    -------
    frame : DataFrame, shape (n_kept, 6)
    findings : list of Finding
    """
    return _drop_by(frame, INVERTED_RULE)


def drop_wild(frame: pd.DataFrame) -> Checked:
    """Drop the bars whose high is over three times their low.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars with the columns COLUMNS.

    Returns
    -------
    frame : DataFrame, shape (n_kept, 6)
    findings : list of Finding
    """
    return _drop_by(frame, WILD_RULE)
