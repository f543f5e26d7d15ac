"""Tables as other programs read them: pandas, openpyxl and sqlite3 find what the log holds, with its types."""

from __future__ import annotations

import csv
import json
import math
import resource
import sqlite3
import string
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_helpers import outcome, prediction
from openpyxl.utils.escape import unescape

from stockml.core.outcomes import EXPIRED, Outcome
from stockml.core.records import Evidence, Prediction, Signal
from stockml.reporting.flat_rows import COLUMNS, DAY, TIME, contents_of, row_of, wide
from stockml.reporting.table_files import LONGEST_CELL, SQLITE_TYPES, WRITERS, TableError, harmless
from stockml.storage.files import StorageError
from stockml.storage.whole_file import whole_file

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=cmd|' /C calc'!A0", "＝1+1", "＋1", "－1", "＠A")
NO_FORMULAS = ("EUR", "1=1", " =1", "a,b;c", 'say "no"', "two\nlines", "'quoted", "₹", "0", "TRUE")


def lines_of(texts: tuple[str, ...]) -> list[Prediction]:
    """Lines with a text each in all places that may hold any: pending, verified and expired ones."""
    lines = []
    for at, text in enumerate(texts):
        line = replace(prediction(day=at), market_regime=text, currency=text, source=text)
        line = replace(line, signals=(Signal(text, 0.1),), evidence=Evidence({text: 1.5}, {text: 2.5}))
        known = (None, outcome(line), Outcome(EXPIRED, "2026-03-01T10:00:00", reason=text))[at % 3]
        lines.append(replace(line, outcome=known))
    return lines


def written(folder: Path, ending: str, lines: list[Prediction]) -> Path:
    path = folder / f"table{ending}"
    WRITERS[ending](path, contents_of(lines, most_names=999), map(row_of, lines))
    return path


def expected(lines: list[Prediction]) -> list[dict[str, Any]]:
    """The rows of a single table, those without a value left out; made from the lines' JSON objects."""
    rows = []
    for line in lines:
        record = line.to_record()
        row = {key: value for key, value in record.items() if key not in ("signals", "evidence") and value is not None}
        for key in ("distribution", "reopened"):
            row |= {f"{key}_{name}": value for name, value in row.pop(key, {}).items()}
        for name in {name for name, _ in record["signals"]}:
            row[f"signal_{name}_weight"] = sum(weight for other, weight in record["signals"] if other == name)
        for name, value in record["evidence"]["opinions"].items():
            row[f"signal_{name}_opinion_pct"] = value
        for name, value in record["evidence"]["confidence_inputs"].items():
            row[f"confidence_{name}"] = value
        for key, kind in COLUMNS.items():
            if key in row and kind in (DAY, TIME):
                row[key] = (date if kind == DAY else datetime).fromisoformat(row[key])
        rows.append(row)
    return rows


# ---- readers that are not ours: each returns the rows, values of the types that it found ----


def by_csv(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [{key: value for key, value in row.items() if value != ""} for row in rows]


def by_parquet(path: Path) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if value is not None} for row in pq.read_table(path).to_pylist()]


def by_xlsx(path: Path) -> list[dict[str, Any]]:
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["predictions"]
    names, *rows = book["predictions"].iter_rows()
    assert not [cell for row in (names, *rows) for cell in row if cell.data_type == "f"]
    found = []
    for row in rows:
        cells = {_plain(name): _plain(cell) for name, cell in zip(names, row, strict=True) if cell.value is not None}
        found.append(
            {
                key: value.date() if isinstance(value, datetime) and COLUMNS.get(key) == DAY else value
                for key, value in cells.items()
            }
        )
    return found


def _plain(cell: Any) -> Any:
    """A cell's value; characters that XML has not are escaped, which openpyxl leaves to its user."""
    return unescape(cell.value) if isinstance(cell.value, str) else cell.value


def by_sqlite(path: Path) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        rows = [dict(row) for row in database.execute("SELECT * FROM predictions ORDER BY rowid")]
        by_id = {row["id"]: row for row in rows}
        for id_, name, weight, opinion in database.execute("SELECT id, signal, weight, opinion_pct FROM signals"):
            by_id[id_] |= {f"signal_{name}_weight": weight, f"signal_{name}_opinion_pct": opinion}
        for id_, name, value in database.execute("SELECT id, input, value FROM confidence_inputs"):
            by_id[id_][f"confidence_{name}"] = value
    return [{key: value for key, value in row.items() if value is not None} for row in rows]


