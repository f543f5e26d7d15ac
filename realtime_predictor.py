#!/bin/sh
""":" # A shell reads these lines and hands the file to the Python beside it; to Python they are one text.
here=$(dirname "$(readlink -f "$0")")
for python in "$here/.venv/bin/python" python3.11 python3; do
    command -v "$python" >/dev/null && exec "$python" "$0" "$@"
done
echo "There is no Python here; run 'make install' in $here first." >&2
exit 3
"""

from __future__ import annotations

from stockml.commands import bootstrap

if __name__ == "__main__":
    bootstrap.use_project_environment(__file__)

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stockml.accuracy.settlement import Waiting, is_due, settle
from stockml.accuracy.tracker import Accuracy, Feedback, leakage_warning
from stockml.commands import options
from stockml.commands import run as cli
from stockml.commands.run import Run
from stockml.core.calendars import Clock
from stockml.core.failures import Failure
from stockml.core.records import Prediction
from stockml.reporting.last_run import begin_run, end_run

if TYPE_CHECKING:
    from stockml.data.price_table import PriceTable
    from stockml.signals.engine import Analysis, ModelView, Plan
    from stockml.signals.learner import Learner

DESCRIPTION = """Forecast stock prices, keep an honest record of every forecast, and learn from the outcomes.
Verifies the predictions whose day has come, then predicts again."""

EXAMPLES = """examples:
  every stock with a trained model, prices from Yahoo; what is due is verified first:
    ./realtime_predictor.py
  only settle what is due:
    ./realtime_predictor.py --verify-only
  the five steps for one stock, in words:
    ./realtime_predictor.py --explain TCS.NS
  what waits, is late or stale, and how the last run ended:
    ./realtime_predictor.py --status
  a simulated market, which needs no network, in a folder of its own:
    ./realtime_predictor.py --source sample --home ~/stock-trial
  three weeks of it lived through day by day, ending with the learning curve:
    ./realtime_predictor.py --replay 2026-03-02 2026-03-20 --source sample --home ~/stock-replay

Forecasts are no financial advice."""

LARGEST_LOG_RENEWED = 64_000_000  # bytes, some 45,000 lines; the page of a longer one is left to --report

log = logging.getLogger("stockml")

Result = dict[str, Any]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options, checked as far as they can be alone."""
    parser = options.parser("realtime_predictor.py", DESCRIPTION, EXAMPLES)
    how = parser.add_argument_group("what to do")
    options.add_horizon(how)
    how.add_argument("--verify-only", "--verify", action="store_true", help="settle what is due, predict nothing")
    how.add_argument(
        "--explain", type=options.symbol, metavar="SYMBOL", help="tell the five steps for one stock; nothing is written"
    )
    how.add_argument(
        "--replay",
        nargs=2,
        type=options.day,
        metavar=("START", "END"),
        help="live through the sessions from START to END (days as YYYY-MM-DD) as on each of them, in a --home of "
        "their own",
    )
    how.add_argument(
        "--retrain",
        choices=["monthly"],
        help="with --replay: train as of each month's first session too (default: ask the models there are)",
    )
    how.add_argument(
        "--self-check", action="store_true", help="recompute past values without their future, and compare"
    )
    how.add_argument(
        "--report",
        nargs="?",
        type=Path,
        const=Path(),
        metavar="FILE",
        help="write the page for people (default: realtime_predictions/report.html; each daily run renews it)",
    )
    how.add_argument(
        "--status",
        action="store_true",
        help="tell what waits, is late or stale; exit code 1 where something asks for help",
    )
    how.add_argument("--dry-run", action="store_true", help="do everything but write")
    how.add_argument(
        "--lock-timeout",
        type=options.positive,
        default=60,
        metavar="SECONDS",
        help="how many seconds to wait for another run that is writing (default: %(default)s)",
    )
    options.add_common(parser, default_symbols="those with trained models")
    args = parser.parse_args(argv)
    if args.retrain and not args.replay:
        parser.error("--retrain goes with --replay")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    if args.replay or args.self_check:
        return cli.run(look_back, args)
    return cli.run(look_at if args.report is not None or args.status else predict_and_learn, args)


@dataclass(frozen=True)
class Market:
    """What ANALYZE found: checked prices of every stock needed today, and an analysis of each to be predicted."""

    tables: Mapping[str, PriceTable]
    analyses: Sequence[Analysis]


@dataclass(frozen=True)
class Learned:
    """What LEARN left: the lines settled just now, what still waits, and what is believed from all outcomes."""

    settled: Sequence[Prediction]
    waiting: Sequence[Waiting]
    learner: Learner | None  # None where there is nothing to learn and nothing to predict
    accuracy: Mapping[str, Accuracy]


def predict_and_learn(args: argparse.Namespace) -> int:
    """ANALYZE, LEARN, PLAN, PREDICT, ACT: the cycle, entered where yesterday's outcomes are settled first."""
    run = cli.open_run(args, datetime.now(UTC))
    if not is_dry(args):
        begin_run(run.home, run.clock.now, args.as_of)
    market = analyze(run)
    with nullcontext() if is_dry(args) else run.log.locked(args.lock_timeout):
        learned = learn(run, market)
        plans = plan(run, market, learned)
        predictions = predict(plans, learned, run.clock)
        logged = act(run, predictions)
        result = sum_up(run, learned, predictions, logged)
        leave_behind(run, result)
    return tell(run, result, learned, list(zip(plans, predictions, strict=True)))


