"""--explain with an id: a forecast of the log told from the log, what came of it, and why as far as that is at hand.

Nothing is asked of a source: prices kept from earlier runs, or in the folder named, are looked at where there are some.
"""

from __future__ import annotations

from datetime import date

from stockml.accuracy.tracker import AccuracyTracker
from stockml.commands import tables
from stockml.commands.exits import DONE, UsageError
from stockml.commands.run import Run, print_json, refuse_beside
from stockml.core.outcomes import VERIFIED
from stockml.core.records import Prediction
from stockml.core.wording import alternatives
from stockml.reporting.explanation import logged_story
from stockml.reporting.outcome_story import Aftermath

OTHERS = ("verify_only", "dry_run", "symbols", "symbols_file", "exchange", "horizons")
NEAREST = 3


def run_explain(run: Run) -> int:
    """Tell a line of the log; UsageError where it has no such line."""
    refuse_beside(run, "--explain with an id", OTHERS)
    series, line = _found(run)
    aftermath = Aftermath(line, (), series)
    if line.status == VERIFIED:
        from stockml.reporting.outcome_causes import causes
        from stockml.reporting.prices_at_hand import PricesAtHand, peers_of

        made = run.log.made_on(line.data_through, line.prediction_horizon_days, run.args.as_of)
        moves = PricesAtHand(run.source, run.clock, run.home).moves(line)
        aftermath = Aftermath(line, tuple(causes(line, peers_of(line, made, run.clock), moves)), series)
    if run.args.json:
        results = {"prediction": line.to_record(), "outcome": aftermath.to_record()}
        print_json(run.to_json("explain", results, DONE))
    elif not run.args.quiet:
        record = AccuracyTracker(run.home.feedback).record(run.log.read(run.args.as_of))
        score = record.score(line.symbol, line.prediction_horizon_days)
        tables.tell_story(logged_story(aftermath, score.to_record()))
    return DONE


def _found(run: Run) -> tuple[tuple[Prediction, ...], Prediction]:
    """The lines of the stock at that horizon, oldest first, and the one asked for."""
    id_ = run.args.explain
    symbol, day, horizon = id_.split(":")
    newest_first = run.log.of_stock(symbol, run.args.as_of, int(horizon))
    series = tuple(reversed(list(newest_first)))
    for line in series:
        if line.data_through == day:
            return series, line
    known = run.log.ids_of(symbol, run.args.as_of)
    if not known:
        raise UsageError(f"--explain {id_}: the log has no prediction of {symbol}; correct the symbol")
    meant = sorted(known, key=lambda other: _distance(other, day, int(horizon)))[:NEAREST]
    raise UsageError(f"--explain {id_}: not in the log; the nearest of {symbol}: {alternatives(meant)}")


def _distance(id_: str, day: str, horizon: int) -> tuple[int, int]:
    """Days between, and where these are the same the sessions between the horizons."""
    _, made, ahead = id_.rsplit(":", 2)
    return abs((date.fromisoformat(made) - date.fromisoformat(day)).days), abs(int(ahead) - horizon)
