"""CSV files: those that exchanges, brokers and libraries write are read like the plain one, or clearly refused."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from made_up_bars import market
from scripts import predict

from stockml.core import failures
from stockml.core.failures import FetchError
from stockml.data.csv_files import read_csv
from stockml.data.price_table import PriceError, check_prices

SYMBOL, N = "TCS.NS", 120
ZONE = ZoneInfo("Asia/Kolkata")
END = "2026-06-30"
NAMES = "Date,Open,High,Low,Close,Volume"
Form = Callable[[float], str]


def bars(level: float = 2000.0) -> pd.DataFrame:
    raw = market(N, level=level).round(2).drop(columns="Adj Close").astype({"Volume": int})
    return raw.set_axis(pd.bdate_range(end=END, periods=N, name="Date"))


def iso(day) -> str:
    return f"{day:%Y-%m-%d}"


def written_as(form: str):
    return lambda day: format(day, form)


def plain(number: float) -> str:
    return f"{number:.2f}"


def thousands(number: float) -> str:
    return f"{number:,.2f}"


def indian(number: float) -> str:
    whole, cents = f"{number:.2f}".split(".")
    head, tail = whole[:-3], whole[-3:]
    pairs = [head[max(0, end - 2) : end] for end in range(len(head), 0, -2)][::-1]
    return ",".join([*pairs, tail]) + "." + cents


def german(number: float) -> str:
    return thousands(number).translate(str.maketrans(",.", ".,"))


def lines(
    day=iso, number: Form = plain, *, order="DOHLCV", volume=str, sep=",", quoted=False, newest_first=False, raw=None
) -> str:
    """Lines of a file; letters in `order` stand for a bar's values, any other text for itself."""
    out = []
    for at, bar in (bars() if raw is None else raw).iterrows():
        values = {"D": day(at), "V": volume(int(bar["Volume"]))}
        values |= {name[0]: number(bar[name]) for name in ("Open", "High", "Low", "Close")}
        cells = [values.get(cell, cell) for cell in order]
        out.append(sep.join(f'"{cell}"' for cell in cells) if quoted else sep.join(cells))
    return "\n".join(out[::-1] if newest_first else out) + "\n"


def after(names: str, text: str) -> str:
    return f"{names}\n{text}"


