"""Yardsticks of the full system: SPEC's fixed rule, a pooled drift, a logit of range volatility, a fixed scale.

Drift and logit are fitted on all days of the same stocks whose outcome was known before the first day that is tested.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd

from stockml.core.line_arithmetic import ACCURATE_BELOW_PCT
from stockml.core.outcomes import VERIFIED
from stockml.core.records import Prediction
from stockml.replay.batch_analysis import PastStock
from stockml.signals.rules import RULE_WEIGHTS

HORIZON = 5
WINDOWS, MARKET_WINDOWS = (1, 5, 20, 60, 250), (5, 20)
FIRST_DAY = date(2010, 1, 11)  # from here on the Indian tables are free of phantoms
FIXED_SHARES = {1: 0.10, 5: 0.06, 20: 0.33, 60: 0.13, 250: 0.22}
LEAST = 5e-4  # a daily volatility below this is a flat bar's


def fixed_rule(lines: Iterable[Prediction]) -> np.ndarray:
    """What SPEC's rule with its starting weights forecasts on the verified lines, by (made_on, symbol), in %."""
    verified = sorted((line for line in lines if line.status == VERIFIED), key=lambda x: (x.data_through, x.symbol))
    return np.array([sum(line.evidence.opinions.get(name, 0.0) for name in RULE_WEIGHTS) for line in verified])


def fixed_scale(lines: Iterable[Prediction]) -> np.ndarray:
    """The scale in % by constants that no training changes, on the verified lines, by (made_on, symbol)."""
    verified = sorted((line for line in lines if line.status == VERIFIED), key=lambda x: (x.data_through, x.symbol))
    return np.array([_fixed_scale(line.evidence.confidence_inputs) for line in verified])


def _fixed_scale(inputs: Mapping[str, float]) -> float:
    own, last = {}, 1.5
    for window in WINDOWS:
        own[window] = last = inputs.get(f"volatility_{window}", last)
    own_part = sum(share * math.log(own[window]) for window, share in FIXED_SHARES.items())
    market = {window: inputs.get(f"market_volatility_{window}", own[window]) for window in MARKET_WINDOWS}
    return 0.96 * math.sqrt(HORIZON) * math.exp(own_part + 0.38 * math.log(market[5]) - 0.28 * math.log(market[20]))


def past_table(stocks: Sequence[PastStock]) -> pd.DataFrame:
    """Each stock's days with log volatilities and what came after: made_on, symbol, known_on, actual (in %), v*, m*."""
    table = pd.concat([_days(stock) for stock in stocks], ignore_index=True)
    for window in MARKET_WINDOWS:
        volatility = np.exp(table[f"v{window}"])
        table[f"m{window}"] = np.log(volatility.groupby(table["made_on"]).transform("mean"))
    return table


def _days(stock: PastStock) -> pd.DataFrame:
    bars = stock.history.bars
    bars = bars[bars.index >= pd.Timestamp(FIRST_DAY)]
    opened, high, low, close = (np.log(bars[name]) for name in ("open", "high", "low", "close"))
    gap = (opened - close.shift()).where(lambda gap: gap.abs() < 0.3, 0.0)  # a demerger is no volatility
    # Garman and Klass (1980), with the gap before the session
    daily = gap**2 + (0.5 * (high - low) ** 2 - (2 * np.log(2) - 1) * (close - opened) ** 2).clip(lower=0)
    table = pd.DataFrame({"made_on": bars.index.strftime("%Y-%m-%d"), "symbol": stock.symbol})
    known_on = np.append(table["made_on"].to_numpy()[HORIZON:], [""] * min(HORIZON, len(table)))
    table["known_on"] = known_on
    table["actual"] = ((bars["close"].shift(-HORIZON) / bars["close"] - 1) * 100).to_numpy()
    for window in WINDOWS:
        table[f"v{window}"] = np.log(np.sqrt(daily.rolling(window).mean()).clip(lower=LEAST)).to_numpy()
    return table


def known_before(past: pd.DataFrame, day: str) -> pd.DataFrame:
    """The rows whose outcome was known before a day."""
    return past[(past["known_on"] < day) & past["actual"].notna() & (past["known_on"] != "")]


def pooled_drift(past: pd.DataFrame) -> float:
    """The median change over the horizon, in %."""
    return float(past["actual"].median())


def logit(past: pd.DataFrame, now: pd.DataFrame) -> np.ndarray:
    """The chance that naive is accurate, from a logistic model of log volatilities, shape (n_now,)."""
    from sklearn.linear_model import LogisticRegression

    names = [f"v{window}" for window in WINDOWS] + [f"m{window}" for window in MARKET_WINDOWS]
    fitted_on = past.dropna(subset=names)
    accurate = (np.abs(fitted_on["actual"]) / (1 + fitted_on["actual"] / 100)) < ACCURATE_BELOW_PCT
    model = LogisticRegression(C=1e6, max_iter=1000).fit(fitted_on[names], accurate)
    return model.predict_proba(now[names].ffill(axis=1))[:, 1]
