"""A source's raw table -> six numeric columns on naive days; which bars are right is left to the checks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from stockml.data.bar_checks import COLUMNS, Array
from stockml.data.column_names import LINE, NEEDED_WORDS, find_columns, known_columns
from stockml.data.findings import DROPPED, Finding, Mask, PriceError, drop

NAMES = pd.Index(COLUMNS)
UNREADABLE_SHARE = 0.1  # a tenth of the rows unreadable is not a slip of the pen but another kind of file
GREATEST = 1e100  # no product and no ratio of prices or volumes up to it overflows; the checks are much stricter
NEWEST_ROWS = 20  # sessions that the regime looks at: without one of them a forecast is another one


def tidy(raw: pd.DataFrame, limit: date | None = None) -> tuple[pd.DataFrame, list[Finding]]:
    """The six columns as numbers on naive days, and the rows that could not be read.

    Days after `limit` are not counted: their format must not decide about the days before.

    Parameters
    ----------
    raw : DataFrame, shape (n_rows, n_columns)
        Open, High, Low, Close, Volume and perhaps Adj Close, in any order and case; the day as index or as Date. An
        index named "line" holds the lines of a file.
    limit : date, optional
        The last day that will be used.

    Returns
    -------
    frame : DataFrame, shape (n_days, 6)
        Float columns COLUMNS with NaN for what is missing; a naive index "Date", in the order of `raw`.
    findings : list of Finding
        The rows that were dropped.

    Raises
    ------
    PriceError
        columns, mixed_tickers, intraday, unreadable or empty.
    """
    columns = _named_columns(raw)
    index = _read_days(columns["date"])
    values, wrong = _read_numbers(columns)
    counted = _counted(index, limit)
    _refuse_intraday(columns["date"], index, counted)
    undated, numbers, quote = np.asarray(index.isna()), pd.DataFrame(values.T, index, NAMES), ""
    unread = (undated | wrong.any(axis=0)) & counted
    if unread.any():
        failed = np.vstack([undated, wrong]) & counted
        quote = _quoted(columns, failed)
        _refuse_unreadable(columns, failed, index, counted)
        _refuse_newest(columns, failed & (~np.isnan(values).all(axis=0) | wrong.any(axis=0)), index, counted)
    if undated.any():
        numbers, unread = numbers[~undated], unread[~undated]
    numbers, findings = drop(numbers, unread, "unreadable", f"with a text for a number dropped (first {quote})")
    if numbers.empty:
        raise PriceError("empty", "the table has no rows; get prices for it")
    if n_undated := int((undated & counted).sum()):
        text = f"{n_undated} rows without a day dropped (first {quote})"
        findings.append(Finding("undated", DROPPED, (), text, undated=n_undated))
    return numbers, findings


# ---- rows that cannot be read ----------------------------------------------------------------------------------------


def _counted(index: pd.DatetimeIndex, limit: date | None) -> Mask:
    """The rows up to the limit."""
    if limit is None:
        return np.ones(len(index), dtype=np.bool_)
    last = pd.Timestamp(limit)
    if not index.hasnans:
        return np.asarray(index <= last)
    after = np.where(index.isna(), _placed(index) >= last, index > last)  # a row without a day is newer than its place
    return np.asarray(~after)


def _placed(index: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """The days, and for a row without one the day of the row before it in time; NaT before the first."""
    known = index.dropna()
    newest_first = len(known) > 0 and known[0] > known[-1]
    days = index.to_series().reset_index(drop=True)
    return pd.DatetimeIndex(days.bfill() if newest_first else days.ffill())


def _quoted(columns: Mapping[str, pd.Series], failed: Mask) -> str:
    """The first text that cannot be read, with its line and column; `failed` has shape (7, n_rows)."""
    row = int(np.flatnonzero(failed.any(axis=0))[0])
    column = columns[("date", *COLUMNS)[int(np.flatnonzero(failed[:, row])[0])]]
    place = f"line {column.index[row]}" if column.index.name == LINE else f"row {row + 1}"
    return f"{str(column.iloc[row])[:60]!r} in {place}, column {str(column.name).strip()}"


def _refuse_unreadable(columns: Mapping[str, pd.Series], failed: Mask, index: pd.DatetimeIndex, counted: Mask) -> None:
    unread, last = np.asarray(failed.any(axis=0)), index[counted].max()
    if unread.sum() > UNREADABLE_SHARE * counted.sum():
        rows = f"{unread.sum()} of {counted.sum()} rows cannot be read, first {_quoted(columns, failed)}"
        through = "" if pd.isna(last) else f"; its last day is {last.date()}"
        raise PriceError("unreadable", f"{rows}{through}; re-export the file")


def _refuse_newest(columns: Mapping[str, pd.Series], failed: Mask, index: pd.DatetimeIndex, counted: Mask) -> None:
    """Refuse a table of which one of the newest rows cannot be read.

    A line that holds no price at all, as a footer, is no lost bar: `failed` has none.
    """
    good = index[counted & ~np.asarray(failed.any(axis=0))].dropna()
    newest = np.asarray(_placed(index) >= good.unique().sort_values()[-NEWEST_ROWS:][0])
    if (failed & newest).any():
        rows = f"its newest rows cannot be read, first {_quoted(columns, failed & newest)}"
        raise PriceError("unreadable", f"{rows}; the last that can be is of {good.max().date()}; correct the file")


def _refuse_intraday(days: pd.Series, index: pd.DatetimeIndex, counted: Mask) -> None:
    """Refuse several times within a day; the newest day may have a last quote beside its bar."""
    if index.is_unique:
        return
    times = days if pd.api.types.is_datetime64_any_dtype(days) else days.astype(str).str[11:19]
    stamps = pd.DataFrame({"day": index, "time": times.to_numpy()})[counted].dropna().drop_duplicates()
    n_stamps = stamps.groupby("day").size()
    several = n_stamps[n_stamps > 1]
    if len(several) > 1 or (several > 2).any():
        day = several.index[0].date()
        reason = f"it holds bars within the day, {several.iloc[0]} of {day}"
        raise PriceError("intraday", f"{reason}; daily ones are needed: one bar a day")


# ---- days and numbers ------------------------------------------------------------------------------------------------


def _read_days(column: pd.Series) -> pd.DatetimeIndex:
    """The days a column holds, in the exchange's own time; NaT for what is no ISO date, which could be misread."""
    if isinstance(column.dtype, pd.StringDtype) and (plain := plain_days(column)) is not None:
        return plain
    if not pd.api.types.is_datetime64_any_dtype(column):
        column = pd.to_datetime(column.astype(str).str[:10], errors="coerce", format="%Y-%m-%d")
    naive = column if isinstance(column.dtype, np.dtype) else column.dt.tz_localize(None)
    return pd.DatetimeIndex(naive.to_numpy().astype("datetime64[D]").astype("datetime64[us]"), name="Date")


