"""Simulated markets in which the truth is known: a planted signal, one that flips, and none at all.

Each market is lived through by the same steps as a real one. The truths themselves are those of `truths`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd
from quality_figures import between, ratio, table_of
from truths import SYMBOLS, TRUTHS, Truth, momentum
from walk_forward import COLD, FULL, VARIANTS, Market, live, see

from stockml.core.outcomes import VERIFIED
from stockml.core.records import Prediction
from stockml.data.point_in_time import PointInTimePrices
from stockml.data.request import RawBars
from stockml.data.simulated_market import CURRENCY, MarketSettings, sample_bars
from stockml.replay.batch_analysis import PastStock
from stockml.replay.walk_forward import ReplaySettings
from stockml.signals.rules import RULE_WEIGHTS, SESSIONS_OF_RULES

FIRST_BAR = date(2015, 1, 1)
SESSIONS_BEFORE = 780  # two years to train on, and what their first day looks back on
UNSCORED = 250
HORIZON = SESSIONS_OF_RULES
T_99 = 2.58


def market(name: str, seed: int, truth: Truth | None, sessions: int, symbols: Sequence[str] = SYMBOLS) -> Market:
    """So many sessions of companies that do not exist, after enough others to train on."""
    settings = MarketSettings(seed=seed, symbols=tuple(symbols), first_day=FIRST_BAR, has_regimes=False, drift=truth)
    days = [day.date() for day in pd.bdate_range(FIRST_BAR, periods=SESSIONS_BEFORE + sessions + HORIZON)]
    stocks = [
        PastStock(
            PointInTimePrices(symbol, RawBars(_bars(symbol, days[-1], settings), CURRENCY), "sample"),
            CURRENCY,
            "sample",
        )
        for symbol in symbols
    ]
    return Market(name, stocks, ReplaySettings(days[SESSIONS_BEFORE], days[-1], tuple(symbols), "sample"))


def _bars(symbol: str, last: date, settings: MarketSettings) -> pd.DataFrame:
    return sample_bars(symbol, FIRST_BAR, last, settings=settings)


def planted(title: str, seed: int, sessions: int, *, trainings: int = 0, symbols: Sequence[str] = SYMBOLS) -> dict:
    """How a planted truth was found, scored after the first year: ratios, weights, and each model's own ratio."""
    signal, size, rule = TRUTHS[title]
    made = market(f"{title}-{seed}", seed, Truth(signal, size), sessions, symbols)
    days = made.days
    training_days = [days[number * len(days) // trainings] for number in range(trainings)]
    seen = see(made, training_days)
    lines = {COLD: live(seen, VARIANTS[COLD])} | ({FULL: live(seen, VARIANTS[FULL])} if trainings else {})
    found: dict[str, object] = {}
    for name, lived in lines.items():
        scored = between(table_of(lived), UNSCORED + 1, sessions)
        weights = rule_weights(lived, since=days[min(UNSCORED, len(days) - 1)].isoformat())
        largest = max(weights, key=lambda rule: abs(weights[rule]))
        found[name] = {
            "ratio": ratio(scored, scored["change"].to_numpy()),
            "weights": weights,
            "largest_is_planted": largest in _same_truth(rule),
        }
    truth = known_truth(lines[COLD], rule, sessions)
    return found | {"perfect": truth, "alone": alone(lines[FULL], sessions) if trainings else {}}


def _same_truth(rule: str) -> tuple[str, ...]:
    """The rules that state the planted truth: a reversal is what both extremes of the RSI say."""
    return ("oversold", "overbought") if rule == "oversold" else (rule,)


def rule_weights(lines: Sequence[Prediction], since: str) -> dict[str, float]:
    """Each rule's weight times magnitude from a day on, averaged over the lines in which it was heard."""
    sums: dict[str, list[float]] = {name: [] for name in RULE_WEIGHTS}
    for line in lines:
        if line.data_through < since:
            continue
        weights = {signal.name: signal.weight for signal in line.signals}
        for name in RULE_WEIGHTS.keys() & line.evidence.opinions.keys():
            sums[name].append(weights.get(name, 0.0) * line.magnitude)
    return {name: float(np.mean(found)) if found else 0.0 for name, found in sums.items()}


def known_truth(lines: Sequence[Prediction], rule: str, sessions: int) -> dict[str, float]:
    """What knowing the median of each state of the planted signal would give, and the variance the states explain."""
    table = between(table_of(lines), UNSCORED + 1, sessions)
    states = {(line.data_through, line.symbol): _state(line, rule) for line in lines}
    keys = zip(table["made_on"], table["symbol"], strict=True)
    grouped = table["actual"].groupby(pd.Series([states[key] for key in keys]))
    explained = grouped.transform("mean").var() / table["actual"].var()
    return {"ratio": ratio(table, grouped.transform("median").to_numpy()), "explained": float(explained)}


def _state(line: Prediction, rule: str) -> int:
    heard = line.evidence.opinions
    return int(rule in heard) - int(rule == "oversold" and "overbought" in heard)


def alone(lines: Sequence[Prediction], sessions: int) -> dict[str, float]:
    """Each model's own ratio to naive, before any learning."""
    table = between(table_of(lines), UNSCORED + 1, sessions)
    heard = {(line.data_through, line.symbol): line.evidence.opinions for line in lines if line.status == VERIFIED}
    keys = list(zip(table["made_on"], table["symbol"], strict=True))
    return {name: ratio(table, np.array([heard[key].get(name, 0.0) for key in keys])) for name in ("lstm", "xgb")}


def flip(seed: int, symbols: Sequence[str] = SYMBOLS, before: int = 500) -> dict[str, object]:
    """A momentum that turns into its opposite: the weight around it, and the ratio over sessions 61 to 120 after."""
    size = TRUTHS["momentum"][1]
    made = market(f"flip-{seed}", seed, Truth(momentum, size, SESSIONS_BEFORE + before), before + 120, symbols)
    lines = live(see(made), VARIANTS[COLD])
    scored = between(table_of(lines), before + 61, before + 120)
    marks = {
        f"weight_{at}": _weight_near(lines, made, "macd_positive", at) for at in (before, before + 60, before + 120)
    }
    return {"ratio": ratio(scored, scored["change"].to_numpy()), **marks}


def _weight_near(lines: Sequence[Prediction], made: Market, rule: str, session: int) -> float:
    days = [day.isoformat() for day in made.days[session - 10 : session]]
    return rule_weights([line for line in lines if line.data_through <= days[-1]], since=days[0])[rule]


def random_walk(seed: int, sessions: int, symbols: Sequence[str] = SYMBOLS) -> dict[str, object]:
    """A market in which nothing can be known: the ratio after the first year, and the weights at the end."""
    made = market(f"walk-{seed}", seed, None, sessions, symbols)
    lines = live(see(made), VARIANTS[COLD])
    scored = between(table_of(lines), UNSCORED + 1, sessions)
    return {
        "ratio": ratio(scored, scored["change"].to_numpy()),
        "weights": rule_weights(lines, since=made.days[min(UNSCORED, sessions - 1)].isoformat()),
    }


def weight_intervals(walks: Sequence[dict]) -> dict[str, list[float]]:
    """Each rule's mean weight over seeds, with its 99 % interval: low, mean, high."""
    table = pd.DataFrame([walk["weights"] for walk in walks])
    half = T_99 * table.std() / np.sqrt(max(len(table), 1))
    return {
        name: [
            float(table[name].mean() - half[name]),
            float(table[name].mean()),
            float(table[name].mean() + half[name]),
        ]
        for name in table
    }
