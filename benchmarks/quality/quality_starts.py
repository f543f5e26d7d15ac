"""The first weeks of a log, over start dates a quarter apart: beside models, and from a cold start."""

from __future__ import annotations

from typing import Any

import pandas as pd
from processes import spread
from quality_figures import between, ratio, table_of, weekly
from walk_forward import COLD, FULL, VARIANTS, Seen, live

QUARTER, COLD_WEEKS = 63, 12  # sessions between start dates; weeks of each curve
LENGTH = 5 * COLD_WEEKS + 6  # sessions; the last week's outcomes come six sessions later
SECOND_WEEK, AFTER = (6, 11), (12, 30)  # sessions of a log: the first outcomes come in, and what follows


def starts_of(seen: Seen, quarters: int) -> list[int]:
    """The start dates a quarter apart, as numbers of sessions."""
    return list(range(0, len(seen.history) - LENGTH, QUARTER))[:quarters]


def fresh(seen: Seen, quarters: int, jobs: int) -> dict[str, Any]:
    """The second week of a fresh log beside models, when the first outcomes come in, and the weeks after it."""
    starts = starts_of(seen, quarters)
    lives = [
        lambda seen, start=start: table_of(live(seen.part(start, start + LENGTH), VARIANTS[FULL])) for start in starts
    ]
    tables = spread(jobs, seen, lives)
    found: dict[str, Any] = {"starts": len(starts)}
    for title, sessions in (("second_week", SECOND_WEEK), ("after", AFTER)):
        parts = [between(table, *sessions) for table in tables]
        ratios = [ratio(part, part["change"].to_numpy()) for part in parts]
        together = pd.concat(parts)
        found[title] = {"ratio": ratio(together, together["change"].to_numpy()), "worst": max(ratios)}
    return found


def cold(seen: Seen, quarters: int, jobs: int) -> dict[str, Any]:
    """The first weeks of the signals alone, averaged over start dates a quarter apart."""
    starts = starts_of(seen, quarters)
    tasks = [
        lambda seen, start=start: weekly(table_of(live(seen.part(start, start + LENGTH), VARIANTS[COLD])))
        for start in starts
    ]
    curves = spread(jobs, seen, tasks)
    together = pd.concat([curve.loc[:COLD_WEEKS] for curve in curves]).groupby(level=0).mean()
    weeks = together.loc[4:6]
    days = list(seen.history)
    return {
        "starts": [days[start].isoformat() for start in starts],
        "curve": [
            {"week": int(week), **{name: float(row[name]) for name in row.index}} for week, row in together.iterrows()
        ],
        "lead_weeks_4_to_6": float((weeks["accuracy"] - weeks["no_change"]).mean()) if len(weeks) else None,
    }
