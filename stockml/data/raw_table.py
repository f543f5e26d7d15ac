"""A source's raw table -> six numeric columns on naive days; which bars are right is left to the checks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from stockml.data.bar_checks import COLUMNS, Array
from stockml.data.findings import DROPPED, Finding, Mask, PriceError, drop

NAMES = pd.Index(COLUMNS)
ALSO_CALLED = {"adjusted_close": "adj_close", "adjclose": "adj_close"}
UNREADABLE_SHARE = 0.1  # a tenth of the rows unreadable is not a slip of the pen but another kind of file


def tidy(raw: pd.DataFrame, limit: date | None = None) -> tuple[pd.DataFrame, list[Finding]]:
    """The six columns as numbers on naive days, and the rows that could not be read.

    Days after `limit` are not counted: their format must not decide about the days before.

    Parameters
    ----------
    raw : DataFrame, shape (n_rows, n_columns)
        Open, High, Low, Close, Volume and perhaps Adj Close, in any order and case; the day as index or as Date.
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
        columns, mixed_tickers, unreadable or empty.
    """
    columns = _named_columns(raw)
    index = _read_days(columns.pop("date"))
    values, unread = _read_numbers(columns)
    numbers = pd.DataFrame(values.T, index, NAMES)
    undated = np.asarray(index.isna())
    unread |= undated
    counted = np.ones(len(raw), dtype=np.bool_) if limit is None else ~np.asarray(index > pd.Timestamp(limit))
    unread &= counted
    _refuse_unreadable(int(unread.sum()), int(counted.sum()))
    text = "with a text for a number dropped"
    if undated.any():
        numbers, unread = numbers[~undated], unread[~undated]
    numbers, findings = drop(numbers, unread, "unreadable", text)
    if numbers.empty:
        raise PriceError("empty", "the table has no rows; get prices for it")
    if undated.any():
        text = f"{undated.sum()} rows without an ISO date dropped"
        findings.append(Finding("undated", DROPPED, (), text, undated=int(undated.sum())))
    return numbers, findings


def _refuse_unreadable(unread: int, counted: int) -> None:
    if unread > UNREADABLE_SHARE * counted:
        raise PriceError("unreadable", f"{unread} of {counted} rows hold no ISO date or no number; re-export the file")


def _read_days(column: pd.Series) -> pd.DatetimeIndex:
    """The days a column holds, in the exchange's own time; NaT for what is no ISO date, which could be misread."""
    if isinstance(column.dtype, pd.StringDtype) and (plain := _plain_days(column)) is not None:
        return plain
    if not pd.api.types.is_datetime64_any_dtype(column):
        column = pd.to_datetime(column.astype(str).str[:10], errors="coerce", format="%Y-%m-%d")
    return pd.DatetimeIndex(column).tz_localize(None).normalize().as_unit("us").rename("Date")


def _plain_days(column: pd.Series) -> pd.DatetimeIndex | None:
    """The days of a column of YYYY-MM-DD, read at once; None where one is written otherwise."""
    import pyarrow as pa

    try:
        read = pa.array(column, from_pandas=True).cast(pa.date32())
    except pa.ArrowInvalid:
        return None
    return pd.DatetimeIndex(read.to_numpy(zero_copy_only=False).astype("datetime64[us]"), name="Date")


def _read_numbers(columns: Mapping[str, pd.Series]) -> tuple[Array, Mask]:
    """The columns as numbers, shape (6, n_rows), and the rows where something is given that is none."""
    values = np.empty((len(COLUMNS), len(columns["close"])))
    unread = np.zeros(values.shape[1], dtype=np.bool_)
    for row, name in zip(values, COLUMNS, strict=True):
        column = columns[name]
        if isinstance(column.dtype, np.dtype) and column.dtype.kind in "fiu":
            row[:] = column.to_numpy()
        else:
            row[:] = pd.to_numeric(column, errors="coerce").astype(float).to_numpy()
            unread |= np.isnan(row) & column.notna().to_numpy()
        unread |= np.isinf(row)
    return values, unread


def _named_columns(raw: pd.DataFrame) -> dict[str, pd.Series]:
    """The columns "date" and COLUMNS; PriceError for one that is missing or given twice."""
    if raw.index.nlevels > 1:  # what pandas makes of rows that are longer than the line of names
        raise PriceError(
            "columns", "its first line does not name the columns; put Date,Open,High,Low,Close,Volume there"
        )
    frame = raw if "date" in {str(name).lower() for name in raw.columns} else raw.rename_axis("date").reset_index()
    names = [str(name).strip().lower().replace(" ", "_") for name in frame.columns]
    names = [ALSO_CALLED.get(name, name) for name in names]
    base = [name.partition(".")[0] for name in names]  # pandas reads a second "Open" as "Open.1"
    twice = sorted({name for name in COLUMNS if base.count(name) > 1})
    if twice:
        raise PriceError("mixed_tickers", f"the columns {', '.join(twice)} are given twice: it mixes two companies")
    at = {name: number for number, name in enumerate(names)}
    if "close" in at:
        at.setdefault("adj_close", at["close"])
    missing = [name for name in ("date", *COLUMNS) if name not in at]
    if missing:
        raise PriceError("columns", f"no column {', '.join(missing)}; needed are Date,Open,High,Low,Close,Volume")
    return {name: frame.iloc[:, at[name]] for name in ("date", *COLUMNS)}
