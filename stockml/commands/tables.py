"""Tables and texts for people: plain when piped, coloured on a terminal, where colour never stands alone."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stockml.commands.run import NO_ADVICE, Run
from stockml.commands.table_layout import BOLD, Line, Piece, line_width, paragraphs, side_by_side
from stockml.core.wording import count
from stockml.prediction_log.seals import Head
from stockml.reporting.formatting import SIMULATED

if TYPE_CHECKING:
    from rich.console import Console


PLAIN_WIDTH = 160  # of piped text; a terminal's own width serves where there is one


def console() -> Console:
    """Console on a stdout that is a terminal."""
    from rich.console import Console

    class Ours(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # `exits.run_command` knows that it is no failure; rich would end with exit code 1

    return Ours(highlight=False)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A titled table, columns named with a final ">" aligned right; where it is too wide, a paragraph a row."""
    cells = [[Piece(text, _style(text)) for text in row] for row in rows]
    width = console().width if sys.stdout.isatty() else PLAIN_WIDTH
    table = side_by_side(columns, cells)
    if max(map(line_width, table)) > width:
        table = paragraphs(columns, cells, width)
    _print_lines([[Piece(title, BOLD)], *table])


def _print_lines(lines: Iterable[Line]) -> None:
    """Lines in colour on a terminal; elsewhere as they are, for which no library has to be loaded."""
    if not sys.stdout.isatty():
        print("\n".join("".join(piece.text for piece in line) for line in lines))
        return
    from rich.text import Text

    out = console()
    for line in lines:
        out.print(Text.assemble(*line))


def _style(cell: str) -> str:
    """Green for what rose or was right, red for what fell or was wrong; the sign and the word say it too."""
    if cell.startswith("+") or cell == "hit":
        return "green"
    return "red" if (cell.startswith("-") and cell != "-") or cell in ("miss", "failed") else ""


def mark(run: Run) -> str:
    """Words behind a title where nothing is real; empty else."""
    return f" ({SIMULATED})" if run.source.is_simulated else ""


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
    title = f"Mean absolute error on days not seen, {count(max(run.horizons), 'session')} ahead{mark(run)}"
    columns = ("symbol", "trained on>", "validated on>", "LSTM>", "XGBoost>", "ensemble>", "naive>")
    print_table(title, columns, rows)
    print(f"{len(results)} trained in {run.seconds['train']:.0f} s, written to {session_file}. {NO_ADVICE}")
    if start := next((result["started_from"] for result in results if result["started_from"]), None):
        fitted = f"that of {count(start['stocks'], 'stock')} fitted on days before {start['fitted_before']}"
        print(f"The common model went on from {fitted}; --fresh trains it from nothing.")


def tell_story(text: str) -> None:
    """A story's headline and steps bold, what speaks for a rise green and for a fall red: the signs say it too."""
    styles = {
        r"(?ms)\A.*?(?=\n\n)|^\d\. [^\n]*": BOLD,
        r"(?<= )\+[\d.]+ %": "green",
        r"(?<= )-[\d.]+ %": "red",
    }
    _print_styled(text, styles, soft_wrap=True)


def tell_status(text: str) -> None:
    """A status, its names bold, alarms red: they begin with ALARM as well."""
    _print_styled(text, {r"(?m)^[A-Z][a-z]+( run)?(?=  )": BOLD, r"(?m)^ALARM  .*": "bold red"})


def _print_styled(text: str, styles: Mapping[str, str], *, soft_wrap: bool = False) -> None:
    """A text, on a terminal with the style of each pattern that it matches."""
    if not sys.stdout.isatty():
        print(text)
        return
    from rich.text import Text

    told = Text(text)
    for pattern, style in styles.items():
        told.highlight_regex(pattern, style)
    console().print(told, soft_wrap=soft_wrap)
