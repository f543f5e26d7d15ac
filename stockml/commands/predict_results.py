"""Results of a run of the predictor: as an object for --json, and as tables or a story for people."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from stockml.commands.predict_command import Result, is_dry
from stockml.commands.ranking import chosen, edges
from stockml.commands.run import Run, print_json
from stockml.core.records import Prediction
from stockml.prediction_log.seals import Witness

if TYPE_CHECKING:
    from stockml.commands.outcome_tables import Told
    from stockml.signals.engine import Plan

log = logging.getLogger("stockml")

MISSES_NAMED = 3


def sum_up(
    run: Run,
    learned: Told,
    predictions: Sequence[Prediction],
    logged: Sequence[Prediction],
    witness: Witness | None,
) -> Result:
    """Result of the run as --json prints it."""
    exit_code = run.exit_code(anything_done=bool(predictions or (learned.settled and not is_dry(run.args))))
    results = {
        "predictions": [prediction.to_record() for prediction in predictions],
        "logged": [prediction.id for prediction in logged],
        "settled": [prediction.to_record() for prediction in learned.settled],
        "waiting": [{"id": line.prediction.id, "reason": line.reason} for line in learned.waiting],
        "accuracy": learned.record.to_scores(run.main_horizon),
        "head": witness and witness.to_record(),
    }
    return run.to_json("realtime_predictor", results, exit_code)


def tell(run: Run, result: Result, learned: Told, made: Sequence[tuple[Plan, Prediction]]) -> int:
    """Print what was found, as a table, a story or JSON; returns the exit code."""
    from stockml.commands import tables
    from stockml.commands.forecast_tables import Forecasts, tell_forecasts
    from stockml.commands.outcome_tables import tell_outcomes

    edge = {} if run.args.quiet and not run.args.json else edges(run, [prediction for _, prediction in made])
    shown = chosen(run.args, [prediction for _, prediction in made], edge)
    log.info("Seconds: %s.", ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in run.seconds.items()) or "none")
    if run.args.json:
        records = [prediction.to_record() for prediction in shown]
        beside = {prediction.id: edge.get(prediction.id) for prediction in shown}
        print_json(result | {"predictions": records, "edge_pct": beside})
    elif run.args.explain:
        from stockml.reporting.explanation import story

        for hypothesis, prediction in made:
            score = learned.record.score(prediction.symbol, prediction.prediction_horizon_days)
            misses = last_misses(run, prediction)
            tables.tell_story(story(hypothesis, prediction, score.to_record(), misses))
    elif not run.args.quiet:
        tell_outcomes(run, learned)
        told = Forecasts(shown, edge, len(made), len(result["logged"]))
        tell_forecasts(run, learned, told)
        tables.tell_head(result["head"])
    return int(result["exit_code"])


def last_misses(run: Run, prediction: Prediction) -> list[Prediction]:
    """The newest misses of a stock at a horizon, as the log has them."""
    lines = run.log.of_stock(prediction.symbol, run.args.as_of, prediction.prediction_horizon_days)
    return list(islice((line for line in lines if line.outcome and line.outcome.was_accurate is False), MISSES_NAMED))
