"""Choice and order of the forecasts that a run shows; all of them are logged.

A forecast's edge is its change beside the mean of the watchlist's at the same horizon: most forecasts share the
market's drift, and the edge is what is left.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from stockml.core.records import Prediction

if TYPE_CHECKING:
    from stockml.commands.run import Run

CONFIDENCE, CHANGE, INTERVAL, EDGE = "confidence", "change", "interval", "edge"
SORTS = (CONFIDENCE, CHANGE, INTERVAL, EDGE)
LEAST_OTHERS = 2  # forecasts that a mean is of; one is beside itself


def edges(run: Run, made: Sequence[Prediction]) -> dict[str, float]:
    """The edge in percentage points by id; of a horizon with one forecast alone there is none.

    The mean is of the run's forecasts and of those that the log has from the same days, so that a stock asked for
    alone has the edge that it has among all.
    """
    found: dict[str, float] = {}
    for horizon in dict.fromkeys(line.prediction_horizon_days for line in made):
        own = [line for line in made if line.prediction_horizon_days == horizon]
        known = {}
        if run.symbols is not None:  # else the run's own forecasts are all of the watchlist
            logged = (line for day in _days(own) for line in _logged(run, day, horizon))
            known = {line.symbol: line.predicted_change_pct for line in logged}
        known |= {line.symbol: line.predicted_change_pct for line in own}
        if len(known) >= LEAST_OTHERS:
            mean = sum(change for _, change in sorted(known.items())) / len(known)
            found |= {line.id: round(line.predicted_change_pct - mean, 4) for line in own}
    return found


def _days(lines: Iterable[Prediction]) -> list[str]:
    return sorted({line.data_through for line in lines})


def _logged(run: Run, day: str, horizon: int) -> Iterable[Prediction]:
    return (line for line in run.log.made_on(day, horizon, run.args.as_of) if line.source == run.source.kind)


def chosen(args: argparse.Namespace, made: Sequence[Prediction], edge: Mapping[str, float]) -> list[Prediction]:
    """The forecasts to show: those sure enough, in the order asked for, and of each horizon the first so many.

    Without an order they stay in the watchlist's; --top alone takes the most confident.
    """
    kept = [one for one in made if one.confidence >= (args.min_confidence or 0)]
    order = args.sort or (CONFIDENCE if args.top else None)
    if order is None:
        return kept
    keys: Mapping[str, Callable[[Prediction], float]] = {
        CONFIDENCE: lambda line: -line.confidence,
        CHANGE: lambda line: -line.predicted_change_pct,
        INTERVAL: lambda line: (line.high - line.low) / line.current_price,
        EDGE: lambda line: -edge.get(line.id, 0.0),
    }
    horizons: dict[int, list[Prediction]] = {}
    for one in sorted(kept, key=keys[order]):
        horizons.setdefault(one.prediction_horizon_days, []).append(one)
    asked = dict.fromkeys(one.prediction_horizon_days for one in made)
    return [one for horizon in asked for one in horizons.get(horizon, [])[: args.top]]
