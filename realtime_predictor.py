#!/bin/sh
""":" # A shell reads these lines and hands the file to the Python beside it; to Python they are one text.
here=$(dirname "$(readlink -f "$0")")
unset PYTHONSAFEPATH # the package lies in the script's own folder
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
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stockml.accuracy.record import Record
from stockml.accuracy.settlement import Waiting, settle
from stockml.accuracy.tracker import AccuracyTracker, Feedback
from stockml.commands import options, predict_options
from stockml.commands.clock_check import tell_moved_clock
from stockml.commands.exchanges import tell_provisional
from stockml.commands.exits import run_command
from stockml.commands.model_forecasts import analyses_of, horizons_ahead, tell_beyond
from stockml.commands.notifications import run_and_notify
from stockml.commands.other_commands import opened, other_command
from stockml.commands.predict_command import (
    Result,
    due_now,
    is_dry,
    leave_behind,
    note_logged,
    note_settled,
    recorded,
    tell_problems,
    tell_unsettled,
    to_predict,
    updated,
)
from stockml.commands.predict_results import sum_up, tell
from stockml.commands.run import Run, timed
from stockml.commands.watchlist import remembered, tell_changes
from stockml.commands.witness import hand_over, write_down
from stockml.core.clock import Clock
from stockml.core.records import Prediction

if TYPE_CHECKING:
    from stockml.data.source_bars import SourceBars
    from stockml.signals.engine import Analysis, Plan
    from stockml.signals.learner import Learner

DESCRIPTION = """Forecast stock prices, keep an honest record of every forecast, and learn from the outcomes.
Verifies the predictions whose day has come, then predicts again."""

EXAMPLES = """examples:
  the watchlist of the home, prices from Yahoo; what is due is verified first:
    ./realtime_predictor.py
  only settle what is due:
    ./realtime_predictor.py --verify-only
  the five steps for one stock, in words:
    ./realtime_predictor.py --explain TCS.NS
  what is pending, late or stale, and how the last run ended:
    ./realtime_predictor.py --status
  a home of its own for a simulated market, which needs no network:
    ./realtime_predictor.py --init --source sample --horizons 5 3 --home ~/stock-trial
    ./realtime_predictor.py --home ~/stock-trial
  walk-forward backtest of three weeks of it, ending with the learning curve:
    ./realtime_predictor.py --replay 2026-03-02 2026-03-20 --source sample --home ~/stock-replay