NSE = (
    '"Date ","series ","OPEN ","HIGH ","LOW ","PREV. CLOSE ","ltp ","close ",'
    '"vwap ","52W H ","52W L ","VOLUME ","VALUE "'
)
TWO = ",INFY.NS,TCS.NS" * 5
READ = {
    "plain": after(NAMES, lines()),
    "windows ends of lines": after(NAMES, lines()).replace("\n", "\r\n"),
    "yfinance": after(
        "Price,Close,High,Low,Open,Volume\nTicker" + ",TCS.NS" * 5 + "\nDate,,,,,", lines(order="DCHLOV")
    ),
    "yfinance, two stocks": after(
        f"Price,Close,Close,High,High,Low,Low,Open,Open,Volume,Volume\nTicker{TWO}\nDate{',' * 10}",
        lines(order="D1C1H1L1O5V"),
    ),
    "yfinance by stock": after(
        f"Ticker{',TCS.NS' * 5}{',INFY.NS' * 5}\nPrice{',Open,High,Low,Close,Volume' * 2}\nDate{',' * 10}",
        lines(order="DOHLCV11115"),
    ),
    "yfinance, index reset": after("Date,Close,High,Low,Open,Volume\n" + ",TCS.NS" * 5, lines(order="DCHLOV")),
    "nse": "\ufeff"
    + after(
        NSE,
        lines(
            written_as("%d-%b-%Y"),
            thousands,
            quoted=True,
            newest_first=True,
            volume=lambda v: f"{v:,}",
            order=["D", "EQ", *"OHL", "1.00", "2.00", "C", "3.00", "4.00", "5.00", "V", "6"],
        )
        + lines(written_as("%d-%b-%Y"), lambda _: "9.00", quoted=True, order=["D", "BL", *"OHL12C345V6"]),
    ),
    "bse": after(
        "Date,Open Price,High Price,Low Price,Close Price,WAP,No.of Shares,No. of Trades,",
        lines(lambda day: f"{day.day}-{day:%B-%Y}", order=[*"DOHLC", "9.5", "V", "12", ""], newest_first=True),
    ),
    "investing.com": after(
        '"Date","Price","Open","High","Low","Vol.","Change %"',
        lines(
            written_as("%m/%d/%Y"),
            thousands,
            quoted=True,
            newest_first=True,
            volume=lambda v: f"{v / 1e6:.6f}M",
            order=[*"DCOHLV", "-0.53%"],
        ),
    ),
    "investing.com, named months": after(
        '"Date","Price","Open","High","Low","Vol.","Change %"',
        lines(
            written_as("%b %d, %Y"), thousands, quoted=True, volume=lambda v: f"{v / 1e3:.3f}K", order=[*"DCOHLV", "1%"]
        ),
    ),
    "nasdaq": after(
        "Date,Close/Last,Volume,Open,High,Low",
        lines(written_as("%m/%d/%Y"), lambda x: f"${x:.2f}", order="DCVOHL", newest_first=True),
    ),
    "stooq": after(
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>",
        lines(written_as("%Y%m%d"), order=["TCS.IN", "X", "D", "000000", *"OHLCV0"]),
    ),
    "alpha vantage": after("timestamp,open,high,low,close,volume", lines(newest_first=True)),
    "barchart, a footer": after(
        "Time,Open,High,Low,Last,Change,%Chg,Volume",
        lines(written_as("%m/%d/%Y"), order=[*"DOHLC", "1", "2%", "V"]) + '"Downloaded as of 06-30-2026 11:00am CDT"\n',
    ),
    "several companies in rows": after(
        "date,open,high,low,close,volume,Name",
        lines(order=[*"DOHLCV", "TCS"]) + lines(number=lambda _: "7.00", order=[*"DOHLCV", "AAL"]),
    ),
    "a comma at the end": after(NAMES, lines(order=[*"DOHLCV", ""])),
    "a comma at each end": after(NAMES + ",", lines(order=[*"DOHLCV", ""])),
    "semicolons": after(NAMES.replace(",", ";"), lines(number=lambda x: plain(x).replace(".", ","), sep=";")),
    "german": after(
        "Datum;Eröffnung;Hoch;Tief;Schlusskurs;Stücke",
        lines(written_as("%d.%m.%Y"), german, sep=";", volume=lambda v: f"{v:,}".replace(",", ".")),
    ),
    "tabs": after(NAMES.replace(",", "\t"), lines(number=thousands, sep="\t")),
    "thousands as in India": after(NAMES, lines(number=indian, quoted=True, volume=lambda v: indian(v)[:-3])),
    "a comment above": "# from a terminal\n" + after(NAMES, lines()),
    "units in the names": after("Date,Open (INR),High (INR),Low (INR),Close (INR),Volume (Shares)", lines()),
    "blank lines": after(NAMES, lines()) + "\n\n",
    "row numbers": after("," + NAMES, "".join(f"{row},{line}\n" for row, line in enumerate(lines().splitlines()))),
    "no name for the day": after(NAMES.removeprefix("Date"), lines()),
}


