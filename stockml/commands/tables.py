"""Tables and texts for people: plain when piped, coloured on a terminal, where colour never stands alone."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stockml.accuracy.record import Record
from stockml.accuracy.scores import Score
from stockml.commands.run import NO_ADVICE, Run
from stockml.core.records import Prediction
from stockml.core.wording import Message, count, told_together
from stockml.prediction_log.seals import Head
from stockml.reporting.explanation import SIMULATED
from stockml.reporting.formatting import money

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from stockml.accuracy.settlement import Waiting

PLAIN_WIDTH = 160  # of piped text; a terminal's own width serves where there is one
WIDEST = 1000  # columns that no table needs
APART = "   "
SCORE_COLUMNS = ("verified>", "accurate>", "mean error>", "naive>", "direction>", "not settled>")


def console() -> Console:
    """Console on stdout, where results are printed."""
    from rich.console import Console

    class Ours(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # `exits.run_command` knows that it is no failure; rich would end with exit code 1

    watched = sys.stdout.isatty()
    return Ours(highlight=False, soft_wrap=not watched, width=None if watched else PLAIN_WIDTH, no_color=not watched)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A titled table, columns named with a final ">" aligned right; where it is too wide, a paragraph a row."""
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name.rstrip(">"), justify="right" if name.endswith(">") else "left", no_wrap=True)
    for row in rows:
        table.add_row(*[Text(cell, style=_style(cell)) for cell in row])
    out = console()
    out.print(title, style="bold", markup=False)
    if out.measure(table, options=out.options.update_width(WIDEST)).maximum <= out.width:
        out.print(table)
        return
    names = [name.rstrip(">") for name in columns[1:]]
    for first, *cells in rows:
        out.print(Text(first, style="bold"))
        pairs = [(name, cell) for name, cell in zip(names, cells, strict=True) if cell]
        told = [Text.assemble(f"{name} " if name else "", (cell, _style(cell))) for name, cell in pairs]
        for line in _flowing(told, out.width - 2):
            out.print("  ", line, sep="")


def _flowing(texts: Iterable[Text], width: int) -> list[Text]:
    """The texts side by side in as few lines as hold them."""
    from rich.text import Text

    lines: list[Text] = []
    for text in texts:
        if lines and lines[-1].cell_len + len(APART) + text.cell_len <= width:
            lines[-1] = Text.assemble(lines[-1], APART, text)
        else:
            lines.append(text)
    return lines


def _style(cell: str) -> str:
    """Green for what rose or was right, red for what fell or was wrong; the sign and the word say it too."""
    if cell.startswith("+") or cell == "hit":
        return "green"
    return "red" if (cell.startswith("-") and cell != "-") or cell in ("miss", "failed") else ""


def tell(
    run: Run,
    learned: tuple[Sequence[Prediction], Sequence[Waiting]],
    made: Sequence[Prediction],
    logged: Sequence[str],
    record: Record,
) -> None:
    """A predictor run's results as tables; nothing at all where nothing happened."""
    settled, waits = learned
    mark = f" ({SIMULATED})" if run.source.is_simulated else ""
    for text in run.dropped():
        print(text)
    if settled:
        outcomes(f"Verified{mark}", settled)
        accuracy(f"Record so far{mark}", record)
    ids = [(line.prediction.id, line.reason) for line in waits if not line.is_fault]  # faults are failures
    for text in told_together((Message(id_, f"{id_}: stays pending, {reason}.") for id_, reason in ids), "prediction"):
        print(text)
    if made:
        predictions(f"Predictions{mark}", made)
        written = f"{len(logged)} logged, {len(made) - len(logged)} there already."
        print(f"{'Nothing is logged by a dry run.' if run.args.dry_run else written} {NO_ADVICE}")
    elif not settled and not waits:
        aim = "settled" if run.args.verify_only else "predicted"
        print(f"Nothing could be {aim}." if run.failures else "Nothing is due.")


def tell_head(head: Mapping[str, Any] | None) -> None:
    """The head of the chain of seals in one line, for cron's mail and the shell's history to keep."""
    if head is not None:
        print(f"Sealed: {Head(head['count'], head['seal'])}.")


