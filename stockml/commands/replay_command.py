"""The commands that look back: --replay lives through past sessions, --self-check recomputes past values."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from stockml.accuracy.weekly import Week, learning_curve, overall
from stockml.commands import run as cli
from stockml.commands import tables as terminal
from stockml.commands.run import Run
from stockml.core.failures import Failure
from stockml.core.progress import progress
from stockml.replay.batch_analysis import PastStock
from stockml.replay.walk_forward import ReplayError, ReplayResult, ReplaySettings, replay

if TYPE_CHECKING:
    from stockml.data.price_table import PriceTable
    from stockml.models.bundle import ModelBundle
    from stockml.replay.lookahead_check import Check

log = logging.getLogger("stockml")

CHECK_SEED = 1
CHECK_COLUMNS = ("values", "compared>", "differing>", "example")


def run_replay(run: Run, symbols: Sequence[str]) -> int:
    """--replay: live through the sessions, and tell the learning curve."""
    start, end = run.args.replay
    cli.refuse_beside(run, "--replay", ("as_of", "verify_only", "explain", "dry_run", "self_check", "report", "status"))
    if end < start:
        raise cli.UsageError(f"--replay {start} {end}: ends before it starts; give the earlier day first")
    settings = ReplaySettings(start, end, tuple(symbols), run.source.kind, run.args.horizon, run.args.retrain)
    if end > min(run.clock.limit(symbol) for symbol in symbols):
        raise cli.UsageError(f"--replay {start} {end}: {end} has not closed yet; end on a completed session")
    stocks = past_stocks(run, symbols, start, end)
    try:
        with cli.timed(run, "replay"), progress(run.args) as tell:
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


def past_stocks(run: Run, symbols: Sequence[str], first: date, last: date) -> list[PastStock]:
    """Each stock's bars, for analyses of all evenings from `first` to `last`; what cannot be had is told."""
    from stockml.core.calendars import Clock
    from stockml.data.fetch import fetch_bars, span_of
    from stockml.data.point_in_time import PointInTimePrices
    from stockml.data.request import FetchSettings
    from stockml.models.bundle import SESSIONS_NEEDED
    from stockml.trainers.dataset import sessions_needed
    from stockml.trainers.pipeline import TrainingSettings

    of_training = sessions_needed(TrainingSettings().years) if run.args.retrain else 0
    back = max(SESSIONS_NEEDED, of_training) + (last - first).days + 1
    clock = Clock(run.clock.now, last)
    spans = {symbol: span_of(symbol, back, clock) for symbol in symbols}
    with cli.timed(run, "fetch"), progress(run.args) as tell:
        settings = FetchSettings(offline=run.args.offline, tell=tell)
        feed = fetch_bars(spans, run.source, clock=clock, home=run.home, settings=settings)
    for failure in feed.failures.values():
        run.fail(failure)
    with cli.timed(run, "analyze"):
        return [
            PastStock(PointInTimePrices(symbol, raw, run.source.kind), raw.currency, run.source.kind)
            for symbol, raw in feed.bars.items()
        ]


def note_troubles(run: Run, done: ReplayResult) -> None:
    """What a live run would have complained of day by day, once."""
    for (symbol, kind), days in done.failures.days.items():
        run.notice(
            f"{symbol}: left out on {days} days ({kind}); on the last of them: {done.failures.texts[symbol, kind]}"
        )
    each_once = {(failure.symbol, failure.kind): failure for failure in done.schedule.failures}  # of all the months
    for failure in each_once.values():
        run.fail(Failure(failure.symbol, failure.kind, failure.message))
    missing = [symbol for symbol, error in done.schedule.unusable.items() if error.kind == "missing"]
    if missing and run.symbols:  # of the default ones it is said when they are chosen
        run.notice(f"{', '.join(missing)}: no trained model, so signals alone serve.")
    for symbol, error in done.schedule.unusable.items():
        if error.kind != "missing":
            run.fail(Failure(symbol, f"model_{error.kind}", f"{error.message}; until then signals alone serve."))


def tell_replay(run: Run, done: ReplayResult) -> int:
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


# ---- the self-check ----


def run_self_check(run: Run, symbols: Sequence[str]) -> int:
    """--self-check: work out past values again without their future, and say whether any of them has seen it."""
    from stockml.accuracy.tracker import Feedback, leakage_warning
    from stockml.replay import lookahead_check as self_check
    from stockml.signals.learner import Learner

    cli.refuse_beside(run, "--self-check", ("verify_only", "explain", "dry_run", "report", "status"))
    tables = list(run.fetch(symbols, self_check.SESSIONS_WANTED).values())
    view = run.log.read(run.args.as_of)
    with cli.timed(run, "self_check"):
        checks = [
            *self_check.check_figures(tables, seed=CHECK_SEED),
            self_check.check_analyses(tables, seed=CHECK_SEED),
            self_check.check_models(tables, bundles(run, tables), seed=CHECK_SEED),
            self_check.check_log([*view.pending, *view.verified]),
        ]
    known = Feedback(run.home.feedback, Learner).preview(view)
    return tell_self_check(run, checks, leakage_warning(known.accuracy.values()))


def bundles(run: Run, tables: Sequence[PriceTable]) -> dict[str, ModelBundle]:
    """The models of these stocks; what cannot be used is told."""
    from stockml.models.bundle import MISSING, ModelError
    from stockml.models.bundle_store import load_bundle

    found: dict[str, ModelBundle] = {}
    for table in tables:
        try:
            found[table.symbol] = load_bundle(run.home, table.symbol)
        except ModelError as error:
            if error.kind != MISSING:
                run.fail(Failure(table.symbol, f"model_{error.kind}", str(error)))
    return found


def tell_self_check(run: Run, checks: Sequence[Check], warning: str | None) -> int:
    """Print each comparison, as a table or as JSON; the exit code is 1 where a value has seen the future."""
    sees = [check.name for check in checks if not check.is_clean]
    compared = any(check.compared for check in checks)
    exit_code = cli.SOME_FAILED if sees else run.exit_code(anything_done=compared)
    if warning:
        run.notice(warning)
    if run.args.json:
        results = {"sees_the_future": sees, "checks": [check.to_record() for check in checks], "warning": warning}
        cli.print_json(run.to_json("self_check", results, exit_code))
        return exit_code
    if not run.args.quiet:
        rows = [(check.name, str(check.compared), str(check.differing), check.example or "") for check in checks]
        terminal.print_table("Values of past days, worked out again without the days after", CHECK_COLUMNS, rows)
    if sees:
        log.error("Look-ahead bias: %s changed when later days were cut off.", ", ".join(sees))
    elif compared and not run.args.quiet:
        print("No look-ahead bias found.")
    return exit_code