Forecasts are no financial advice."""


def parse_args(argv: Sequence[str] | None = None, kind: options.ParserClass = ArgumentParser) -> argparse.Namespace:
    """The options, checked as far as they can be alone; the parser's class says what comes of errors."""
    parser = options.parser("realtime_predictor.py", DESCRIPTION, EXAMPLES, kind)
    predict_options.add_predicting(parser)
    options.add_common(parser)
    return predict_options.parsed(parser, argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    other = other_command(args, datetime.now(UTC))
    return run_command(other, args) if other else run_and_notify(predict_and_learn, args)


@dataclass(frozen=True)
class Market:
    """Result of ANALYZE: the source's bars of every stock needed today, and an analysis of each to be predicted."""

    bars: Mapping[str, SourceBars]
    analyses: Sequence[Analysis]
    horizons: Mapping[str, Sequence[int]]  # to predict, by symbol


@dataclass(frozen=True)
class Settlement:
    """Result of LEARN: the lines settled just now, those still waiting, and the state learned from all outcomes."""

    settled: Sequence[Prediction]
    waiting: Sequence[Waiting]
    learner: Learner | None  # None where there is nothing to learn and nothing to predict
    record: Record


@dataclass(frozen=True)
class Done:
    """Result of a whole run: the outcomes, the predictions with their plans, and all of it as --json prints it."""

    learned: Settlement
    made: Sequence[tuple[Plan, Prediction]]
    logged: Sequence[Prediction]  # those that were new, as the log has them
    result: Result


def predict_and_learn(args: argparse.Namespace) -> int:
    """The daily run, told on stdout; returns the exit code."""
    run = opened(args, datetime.now(UTC))
    done = carry_out(run)
    return tell(run, done.result, done.learned, done.made)


def carry_out(run: Run) -> Done:
    """ANALYZE, LEARN, PLAN, PREDICT, ACT: the cycle, entered where yesterday's outcomes are settled first."""
    market = analyze(run)
    with nullcontext() if is_dry(run.args) else run.log.locked(run.args.lock_timeout):
        tell_moved_clock(run, datetime.now(UTC))
        with recorded(run):  # under the lock: a run that gives up waiting leaves the last one's record as it was
            learned = learn(run, market)
            plans = plan(run, market, learned)
            predictions = predict(plans, learned, run.clock)
            tell_provisional(run, predictions)
            logged = act(run, predictions)
            witness = None if is_dry(run.args) else write_down(run)
            result = sum_up(run, learned, predictions, logged, witness)
            result = leave_behind(run, result, ended_at=datetime.now(UTC) + run.clock.skew)
    hand_over(run, witness, result)
    return Done(learned, list(zip(plans, predictions, strict=True)), logged, result)


def analyze(run: Run) -> Market:
    """ANALYZE: fetch current prices, calculate indicators, detect each stock's regime, ask its models."""
    explained = [run.args.explain] if run.args.explain else []
    listed = to_predict(run)
    if listed and not run.args.explain:
        tell_changes(run, listed)
    run.watchlist = remembered(run, listed)
    wanted = list(dict.fromkeys([*explained, *listed]))
    pending = run.log.pending(run.args.as_of)
    due = due_now(run, pending)
    if not wanted and not due:
        return Market({}, [], {})
    from stockml.commands.analysis_jobs import analysis_jobs
    from stockml.signals import engine
    from stockml.signals.plugins import NO_PLUGINS, opinion_plugins

    plugins = opinion_plugins() if wanted else NO_PLUGINS  # before anything is fetched
    symbols = [*wanted, *(prediction.symbol for prediction in due)]
    with analysis_jobs(run, symbols, wanted, plugins) as jobs:
        fetched = jobs.fetch(symbols, engine.sessions_back(run.today(), due))
        due = [line for line in due_now(run, pending) if line.symbol not in symbols]  # by the source's clock alone
        if due:
            more = jobs.fetch((line.symbol for line in due), engine.sessions_back(run.today(), due))
            fetched = fetched.renewed(more)
    with timed(run, "analyze"), run.telling_together():
        stocks = {symbol: fetched.tables[symbol] for symbol in wanted if symbol in fetched.tables}
        horizons = horizons_ahead(run, stocks.values())
        analyses = engine.add_market(analyses_of(run, stocks, horizons), run.clock.exchanges)
    tell_beyond(run, analyses)
    return Market(fetched.bars, analyses, horizons)


def learn(run: Run, market: Market) -> Settlement:
    """LEARN: verify the predictions whose day has come, and fold the outcomes into the learned state."""
    view = run.log.read(run.args.as_of)
    tell_problems(run, view)
    outcomes, waiting = settle(due_now(run, view.pending), market.bars, run.clock, run.gone)
    if not outcomes and not market.analyses and not is_dry(run.args):
        kept = AccuracyTracker(run.home.feedback, run.main_horizon).kept(run.log)
        if kept is not None:
            tell_unsettled(run, [], waiting)
            return Settlement([], waiting, None, kept)
    from stockml.signals.learner import Learner

    feedback = Feedback(run.home.feedback, Learner, run.main_horizon)
    if is_dry(run.args):
        settled = [replace(line, outcome=outcomes[line.id]) for line in view.pending if line.id in outcomes]
        known = feedback.preview(view, settled)
    else:
        done = run.log.settle(outcomes)
        settled = [*done.done, *done.left]
        note_settled(run, done)
        known = updated(run, feedback, view, done)
    tell_unsettled(run, settled, waiting)
    if settled and (warning := known.record.leakage_warning()):
        run.notice(warning)
    return Settlement(settled, waiting, known.learner, known.record)


def plan(run: Run, market: Market, learned: Settlement) -> list[Plan]:
    """PLAN: evaluate every signal, weigh it by what it has earned, form a hypothesis for each stock and horizon."""
    if learned.learner is None:
        return []
    from stockml.signals import engine

    return [
        engine.plan(analysis, learned.learner, horizon)
        for analysis in market.analyses
        if run.args.explain in (None, analysis.symbol)
        for horizon in market.horizons[analysis.symbol]
    ]


def predict(plans: Sequence[Plan], learned: Settlement, clock: Clock) -> list[Prediction]:
    """PREDICT: a price, a confidence and a target date for each hypothesis."""
    if learned.learner is None:
        return []
    from stockml.signals import engine

    return [engine.predict(hypothesis, learned.learner, clock) for hypothesis in plans]


def act(run: Run, predictions: Sequence[Prediction]) -> list[Prediction]:
    """ACT: log each prediction, once; it then waits for its target date. Returns those that were new."""
    logged = [] if is_dry(run.args) else run.log.append(predictions)
    note_logged(run, logged)
    return logged


if __name__ == "__main__":
    sys.exit(main())