def tell_training(run: Run, results: Sequence[Mapping[str, Any]], session_file: Path | None) -> None:
    """A training run's scores as a table, each beside naive on the same days."""
    for text in run.dropped():
        print(text)
    if not results:
        print("No stock was trained.")
        return
    rows = [
        (
            str(result["symbol"]),
            str(result["train_samples"]),
            str(result["val_samples"]),
            *(f"{result[name]:.3f} %" for name in ("lstm_mae", "xgb_mae", "ensemble_mae", "naive_mae")),
        )
        for result in results
    ]
    names = ("lstm_mae", "xgb_mae", "ensemble_mae", "naive_mae")
    means = [f"{sum(result[name] for result in results) / len(results):.3f} %" for name in names]
    rows.append(("mean", "", "", *means))
    mark = f" ({SIMULATED})" if run.source.is_simulated else ""
    title = f"Mean absolute error on days not seen, {count(max(run.horizons), 'session')} ahead{mark}"
    columns = ("symbol", "trained on>", "validated on>", "LSTM>", "XGBoost>", "ensemble>", "naive>")
    print_table(title, columns, rows)
    print(f"{len(results)} trained in {run.seconds['train']:.0f} s, written to {session_file}. {NO_ADVICE}")


def predictions(title: str, made: Iterable[Prediction]) -> None:
    """Today's predictions, one a line; the sessions ahead where they differ, and "no model" where one has none."""
    made = list(made)
    several = len({prediction.prediction_horizon_days for prediction in made}) > 1
    lacking = any(prediction.model_trained_at is None for prediction in made)
    rows = [
        (
            prediction.symbol,
            *([str(prediction.prediction_horizon_days)] if several else []),
            money(prediction.current_price),
            money(prediction.predicted_price),
            f"{prediction.predicted_change_pct:+.2f} %",
            f"{money(prediction.low)} .. {money(prediction.high)}",
            f"{prediction.confidence:.0%}",
            prediction.market_regime,
            prediction.target_date,
            *(["no model" if prediction.model_trained_at is None else ""] if lacking else []),
        )
        for prediction in made
    ]
    columns = (
        "symbol",
        *(["ahead>"] if several else []),
        "close>",
        "predicted>",
        "change>",
        "80 % interval>",
        "confidence>",
        "regime",
        "for the close of",
        *([""] if lacking else []),
    )
    print_table(title, columns, rows)


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


def accuracy(title: str, record: Record) -> None:
    """The record so far beside naive's: for each horizon one line for each stock, and one for all of it."""
    several, rows, total = len(record.horizons) > 1, [], Score()
    for horizon, known in sorted(record.horizons.items()):
        ahead = [str(horizon)] if several else []
        stocks = sorted(known.stocks.items())
        of_horizon = sum(known.stocks.values(), Score())
        told = [*stocks, *([("all", of_horizon)] if len(stocks) > 1 else [])]
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
        return ("0", "-", "-", "-", "-", expired)
    return (
        f"{score.total:,}",
        f"{score.accuracy:.1%}",
        f"{score.mean_error_pct:.2f} %",
        f"{score.mean_naive_error_pct:.2f} %",
        f"{score.direction:.0%}",
        expired,
    )


def tell_story(text: str) -> None:
    """A story's headline and steps bold, what speaks for a rise green and for a fall red: the signs say it too."""
    from rich.text import Text

    told = Text(text)
    told.highlight_regex(r"(?ms)\A.*?(?=\n\n)|^\d\. [^\n]*", "bold")
    told.highlight_regex(r"(?<= )\+[\d.]+ %", "green")
    told.highlight_regex(r"(?<= )-[\d.]+ %", "red")
    console().print(told, soft_wrap=True)


def tell_status(text: str) -> None:
    """A status, its names bold, alarms red: they begin with ALARM as well."""
    from rich.text import Text

    told = Text(text)
    told.highlight_regex(r"(?m)^[A-Z][a-z]+( run)?(?=  )", "bold")
    told.highlight_regex(r"(?m)^ALARM  .*", "bold red")
    console().print(told)
