"""Tables of the outcomes that a run settled and of the record so far; a catch-up of many is summarised."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from stockml.accuracy.record import Record
from stockml.accuracy.scores import Score
from stockml.commands.run import Run
from stockml.commands.tables import mark, print_table
from stockml.core.records import Prediction
from stockml.core.wording import Message, count, told_together
from stockml.reporting.formatting import money

if TYPE_CHECKING:
    from stockml.accuracy.settlement import Waiting

MOST_LISTED = 30  # outcomes of a catch-up; more are summarised
MISSES_SHOWN = 3
SCORE_COLUMNS = ("verified>", "accurate>", "mean error>", "naive>", "direction>", "rose>", "not settled>")


class Told(Protocol):
    """Part of a run's results that is told of outcomes."""

    @property
    def settled(self) -> Sequence[Prediction]: ...

    @property
    def waiting(self) -> Sequence[Waiting]: ...

    @property
    def record(self) -> Record: ...


def tell_outcomes(run: Run, learned: Told) -> None:
    """The outcomes that a run settled, and the record so far: of the stocks asked for, where some were."""
    for text in run.dropped():
        print(text)
    if learned.settled:
        if is_catch_up(learned.settled) and not run.args.verbose:
            print_catch_up(f"Verified{mark(run)}", learned.settled)
        else:
            outcomes(f"Verified{mark(run)}", learned.settled)
        accuracy(f"Record so far{mark(run)}", learned.record, run.symbols)
    ids = [(line.prediction.id, line.reason) for line in learned.waiting if not line.is_fault]  # faults are failures
    for text in told_together((Message(id_, f"{id_}: stays pending, {reason}.") for id_, reason in ids), "prediction"):
        print(text)


def is_catch_up(settled: Sequence[Prediction]) -> bool:
    """True where more came due than one evening's, and more than a page holds."""
    series = {(line.symbol, line.prediction_horizon_days) for line in settled}
    return len(settled) > MOST_LISTED and len(settled) > len(series)


def print_catch_up(title: str, settled: Sequence[Prediction]) -> None:
    """The outcomes of a catch-up in a few lines: how many, how good, and the largest misses."""
    score = Score.of(settled)
    targets = sorted(line.target_date for line in settled)
    stocks = count(len({line.symbol for line in settled}), "stock")
    print(f"{title}: {count(len(settled), 'prediction')} of {stocks}, due from {targets[0]} to {targets[-1]}.")
    if score.total:
        print(
            f"{score.accurate:,} hits, {score.total - score.accurate:,} misses; mean error {score.mean_error_pct:.2f} "
            f"% (naive: {score.mean_naive_error_pct:.2f} %). -v lists them."
        )
    missed = [line for line in settled if line.outcome is not None and line.outcome.was_accurate is False]
    missed.sort(key=lambda line: -((line.outcome and line.outcome.error_pct) or 0.0))
    if missed:
        outcomes("The largest misses", missed[:MISSES_SHOWN])


def outcomes(title: str, settled: Iterable[Prediction]) -> None:
    """Print the outcomes of settled predictions, one on each line."""
    columns = ("symbol", "made from", "target", "predicted>", "actual>", "error>", "naive>", "")
    print_table(title, columns, [_outcome_row(prediction) for prediction in settled])


def _outcome_row(prediction: Prediction) -> Sequence[str]:
    head = (prediction.symbol, prediction.data_through, prediction.target_date, money(prediction.predicted_price))
    outcome = prediction.outcome
    if outcome is None or outcome.actual_price is None:
        return (*head, "-", "-", "-", f"expired: {outcome.reason if outcome else ''}")
    hit = "hit" if outcome.was_accurate else "miss"
    return (
        *head,
        money(outcome.actual_price),
        f"{outcome.error_pct:.2f} %",
        f"{outcome.naive_error_pct:.2f} %",
        hit,
    )


def accuracy(title: str, record: Record, asked: Sequence[str] | None = None) -> None:
    """The record so far beside naive's: for each horizon one line for each stock, and one for all of it.

    Where stocks were asked for, one line for each of these alone.
    """
    several, rows, total = len(record.horizons) > 1, [], Score()
    for horizon, known in sorted(record.horizons.items()):
        ahead = [str(horizon)] if several else []
        stocks = [one for one in sorted(known.stocks.items()) if asked is None or one[0].upper() in asked]
        of_horizon = sum((score for _, score in stocks), Score())
        told = [*stocks, *([("all", of_horizon)] if len(stocks) > 1 and asked is None else [])]
        rows += [[symbol, *ahead, *_score_cells(score)] for symbol, score in told]
        total += of_horizon
    columns = ["symbol", *(["ahead>"] if several else []), *SCORE_COLUMNS]
    shown = len(columns) if total.expired else len(columns) - 1
    print_table(title, columns[:shown], [row[:shown] for row in rows])
    if total.expired:
        print(total.expired_text())


def _score_cells(score: Score) -> Sequence[str]:
    expired = str(sum(score.expired.values()))
    if not score.total:
        return ("0", "-", "-", "-", "-", "-", expired)
    return (
        f"{score.total:,}",
        f"{score.accuracy:.1%}",
        f"{score.mean_error_pct:.2f} %",
        f"{score.mean_naive_error_pct:.2f} %",
        f"{score.direction:.0%}",
        f"{score.rose:.0%}",
        expired,
    )
