"""Tables and texts for people: plain when piped, coloured on a terminal, where colour never stands alone."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stockml.commands.run import NO_ADVICE, Run
from stockml.core.wording import count
from stockml.prediction_log.seals import Head
from stockml.reporting.explanation import SIMULATED

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


PLAIN_WIDTH = 160  # of piped text; a terminal's own width serves where there is one
WIDEST = 1000  # columns that no table needs
APART = "   "


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
