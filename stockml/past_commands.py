"""The commands that look back: --replay lives through past sessions."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from datetime import date

from stockml import cli, terminal
from stockml.cli import Run
from stockml.failures import Failure
from stockml.learning_curve import Week, learning_curve, overall
from stockml.past import PastStock
from stockml.replay import Replayed, ReplayError, ReplaySettings, replay

log = logging.getLogger("stockml")


def run_replay(run: Run, symbols: Sequence[str]) -> int:
    """--replay: live through the sessions, and tell the learning curve."""
    start, end = run.args.replay
    refuse_beside(run, "--replay", ("as_of", "verify_only", "explain", "dry_run"))
    if end < start:
        raise cli.UsageError(f"--replay {start} {end}: ends before it starts; give the earlier day first")
    settings = ReplaySettings(start, end, tuple(symbols), run.source.kind, run.args.horizon, run.args.retrain)
    if end > min(run.clock.limit(symbol) for symbol in symbols):
        raise cli.UsageError(f"--replay {start} {end}: {end} has not closed yet; end on a completed session")
    stocks = past_stocks(run, symbols, start, end)
    try:
        with cli.timed(run, "replay"), terminal.progress(run) as tell:
            done = replay(
                settings,
                run.home,
                run.log,
                stocks,
                now=run.clock.now,
                lock_timeout=run.args.lock_timeout,
                jobs=len(os.sched_getaffinity(0)),
                tell=tell,
            )
    except ReplayError as error:
        raise cli.UsageError(str(error)) from None
    note_troubles(run, done)
    return tell_replay(run, done)


def refuse_beside(run: Run, option: str, others: Sequence[str]) -> None:
    """UsageError where an option was given that makes no sense beside this one."""
    for name in others:
        if getattr(run.args, name):
            raise cli.UsageError(f"{option} and --{name.replace('_', '-')} do not go together; leave one out")


def past_stocks(run: Run, symbols: Sequence[str], first: date, last: date) -> list[PastStock]:
    """Each stock's bars, for analyses of all evenings from `first` to `last`; what cannot be had is told."""
    from stockml.evenings import Evenings
    from stockml.models import SESSIONS_NEEDED
    from stockml.replay_models import SESSIONS_OF_TRAINING
    from stockml.sessions import Clock
    from stockml.sources import fetch_bars, span_of

    back = max(SESSIONS_NEEDED, SESSIONS_OF_TRAINING if run.args.retrain else 0) + (last - first).days + 1
    clock = Clock(run.clock.now, last)
    spans = {symbol: span_of(symbol, back, clock) for symbol in symbols}
    with cli.timed(run, "fetch"):
        feed = fetch_bars(spans, run.source, clock=clock, home=run.home, offline=run.args.offline)
    for failure in feed.failures.values():
        run.fail(failure)
    with cli.timed(run, "analyze"):
        return [
            PastStock(Evenings(symbol, raw, run.source.kind), raw.currency, run.source.kind)
            for symbol, raw in feed.bars.items()
        ]


def note_troubles(run: Run, done: Replayed) -> None:
    """What a live run would have complained of day by day, once."""
    for (symbol, kind), days in done.troubles.days.items():
        run.notice(
            f"{symbol}: left out on {days} days ({kind}); on the last of them: {done.troubles.texts[symbol, kind]}"
        )
    for failure in done.cast.failures:
        run.fail(Failure(failure.symbol, failure.kind, failure.message))
    missing = [symbol for symbol, error in done.cast.unusable.items() if error.kind == "missing"]
    if missing:
        run.notice(f"{len(missing)} stocks have no trained model, so signals alone serve: {', '.join(missing)}.")
    for symbol, error in done.cast.unusable.items():
        if error.kind != "missing":
            run.fail(Failure(symbol, f"model_{error.kind}", f"{error.message}; until then signals alone serve."))


def tell_replay(run: Run, done: Replayed) -> int:
    """Print the learning curve as a table or as JSON; returns the exit code."""
    lines = list(run.log.read().verified)
    curve, total = learning_curve(lines), overall(lines)
    exit_code = run.exit_code(anything_done=bool(lines or done.logged))
    if run.args.json:
        results = {
            "days": done.days,
            "logged": done.logged,
            "weeks": [week.to_record() for week in curve],
            "overall": total.to_record() if total else None,
        }
        cli.print_json(run.to_json("replay", results, exit_code))
    elif not run.args.quiet:
        title = f"{done.days} sessions replayed, {done.logged} predictions logged."
        rows = [_row(week.monday, week) for week in curve] + ([_row("all", total)] if total else [])
        columns = (
            "week of",
            "verified>",
            "accuracy>",
            "error>",
            "over no change>",
            "confidence>",
            "calibration error>",
        )
        terminal.print_table(_simulated(run, title), columns, rows)
    return exit_code


def _row(name: str, week: Week) -> Sequence[str]:
    over = "-" if week.error_over_no_change is None else f"{week.error_over_no_change:.3f}"
    return (
        name,
        str(week.predictions),
        f"{week.accuracy:.1%}",
        f"{week.mean_error_pct:.2f}%",
        over,
        f"{week.mean_confidence:.2f}",
        f"{week.calibration_error:.3f}",
    )


def _simulated(run: Run, title: str) -> str:
    return f"{title} ({terminal.SIMULATED})" if run.source.is_simulated else title