READERS = {".csv": by_csv, ".parquet": by_parquet, ".xlsx": by_xlsx, ".sqlite": by_sqlite}


def as_stored(ending: str, key: str, value: Any) -> Any:
    """A value as a reader of the file finds it."""
    if ending == ".parquet":
        return value
    if isinstance(value, list):
        return json.dumps(value)
    if isinstance(value, str):
        return value if ending == ".sqlite" else harmless(value)
    if ending == ".xlsx":
        return value
    if isinstance(value, date):  # a datetime is one
        return str(value)
    if isinstance(value, bool):
        return int(value) if ending == ".sqlite" else str(value).lower()
    return value if ending == ".sqlite" else repr(float(value) if COLUMNS.get(key) != "whole" else value)


def agree(ending: str, lines: list[Prediction], path: Path) -> None:
    found, rows = READERS[ending](path), expected(lines)
    assert len(found) == len(rows)
    for one, row in zip(found, rows, strict=True):
        assert one == {key: as_stored(ending, key, value) for key, value in row.items()}


@pytest.mark.parametrize("ending", WRITERS)
def test_each_kind_holds_the_lines_as_they_are(tmp_path: Path, ending: str) -> None:
    lines = lines_of((*NO_FORMULAS, *FORMULAS))
    agree(ending, lines, written(tmp_path, ending, lines))


# ---- properties ----

texts = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("=+-@\t\n'"), min_size=1, max_size=12)
figures = st.floats(-1e15, 1e15, allow_nan=False).map(lambda value: value + 0.0)  # Excel knows no negative zero
prices = st.floats(0.01, 1e12)
moments = st.datetimes(datetime(1901, 1, 1), datetime(2200, 1, 1)).map(lambda time: time.replace(microsecond=0))


@st.composite
def predictions(draw: st.DrawFn) -> list[Prediction]:
    """Lines of any values that a line may have, each with another id."""
    lines = []
    for day in range(draw(st.integers(1, 4))):
        names = st.dictionaries(texts, figures, max_size=3)
        line = replace(
            prediction(day=day),
            prediction_date=draw(moments).isoformat(),
            current_price=draw(prices),
            predicted_change_pct=draw(figures),
            market_regime=draw(texts),
            signals=tuple(Signal(name, value) for name, value in draw(names).items()),
            evidence=Evidence(draw(names), draw(names)),
            path=tuple(draw(st.lists(figures, max_size=3))),
            source=draw(texts),
            currency=draw(st.none() | texts),
            model_trained_at=draw(st.none() | moments.map(datetime.isoformat)),
        )
        if draw(st.booleans()):
            line = replace(line, distribution=None, model_scale_pct=None)
        verified = replace(outcome(line), error_pct=draw(figures), settled_from=draw(moments).date().isoformat())
        expired = Outcome(EXPIRED, draw(moments).isoformat(), reason=draw(texts))
        lines.append(replace(line, outcome=draw(st.sampled_from([None, verified, expired]))))
    return lines


@pytest.mark.parametrize("ending", WRITERS)
@settings(max_examples=40, deadline=None)
@given(lines=predictions())
def test_exported_rows_equal_the_logs_lines(ending: str, lines: list[Prediction]) -> None:
    with TemporaryDirectory() as folder:
        path = written(Path(folder), ending, lines)
        if ending == ".xlsx":
            _agree_closely(lines, path)
        else:
            agree(ending, lines, path)


def _agree_closely(lines: list[Prediction], path: Path) -> None:
    """As `agree`; a workbook keeps 15 to 17 digits of a number."""
    for one, row in zip(by_xlsx(path), expected(lines), strict=True):
        assert one.keys() == row.keys()
        for key, value in row.items():
            stored = as_stored(".xlsx", key, value)
            is_number = isinstance(stored, float)
            assert math.isclose(one[key], stored, rel_tol=1e-14) if is_number else one[key] == stored, key


# ---- what a spreadsheet takes for a formula ----


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_no_cell_starts_as_a_formula_would_but_numbers_stay_numbers(tmp_path: Path, ending: str) -> None:
    lines = [replace(line, predicted_change_pct=-1.5, magnitude=-0.25) for line in lines_of(FORMULAS)]
    for row in READERS[ending](written(tmp_path, ending, lines)):
        for key, value in row.items():
            assert not key.startswith(FORMULAS)
            if isinstance(value, str) and not value.replace(".", "").lstrip("-").isdigit():
                assert value[0] not in "=+-@\t\r\n＝＋－＠"
        assert float(row["predicted_change_pct"]) == -1.5 and float(row["magnitude"]) == -0.25