def analyze(run: Run) -> Market:
    """ANALYZE: fetch current prices, calculate indicators, detect each stock's regime, ask its models."""
    explained = [run.args.explain] if run.args.explain else []
    wanted = list(dict.fromkeys([*explained, *to_predict(run)]))
    due = due_now(run, run.log.pending(run.args.as_of))
    if not wanted and not due:
        return Market({}, [])
    from stockml.signals import engine

    symbols = [*wanted, *(prediction.symbol for prediction in due)]
    now = run.clock.now.date()
    today = min(run.args.as_of or now, now)
    tables = run.fetch(symbols, engine.sessions_back(today, due))
    with cli.timed(run, "analyze"):
        to_analyze = [tables[symbol] for symbol in wanted if symbol in tables]
        analyses = engine.add_market(engine.analyze(prices, model_view(run, prices)) for prices in to_analyze)
    return Market(tables, analyses)


def learn(run: Run, market: Market) -> Learned:
    """LEARN: verify the predictions whose day has come, and fold what came true into what is believed."""
    view = run.log.read(run.args.as_of)
    for problem in view.problems:
        run.notice(str(problem))
    outcomes, waiting = settle(due_now(run, view.pending), market.tables, run.clock, run.gone)
    if not outcomes and not market.analyses and not is_dry(run.args):
        kept = Feedback(run.home.feedback).kept_accuracy(run.log)
        if kept is not None:
            return Learned([], waiting, None, kept)
    from stockml.signals.learner import Learner

    feedback = Feedback(run.home.feedback, Learner)
    if is_dry(run.args):
        settled = [replace(line, outcome=outcomes[line.id]) for line in view.pending if line.id in outcomes]
        known = feedback.preview(view, settled)
    else:
        done = run.log.settle(outcomes)
        settled = [*done.done, *done.left]
        known = feedback.update(run.log, view, done)
    if settled and (warning := leakage_warning(known.accuracy.values())):
        run.notice(warning)
    return Learned(settled, waiting, known.learner, known.accuracy)


def plan(run: Run, market: Market, learned: Learned) -> list[Plan]:
    """PLAN: evaluate every signal, weigh it by what it has earned, form a hypothesis for each stock (or one)."""
    if learned.learner is None:
        return []
    from stockml.signals import engine

    return [
        engine.plan(analysis, learned.learner, run.args.horizon)
        for analysis in market.analyses
        if run.args.explain in (None, analysis.symbol)
    ]


def predict(plans: Sequence[Plan], learned: Learned, clock: Clock) -> list[Prediction]:
    """PREDICT: a price, a confidence and a target date for each hypothesis."""
    if learned.learner is None:
        return []
    from stockml.signals import engine

    return [engine.predict(hypothesis, learned.learner, clock) for hypothesis in plans]


def act(run: Run, predictions: Sequence[Prediction]) -> list[Prediction]:
    """ACT: log each prediction, once; it then waits for its target date. Returns those that were new."""
    return [] if is_dry(run.args) else run.log.append(predictions)


def is_dry(args: argparse.Namespace) -> bool:
    """Whether nothing may be written."""
    return bool(args.dry_run or args.explain)


def to_predict(run: Run) -> list[str]:
    """The symbols named; else those with trained models; else the watchlist, from signals alone."""
    if run.args.verify_only:
        return []
    if run.symbols:
        return run.symbols
    from stockml.models.bundle_store import trained_symbols

    trained = trained_symbols(run.home)
    if not trained:
        run.notice("No stock has a trained model yet: signals alone serve; run train_models.py to add the models.")
    return trained or run.default_symbols()


def due_now(run: Run, pending: Sequence[Prediction]) -> list[Prediction]:
    """Pending predictions whose session is complete, made from this kind of source, of the symbols named if any."""
    return [
        prediction
        for prediction in pending
        if prediction.source == run.source.kind
        and (run.symbols is None or prediction.symbol in run.symbols)
        and is_due(prediction, run.clock)
    ]