def plain_days(column: pd.Series) -> pd.DatetimeIndex | None:
    """The days of a column of YYYY-MM-DD, read at once; None where one is written otherwise.

    Parameters
    ----------
    column : Series of str, shape (n_rows,)

    Returns
    -------
    DatetimeIndex, shape (n_rows,), or None
        NaT for what is missing.
    """
    import pyarrow as pa

    try:
        read = pa.array(column, from_pandas=True).cast(pa.date32())
    except pa.ArrowInvalid:
        return None
    return pd.DatetimeIndex(read.to_numpy(zero_copy_only=False).astype("datetime64[us]"), name="Date")


def _read_numbers(columns: Mapping[str, pd.Series]) -> tuple[Array, Mask]:
    """The columns as numbers, and where something is given that is none; shape (6, n_rows) each."""
    values = np.empty((len(COLUMNS), len(columns["close"])))
    wrong = np.zeros(values.shape, dtype=np.bool_)
    for row, unread, name in zip(values, wrong, COLUMNS, strict=True):
        column = columns[name]
        if isinstance(column.dtype, np.dtype) and column.dtype.kind in "fiu":
            row[:] = column.to_numpy()
        else:
            row[:] = pd.to_numeric(column, errors="coerce").astype(float).to_numpy()
            unread |= np.isnan(row) & column.notna().to_numpy()
        size = np.abs(row)
        unread |= (size > GREATEST) | ((size < 1 / GREATEST) & (size > 0))  # infinite ones too
    return values, wrong


def _named_columns(raw: pd.DataFrame) -> dict[str, pd.Series]:
    """The columns "date" and COLUMNS; PriceError for one that is missing or given twice."""
    if raw.index.nlevels > 1:  # what pandas makes of rows that are longer than the line of names
        raise PriceError("columns", f"its first line does not name the columns; {NEEDED_WORDS}")
    frame = raw if "date" in known_columns(raw.columns) else raw.rename_axis("date").reset_index()
    at = find_columns(frame.columns)
    if not frame.columns.is_unique:
        return {name: frame.iloc[:, at[name]] for name in ("date", *COLUMNS)}
    return {name: frame[frame.columns[at[name]]] for name in ("date", *COLUMNS)}  # much faster
