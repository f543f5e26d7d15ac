"""The predictor's command around its five steps: symbols and due lines in, messages, tables and the last run out."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from stockml.accuracy.record import Record
from stockml.accuracy.settlement import Waiting, is_due
from stockml.commands.exits import NOTHING_DONE, SOME_FAILED, done_so_far, interrupted_code, note_done
from stockml.commands.run import Run, print_json, timed
from stockml.commands.watchlist import default_symbols, settings_symbols, trained
from stockml.core.failures import Failure
from stockml.core.outcomes import EXPIRED
from stockml.core.records import Prediction
from stockml.core.wording import count, named
from stockml.prediction_log.seals import Witness
from stockml.reporting.last_run import begin_run, end_run
from stockml.storage.files import StorageError

if TYPE_CHECKING:
    from stockml.accuracy.tracker import Feedback, Learned
    from stockml.data.price_table import PriceTable
    from stockml.prediction_log.view import Settled, View
    from stockml.signals.engine import Analysis, ModelView, Plan
    from stockml.signals.learner import Learner

log = logging.getLogger("stockml")

Result = dict[str, Any]


class Outcomes(Protocol):
    """Part of LEARN's result that is told."""

    @property
    def settled(self) -> Sequence[Prediction]: ...

    @property
    def waiting(self) -> Sequence[Waiting]: ...

    @property
    def record(self) -> Record: ...


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
        run.notice("No stock has a trained model yet: signals alone serve; run train_models.py to add the models.")
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


def models_forecast(run: Run, prices: PriceTable) -> ModelView | None:
    """The models' forecast of a stock's newest session; None, with a notice or failure, where they cannot be asked."""
    from stockml.models.bundle import MISSING, ModelError

    try:
        return _ask_models(run, prices)
    except ModelError as error:
        if error.kind == MISSING and (run.symbols or any(run.home.models.glob("[!.]*"))):
            text = f"{prices.symbol}: no trained model, so signals alone serve; run train_models.py to add it."
            run.notice(text, prices.symbol)
        elif error.kind != MISSING:
            run.fail(Failure(prices.symbol, f"model_{error.kind}", f"{error}; until then signals alone serve."))
        return None


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


def horizons_asked(run: Run) -> tuple[int, ...]:
    """The horizons of this run: --explain tells of the first alone, unless it is told which."""
    return run.horizons[:1] if run.args.explain and not run.args.horizons else run.horizons


def horizons_ahead(run: Run, tables: Iterable[PriceTable]) -> dict[str, list[int]]:
    """By symbol the horizons whose close is still to come; a failure for each of the others."""
    from stockml.signals import engine

    ahead: dict[str, list[int]] = {}
    for table in tables:
        for horizon in horizons_asked(run):
            if late := engine.past_target(table.symbol, table.data_through, horizon, run.clock):
                run.fail(late)
            else:
                ahead.setdefault(table.symbol, []).append(horizon)
    return ahead


def tell_beyond(run: Run, analyses: Sequence[Analysis]) -> None:
    """One notice where stocks are to be predicted farther ahead than their models look."""
    asked = horizons_asked(run)
    told = [one for one in analyses if run.args.explain in (None, one.symbol)]
    short = {
        one.symbol: one.model.forecast.horizon for one in told if one.model and one.model.forecast.horizon < max(asked)
    }
    if not short:
        return
    reach, beyond = sorted(set(short.values())), sorted(horizon for horizon in asked if horizon > min(short.values()))
    run.notice(
        f"{named(list(short))}: {'its models look' if len(short) == 1 else 'their models look'} "
        f"{' to '.join(str(n) for n in dict.fromkeys((reach[0], reach[-1])))} sessions ahead, so no model serves "
        f"{', '.join(map(str, beyond))}; train with --horizons {' '.join(map(str, run.horizons))}."
    )


def _ask_models(run: Run, prices: PriceTable) -> ModelView | None:
    """The models' forecast, or None where they have seen a later day; ModelError where they cannot be used."""
    from stockml.models.bundle_store import load_bundle
    from stockml.reporting.status import MODEL_STALE_AFTER_DAYS
    from stockml.signals import engine

    bundle = load_bundle(run.home, prices.symbol)
    symbol, through = prices.symbol, prices.data_through
    age_days = (through - bundle.data_through).days
    if age_days < 0:
        run.notice(f"{symbol}: its model has seen {bundle.data_through}, after {through}, and is not used.", symbol)
        return None
    if age_days > MODEL_STALE_AFTER_DAYS:
        run.notice(f"{symbol}: its model is stale, {age_days} days old; run train_models.py to renew it.", symbol)
    return engine.view_of(bundle, bundle.forecast(prices))


def sum_up(
    run: Run,
    learned: Outcomes,
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
        state = status(run.home, run.log, run.clock, run.main_horizon)
        write_report(run.home, run.log, run.clock, state, is_simulated=run.is_simulated)


def tell(run: Run, result: Result, learned: Outcomes, made: Sequence[tuple[Plan, Prediction]]) -> int:
    """Print what was found, as a table, a story or JSON; returns the exit code."""
    from stockml.commands import tables
    from stockml.reporting.explanation import story

    log.info("Seconds: %s.", ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in run.seconds.items()) or "none")
    if run.args.json:
        print_json(result)
    elif run.args.explain:
        for hypothesis, prediction in made:
            score = learned.record.score(prediction.symbol, prediction.prediction_horizon_days)
            tables.tell_story(story(hypothesis, prediction, score.to_record()))
    elif not run.args.quiet:
        predictions = [prediction for _, prediction in made]
        tables.tell(run, (learned.settled, learned.waiting), predictions, result["logged"], learned.record)
        tables.tell_head(result["head"])
    return int(result["exit_code"])
