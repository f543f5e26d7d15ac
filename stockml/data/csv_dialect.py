"""Any CSV file of daily bars -> a table in the plain form: days, and numbers under the file's own column names.

Exchanges, brokers and libraries write separators, header lines, days and numbers in their own ways. What cannot be
read stays as it was written, so that the checks can quote it with its line.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

import pandas as pd

from stockml.data.column_names import (
    LINE,
    NAMES_OF,
    NEEDED_WORDS,
    SERIES_NAMES,
    TICKER_NAMES,
    find_columns,
    plain_name,
)
from stockml.data.csv_days import read_days, times_of_day
from stockml.data.csv_numbers import is_number, read_numbers
from stockml.data.findings import PriceError

SEPARATORS = (",", ";", "\t", "|")
HEAD_LINES = 40  # the names of the columns stand among them
DAILY_SERIES = ("EQ", "BE", "BZ")  # of the National Stock Exchange of India: a share is in one of them at a time

Notes = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Head:
    """The lines above the bars: the separator, a name and perhaps a company for each column, the number of lines."""

    separator: str
    names: list[str]
    tickers: list[str]
    n_lines: int


def read_dialect(symbol: str, text: str, timezone: tzinfo) -> tuple[pd.DataFrame, Notes]:
    """The bars of a file's text.

    Parameters
    ----------
    symbol : str
        Tells which columns or rows are meant, where a file holds several companies.
    text : str
        The whole file.
    timezone : tzinfo
        The exchange's.

    Returns
    -------
    frame : DataFrame, shape (n_rows, n_columns)
        The columns of a daily bar under the file's own names; its index holds the lines of the file.
    notes : tuple of (kind, text)
        What was left out.

    Raises
    ------
    PriceError
        columns, unreadable or mixed_tickers.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff").split("\n")
    head = _read_head(lines)
    columns, notes = _own_columns(symbol, head)
    at = find_columns([head.names[column] for column in columns])
    at = {name: columns[position] for name, position in at.items()}
    body, left_out = _own_rows(symbol, _read_body(lines, head), head, at["date"])
    days = read_days(body[at["date"]], timezone)
    times = [column for column in columns if plain_name(head.names[column]) == "time" and column != at["date"]]
    if times:
        days = days + times_of_day(body[times[0]])
    if days.isna().any():
        written = days.dt.strftime("%Y-%m-%d %H:%M:%S").astype(object)
        days = written.where(days.notna(), body[at["date"]])
    given = {name: body[position].rename(name) for name, position in at.items() if name != "date"}
    numbers = read_numbers(given, separator=head.separator)
    named = {head.names[at["date"]] or "Date": days}
    named |= {head.names[at[name]]: column for name, column in numbers.items()}
    return pd.DataFrame(named), notes + left_out


# ---- the lines above the bars ----------------------------------------------------------------------------------------


def _read_head(lines: Sequence[str]) -> _Head:
    found = [head for separator in SEPARATORS if (head := _head_by(lines, separator))]
    if not found:
        first = next((line.strip() for line in lines if line.strip()), "")
        raise PriceError("columns", f"no line names the columns, the first is {first[:60]!r}; {NEEDED_WORDS}")
    return max(found, key=lambda head: len(_known(head.names)))


def _known(names: Sequence[str]) -> set[str]:
    plain = {plain_name(name) for name in names}
    return {column for column, known in NAMES_OF.items() if column != "date" and plain & set(known)}


def _head_by(lines: Sequence[str], separator: str) -> _Head | None:
    """The head of a file with this separator; None where no line names prices."""
    try:
        rows = list(csv.reader(lines[:HEAD_LINES], delimiter=separator, skipinitialspace=True))
    except csv.Error:
        return None
    at = max(range(len(rows)), key=lambda row: len(_known(rows[row])))
    if len(_known(rows[at])) < 2:
        return None
    names = [name.strip() for name in rows[at]]
    while names and not names[-1]:
        names.pop()
    prices = [column for column, name in enumerate(names) if _known([name])]
    below = at + 1
    while below < len(rows) and not any(is_number(cell) for cell in _cells(rows[below], prices)):
        below += 1
    below = min(below, at + 3) if below == len(rows) else below  # a file without bars
    around = [rows[row] for row in (at - 1, *range(at + 1, below)) if 0 <= row < len(rows)]
    for row in around:  # yfinance writes the name of the day column into a line of its own
        label = plain_name(row[0]) if row else ""
        if label and label in NAMES_OF["date"] and not any(cell.strip() for cell in row[1:]):
            names[0] = row[0].strip()
    tickers = next((row for row in around if len(_cells(row, prices)) == len(prices) and all(_cells(row, prices))), [])
    return _Head(separator, names, tickers, below)


def _cells(row: Sequence[str], columns: Sequence[int]) -> list[str]:
    return [row[column].strip() for column in columns if column < len(row)]