def read(folder, text: str | bytes):
    folder.mkdir(exist_ok=True)
    (folder / f"{SYMBOL}.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    raw = read_csv(SYMBOL, folder, ZONE)
    return check_prices(SYMBOL, raw.frame), raw.notes


def refusal(folder, text: str) -> str:
    with pytest.raises((FetchError, PriceError)) as refused:
        read(folder, text)
    assert str(refused.value).startswith(f"{SYMBOL}: ") and "\n" not in str(refused.value)
    return str(refused.value)


def same_as_plain(table, raw=None) -> None:
    expected = check_prices(SYMBOL, bars() if raw is None else raw).frame
    assert table.frame.index.equals(expected.index.as_unit("us"))
    np.testing.assert_allclose(table.frame.to_numpy(), expected.to_numpy(), rtol=1e-12)
    assert not {finding.kind for finding in table.findings} - {"order", "undated"}


@pytest.mark.parametrize("form", READ)
def test_a_file_of_another_source_is_read_like_the_plain_one(tmp_path, form):
    table, notes = read(tmp_path, READ[form])
    same_as_plain(table)
    assert notes == ((("other_series", "rows of the series BL left out"),) if form == "nse" else ())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("form", ["plain", "german"])
def test_a_file_in_another_encoding_is_read(tmp_path, form, encoding):
    same_as_plain(read(tmp_path, READ[form].encode(encoding))[0])


@pytest.mark.parametrize(
    "day",
    [
        "%Y%m%d", "%Y/%m/%d", "%d-%m-%Y", "%d/%m/%Y", "%m/%d/%Y", "%d/%m/%y", "%m-%d-%y", "%y-%m-%d",
        "%d-%b-%y", "%d %B %Y", "%a %d %b %Y", "%Y-%m-%d 00:00:00+05:30", "%Y-%m-%dT09:15:00+0530",
        "%Y-%m-%dT00:00:00.000Z", "%m/%d/%Y 16:00:00", "%m/%d/%Y 4:00 PM", "%Y-%m-%d 15:30",
    ],
)  # fmt: skip
@pytest.mark.parametrize("newest_first", [False, True])
def test_a_day_in_any_clear_form_is_read(tmp_path, day, newest_first):
    same_as_plain(read(tmp_path, after(NAMES, lines(written_as(day), newest_first=newest_first)))[0])


@pytest.mark.parametrize("name", ["Datetime", "timestamp", "time", "Date "])
@pytest.mark.parametrize("factor", [1, 1000])
def test_seconds_of_the_epoch_are_the_exchange_s_own_days(tmp_path, name, factor):
    def day(at):
        return str(int(at.tz_localize("Asia/Kolkata").timestamp()) * factor)  # 18:30 of the day before in UTC

    same_as_plain(read(tmp_path, after(NAMES.replace("Date", name), lines(day)))[0])


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m-%d-%Y", "%d.%m.%Y"])
def test_day_and_month_are_never_guessed(tmp_path, form):
    early = bars()[bars().index.day <= 12]
    text = after(NAMES, lines(written_as(form), raw=early))
    if "." in form:  # nobody writes the month first with points
        same_as_plain(read(tmp_path, text)[0], early)
        return
    said = refusal(tmp_path, text)
    assert f"'{early.index[0]:{form}}', may be day/month or month/day; write them as YYYY-MM-DD" in said


def test_a_file_that_changes_between_day_and_month_first_is_refused(tmp_path):
    text = after(NAMES, lines(lambda at: format(at, "%m/%d/%Y" if at.day <= 12 else "%d/%m/%Y")))
    assert "are not day/month throughout" in refusal(tmp_path, text)


@pytest.mark.parametrize("level", [0.9, 70.0, 990.0, 2000.0, 150_000.0])
@pytest.mark.parametrize(
    "number", [thousands, indian, german, lambda x: f"{x:,.2f}".replace(",", "'"), "Rs. {:.2f}".format]
)
def test_numbers_of_any_size_are_read_as_the_file_writes_them(tmp_path, level, number):
    raw = bars(level)
    same_as_plain(read(tmp_path, after(NAMES, lines(number=number, quoted=True, raw=raw)))[0], raw)


@pytest.mark.parametrize("volume", ["{:,}", "{:,.0f}"])
def test_thousands_in_volumes_tell_how_prices_are_written(tmp_path, volume):
    raw = bars().round(0)
    text = after(NAMES, lines(number="{:,.0f}".format, quoted=True, volume=volume.format, raw=raw))
    same_as_plain(read(tmp_path, text)[0], raw)


@pytest.mark.parametrize(("text", "sep"), [("1,234", ","), ("1.234", ";"), ("9,876", "\t")])
def test_a_comma_that_may_be_either_is_refused(tmp_path, text, sep):
    said = refusal(tmp_path, after(NAMES.replace(",", sep), lines(number=lambda _: text, quoted=True, sep=sep)))
    whole, broken = text[0] + text[2:], text.replace(",", ".")
    assert f"whether {text!r} is {whole} or {broken}" in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (after(NAMES, lines(number=thousands)), "line 2 has 10 fields, the first line names 6"),
        (
            after("Date,Open,High,Low,Close", lines(order="DOHLC")),
            "no column volume (there are Date, Open, High, Low, Close)",
        ),
        (after("Day,A,B,C,D,E", lines()), "no line names the columns, the first is 'Day,A,B,C,D,E'"),
        (
            after(NAMES, lines(lambda _: "yesterday")),
            "120 of 120 rows cannot be read, first 'yesterday' in line 2, column Date",
        ),
        (
            after(NAMES, lines(number=lambda _: "n. a.")),
            "first 'n. a.' in line 2, column Open; its last day is 2026-06-30",
        ),
        (
            READ["yfinance, two stocks"].replace("TCS.NS", "WIT.NS"),
            "its columns are of INFY.NS, WIT.NS; write a file of TCS.NS",
        ),
        (
            READ["several companies in rows"].replace("TCS", "WIT"),
            "its rows are of AAL, WIT; write a file of TCS.NS alone",
        ),
    ],
)
def test_a_refusal_quotes_what_was_found(tmp_path, text, words):
    assert words in refusal(tmp_path, text)


@pytest.mark.parametrize(
    "rows",
    [
        '2026-06-30,1,"2\n","3\n","4\n",5,6,7',
        '2026-06-29,"1,1\n1",2,3,4,5,6',
        '2026-06-29,1,2,3,4,"5\n' + "1,2,3,4,5,6\n" * 30_000,
    ],
)
def test_a_quote_that_ends_in_another_line_loses_no_column_unseen(tmp_path, rows):
    said = refusal(tmp_path, after(NAMES, lines()) + rows + "\n")
    assert "opens a quote that does not end in it; close the quote" in said