def model_view(run: Run, prices: PriceTable) -> ModelView | None:
    """What a stock's models say of its newest session; None, and a word to the user, where they cannot be asked."""
    from stockml.models.bundle import MISSING, ModelError

    try:
        return ask_models(run, prices)
    except ModelError as error:
        if error.kind == MISSING and run.symbols:
            run.notice(f"{prices.symbol}: no trained model, so signals alone serve; run train_models.py to add it.")
        elif error.kind != MISSING:
            run.fail(Failure(prices.symbol, f"model_{error.kind}", f"{error}; until then signals alone serve."))
        return None


def ask_models(run: Run, prices: PriceTable) -> ModelView | None:
    """What the stock's models say, or None where they have seen a later day; ModelError where they cannot be used."""
    from stockml.models.bundle_store import load_bundle
    from stockml.reporting.status import MODEL_STALE_AFTER_DAYS
    from stockml.signals import engine

    bundle = load_bundle(run.home, prices.symbol)
    age_days = (prices.data_through - bundle.data_through).days
    if age_days < 0:
        run.notice(
            f"{prices.symbol}: its model has seen {bundle.data_through}, after {prices.data_through}, and is not used."
        )
        return None
    if age_days > MODEL_STALE_AFTER_DAYS:
        run.notice(f"{prices.symbol}: its model is stale, {age_days} days old; run train_models.py to renew it.")
    if run.args.horizon > bundle.horizon:
        run.notice(f"{prices.symbol}: its model looks {bundle.horizon} sessions ahead, so signals alone serve.")
    return engine.view_of(bundle, bundle.forecast(prices))


def look_back(args: argparse.Namespace) -> int:
    """The same steps on each of many past days, or past values once more; stockml/past_commands.py does it."""
    from stockml.commands import replay_command as past_commands

    run = cli.open_run(args, datetime.now(UTC))
    command = past_commands.run_replay if args.replay else past_commands.run_self_check
    return command(run, to_predict(run))


def look_at(args: argparse.Namespace) -> int:
    """How the system itself is doing, or the page for people; stockml/look_commands.py does it."""
    from stockml.commands import status_command as look_commands

    return look_commands.run_look(cli.open_run(args, datetime.now(UTC)))


def sum_up(run: Run, learned: Learned, predictions: Sequence[Prediction], logged: Sequence[Prediction]) -> Result:
    """What --json prints."""
    exit_code = run.exit_code(anything_done=bool(predictions or (learned.settled and not is_dry(run.args))))
    results = {
        "predictions": [prediction.to_record() for prediction in predictions],
        "logged": [prediction.id for prediction in logged],
        "settled": [prediction.to_record() for prediction in learned.settled],
        "waiting": [{"id": line.prediction.id, "reason": line.reason} for line in learned.waiting],
        "accuracy": {symbol: accuracy.to_record() for symbol, accuracy in sorted(learned.accuracy.items())},
    }
    return run.to_json("realtime_predictor", results, exit_code)


def leave_behind(run: Run, result: Result) -> None:
    """For who looks later: how the run ended, and the page renewed, where something happened that it would show."""
    if is_dry(run.args):
        return
    end_run(run.home, result, began_at=run.clock.now, ended_at=datetime.now(UTC))
    if not result["logged"] and not result["settled"]:
        return
    if run.log.path.stat().st_size > LARGEST_LOG_RENEWED or run.log.read(run.args.as_of).is_partial:
        return
    from stockml.reporting.page import write_report
    from stockml.reporting.status import status

    with cli.timed(run, "page"):
        state = status(run.home, run.log, run.clock)
        write_report(run.home, run.log, run.clock, state, is_simulated=run.is_simulated)


def tell(run: Run, result: Result, learned: Learned, made: Sequence[tuple[Plan, Prediction]]) -> int:
    """Print what was found, as a table, a story or JSON; returns the exit code."""
    from stockml.commands import tables as terminal
    from stockml.reporting.explanation import story

    log.info("Seconds: %s.", ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in run.seconds.items()) or "none")
    if run.args.json:
        cli.print_json(result)
    elif run.args.explain:
        for hypothesis, prediction in made:
            terminal.tell_story(story(hypothesis, prediction, result["accuracy"].get(prediction.symbol)))
    elif not run.args.quiet:
        predictions = [prediction for _, prediction in made]
        terminal.tell(run, (learned.settled, learned.waiting), predictions, result["logged"], result["accuracy"])
    return int(result["exit_code"])


if __name__ == "__main__":
    sys.exit(main())