def _own_columns(symbol: str, head: _Head) -> tuple[list[int], Notes]:
    """The positions of the columns that are this symbol's: all, where only one company is in the file."""
    every = list(range(len(head.names)))
    of_prices = [column for column in every if _known([head.names[column]])]
    companies = sorted({head.tickers[column].strip() for column in of_prices}) if head.tickers else []
    if len(companies) < 2:
        is_other = bool(companies) and not _same(companies[0], symbol)
        return every, (("other_name", f"its header names {companies[0]}"),) if is_other else ()
    own = [name for name in companies if _same(name, symbol)]
    if not own:
        listed = ", ".join(companies[:10])
        raise PriceError("mixed_tickers", f"its columns are of {listed}; write a file of {symbol} alone")
    mine = [column for column in every if column not in of_prices or head.tickers[column].strip() == own[0]]
    return mine, ()


def _same(name: str, symbol: str) -> bool:
    return name.strip().upper() in (symbol.upper(), symbol.upper().partition(".")[0])


# ---- the bars --------------------------------------------------------------------------------------------------------


def _read_body(lines: Sequence[str], head: _Head) -> pd.DataFrame:
    """The rows as texts, shape (n_rows, n_names), the lines of the file as index."""
    rows = lines[head.n_lines :]
    width = max([len(head.names), *(row.count(head.separator) + 1 for row in rows)])
    _refuse_wider(rows, width, head)
    read = (
        pd.read_csv(
            io.StringIO("\n".join(rows)),
            sep=head.separator,
            header=None,
            names=range(width),
            index_col=False,
            dtype="str",
            keep_default_na=False,
            na_values=[""],
            skipinitialspace=True,
            skip_blank_lines=False,
        )
        if any(row.strip() for row in rows)
        else pd.DataFrame(columns=range(width), dtype="str")
    )
    read.index = pd.RangeIndex(head.n_lines + 1, head.n_lines + 1 + len(read), name=LINE)
    read = read[read.notna().any(axis=1)]
    beyond = read.iloc[:, len(head.names) :].fillna("").apply(lambda texts: texts.str.strip()).ne("").any(axis=1)
    if beyond.any():
        line = beyond.idxmax()
        n_fields = int(read.loc[line].notna().to_numpy().nonzero()[0][-1]) + 1
        fields = f"line {line} has {n_fields} fields, the first line names {len(head.names)}"
        raise PriceError("columns", f"{fields}; put quotes around numbers with commas, or re-export the file")
    return _without_cut(read.iloc[:, : len(head.names)], lines, head)


def _refuse_wider(rows: Sequence[str], width: int, head: _Head) -> None:
    """PriceError where a quote that ends in another line makes a row of more fields than any line has."""
    if not any(row.count('"') % 2 for row in rows):
        return
    reader, before = csv.reader((f"{row}\n" for row in rows), delimiter=head.separator, skipinitialspace=True), 0
    try:
        for fields in reader:
            if len(fields) > width:
                break
            before = reader.line_num
        else:
            return
    except csv.Error:  # a field without end
        pass
    opens = f"line {head.n_lines + before + 1} opens a quote that does not end in it"
    raise PriceError("unreadable", f"{opens}; close the quote, or re-export the file")


def _without_cut(read: pd.DataFrame, lines: Sequence[str], head: _Head) -> pd.DataFrame:
    """The rows, the last marked as unreadable where the file breaks off within it."""
    if len(read) < 2:
        return read
    last, before = (lines[line - 1] for line in (read.index[-1], read.index[-2]))
    n_last, n_before = (len(next(csv.reader([line], delimiter=head.separator))) for line in (last, before))
    if 1 < n_last < min(n_before, len(head.names)):  # a single field is a footer, or a day without prices
        read = read.copy()
        read.loc[read.index[-1]] = last
    return read


def _own_rows(symbol: str, body: pd.DataFrame, head: _Head, day: int) -> tuple[pd.DataFrame, Notes]:
    """The rows of this symbol, and of the exchange's ordinary series."""
    plain = [plain_name(name) for name in head.names]
    notes: Notes = ()
    for column, name in enumerate(plain):
        if name in SERIES_NAMES:
            series = body[column].str.strip().str.upper()
            ordinary = series.isin(DAILY_SERIES)
            if ordinary.any() and not ordinary.all():
                others = ", ".join(sorted(set(series[~ordinary].dropna())))
                notes += (("other_series", f"rows of the series {others} left out"),)
                body = body[ordinary | series.isna()]
    for column, name in enumerate(plain):
        if name in TICKER_NAMES and body[column].nunique() > 1 and body[day].duplicated().any():
            own = body[column].fillna("").map(lambda cell: _same(cell, symbol)).astype(bool)
            if not own.any():
                listed = ", ".join(sorted(set(body[column].dropna()))[:10])
                raise PriceError("mixed_tickers", f"its rows are of {listed}; write a file of {symbol} alone")
            body = body[own]
    return body, notes
