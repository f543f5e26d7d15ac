"""Real prices, 2023 on: the one table, what is left out, the figures by condition and with results known in advance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import quality_baselines as baselines
from processes import spread
from quality_conditions import by_condition, by_year, condition_figures
from quality_figures import (
    confidence_figures,
    distribution_figures,
    errors,
    interval_figures,
    price_figures,
    scores_of,
    table_of,
)
from results_days import ASSUMED, FORETOLD, NONE, Days, days_of, with_results
from walk_forward import (
    ABLATIONS,
    COLD,
    DATA,
    FULL,
    VARIANTS,
    Market,
    Seen,
    announced,
    half_years,
    live,
    see_alike,
)

from stockml.core.line_arithmetic import ACCURATE_BELOW_PCT
from stockml.core.records import Prediction
from stockml.core.student_t import StudentT

NAIVE, FIXED, DRIFT, LOGIT = "naive", "SPEC's fixed rule", "pooled drift", "range-volatility logit"
FIXED_DEGREES = 5


def see_real(market: Market, jobs: int, tell: Any) -> dict[str, Seen]:
    """A market's sessions without announcements, with foretold and with assumed ones, beside the same models."""
    days = days_of(DATA, market.name)
    markets = {NONE: market} | (
        {known: announced(market, days, known) for known in (FORETOLD, ASSUMED)} if days else {}
    )
    return dict(zip(markets, see_alike(list(markets.values()), half_years(market.days), jobs, tell), strict=True))


def real(seen: Mapping[str, Seen], jobs: int) -> dict[str, Any]:
    """All figures of one market."""
    first, days = seen[NONE], days_of(DATA, seen[NONE].market.name)
    variants = {**VARIANTS, **ABLATIONS}
    tasks = [lambda seen, variant=variant: live(seen[NONE], variant) for variant in variants.values()]
    tasks += [lambda seen, known=known: live(seen[known], VARIANTS[FULL]) for known in seen if known != NONE]
    results = spread(jobs, seen, tasks)
    lives = dict(zip(variants, results, strict=False))
    tables = {name: table_of(lines) for name, lines in lives.items()}
    announced_tables = {NONE: tables[FULL]}
    announced_tables |= {
        known: table_of(lines)
        for known, lines in zip([name for name in seen if name != NONE], results[len(variants) :], strict=True)
    }
    full = with_results(tables[FULL], days)
    return {
        "rows": rows(first.market, lives, tables),
        "ablation": {name: whole_figures(tables[name]) for name in (FULL, *ABLATIONS)},
        "conditions": by_condition(full),
        "years": by_year(full),
        "announced": {known: announced_figures(table, days) for known, table in announced_tables.items()},
        "fixed_scale_crps": fixed_scale_crps(lives[FULL], tables[FULL]),
        "validation": {name: float(value) for name, value in pd.DataFrame(first.validation).mean().items()},
        "from": tables[FULL]["made_on"].iloc[0],
        "to": tables[FULL]["made_on"].iloc[-1],
        "stocks": len(first.market.stocks),
    }


def rows(market: Market, lives: Mapping[str, list[Prediction]], tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """The rows of the one table."""
    table = tables[COLD]
    past = baselines.past_table(market.stocks)
    before = baselines.known_before(past, table["made_on"].iloc[0])
    nothing = np.zeros(len(table))
    naive_hit = errors(table, 0.0) < ACCURATE_BELOW_PCT
    now = table[["made_on", "symbol"]].merge(past, on=["made_on", "symbol"], how="left", suffixes=("", "_past"))
    return {
        NAIVE: price_figures(table, nothing),
        FIXED: price_figures(table, baselines.fixed_rule(lives[COLD])),
        DRIFT: price_figures(table, np.full(len(table), baselines.pooled_drift(before))),
        LOGIT: price_figures(table, nothing) | confidence_figures(baselines.logit(before, now), naive_hit),
        COLD: whole_figures(table),
        FULL: whole_figures(tables[FULL]),
    }


def whole_figures(table: pd.DataFrame) -> dict[str, Any]:
    """All figures of a life's predictions."""
    change = table["change"].to_numpy()
    hit = errors(table, change) < ACCURATE_BELOW_PCT
    return (
        price_figures(table, change)
        | confidence_figures(table["confidence"].to_numpy(), hit)
        | interval_figures(table)
        | distribution_figures(table)
        | {"r2": float(1 - ((table["actual"] - change) ** 2).sum() / (table["actual"] ** 2).sum())}
    )


def announced_figures(table: pd.DataFrame, days: Days) -> dict[str, Any]:
    """The figures of all rows, of those whose stock's days of results are known, and of those before results."""
    table = with_results(table, days)
    parts = {"all": table, "dated": table[table["results"].notna()], "before_results": table[table["results"] == 1]}
    return {name: condition_figures(part) for name, part in parts.items() if len(part)}


def fixed_scale_crps(lines: list[Prediction], table: pd.DataFrame) -> float:
    """The mean CRPS of no change with the fixed scale: a yardstick that no later version moves."""
    scales = baselines.fixed_scale(lines)
    laws = (StudentT(0.0, float(scale), FIXED_DEGREES) for scale in scales)
    return float(np.mean([scores_of(law, actual)["crps"] for law, actual in zip(laws, table["actual"], strict=True)]))
