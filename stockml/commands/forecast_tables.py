"""The table of the forecasts that a run made, or of those that were asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from stockml.commands.outcome_tables import Told
from stockml.commands.run import NO_ADVICE, Run
from stockml.commands.tables import mark, print_table
from stockml.core.records import Prediction
from stockml.core.wording import count
from stockml.reporting.formatting import money


class Forecasts(NamedTuple):
    """The forecasts to show, the edge of each by its id, and how many were made and logged."""

    shown: Sequence[Prediction]
    edge: Mapping[str, float]
    made: int
    logged: int


def tell_forecasts(run: Run, learned: Told, made: Forecasts) -> None:
    """The forecasts of a run as a table; where there are none, whether anything was done."""
    if made.made:
        some = f": {len(made.shown)} of {made.made}" if len(made.shown) < made.made else ""
        if made.shown:
            predictions(f"Predictions{some}{mark(run)}", made.shown, made.edge)
        else:
            print(f"None of {count(made.made, 'forecast')} has a confidence of {run.args.min_confidence:.0%} or more.")
        written = f"{made.logged} logged, {made.made - made.logged} there already."
        print(f"{'Nothing is logged by a dry run.' if run.args.dry_run else written} {NO_ADVICE}")
    elif not learned.settled and not learned.waiting:
        aim = "settled" if run.args.verify_only else "predicted"
        print(f"Nothing could be {aim}." if run.failures else "Nothing is due.")


def predictions(title: str, made: Iterable[Prediction], edge: Mapping[str, float]) -> None:
    """Today's predictions, one a line; the sessions ahead where they differ, and "no model" where one has none."""
    made = list(made)
    several = len({prediction.prediction_horizon_days for prediction in made}) > 1
    lacking = any(prediction.model_trained_at is None for prediction in made)
    beside = any(prediction.id in edge for prediction in made)
    rows = [
        (
            prediction.symbol,
            *([str(prediction.prediction_horizon_days)] if several else []),
            money(prediction.current_price),
            money(prediction.predicted_price),
            f"{prediction.predicted_change_pct:+z.2f} %",
            *([f"{edge[prediction.id]:+z.2f} %" if prediction.id in edge else "-"] if beside else []),
            f"{money(prediction.low)} .. {money(prediction.high)}",
            f"{prediction.confidence:.0%}",
            prediction.market_regime,
            prediction.target_date,
            *(["no model" if prediction.model_trained_at is None else ""] if lacking else []),
        )
        for prediction in made
    ]
    columns = (
        "symbol",
        *(["ahead>"] if several else []),
        *("close>", "predicted>", "change>"),
        *(["edge>"] if beside else []),
        *("80 % interval>", "confidence>", "regime", "for the close of"),
        *([""] if lacking else []),
    )
    print_table(title, columns, rows)
