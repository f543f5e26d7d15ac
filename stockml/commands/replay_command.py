"""--replay: the walk-forward backtest, and its learning curve as a table or JSON."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from stockml.accuracy.conditions import ConditionScore, by_condition, by_condition_of, coverage_text
from stockml.accuracy.scores import Score, by
from stockml.accuracy.settlement import Waiting
from stockml.accuracy.weekly import Week, learning_curve, overall
from stockml.commands import tables
from stockml.commands.announcements import check_announcements
from stockml.commands.clock_check import take_yahoos_time
from stockml.commands.did_you_mean import with_suggestions
from stockml.commands.exchanges import name_exchanges, take_yahoos
from stockml.commands.exits import NotDoneError, UsageError, note_done
from stockml.commands.run import Run, print_json, refuse_beside, timed
from stockml.core.failures import PLUGIN, Failure
from stockml.core.outcomes import EXPIRED
from stockml.core.progress import progress
from stockml.core.records import Prediction
from stockml.core.wording import Message, count, told_together
from stockml.data.plugin_source import check_source
from stockml.prediction_log.view import View
from stockml.replay.batch_analysis import PastStock
from stockml.replay.walk_forward import ReplayContext, ReplayError, ReplayResult, ReplaySettings, replay
from stockml.reporting.formatting import SIMULATED
from stockml.signals.plugins import opinion_plugins
from stockml.storage.files import StorageError
from stockml.trainers.process_pool import TaskRunner, WorkersLostError


def run_replay(run: Run, symbols: Sequence[str]) -> int:
    """--replay: walk forward through the sessions, then print the learning curve."""
    return tell_replay(run, walk(run, symbols))


def walk(run: Run, symbols: Sequence[str]) -> ReplayResult:
    """Repeat the sessions of --replay one by one; UsageError where they cannot be."""
    start, end = run.args.replay
    refuse_beside(run, "--replay", ("as_of", "verify_only", "explain", "dry_run", "self_check", "report", "status"))
    if end < start:
        raise UsageError(f"--replay {start} {end}: ends before it starts; give the earlier day first")
    plugins = opinion_plugins()
    check_source(run.source)
    name_exchanges(run, symbols, start)
    check_announcements(run)
    refuse_open(run, symbols, start, end)
    with _trainers(run) as runner:  # before anything is fetched
        stocks = past_stocks(run, symbols, start, end)
        refuse_open(run, symbols, start, end)  # once more, by the time that the source has told
        settings = ReplaySettings(
            start, end, tuple(symbols), run.source.kind, run.horizons, run.args.retrain, run.clock.exchanges, plugins
        )
        return _replayed(run, settings, stocks, runner)


@contextmanager
def _trainers(run: Run) -> Iterator[TaskRunner | None]:
    """The workers of --cluster; None: processes of this machine."""
    if run.args.cluster is None:
        yield None
        return
    from stockml.commands.cluster import cluster_runner
    from stockml.trainers.pipeline import LIBRARIES

    with cluster_runner(run, LIBRARIES) as runner:
        yield runner


def _replayed(
    run: Run, settings: ReplaySettings, stocks: Sequence[PastStock], runner: TaskRunner | None
) -> ReplayResult:
    n_before = _size(run.log.path)
    jobs = run.args.jobs or len(os.sched_getaffinity(0))
    try:
        with timed(run, "replay"), progress(run.args) as tell:
            context = ReplayContext(
                run.home, run.log, run.clock.now, run.args.lock_timeout, jobs, tell, run.main_horizon, runner
            )
            done = replay(settings, stocks, context)
    except ReplayError as error:
        raise UsageError(str(error)) from None
    except (StorageError, WorkersLostError) as error:
        is_any_logged = _size(run.log.path) > n_before
        if is_any_logged:
            note_done("the sessions before are logged, and the same command goes on after them")
        if isinstance(error, StorageError):
            raise
        remedy = "" if is_any_logged else "; run the same again, or leave --cluster out"
        why = str(error).removesuffix(".")
        raise NotDoneError(f"{why}, so the models of a month could not be trained{remedy}") from None
    note_failures(run, done)
    return done


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def refuse_open(run: Run, symbols: Sequence[str], start: date, end: date) -> None:
    """UsageError where the last session has not closed yet."""
    if end > min(run.clock.limit(symbol) for symbol in symbols):
        raise UsageError(f"--replay {start} {end}: {end} has not closed yet; end on a completed session")


def past_stocks(run: Run, symbols: Sequence[str], first: date, last: date) -> list[PastStock]:
    """Bars of each stock, for analyses of all sessions from `first` to `last`; one without is a failure."""
    from stockml.data.fetch import fetch_bars, span_of
    from stockml.data.fetched import completed_of, listings_of
    from stockml.data.point_in_time import PointInTimePrices
    from stockml.data.request import FetchSettings
    from stockml.models.bundle import SESSIONS_NEEDED
    from stockml.trainers.dataset import sessions_needed
    from stockml.trainers.pipeline import TrainingSettings

    of_training = sessions_needed(TrainingSettings().years) if run.args.retrain else 0
    back = max(SESSIONS_NEEDED, of_training) + (last - first).days + 1
    with timed(run, "fetch"), progress(run.args) as tell:
        settings = FetchSettings(offline=run.args.offline, tell=tell)
        clock = run.clock.at(last)
        spans = {symbol: span_of(symbol, back, clock) for symbol in symbols}
        feed = fetch_bars(spans, run.source, clock=clock, home=run.home, settings=settings)
        take_yahoos(run, listings_of(feed))  # whole bars: each day's span is cut from them later
        take_yahoos_time(run, feed.skew, completed_of(feed))
    with run.telling_together():
        for failure in with_suggestions(run, feed.failures.values()):
            run.fail(failure)
    with timed(run, "analyze"):
        return [
            PastStock(
                PointInTimePrices(symbol, raw, run.source.kind, run.clock.calendar(symbol)),
                raw.currency,
                run.source.kind,
                first,
            )
            for symbol, raw in feed.bars.items()
        ]


def note_failures(run: Run, done: ReplayResult) -> None:
    """The notices and failures of all days, each once."""
    with run.telling_together():
        for (symbol, kind), days in done.failures.days.items():
            last = done.failures.texts[symbol, kind]
            text = f"{symbol}: left out on {count(days, 'day')} ({kind}); on the last of them: {last}"
            if kind == PLUGIN:
                run.fail(Failure(symbol, kind, text))
            else:
                run.notice(text, symbol)
    each_once = {(failure.symbol, failure.kind): failure for failure in done.schedule.failures}  # of all the months
    for failure in each_once.values():
        run.fail(Failure(failure.symbol, failure.kind, failure.message))
    missing = [symbol for symbol, error in done.schedule.unusable.items() if error.kind == "missing"]
    if missing and run.symbols:  # of the default ones it is said when they are chosen
        run.notice(f"{', '.join(missing)}: no trained model, so signals alone serve.")
    for symbol, error in done.schedule.unusable.items():
        if error.kind != "missing":
            run.fail(Failure(symbol, f"model_{error.kind}", f"{error.message}; until then signals alone serve."))


@dataclass(frozen=True, slots=True)
class Curve:
    """The verified lines of one horizon as a learning curve, and their scores by condition."""

    weeks: Sequence[Week]
    overall: Week | None
    total: Score
    conditions: Sequence[ConditionScore]

    @classmethod
    def of(cls, run: Run, lines: Sequence[Prediction]) -> Curve:
        scores = by(lambda line: line.symbol, lines)
        conditions = by_condition(by_condition_of(lines), scores, run.clock.exchanges.market)
        return cls(learning_curve(lines), overall(lines), sum(scores.values(), Score()), conditions)

    def to_record(self) -> dict[str, Any]:
        return {
            "weeks": [week.to_record() for week in self.weeks],
            "overall": self.overall.to_record() if self.overall else None,
            "by_condition": [row.to_record() for row in self.conditions],
        }


def curves_of(run: Run, view: View) -> dict[int, Curve]:
    """The learning curve of each horizon of the run."""
    lines = list(view.verified)
    return {
        horizon: Curve.of(run, [line for line in lines if line.prediction_horizon_days == horizon])
        for horizon in run.horizons
    }


def is_any_done(curves: Mapping[int, Curve], done: ReplayResult) -> bool:
    """False where nothing was predicted, now or before."""
    return bool(done.logged or any(curve.total.total for curve in curves.values()))


def tell_replay(run: Run, done: ReplayResult) -> int:
    """Print the learning curve of each horizon as a table or as JSON; returns the exit code."""
    view = run.log.read()
    is_silent = run.args.quiet and not run.args.json
    curves = {} if is_silent and done.logged else curves_of(run, view)  # nothing to print, and surely something done
    exit_code = run.exit_code(anything_done=is_any_done(curves, done))
    if is_silent:
        return exit_code
    expired = Score.of(line for line in view.settled if line.status == EXPIRED)
    if run.args.json:
        results = {
            "days": done.days,
            "logged": done.logged,
            **curves[run.horizons[0]].to_record(),
            "by_horizon": {str(horizon): curve.to_record() for horizon, curve in sorted(curves.items())},
            "pending": len(view.pending),
            "waiting": [{"id": line.prediction.id, "reason": line.reason} for line in done.waiting],
            "expired": dict(sorted(expired.expired.items())),
        }
        print_json(run.to_json("replay", results, exit_code))
    else:
        title = f"{count(done.days, 'session')} replayed, {count(done.logged, 'prediction')} logged."
        for horizon, curve in curves.items():
            ahead = f" {count(horizon, 'session')} ahead:" if len(curves) > 1 else ""
            _tell_curve(_simulated(run, f"{title}{ahead}"), curve)
        for text in _open_ends(view.pending, done.waiting, expired):
            print(text)
    return exit_code


def _tell_curve(title: str, curve: Curve) -> None:
    rows = [_row(week.monday, week) for week in curve.weeks]
    rows += [_row("all", curve.overall)] if curve.overall else []
    columns = ("week of", "verified>", "accuracy>", "error>", "ratio to naive>", "confidence>", "calibration error>")
    if rows:
        tables.print_table(title, columns, rows)
    else:
        print(title)
    for text in _distribution(curve.total, curve.conditions):
        print(text)


def _distribution(total: Score, conditions: Sequence[ConditionScore]) -> list[str]:
    """Sentences on the whole distribution, and on where its intervals held least."""
    return [f"{text}." for text in (coverage_text(total, conditions), total.distribution_text()) if text]


def _open_ends(pending: Collection[Prediction], waiting: Sequence[Waiting], expired: Score) -> list[str]:
    """Sentences on the predictions that have no part in the figures: still pending, or expired, and why."""
    ahead = len(pending) - len(waiting)
    texts = (
        [f"{ahead:,} pending: {'its close is' if ahead == 1 else 'their closes are'} still to come."] if ahead else []
    )
    late = [Message(line.prediction.id, f"{line.prediction.id}: pending, {line.reason}.") for line in waiting]
    texts += told_together(late, "prediction")
    return [*texts, *([expired.expired_text()] if expired.expired else [])]


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
    return f"{title} ({SIMULATED})" if run.source.is_simulated else title
