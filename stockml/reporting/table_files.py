"""Rows of the log as a file that other programs read: CSV, Parquet, an Excel workbook or a SQLite database.

One function a kind. Each writes the rows as they come, so that memory does not grow with their number.
"""

from __future__ import annotations

import csv
import errno
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stockml.reporting.flat_rows import COLUMNS, DAY, FLAG, NUMBER, NUMBERS, TEXT, TIME, WHOLE, Contents, Row, wide
from stockml.storage.whole_file import parts_folder

if TYPE_CHECKING:
    import sqlite3

MOST_XLSX_ROWS = 1_048_575  # of a sheet, below its header
MOST_NAMES = 5_000  # of signals and evidence, as columns of a single table; ours have some 40
LONGEST_CELL = 32_767  # characters, in Excel
ROWS_AT_ONCE = 10_000
FIRST_EXCEL_YEAR = 1900
BLANK = " "  # between day and time: Excel takes a T for text

# The first characters of a text that a spreadsheet may take for a formula, the wide ones of Chinese and Japanese too.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

SQLITE_TYPES = {
    TEXT: "TEXT",
    NUMBER: "REAL",
    WHOLE: "INTEGER",
    FLAG: "BOOLEAN",
    DAY: "DATE",
    TIME: "TIMESTAMP",
    NUMBERS: "TEXT",
}


class TableError(ValueError):
    """Rows that this kind of file has no room for; the text goes after the path."""


def harmless(text: str) -> str:
    """The text, with an apostrophe before what a spreadsheet might take for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def write_csv(path: Path, contents: Contents, rows: Iterable[Row]) -> None:
    """One table, with a header line; UTF-8, lines ending in CR LF as RFC 4180 has them."""
    names = list(contents.columns())
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for row in rows:
            writer.writerow(map(_csv_field, wide(row, names)))


def _csv_field(value: Any) -> Any:
    if value is None or type(value) is float:  # most of them
        return value
    if isinstance(value, str):
        return harmless(value)
    return str(value).lower() if isinstance(value, bool) else _as_text(value)


def write_parquet(path: Path, contents: Contents, rows: Iterable[Row]) -> None:
    """One table of typed columns; `path` is a list of numbers."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        TEXT: pa.string(),
        NUMBER: pa.float64(),
        WHOLE: pa.int64(),
        FLAG: pa.bool_(),
        DAY: pa.date32(),
        TIME: pa.timestamp("us"),
        NUMBERS: pa.list_(pa.float64()),
    }
    columns = contents.columns()
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    # a file of Python's, whose errors keep the system's number
    with path.open("wb") as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for some in _batches(rows):
            values = zip(*(wide(row, list(columns)) for row in some), strict=True)
            arrays = [pa.array(list(column), of.type) for column, of in zip(values, schema, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))


def write_xlsx(path: Path, contents: Contents, rows: Iterable[Row]) -> None:
    """One sheet, `predictions`, with dates as dates; TableError for a text longer than a cell."""
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    with parts_folder(path) as parts:
        book = xlsxwriter.Workbook(path, {"constant_memory": True, "tmpdir": str(parts)})
        book.use_zip64()
        sheet = book.add_worksheet("predictions")
        try:
            _fill_sheet(book, sheet, contents.columns(), rows)
            book.close()
        except FileCreateError as error:
            raise error.args[0] from None  # the OSError that it stands for
        finally:
            with suppress(OSError):
                sheet.row_data_fh.close()


def _fill_sheet(book: Any, sheet: Any, columns: dict[str, str], rows: Iterable[Row]) -> None:
    formats = {DAY: book.add_format({"num_format": "yyyy-mm-dd"})}
    formats[TIME] = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    sheet.freeze_panes(1, 1)
    sheet.set_column(0, len(columns) - 1, 20)
    names = list(columns)
    for at, name in enumerate(names):
        sheet.write_string(0, at, name)
    for line, row in enumerate(rows, start=1):
        for at, value in enumerate(wide(row, names)):
            _write_cell(sheet, (line, at), names[at], value, formats.get(columns[names[at]]))


def _write_cell(sheet: Any, at: tuple[int, int], name: str, value: Any, form: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(*at, value)
    elif isinstance(value, int | float):
        sheet.write_number(*at, value)
    elif isinstance(value, date) and value.year >= FIRST_EXCEL_YEAR:
        sheet.write_datetime(*at, value, form)
    else:
        text = harmless(value) if isinstance(value, str) else str(_as_text(value))
        if len(text) > LONGEST_CELL:
            raise TableError(
                f"{name} of prediction {at[0]:,} has {len(text):,} characters, a cell of a workbook holds "
                f"{LONGEST_CELL:,}; write a .parquet instead"
            )
        sheet.write_string(*at, text)


def write_sqlite(path: Path, _contents: Contents, rows: Iterable[Row]) -> None:
    """Three tables: `predictions`, and by the id of these `signals` and `confidence_inputs`."""
    import sqlite3

    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode = OFF")  # the file is whole or not at all, whatever happens here
        database.execute("PRAGMA synchronous = OFF")  # it is brought to the disk at the end
        database.execute("BEGIN")
        _fill_database(database, rows)
        database.execute("COMMIT")
    except sqlite3.Error as error:
        is_full = error.sqlite_errorcode == sqlite3.SQLITE_FULL
        raise OSError(errno.ENOSPC if is_full else errno.EIO, str(error)) from error
    finally:
        database.close()


def _fill_database(database: sqlite3.Connection, rows: Iterable[Row]) -> None:
    columns = ", ".join(f"{name} {SQLITE_TYPES[kind]}" for name, kind in COLUMNS.items())
    database.execute(f"CREATE TABLE predictions ({columns})")
    database.execute("CREATE TABLE signals (id TEXT, signal TEXT, weight REAL, opinion_pct REAL)")
    database.execute("CREATE TABLE confidence_inputs (id TEXT, input TEXT, value REAL)")
    line = f"INSERT INTO predictions VALUES ({', '.join('?' * len(COLUMNS))})"
    for some in _batches(rows):
        database.executemany(line, ([_as_text(row.values.get(name)) for name in COLUMNS] for row in some))
        database.executemany("INSERT INTO signals VALUES (?, ?, ?, ?)", _signals(some))
        inputs = ((row.values["id"], *pair) for row in some for pair in row.inputs.items())
        database.executemany("INSERT INTO confidence_inputs VALUES (?, ?, ?)", inputs)
    for table in ("predictions", "signals", "confidence_inputs"):
        database.execute(f"CREATE INDEX {table}_by_id ON {table} (id)")


def _signals(rows: Iterable[Row]) -> Iterator[tuple[Any, str, float | None, float | None]]:
    for row in rows:
        for name in dict.fromkeys([*row.opinions, *row.weights]):
            yield row.values["id"], name, row.weights.get(name), row.opinions.get(name)


def _as_text(value: Any) -> Any:
    """Days, times and lists as texts; all else as it is."""
    if isinstance(value, datetime):
        return value.isoformat(BLANK)
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(value) if isinstance(value, list) else value


def _batches(rows: Iterable[Row]) -> Iterator[Sequence[Row]]:
    waiting = iter(rows)
    while some := list(islice(waiting, ROWS_AT_ONCE)):
        yield some


WRITERS: dict[str, Callable[[Path, Contents, Iterable[Row]], None]] = {
    ".csv": write_csv,
    ".parquet": write_parquet,
    ".xlsx": write_xlsx,
    ".sqlite": write_sqlite,
}
