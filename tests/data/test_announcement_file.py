"""The days of results beside CSV prices: which rows are read, at whose time, and what is said of the others."""

from datetime import date, time
from zoneinfo import ZoneInfo

import pytest
from made_up_bars import market

from stockml.core.clock import Clock
from stockml.core.paths import Home
from stockml.data.announcement_file import read_announcements
from stockml.data.announcements import Announcement
from stockml.data.fetch import fetch_prices, spans_of
from stockml.data.known_symbols import symbols_in
from stockml.data.sources import Source

MUMBAI, NEW_YORK, TOKYO = ZoneInfo("Asia/Kolkata"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Tokyo")
DAY = date(2026, 4, 30)


def written(folder, text, name="announcements.csv"):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("symbol,date\nTCS.NS,2026-04-30\n", Announcement(DAY)),
        ("Symbol, Date , First Known On\r\n# mine\r\n\r\ntcs.ns, 2026-04-30 , 2026-04-16\r\n",
         Announcement(DAY, None, date(2026, 4, 16))),
        ("date;symbol;first_known_on;note\n2026-04-30;TCS.NS;;what ever\n", Announcement(DAY)),
        ("\ufeffsymbol\tpublished_at\nTCS.NS\t2026-04-30T16:05:00\n", Announcement(DAY, time(16, 5))),
        ("symbol,published_at\nTCS.NS,2026-04-30 16:05\n", Announcement(DAY, time(16, 5))),
        ("symbol,published_at,date\nTCS.NS,,2026-04-30\n", Announcement(DAY)),
        ("symbol,date\nTCS.NS,2026-04-30T00:00:00\n", Announcement(DAY)),
        ("symbol,date,first_known_on\nTCS.NS,2026-04-30,2026-04-20\nTCS.NS,2026-04-30,2026-04-18\n",
         Announcement(DAY, None, date(2026, 4, 18))),
        ("symbol,date\nTCS.NS,2026-04-30\n".encode("utf-16"), Announcement(DAY)),
    ],
)  # fmt: skip
def test_a_row_is_read_however_it_is_written(tmp_path, text, expected):
    found = read_announcements(written(tmp_path, text))
    assert (found.of("TCS.NS", MUMBAI), found.of("INFY.NS", MUMBAI), found.left_out) == ((expected,), (), "")


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-04-30T20:05:00Z", MUMBAI, Announcement(date(2026, 5, 1), time(1, 35))),
        ("2026-04-30T20:05:00+00:00", NEW_YORK, Announcement(DAY, time(16, 5))),
        ("2026-04-30T16:05:00-04:00", TOKYO, Announcement(date(2026, 5, 1), time(5, 5))),
        ("2026-04-30T16:05:00+05:30", MUMBAI, Announcement(DAY, time(16, 5))),
        ("2026-04-30T00:00:00Z", NEW_YORK, Announcement(DAY)),
        ("2026-04-30T00:00:00+05:30", TOKYO, Announcement(DAY)),
    ],
)
def test_a_time_with_a_zone_is_brought_to_the_exchange(tmp_path, text, zone, expected):
    found = read_announcements(written(tmp_path, f"symbol,published_at\nANY,{text}\n"))
    assert found.of("ANY", zone) == (expected,)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("TCS.NS,31.04.2026,", "line 3, column date: '31.04.2026' is no date; write YYYY-MM-DD"),
        ("TCS.NS,0001-01-01T00:30:00+05:30,", "line 3, column date: '0001-01-01T00:30:00+05:30' is no date"),
        ("TCS.NS,20260-04-30,", "line 3, column date: '20260-04-30' is no date"),
        ("TCS.NS,,", "line 3, column date: '' is no date"),
        ("TCS.NS,2026-02-30,", "line 3, column date: '2026-02-30' is no date"),
        (",2026-04-30,", "line 3, column symbol: it is empty; name the stock"),
        ("TCS.NS,2026-04-30,soon", "line 3, column first_known_on: 'soon' is no date"),
        ("TCS.NS,2026-04-30,2026-05-01", "line 3, column first_known_on: '2026-05-01' is after '2026-04-30'"),
    ],
)
def test_a_row_that_cannot_be_read_is_left_out_and_quoted(tmp_path, row, told):
    text = f"symbol,date,first_known_on\nTCS.NS,2026-01-15,\n{row}\nINFY.NS,2026-01-14,\n"
    found = read_announcements(written(tmp_path, text))
    assert f"announcements.csv: 1 row left out, first {told}" in found.left_out
    assert [len(found.of(symbol, MUMBAI)) for symbol in ("TCS.NS", "INFY.NS")] == [1, 1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "names no symbol and date"),
        ("TCS.NS,2026-04-30\n", "its first line 'TCS.NS,2026-04-30' names no symbol and date; write a first line"),
        ("symbol,when\nTCS.NS,2026-04-30\n", "names no symbol and date"),
        (b"PK\x03\x04\0\0", "is no text"),
        (b"symbol,date\nTCS.NS,\xff\n", "is no text in UTF-8"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path, text, told):
    with pytest.raises(ValueError, match=f"announcements.csv: .*{told}"):
        read_announcements(written(tmp_path, text))


def test_something_else_in_its_place_is_refused(tmp_path):
    (tmp_path / "announcements.csv").mkdir()
    with pytest.raises(ValueError, match=r"announcements.csv: is a folder"):
        read_announcements(tmp_path)


@pytest.mark.parametrize("name", ["announcements.csv", "Announcements.CSV", "ANNOUNCEMENTS.csv"])
def test_it_is_no_stock_and_its_dates_travel_with_the_prices(tmp_path, name):
    bars = market()
    bars.to_csv(tmp_path / "TCS.NS.csv")
    last = bars.index[-1].date()
    coming = Announcement(date(2030, 1, 1), None, last)
    past = Announcement(bars.index[-30].date())
    written(tmp_path, f"symbol,date,first_known_on\nTCS.NS,2030-01-01,{last}\nTCS.NS,{past.day},\n"
                      "TCS.NS,2030-01-02,\nTCS.NS,2030-01-03,2029-12-20\n", name)  # fmt: skip
    (tmp_path / "exchanges.csv").write_text("symbol,exchange\n")
    assert symbols_in(tmp_path) == ["TCS.NS"]
    clock = Clock(bars.index[-1].tz_localize("Asia/Kolkata").to_pydatetime().replace(hour=18))
    symbols = ["TCS.NS", "ANNOUNCEMENTS", "EXCHANGES"]
    fetched = fetch_prices(
        spans_of(symbols, 300, clock), Source("csv", tmp_path), clock=clock, home=Home(tmp_path / "home")
    )
    assert fetched.tables["TCS.NS"].announcements == (past, coming)
    assert {symbol: failure.kind for symbol, failure in fetched.failures.items()} == {
        "ANNOUNCEMENTS": "unknown_symbol", "EXCHANGES": "unknown_symbol"
    }  # fmt: skip


def test_a_change_of_the_file_is_seen(tmp_path):
    for day in ("2026-04-30", "2026-05-04T10:00"):
        (tmp_path / "announcements.csv").write_text(f"symbol,date\nTCS,{day}\n")
        assert read_announcements(tmp_path).of("TCS", MUMBAI)[0].day.isoformat() == day[:10]


def test_two_files_are_refused(tmp_path):
    written(written(tmp_path, "symbol,date\n"), "symbol,date\n", "Announcements.csv")
    with pytest.raises(ValueError, match=r"holds Announcements.csv and announcements.csv"):
        read_announcements(tmp_path)
