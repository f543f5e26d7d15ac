"""Made-up stocks on the test server, and how patiently tests ask it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pandas as pd
from fake_yahoo import Listing
from made_up_bars import market

from stockml.core.calendars import calendar_for
from stockml.data.request import FetchSettings

AT_ONCE = FetchSettings(threads=1, timeout_s=60, first_wait_s=0, longest_wait_s=0)
HANGING = replace(AT_ONCE, timeout_s=1)  # for a server that never answers: fifty times what an answer takes


def listing(n_days: int = 700, seed: int = 1, last_day: str = "2026-08-31", symbol: str = "TCS.NS") -> Listing:
    """Bars on the sessions of the symbol's own exchange."""
    days = calendar_for(symbol).sessions_between(date(2023, 1, 1), date.fromisoformat(last_day))[-n_days:]
    raw = market(n_days, seed).drop(columns="Adj Close")
    return Listing(raw.set_index(pd.DatetimeIndex(days, name="Date")))