def test_a_header_that_names_another_company_is_noted(tmp_path):
    table, notes = read(tmp_path, READ["yfinance"].replace("TCS.NS", "INFY.NS"))
    assert (len(table.frame), notes) == (N, (("other_name", "its header names INFY.NS"),))


# ---- rows that cannot be read ----------------------------------------------------------------------------------------


def spoilt(row: int, old: str, new: str, text: str | None = None) -> tuple[str, int]:
    """A file with one text exchanged in its row, and the line that it is in."""
    rows = (text or after(NAMES, lines())).splitlines()
    at = row % (len(rows) - 1) + 1
    assert old in rows[at]
    rows[at] = rows[at].replace(old, new, 1)
    return "\n".join(rows) + "\n", at + 1


@pytest.mark.parametrize("row", [-1, -2, -15])
@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("change", [("2026-0", "2026-O", "Date"), (".", ".x", "Open")])
def test_a_lost_row_among_the_newest_fails_the_stock(tmp_path, row, newest_first, change):
    old, new, column = change
    text, line = spoilt(~row if newest_first else row, old, new, after(NAMES, lines(newest_first=newest_first)))
    said = refusal(tmp_path, text)
    assert "its newest rows cannot be read, first '" in said
    assert f"' in line {line}, column {column}; the last that can be is of 2026-06-" in said


@pytest.mark.parametrize(("old", "new", "kind"), [("2026-0", "2026-O", "undated"), (".", ".x", "unreadable")])
def test_a_lost_row_far_back_is_dropped_and_told(tmp_path, old, new, kind):
    text, line = spoilt(50, old, new)
    table, _ = read(tmp_path, text)
    assert [(finding.kind, finding.count) for finding in table.findings] == [(kind, 1)]
    assert f"in line {line}, column" in table.findings[0].text and len(table.frame) == N - 1


def test_a_file_cut_within_its_last_line_fails(tmp_path):
    assert "its newest rows cannot be read" in refusal(tmp_path, after(NAMES, lines()).rstrip("\n")[:-16])


@pytest.mark.parametrize("row", [-1, -3])
def test_a_row_lost_later_says_nothing_of_a_day_before(tmp_path, row):
    for old, new in (("2026-0", "2026-O"), (".", ".x")):
        text, _ = spoilt(row, old, new)
        (tmp_path / f"{SYMBOL}.csv").write_text(text)
        frame = read_csv(SYMBOL, tmp_path, ZONE).frame
        limit = bars().index[row - 1].date()
        assert check_prices(SYMBOL, frame, limit=limit).data_through == limit
        with pytest.raises(PriceError, match="newest rows"):
            check_prices(SYMBOL, frame, limit=bars().index[row].date())


def test_the_command_fails_where_the_newest_rows_are_lost(tmp_path):
    text, line = spoilt(-1, ".", ".O")
    (tmp_path / f"{SYMBOL}.csv").write_text(text)
    (tmp_path / "INFY.NS.csv").write_text(after(NAMES, lines()))
    options = ("--source", f"csv:{tmp_path}", "--home", tmp_path / "home", "--as-of", END, "--dry-run", "--symbols")
    alone, both = predict(*options, SYMBOL), predict(*options, SYMBOL, "INFY.NS")
    assert (alone.code, both.code) == (3, 1)
    assert f"in line {line}, column Open" in alone.err


def test_a_file_that_ended_years_ago_says_so(tmp_path):
    (tmp_path / f"{SYMBOL}.csv").write_text(
        after(NAMES, lines(raw=bars().set_axis(pd.bdate_range(end="2021-04-30", periods=N))))
    )
    ran = predict("--source", f"csv:{tmp_path}", "--home", tmp_path / "home", "--symbols", SYMBOL)
    assert ran.code == 3 and "its last bar is of 2021-04-30; renew it, or use --as-of 2021-04-30" in ran.err


def test_only_daily_files_of_the_plain_form_take_the_short_way(tmp_path, monkeypatch):
    from stockml.data import csv_files

    monkeypatch.setattr(csv_files.CsvFile, "_read_any", lambda *_: pytest.fail("the long way"))
    same_as_plain(read(tmp_path, READ["plain"])[0])
    with pytest.raises(FetchError) as refused:
        monkeypatch.undo()
        read(tmp_path, "")
    assert refused.value.kind == failures.UNREADABLE
