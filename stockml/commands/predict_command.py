"""The predictor's command around its five steps: symbols and due lines in, messages, tables and the last run out."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from stockml.accuracy.settlement import Waiting, is_due
from stockml.commands.exits import NOTHING_DONE, SOME_FAILED, done_so_far, note_done
from stockml.commands.polite_signals import interrupted_code
from stockml.commands.run import Run, timed
from stockml.commands.watchlist import default_symbols, expected_stocks, settings_symbols, trained
from stockml.core.failures import Failure
from stockml.core.installation import TRAIN
from stockml.core.outcomes import EXPIRED
from stockml.core.records import Prediction
from stockml.core.wording import count
from stockml.reporting.last_run import begin_run, end_run
from stockml.storage.files import StorageError

if TYPE_CHECKING:
    from stockml.accuracy.tracker import Feedback, Learned
    from stockml.prediction_log.view import Settled, View
    from stockml.signals.learner import Learner

log = logging.getLogger("stockml")

Result = dict[str, Any]


def is_dry(args: argparse.Namespace) -> bool:
    """True where nothing may be written."""
    return bool(args.dry_run or args.explain)


def to_predict(run: Run) -> list[str]:
    """The symbols named, or the watchlist of the home; those without a trained model from signals alone."""
    if run.args.verify_only:
        return []
    if run.symbols:
        return run.symbols
    listed, with_models = settings_symbols(run), trained(run)
    if not with_models:
        run.notice(f"No stock has a trained model yet: signals alone serve; run {TRAIN} to add the models.")
    return listed or with_models or default_symbols(run)


def due_now(run: Run, pending: Sequence[Prediction]) -> list[Prediction]:
    """Pending predictions whose session is complete, made from this kind of source, of the symbols named if any."""
    return [
        prediction
        for prediction in pending
        if prediction.source == run.source.kind
        and (run.symbols is None or prediction.symbol.upper() in run.symbols)
        and is_due(prediction, run.clock)
    ]


def tell_problems(run: Run, view: View) -> None:
    """Lines of the log that are not as they were written; to lose one is a failure, unless that was agreed to."""
    for problem in view.problems:
        if problem.is_set_aside and not run.args.accept_log:
            run.fail(Failure("", "set_aside", str(problem)))
        else:
            run.notice(str(problem))


def tell_unsettled(run: Run, settled: Sequence[Prediction], waiting: Sequence[Waiting]) -> None:
    """A failure for each line that could not be settled; a notice for each whose start the source corrected since."""
    with run.telling_together():
        for line in settled:
            outcome = line.outcome
            if outcome is not None and outcome.status == EXPIRED:
                run.fail(Failure(line.symbol, "unsettled", f"{_named(line)} could not be settled: {outcome.reason}."))
            elif outcome is not None and outcome.current_price_corrected is not None:
                run.notice(
                    f"{line.symbol}: the source corrected the close of {line.data_through} since, from "
                    f"{line.current_price:g} to {outcome.current_price_corrected:g}; scored by the logged one.",
                    line.symbol,
                )
        for late in waiting:
            if late.is_fault:
                symbol = late.prediction.symbol
                run.fail(Failure(symbol, "unsettled", f"{_named(late.prediction)} stays pending, {late.reason}."))


def _named(line: Prediction) -> str:
    return f"{line.symbol}: its prediction of {line.data_through} for {line.target_date}"


@contextmanager
def recorded(run: Run) -> Iterator[None]:
    """Note that a run is at work, and how it ended where that is not as planned; a killed one "has not ended"."""
    if is_dry(run.args):
        yield
        return
    begin_run(run.home, run.clock.now, run.args.as_of, run.watchlist)
    try:
        yield
    except (KeyboardInterrupt, StorageError) as error:
        if isinstance(error, KeyboardInterrupt):
            exit_code = interrupted_code(error)
        else:
            exit_code = SOME_FAILED if done_so_far() else NOTHING_DONE
            run.failures.append(Failure("", "storage", str(error)))
        result = run.to_json("realtime_predictor", {**run.written, "waiting": []}, exit_code)
        with suppress(StorageError):
            _end(run, result, datetime.now(UTC) + run.clock.skew)
        raise


def leave_behind(run: Run, result: Result, *, ended_at: datetime) -> Result:
    """Record how the run ended, and renew the HTML report where something happened that it would show.

    Where the report cannot be written the rest is done all the same, and that is how the run ended.
    """
    if is_dry(run.args):
        return result
    _end(run, result, ended_at)
    if not result["logged"] and not result["settled"]:
        return result
    try:
        _renew_report(run)
    except StorageError as error:
        fail_half_done(run, "report", str(error))
        result |= run.to_json("realtime_predictor", {}, SOME_FAILED)
        _end(run, result, ended_at)
    return result


def _end(run: Run, result: Result, ended_at: datetime) -> None:
    end_run(run.home, result, began_at=run.clock.now, ended_at=ended_at, watchlist=run.watchlist)


def note_settled(run: Run, settled: Settled) -> None:
    """Note of all that a later failure leaves untouched: the outcomes in the log."""
    run.written["settled"] = [line.id for line in settled.done]
    if n_settled := len(settled.done):
        note_done(f"{count(n_settled, 'outcome')} {'is' if n_settled == 1 else 'are'} in the log")


def note_logged(run: Run, logged: Sequence[Prediction]) -> None:
    """The same of new predictions."""
    run.written["logged"] = [line.id for line in logged]
    if logged:
        note_done(f"{count(len(logged), 'prediction')} {'is' if len(logged) == 1 else 'are'} logged")


def updated(run: Run, feedback: Feedback[Learner], view: View, settled: Settled) -> Learned[Learner]:
    """The learned state; where its folder cannot be written, from the log alone, and a failure of the run."""
    try:
        return feedback.update(run.log, view, settled)
    except StorageError as error:
        known = feedback.preview(view, [*settled.done, *settled.left])
        fail_half_done(run, "feedback", f"{error}; what was learned is worked out from the log meanwhile")
        return known


def fail_half_done(run: Run, kind: str, why: str) -> None:
    """A failure that is no stock's, of a run that has written its lines."""
    so_far = done_so_far()
    run.fail(Failure("", kind, f"{why}; {so_far}" if so_far else why))


def _renew_report(run: Run) -> None:
    if run.log.read(run.args.as_of).is_partial:
        return
    from stockml.reporting.page import write_report
    from stockml.reporting.status import status

    with timed(run, "page"):
        state = status(run.home, run.log, run.clock, run.main_horizon, expected_stocks(run))
        write_report(run.home, run.log, run.clock, state, is_simulated=run.is_simulated, source=run.source)
