"""The exchange by the days in a file: decided where nothing else can be meant, and never by what comes later."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from made_up_bars import market

from stockml.core.calendars import Calendar, calendar_of
from stockml.data import exchange_inference
from stockml.data.exchange_inference import ASSUMED, INFERRED, STATED, FileExchange, exchange_of_file, infer

END = date(2026, 6, 30)


def sessions(code: str, n: int, last: date = END) -> list[date]:
    return calendar_of(code).sessions_between(last - timedelta(days=2 * n + 30), last)[-n:]


def write(folder: Path, symbol: str, days: list[date], **more: object) -> None:
    bars = market(len(days)).set_index(pd.DatetimeIndex(days, name="Date"))
    bars.assign(**more).to_csv(folder / f"{symbol}.csv")


@pytest.mark.parametrize(
    ("code", "n"),
    [
        *[(code, n) for code in ("XBOM", "XNYS", "XTKS", "XHKG", "XSHG", "XKRX", "XSAU") for n in (120, 500)],
        *[(code, n) for code in ("XTSE", "XTAE", "XIST") for n in (250, 500)],
        ("XLON", 500),  # Dublin's holidays are much the same
    ],
)
def test_an_exchange_is_told_by_its_holidays_and_week(code, n):
    last = date(2025, 12, 20) if code == "XTAE" else END  # the last of its old week
    assert infer(sessions(code, n, last)) == code


def test_special_sessions_and_a_few_lost_bars_do_not_hide_the_exchange():
    days = sessions("XBOM", 400)
    del days[50], days[200]
    days = sorted({*days, date(2025, 2, 1), date(2025, 10, 21)})
    assert infer(days) == "XBOM"


@pytest.mark.parametrize(
    "days",
    [
        sessions("XBOM", 30),  # too few
        sessions("XPAR", 400),  # Amsterdam's and Brussels' are the same
        sessions("XFRA", 400),
        sessions("XCAI", 400),  # a week alone tells no exchange
        [date(2025, 1, 1) + timedelta(days=number) for number in range(400)],
    ],
    ids=["short", "paris", "frankfurt", "cairo", "every day"],
)
def test_what_may_be_several_exchanges_or_none_is_not_decided(days):
    assert infer(days) is None


@pytest.mark.parametrize(
    ("code", "assumed"), [("XPAR", "weekdays"), ("XCAI", "sunday-thursday"), ("XKUW", "sunday-thursday")]
)
def test_days_that_are_not_new_yorks_are_counted_by_their_week(tmp_path, code, assumed):
    write(tmp_path, "NAMELESS", sessions(code, 400))
    assert exchange_of_file("NAMELESS", tmp_path, END) == FileExchange(assumed, ASSUMED)


def test_later_days_change_nothing(tmp_path):
    write(tmp_path, "OWN", sessions("XBOM", 300))
    through = date(2026, 3, 31)
    alone = exchange_of_file("OWN", tmp_path, through)
    early = [day for day in sessions("XBOM", 300) if day <= through]
    write(tmp_path, "OWN", early + [day for day in sessions("XNYS", 60) if day > through])
    assert alone == exchange_of_file("OWN", tmp_path, through) == FileExchange("XBOM", INFERRED)


def test_bars_without_trades_on_holidays_do_not_count(tmp_path):
    days = pd.bdate_range(end=pd.Timestamp(END), periods=400)
    traded = set(sessions("XBOM", 500))
    bars = market(400).set_index(days.rename("Date"))
    bars.loc[[day not in traded for day in days.date], "Volume"] = 0
    bars.to_csv(tmp_path / "TCS.csv")
    assert exchange_of_file("TCS", tmp_path, END) == FileExchange("XBOM", INFERRED)


@pytest.mark.parametrize(("name", "code"), [("NSE", "XBOM"), ("XLON", "XLON"), ("nasdaq", "XNYS")])
def test_a_column_says_the_exchange(tmp_path, name, code):
    write(tmp_path, "TCS", sessions("XBOM", 60), Exchange=name)
    assert exchange_of_file("TCS", tmp_path, END) == FileExchange(code, STATED)


@pytest.mark.parametrize(
    ("names", "message"), [(["NSE", "LSE"], "names LSE, NSE; one file"), (["MOON"], "'MOON' is no ex")]
)
def test_a_column_of_several_or_unknown_exchanges_is_refused(tmp_path, names, message):
    write(tmp_path, "TCS", sessions("XBOM", 60), exchange=(names * 60)[:60])
    with pytest.raises(ValueError, match=f"TCS: .*{message}"):
        exchange_of_file("TCS", tmp_path, END)


def test_a_file_that_is_missing_or_broken_is_left_to_the_fetch(tmp_path):
    (tmp_path / "BROKEN.csv").write_text("no,table\n1,2\n")
    assert exchange_of_file("BROKEN", tmp_path, END) is None
    assert exchange_of_file("MISSING", tmp_path, END) is None
    assert exchange_of_file("../BROKEN", tmp_path, END) is None
    write(tmp_path, "YOUNG", sessions("XBOM", 60))
    assert exchange_of_file("YOUNG", tmp_path, date(2020, 1, 1)) is None


@pytest.mark.parametrize("code", ["XTKS", "XIST", "weekdays"])
def test_a_folder_of_many_stocks_counts_each_exchanges_sessions_once(tmp_path, code, monkeypatch):
    """A run over hundreds of files of an unknown ending took half a minute, each time."""
    days, asked = sessions(code, 480), []
    exchange_inference._inferred.cache_clear()
    exchange_inference._sessions.cache_clear()
    sessions_between = Calendar.sessions_between
    monkeypatch.setattr(
        Calendar, "sessions_between", lambda self, *span: asked.append(self.name) or sessions_between(self, *span)
    )
    for number in range(5):
        write(tmp_path, f"S{number}.ZZ", days[number % 2 :])
        found = exchange_of_file(f"S{number}.ZZ", tmp_path, END)
        assert found == exchange_of_file("S0.ZZ", tmp_path, END)
    assert max(asked.count(name) for name in set(asked)) <= 2  # there are two first days
