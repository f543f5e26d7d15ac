"""Markets, real and simulated, as days of opinions and what came true; and the learner walked over them.

Real ones need the price files in $STOCKML_SHARED/market-data (default: ../shared beside the project).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import pandas as pd
from figures import errors
from truths import SYMBOLS, Truth

from stockml.core.outcomes import Outcome
from stockml.core.records import Evidence, Prediction
from stockml.data.price_table import PriceTable, check_prices
from stockml.data.simulated_market import MarketSettings, sample_bars
from stockml.indicators.confidence_inputs import confidence_table
from stockml.indicators.features import indicator_table
from stockml.indicators.volatility import market_inputs
from stockml.signals.learner import Learner
from stockml.signals.priors import Priors
from stockml.signals.rules import RULE_WEIGHTS, opinions, regime

PROJECT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("STOCKML_SHARED") or PROJECT.parent / "shared") / "market-data"
MARKETS = {"NSE": ("nse-nifty50", "2010-01-11"), "US": ("us-sp500-10y", "2016-01-01")}
SPOILT = {"TRENT.NS": "2026-01-01"}  # from then on its older prices would need a split's adjustment
HORIZON = 5
WARM_UP = 200  # sessions until every rule can fire


@dataclass(frozen=True)
class Day:
    """One stock in one session: what was heard, what confidence needs, and what came of it."""

    symbol: str
    opinions: dict[str, float]
    inputs: dict[str, float]
    actual_pct: float
    known_on: str
    regime: str


@dataclass(frozen=True)
class Panel:
    """A market: its days in order, and on each the stocks."""

    days: list[str]
    stocks: list[list[Day]]

    def part(self, first: str, last: str) -> Panel:
        rows = [row for row, day in enumerate(self.days) if first <= day <= last]
        return Panel([self.days[row] for row in rows], [self.stocks[row] for row in rows])


def real_panel(name: str) -> Panel:
    """All stocks with at least 250 sessions before 2022, bars with volume only."""
    folder, first = MARKETS[name]
    tables = []
    for path in sorted((DATA / folder).glob("*.csv")):
        raw = pd.read_csv(path)
        raw = raw[(raw["Date"] >= first) & (raw["Volume"] > 0)]
        raw = raw[raw["Date"] < SPOILT.get(path.stem, "9999")]
        if (raw["Date"] < "2022-01-01").sum() >= 250:
            tables.append(check_prices(path.stem, raw))
    return panel_of(tables)


def panel_of(tables: Iterable[PriceTable]) -> Panel:
    by_day: dict[str, list[Day]] = {}
    for prices in tables:
        for made_on, day in stock_days(prices):
            by_day.setdefault(made_on, []).append(day)
    days = sorted(by_day)
    return Panel(days, [with_market(by_day[day]) for day in days])


def stock_days(prices: PriceTable) -> Iterator[tuple[str, Day]]:
    indicators = indicator_table(prices).to_dict("records")
    inputs = confidence_table(prices).to_dict("records")
    close = prices.frame["close"].to_numpy()
    days = [str(day.date()) for day in prices.frame.index]
    for row in range(WARM_UP, len(days) - HORIZON):
        yield (
            days[row],
            Day(
                symbol=prices.symbol,
                opinions=opinions(indicators[row], None, HORIZON),
                inputs={str(name): value for name, value in inputs[row].items() if np.isfinite(value)},
                actual_pct=float((close[row + HORIZON] / close[row] - 1) * 100),
                known_on=days[row + HORIZON],
                regime=regime(indicators[row]["change_20"], indicators[row]["volatility_20"]),
            ),
        )


def with_market(stocks: Sequence[Day]) -> list[Day]:
    market = market_inputs([stock.inputs for stock in stocks])
    return [replace(stock, inputs=stock.inputs | market) for stock in stocks]


@dataclass(frozen=True)
class Walk:
    """What was predicted, a row a prediction, and what was learned in the end."""

    table: pd.DataFrame  # made_on, symbol, change, actual, probability, low, high, width, magnitude, a weight a rule
    learner: Learner


def walk(panel: Panel, priors: Callable[[str], Priors] = lambda symbol: Priors()) -> Walk:
    """Each session: learn what has just become known, then predict."""
    learner, rows = Learner(), []
    open_lines: dict[str, list[tuple[Prediction, float]]] = {}
    for made_on, stocks in zip(panel.days, panel.stocks, strict=True):
        for day in sorted(known for known in open_lines if known <= made_on):
            for line, actual_pct in open_lines.pop(day):
                learner.learn(settled(line, actual_pct))
        for stock in stocks:
            line, row = predicted(learner, made_on, stock, priors(stock.symbol))
            open_lines.setdefault(stock.known_on, []).append((line, stock.actual_pct))
            rows.append(row)
    return Walk(pd.DataFrame(rows), learner)


def predicted(learner: Learner, made_on: str, stock: Day, priors: Priors) -> tuple[Prediction, dict[str, object]]:
    weighing = learner.weigh(stock.symbol, HORIZON, stock.opinions, priors)
    change = round(weighing.change_pct, 4)
    confidence = learner.confidence(stock.symbol, HORIZON, stock.inputs, change)
    low, high = confidence.distribution.interval_pct(0.8)
    line = Prediction(
        symbol=stock.symbol,
        prediction_date=made_on,
        current_price=100.0,
        predicted_price=100 + change,
        predicted_change_pct=change,
        confidence=confidence.probability,
        prediction_horizon_days=HORIZON,
        target_date=stock.known_on,
        market_regime=stock.regime,
        signals=(),
        data_through=made_on,
        magnitude=weighing.magnitude,
        low=100 + low,
        high=100 + high,
        path=(),
        evidence=Evidence(stock.opinions, stock.inputs),
        source="csv",
        currency=None,
        model_trained_at=None,
        distribution=confidence.distribution,
        model_scale_pct=confidence.model_scale_pct,
    )
    trusts = {name: weighing.weights.get(name, 0.0) * 5 / pct for name, pct in stock.opinions.items() if pct}
    row = {"made_on": made_on, "symbol": stock.symbol, "change": change, "actual": stock.actual_pct}
    row |= {"probability": confidence.probability, "low": low, "high": high}
    row |= {"magnitude": weighing.magnitude, "spec": sum(stock.opinions.get(name, 0.0) for name in RULE_WEIGHTS)}
    return line, row | {f"trust_{name}": trust * weighing.magnitude for name, trust in trusts.items()}


def settled(line: Prediction, actual_pct: float) -> Prediction:
    error = float(errors(np.array([actual_pct]), np.array([line.predicted_change_pct]))[0])
    naive = float(errors(np.array([actual_pct]), np.zeros(1))[0])
    outcome = Outcome("verified", line.target_date, 100 + actual_pct, error, error < 5, naive)
    return replace(line, outcome=outcome)


# --- planted truths ---------------------------------------------------------------------------------------------------


def simulated(seed: int, truth: Truth | None, sessions: int) -> Panel:
    settings = MarketSettings(seed=seed, symbols=SYMBOLS, first_day=date(2015, 1, 1), has_regimes=False, drift=truth)
    last = pd.bdate_range("2015-01-01", periods=WARM_UP + sessions + HORIZON)[-1].date()
    tables = []
    for symbol in SYMBOLS:
        bars = sample_bars(symbol, date(2015, 1, 1), last, settings=settings).reset_index()
        tables.append(check_prices(symbol, bars))
    return panel_of(tables)