@pytest.mark.parametrize("text", NO_FORMULAS)
def test_other_texts_are_left_as_they_are(text: str) -> None:
    assert harmless(text) == text


# ---- types, as other programs find them ----


def test_pandas_finds_dates_numbers_and_truth_in_each(tmp_path: Path) -> None:
    lines = lines_of(("EUR",) * 6)
    frames = {
        ".csv": lambda path: pd.read_csv(path, parse_dates=["target_date", "prediction_date", "verified_at"]),
        ".parquet": lambda path: pd.read_parquet(path).astype({"target_date": "datetime64[us]"}),
        ".xlsx": pd.read_excel,
    }
    for ending, read in frames.items():
        frame = read(written(tmp_path, ending, lines))
        for name in ("target_date", "prediction_date", "verified_at"):
            assert frame[name].dtype.kind == "M", (ending, name)
        assert frame["current_price"].dtype.kind == "f" and frame["prediction_horizon_days"].dtype.kind == "i"
        assert list(frame["was_accurate"].dropna()) == [outcome(lines[1]).was_accurate, outcome(lines[4]).was_accurate]
        assert frame["error_pct"].isna().sum() == 4


def test_sqlite_declares_the_types_that_its_readers_go_by(tmp_path: Path) -> None:
    path = written(tmp_path, ".sqlite", lines_of(("EUR",) * 3))
    with closing(sqlite3.connect(path)) as database:
        declared = {name: kind for _, name, kind, *_ in database.execute("PRAGMA table_info(predictions)")}
        days = database.execute("SELECT julianday(target_date) - julianday(data_through) FROM predictions").fetchall()
    assert declared == {name: SQLITE_TYPES[kind] for name, kind in COLUMNS.items()} and days == [(5.0,)] * 3


def test_a_workbook_shows_dates_as_dates_under_a_header_that_stays(tmp_path: Path) -> None:
    sheet = openpyxl.load_workbook(written(tmp_path, ".xlsx", lines_of(("EUR",))))["predictions"]
    at = {cell.value: cell.column for cell in sheet[1]}
    assert sheet.freeze_panes == "B2"
    assert sheet.cell(2, at["target_date"]).number_format == "yyyy-mm-dd" and sheet.cell(2, at["target_date"]).is_date
    assert sheet.cell(2, at["prediction_date"]).number_format == "yyyy-mm-dd hh:mm:ss"
    assert sheet.cell(2, at["confidence"]).data_type == "n" and sheet.cell(2, at["id"]).data_type == "s"


def test_a_day_before_excels_first_is_a_text(tmp_path: Path) -> None:
    line = replace(prediction(), prediction_date="0099-01-05T16:00:00")
    (row,) = by_xlsx(written(tmp_path, ".xlsx", [line]))
    assert row["prediction_date"] == "0099-01-05 16:00:00"


def test_characters_that_xml_does_not_have_come_back_from_a_workbook(tmp_path: Path) -> None:
    texts = ("a\x00b", "\x07", "\x1b", "\x0b", "_x0041_", "\uffff")
    rows = by_xlsx(written(tmp_path, ".xlsx", lines_of(texts)))
    assert [row["currency"] for row in rows] == [*texts]


# ---- what does not fit ----


def test_a_text_longer_than_a_cell_is_told_with_its_place(tmp_path: Path) -> None:
    lines = lines_of(("EUR", "x" * LONGEST_CELL, "y" * (LONGEST_CELL + 1)))
    assert len(by_xlsx(written(tmp_path, ".xlsx", lines[:2]))) == 2
    with pytest.raises(TableError, match=r"market_regime of prediction 3 has 32,768 characters.*write a \.parquet"):
        written(tmp_path, ".xlsx", lines)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("ending", WRITERS)
def test_where_the_file_cannot_grow_the_old_one_stays_and_it_is_told(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"table{ending}"
    path.write_text("old")
    lines = [replace(prediction(day=day), currency=string.printable * 20) for day in range(300)]
    with largest_file(8_000), pytest.raises(StorageError, match="cannot write the file"), whole_file(path) as temporary:
        WRITERS[ending](temporary, contents_of(lines, most_names=999), map(row_of, lines))
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_rows_of_one_table_have_a_value_for_each_column() -> None:
    contents = contents_of(lines_of(("a", "b")), most_names=999)
    assert {len(wide(row_of(line), list(contents.columns()))) for line in lines_of(("a", "b"))} == {
        len(contents.columns())
    }
