"""The price before 2023, bear years included: markets walked through with models renewed each half-year.

Every fourth stock is taken, from the second on; settings were chosen on those from the first on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pandas as pd
from quality_conditions import by_year
from quality_figures import errors, interval, table_of
from walk_forward import FULL, VARIANTS, Market, half_years, live, market_of, see, tables_of

EVERY, FIRST = 4, 1
SESSIONS_BEFORE = 510  # two years and a little: what the first models learn from


@dataclass(frozen=True)
class Panel:
    """A folder of price tables and the days to walk through; `every` so many stocks one is taken."""

    market: str
    folder: str
    first: date
    last: date
    every: int = EVERY


PANELS = {
    "NSE 2006-2022": Panel("NSE", "nse-nifty50", date(2006, 1, 2), date(2022, 12, 30)),
    "US 2012-2018": Panel("US", "us-adjclose-2010-2020", date(2012, 2, 1), date(2018, 3, 29), every=2),
    "US 2018-2022": Panel("US", "us-sp500-10y", date(2018, 4, 2), date(2022, 12, 30)),
}


def shortened(panel: Panel, stocks: int | None, sessions: int | None) -> tuple[Market, Panel]:
    """The panel's market, with so many stocks and only the newest sessions where these are given."""
    first = panel.first
    if sessions is not None:
        first = pd.bdate_range(end=panel.last, periods=sessions)[0].date()
    tables = tables_of(panel.folder, panel.first, SESSIONS_BEFORE)
    chosen = list(tables)[FIRST :: panel.every][:stocks]
    # a bar without trades is a copy on a holiday, or a phantom: it is dropped anyhow, but makes each day a slow one
    bars = {name: tables[name][tables[name]["Volume"] > 0].reset_index(drop=True) for name in chosen}
    return market_of(f"{panel.market}-decades", bars, first, panel.last), replace(panel, first=first)


def decades(
    panel: Panel, jobs: int, tell: Callable[[str], None], *, stocks: int | None = None, sessions: int | None = None
) -> dict[str, Any]:
    """What the whole system made of one panel's price: pooled, and in each year."""
    market, panel = shortened(panel, stocks, sessions)
    seen = see(market, half_years(market.days), jobs, tell)
    table = table_of(live(seen, VARIANTS[FULL]))
    change = table["change"].to_numpy()
    error, naive = errors(table, change), errors(table, 0.0)
    return {
        "market": panel.market,
        "stocks": len(market.stocks),
        "n": len(table),
        "error_pct_sum": float(error.sum()),
        "naive_error_pct_sum": float(naive.sum()),
        "ratio": float(error.sum() / naive.sum()),
        "ratio_interval": interval(table["made_on"].to_numpy(), lambda rows: error[rows].sum() / naive[rows].sum()),
        "mean_size_pct": float(abs(change).mean()),
        "years": by_year(table),
    }
